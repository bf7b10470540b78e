"""The charts of a plan as Vega-Lite specifications: plain mappings, colours as names that the page's style sheet knows.

Every chart carries its data in itself and a table of the same rows, for those who cannot see it.
"""

from __future__ import annotations

from suanli.domain.plan import Plan
from suanli.foundation.language import tr
from suanli.report import numbers
from suanli.report.causes import bytes_by_cause, seconds_by_cause
from suanli.report.crowding import place_words
from suanli.report.gantt import holdings, running
from suanli.report.grammar import (
    ACCENT,
    BAR_PIXELS,
    CALM,
    HIGH_PIXELS,
    LIMIT,
    LOW_PIXELS,
    MUTED,
    SERIES,
    Chart,
    amount_axis,
    base,
    beside,
    coloured,
    colours,
    first_day,
    instant_axis,
    month_axis,
    name_axis,
    roomy,
    text_mark,
    tip_fields,
)
from suanli.report.scaling import money_scale, power_scale
from suanli.report.tables import cash_by_month
from suanli.report.words import word


def of_plan(plan: Plan) -> tuple[Chart, ...]:
    """Draw every chart that the plan has data for."""
    made = [cash(plan), spent(plan), holdings(plan), running(plan), alternatives(plan), pareto(plan), power(plan)]
    for index, work in enumerate(plan.recommended.workloads):
        made += [seconds_by_cause(work, index), bytes_by_cause(work, index)]
    return tuple(chart for chart in made if chart.rows)


def cash(plan: Plan) -> Chart:
    """Draw the cash of each month, stacked by category."""
    scale, unit = money_scale(plan)
    sums = cash_by_month(plan.recommended)
    rows = [
        {
            "month": first_day(month),
            "when": month,
            "category": word(category),
            "amount": amount / scale,
            "told": numbers.exact_money(amount, plan.currency),
        }
        for category, months in sums.items()
        for month, amount in sorted(months.items())
        if amount
    ]
    legend = colours([word(category) for category in sums])
    encoding = {
        "x": month_axis(),
        "y": amount_axis("amount", unit),
        "color": coloured("category", legend),
        "tooltip": tip_fields(("when", tr("Month")), ("category", tr("Category")), ("told", tr("Amount"))),
    }
    return Chart(
        key="cash",
        title=tr("Cash each month"),
        said=tr("Costs stand above the line, resale below it. Not discounted."),
        spec=base(rows, HIGH_PIXELS, mark={"type": "bar"}, encoding=encoding),
        columns=(tr("Month"), tr("Category"), tr("Amount")),
        rows=tuple((str(row["when"]), str(row["category"]), str(row["told"])) for row in rows),
        legend=legend,
    )


def spent(plan: Plan) -> Chart:
    """Draw the money spent so far, month by month."""
    scale, unit = money_scale(plan)
    sums = cash_by_month(plan.recommended)
    rows, total = [], 0.0
    for month in plan.months if sums else ():
        total += sum(months.get(month, 0.0) for months in sums.values())
        told = numbers.exact_money(total, plan.currency)
        rows.append({"month": first_day(month), "when": month, "amount": total / scale, "told": told})
    encoding = {
        "x": month_axis(),
        "y": amount_axis("amount", unit),
        "tooltip": tip_fields(("when", tr("Month")), ("told", tr("Spent so far"))),
    }
    mark = {"type": "line", "interpolate": "step-after", "color": ACCENT, "point": {"color": ACCENT, "size": 26}}
    return Chart(
        key="spent",
        title=tr("Spent so far"),
        said=tr("The sum of all months up to this one."),
        spec=base(rows, LOW_PIXELS, mark=mark, encoding=encoding),
        columns=(tr("Month"), tr("Spent so far")),
        rows=tuple((str(row["when"]), str(row["told"])) for row in rows),
    )


