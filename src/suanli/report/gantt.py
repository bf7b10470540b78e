"""Two charts of bars over months: what is held, and what runs where."""

from __future__ import annotations

from collections.abc import Sequence

from suanli.domain.plan import Assignment, Option, Plan
from suanli.foundation.language import tr
from suanli.report import numbers
from suanli.report.grammar import (
    BAR_PIXELS,
    Chart,
    Spec,
    after,
    base,
    colours,
    first_day,
    horizon,
    instant_axis,
    name_axis,
    tip_fields,
)
from suanli.report.words import word


def holdings(plan: Plan) -> Chart:
    """Draw what is on order, bought and rented over the months."""
    rows = _holding_rows(plan)
    states = list(dict.fromkeys(str(row["state"]) for row in rows))
    return _bars(
        plan,
        "holdings",
        rows,
        states,
        tr("Fleet: on order, bought, rented"),
        tr("An order runs from the month it is placed to delivery, then to the end of the plan."),
    )


def _holding_rows(plan: Plan) -> list[dict[str, object]]:
    end = after(plan.months[-1]) if plan.months else ""
    rows: list[dict[str, object]] = []
    for index, order in enumerate(plan.recommended.orders):
        label = _label(index, f"{order.systems} × {order.system_name}")
        rows.append(_span(label, tr("on order"), order.month, order.delivery_month, str(order.systems)))
        rows.append(
            _span(label, word("bought"), order.delivery_month, max(end, order.delivery_month), str(order.systems))
        )
    for index, rent in enumerate(plan.recommended.rents, start=len(plan.recommended.orders)):
        label = _label(index, f"{rent.systems} × {rent.system_name}")
        rows.append(_span(label, word(rent.tenure), rent.first_month, after(rent.last_month), str(rent.systems)))
    return [row for row in rows if row["start"] != row["end"]]


def _label(index: int, text: str) -> str:
    """Keep equal texts apart by their place, which the axis does not show beyond its end."""
    return f"{index + 1}. {text}"


def _span(label: str, state: str, first: str, end: str, systems: str) -> dict[str, object]:
    told = tr("{first} until before {end}", first=first, end=end)
    return {
        "label": label,
        "state": state,
        "start": first_day(first),
        "end": first_day(end),
        "systems": systems,
        "told": told,
    }


def running(plan: Plan) -> Chart:
    """Draw which workload runs on which hardware over the months."""
    rows = [row for lane in _lanes(plan.recommended).values() for row in _runs(lane)]
    names = list(dict.fromkeys(work.id for work in plan.recommended.workloads))
    names += [str(row["state"]) for row in rows if row["state"] not in names]
    return _bars(
        plan,
        "running",
        rows,
        list(dict.fromkeys(names)),
        tr("What runs where"),
        tr("Each bar is a workload on one kind of hardware; point at it for how many systems it takes."),
    )


def _lanes(option: Option) -> dict[tuple[str, str, str], list[Assignment]]:
    lanes: dict[tuple[str, str, str], list[Assignment]] = {}
    for row in sorted(option.assignments, key=lambda row: (row.system_id, row.pool, row.workload, row.month)):
        if row.systems > 0:
            lanes.setdefault((row.system_id, row.pool, row.workload), []).append(row)
    return lanes


def _runs(lane: Sequence[Assignment]) -> list[dict[str, object]]:
    """Join a lane's months into spans without a hole and with the same number of systems."""
    spans: list[list[Assignment]] = []
    for row in lane:
        joined = spans and after(spans[-1][-1].month) == row.month and spans[-1][-1].systems == row.systems
        if joined:
            spans[-1].append(row)
        else:
            spans.append([row])
    return [
        _span(
            f"{span[0].system_id}, {word(span[0].pool)}",
            span[0].workload,
            span[0].month,
            after(span[-1].month),
            numbers.systems(span[0].systems),
        )
        for span in spans
    ]


def _bars(plan: Plan, key: str, rows: list[dict[str, object]], states: list[str], title: str, said: str) -> Chart:
    tips = tip_fields(
        ("label", tr("Hardware")), ("state", tr("Use")), ("systems", tr("Systems")), ("told", tr("Months"))
    )
    encoding: Spec = {
        "x": instant_axis("start", scale=horizon(plan)),
        "x2": {"field": "end"},
        "y": name_axis("label", sort=None),
        "color": colours("state", states),
        "tooltip": tips,
    }
    if key == "running":
        encoding["yOffset"] = {"field": "state", "sort": states}
    mark = {"type": "bar", "cornerRadius": 3, "clip": True}
    spec = base(rows, {"step": BAR_PIXELS if key == "holdings" else BAR_PIXELS // 2}, mark=mark, encoding=encoding)
    spec["data"]["format"] = {"parse": {"start": "utc:'%Y-%m-%d'", "end": "utc:'%Y-%m-%d'"}}
    return Chart(
        key=key,
        title=title,
        said=said,
        spec=spec,
        columns=(tr("Hardware"), tr("Use"), tr("Systems"), tr("Months")),
        rows=tuple(tuple(str(row[part]) for part in ("label", "state", "systems", "told")) for row in rows),
    )
