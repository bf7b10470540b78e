"""Two charts of bars over months: what is held, and what runs where. Each bar has its words above it."""

from __future__ import annotations

from collections.abc import Sequence

from suanli.domain.plan import Assignment, Option, Plan
from suanli.foundation.language import tr
from suanli.report import numbers
from suanli.report.grammar import (
    BAR_PIXELS,
    CALM,
    INK,
    Chart,
    Spec,
    after,
    base,
    coloured,
    colours,
    first_day,
    horizon,
    instant_axis,
    tip_fields,
)
from suanli.report.words import word

ROW_PIXELS = 44
"""Height of one bar with its words."""
FAINTEST = 0.35
"""Opacity of a bar that takes next to none of what its lane takes at most."""

WIDTH_LETTERS = 110
"""How many letters go across a chart on a wide page."""

Row = dict[str, object]


def holdings(plan: Plan) -> Chart:
    """Draw what one has, what is on order, bought and rented over the months."""
    rows = _holding_rows(plan)
    states = list(dict.fromkeys(str(row["state"]) for row in rows))
    ordered = tr("on order")
    held = [state for state in states if state != ordered]
    legend = [(ordered, CALM)] if ordered in states else []
    legend += colours(held)
    said = tr(
        "Orders run from their month to delivery, then to the plan's end; of rents, a stronger colour is more systems."
    )
    return _bars(plan, "holdings", rows, legend, (tr("Fleet: owned, on order, bought, rented"), said))


def _holding_rows(plan: Plan) -> list[Row]:
    """Lay what one has and each order in a row of its own, and all rents of one system and tenure in one row."""
    end = after(plan.months[-1]) if plan.months else ""
    rows = [
        _span(f"held {index}", f"{one.systems} × {one.system_name}", word("owned"), start, end, one.systems)
        for index, one in enumerate(plan.holdings)
        if (start := max(one.month, plan.months[0])) < end
    ]
    for index, order in enumerate(plan.recommended.orders):
        label, place = f"{order.systems} × {order.system_name}", f"order {index}"
        stays = max(end, order.delivery_month)
        rows.append(_span(place, label, tr("on order"), order.month, order.delivery_month, order.systems))
        rows.append(_span(place, label, word("bought"), order.delivery_month, stays, order.systems))
    most = max((rent.systems for rent in plan.recommended.rents), default=1)
    for rent in sorted(plan.recommended.rents, key=lambda rent: (rent.system_name, rent.tenure, rent.first_month)):
        label, place = f"{numbers.systems(rent.systems)} × {rent.system_name}", f"rent {rent.system_id} {rent.tenure}"
        end_month, weight = after(rent.last_month), _weight(rent.systems, most)
        rows.append(_span(place, label, word(rent.tenure), rent.first_month, end_month, rent.systems, weight))
    return [row for row in rows if row["start"] != row["end"]]


def _weight(systems: float, most: float) -> float:
    """Say how strong a bar is drawn that takes so many systems of the most there are."""
    return FAINTEST + (1 - FAINTEST) * systems / most


def _span(place: str, label: str, state: str, first: str, end: str, systems: float, weight: float = 1.0) -> Row:
    """Make one bar: the row it lies in, its words, its colour's name, its months, how many systems, how strong."""
    return {
        "place": place,
        "label": label,
        "state": state,
        "start": first_day(first),
        "end": first_day(end),
        "systems": numbers.systems(systems),
        "weight": weight,
        "told": tr("{first} until before {end}", first=first, end=end),
    }


def running(plan: Plan) -> Chart:
    """Draw which workload runs on which hardware over the months."""
    rows = [row for lane in _lanes(plan.recommended).values() for row in _runs(lane)]
    names = list(dict.fromkeys([work.id for work in plan.recommended.workloads] + [str(row["state"]) for row in rows]))
    legend = colours(names)
    said = tr("Each bar is a workload on one kind of hardware; the stronger its colour, the more systems it takes.")
    return _bars(plan, "running", rows, legend, (tr("What runs where"), said))