def alternatives(plan: Plan) -> Chart:
    """Draw what each whole answer costs."""
    scale, unit = money_scale(plan)
    best = plan.recommended
    options = [(word("recommended"), best.cost, best.finish_month)]
    options += [
        (word(other.name), other.option.cost, other.option.finish_month)
        for other in plan.alternatives
        if other.option is not None
    ]
    rows = [
        {
            "name": name,
            "cost": cost / scale,
            "chosen": index == 0,
            "told": numbers.money(cost, plan.currency),
            "finish": finish,
        }
        for index, (name, cost, finish) in enumerate(options)
    ]
    chosen = {"condition": {"test": "datum.chosen", "value": ACCENT}, "value": CALM}
    tips = tip_fields(("name", tr("Plan")), ("told", tr("Cost in today's money")), ("finish", tr("Training done in")))
    bars = {"mark": {"type": "bar", "cornerRadiusEnd": 3}, "encoding": {"color": chosen, "tooltip": tips}}
    texts = {"mark": text_mark(), "encoding": {"text": {"field": "told", "type": "nominal"}}}
    encoding = {"y": name_axis("name", sort=None), "x": amount_axis("cost", unit, scale=roomy(rows, "cost"))}
    return Chart(
        key="alternatives",
        title=tr("What each answer costs"),
        said=tr("Present value of all cash of the plan; answers that cannot be had are in the table below."),
        spec=base(rows, {"step": BAR_PIXELS}, encoding=encoding, layer=[bars, texts]),
        columns=(tr("Plan"), tr("Cost in today's money"), tr("Training done in")),
        rows=tuple((str(row["name"]), str(row["told"]), str(row["finish"])) for row in rows),
    )


def pareto(plan: Plan) -> Chart:
    """Draw the tried answers by the month training is done and what they cost."""
    scale, unit = money_scale(plan)
    rows: list[dict[str, object]] = [
        {
            "month": first_day(month),
            "when": month,
            "cost": cost / scale,
            "name": word(name),
            "told": numbers.money(cost, plan.currency),
            "chosen": name in ("recommended", plan.recommended.name),
        }
        for month, cost, name in plan.pareto
        if month
    ]
    rows.sort(key=lambda row: bool(row["chosen"]))  # drawn last, on top of one that lies in the same place
    place_words(rows)
    chosen = {"condition": {"test": "datum.chosen", "value": ACCENT}, "value": MUTED}
    tips = tip_fields(("name", tr("Plan")), ("when", tr("Training done in")), ("told", tr("Cost in today's money")))
    mark = {"type": "point", "filled": True, "size": 110, "opacity": 1}
    points = {"mark": mark, "encoding": {"color": chosen, "tooltip": tips}}
    encoding = {
        "x": instant_axis("month", monthly=True, scale={"type": "utc", "padding": 30, "nice": False}),
        "y": amount_axis("cost", unit, scale={"zero": False, "padding": 18}),
    }
    return Chart(
        key="pareto",
        title=tr("Sooner or cheaper"),
        said=tr("Each point is a whole plan: further left is sooner, lower is cheaper."),
        spec=base(rows, HIGH_PIXELS, encoding=encoding, layer=[points, *beside("right", "left")]),
        columns=(tr("Plan"), tr("Training done in"), tr("Cost in today's money")),
        rows=tuple((str(row["name"]), str(row["when"]), str(row["told"])) for row in rows),
    )


def power(plan: Plan) -> Chart:
    """Draw the power at the meter against the site's limit."""
    scale, unit = power_scale(plan)
    rows = [
        {
            "month": first_day(use.month),
            "when": use.month,
            "power": use.watts / scale,
            "told": numbers.watts(use.watts),
        }
        for use in plan.recommended.power
    ]
    tips = tip_fields(("when", tr("Month")), ("told", tr("Power at the meter")))
    use = {
        "mark": {"type": "bar", "color": SERIES[0]},
        "encoding": {"x": month_axis(), "y": amount_axis("power", unit), "tooltip": tips},
    }
    limits = sorted({use.limit_watts for use in plan.recommended.power if use.limit_watts is not None})
    limited = bool(limits)
    limit = {
        "mark": {"type": "rule", "color": LIMIT, "strokeDash": [6, 4]},
        "data": {"values": [{"limit": watts / scale} for watts in limits]},
        "encoding": {"y": amount_axis("limit", unit)},
    }
    return Chart(
        key="power",
        title=tr("Power at the meter"),
        said=tr("The dashed line is what the site allows.")
        if limited
        else tr("The site has no limit in the scenario."),
        spec=base(rows, LOW_PIXELS, layer=[use, limit] if limited else [use]),
        columns=(tr("Month"), tr("Power at the meter")),
        rows=tuple((str(row["when"]), str(row["told"])) for row in rows),
    )