def _lanes(option: Option) -> dict[tuple[str, str, str], list[Assignment]]:
    lanes: dict[tuple[str, str, str], list[Assignment]] = {}
    order = {work.id: index for index, work in enumerate(option.workloads)}

    def place(row: Assignment) -> tuple[int, str, str, str, str]:
        return order.get(row.workload, len(order)), row.workload, row.system_id, row.pool, row.month

    for row in sorted(option.assignments, key=place):
        if row.systems > 0:
            lanes.setdefault((row.workload, row.system_id, row.pool), []).append(row)
    return lanes


def _runs(lane: Sequence[Assignment]) -> list[Row]:
    """Join a lane's months into spans without a hole and with the same number of systems."""
    spans: list[list[Assignment]] = []
    for row in lane:
        if spans and after(spans[-1][-1].month) == row.month and spans[-1][-1].systems == row.systems:
            spans[-1].append(row)
        else:
            spans.append([row])
    first, most = lane[0], max(row.systems for row in lane)
    label = tr("{workload} on {pool}", workload=first.workload, pool=word(first.pool))
    place = f"{first.workload} {first.system_id} {first.pool}"
    return [
        _span(
            place,
            label,
            first.workload,
            span[0].month,
            after(span[-1].month),
            span[0].systems,
            _weight(span[0].systems, most),
        )
        for span in spans
    ]


def _bars(plan: Plan, key: str, rows: list[Row], legend: Sequence[tuple[str, str]], words: tuple[str, str]) -> Chart:
    title, said = words
    return Chart(
        key=key,
        title=title,
        said=said,
        spec=_spec(plan, _with_words(plan, rows), legend),
        columns=(tr("Hardware"), tr("Use"), tr("Systems"), tr("Months")),
        rows=tuple(tuple(str(row[part]) for part in ("label", "state", "systems", "told")) for row in rows),
        legend=tuple(legend),
    )


def _with_words(plan: Plan, rows: Sequence[Row]) -> list[Row]:
    """Give each place's words to its first bar, on the side where there is room; to later rents how many they are."""
    middle = first_day(plan.months[len(plan.months) // 2]) if plan.months else ""
    free: dict[object, float] = {}
    told: list[Row] = []
    for row in rows:
        begin, late = _letters(plan, row["start"]), str(row["start"]) > middle
        words = f"{row['systems']} ×" if str(row["place"]).startswith("rent ") else ""
        if row["place"] not in free:
            words = str(row["label"])
            free[row["place"]] = _letters(plan, row["end"]) if late else begin + len(words)
        elif begin < free[row["place"]] + 1:
            words = ""
        else:
            late = False
        told.append({**row, "words": "" if late else words, "late_words": words if late else ""})
    return told


def _letters(plan: Plan, day: object) -> float:
    """Say how many letters from the left of the chart a day lies."""
    months = [first_day(month) for month in plan.months]
    place = months.index(str(day)) if day in months else len(months)
    return place / max(1, len(months)) * WIDTH_LETTERS


def _spec(plan: Plan, rows: Sequence[Row], legend: Sequence[tuple[str, str]]) -> Spec:
    months = instant_axis("start")
    tips = tip_fields(
        ("label", tr("Hardware")), ("state", tr("Use")), ("systems", tr("Systems")), ("told", tr("Months"))
    )
    bars = {
        "mark": {"type": "bar", "cornerRadius": 3, "clip": True, "height": BAR_PIXELS // 2, "yOffset": BAR_PIXELS // 4},
        "encoding": {
            "x": months,
            "x2": {"field": "end"},
            "color": coloured("state", legend),
            "opacity": {"field": "weight", "type": "quantitative", "scale": None, "legend": None},
            "tooltip": tips,
        },
    }
    early = {
        "mark": {"type": "text", "align": "left", "dy": -BAR_PIXELS // 2, "color": INK},
        "encoding": {"x": months, "text": {"field": "words", "type": "nominal"}},
    }
    late = {
        "mark": {"type": "text", "align": "right", "dy": -BAR_PIXELS // 2, "color": INK},
        "encoding": {"x": {**months, "field": "end"}, "text": {"field": "late_words", "type": "nominal"}},
    }
    encoding: Spec = {"y": {"field": "place", "type": "nominal", "sort": None, "axis": None}}
    spec = base(rows, {"step": ROW_PIXELS}, encoding=encoding, layer=[horizon(plan), bars, early, late])
    days = dict.fromkeys(("start", "end"), "utc:'%Y-%m-%d'")
    spec["data"]["format"] = {"parse": days}
    return spec
