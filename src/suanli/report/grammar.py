"""Pieces of Vega-Lite that the charts share: axes, colours by name, tips, and what a chart is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suanli.domain.plan import Plan

Spec = dict[str, Any]
"""A Vega-Lite specification."""

SERIES = tuple(f"var(--series-{index})" for index in range(1, 9))
INK, MUTED, ACCENT, LIMIT, CALM = "var(--ink)", "var(--muted)", "var(--accent)", "var(--limit)", "var(--calm)"
BAR_PIXELS, LOW_PIXELS, HIGH_PIXELS = 26, 150, 230
"""Heights on the page: of one bar's band, of a low and of a high chart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A chart: its key on the page, title, what it shows in words, the specification, its rows, its colours' names."""

    key: str
    title: str
    said: str
    spec: Spec
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[tuple[str, str], ...] = ()


def base(rows: Sequence[Mapping[str, object]], height: int | Spec, **parts: Any) -> Spec:
    """Begin a specification that is as wide as its place and carries its rows in itself."""
    return {"width": "container", "height": height, "data": {"values": list(rows)}, **parts}


def month_axis(field: str = "month", **more: Any) -> Spec:
    """Lay a field that holds the first day of a month on an axis of months."""
    axis = {
        "format": "%Y-%m",
        "title": None,
        "labelOverlap": "greedy",
        "labelSeparation": 8,
        "grid": False,
        "tickCount": 8,
    }
    return {"field": field, "type": "temporal", "timeUnit": "utcyearmonth", "axis": axis, **more}


def instant_axis(field: str, monthly: bool = False, **more: Any) -> Spec:
    """Lay a field that holds a day on an axis of months, without rounding; `monthly` forbids ticks within a month."""
    instant = month_axis(field, **more)
    del instant["timeUnit"]
    if monthly:
        instant["axis"]["tickCount"] = {"interval": "month", "step": 1}
    return {"scale": {"type": "utc", "nice": False}, **instant}


def horizon(plan: Plan) -> Spec:
    """Make an unseen layer that stretches a month axis over the whole plan."""
    ends = [plan.months[0], after(plan.months[-1])] if plan.months else []
    data = {"values": [{"at": first_day(month)} for month in ends], "format": {"parse": {"at": "utc:'%Y-%m-%d'"}}}
    mark = {"type": "point", "opacity": 0, "tooltip": None}
    return {"data": data, "mark": mark, "encoding": {"x": instant_axis("at"), "y": {"value": 0}}}


def amount_axis(field: str, title: str, **more: Any) -> Spec:
    """Lay a number on an axis."""
    return {"field": field, "type": "quantitative", "title": title, "axis": {"tickCount": 5}, **more}


def name_axis(field: str, **more: Any) -> Spec:
    """Lay names on an axis, one band each."""
    return {"field": field, "type": "nominal", "title": None, "axis": {"labelLimit": 140, "ticks": False}, **more}


def colours(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Give each name a colour, in the order given."""
    return tuple((name, SERIES[index % len(SERIES)]) for index, name in enumerate(names))


def coloured(field: str, legend: Sequence[tuple[str, str]]) -> Spec:
    """Tell names apart by colour; the page itself writes the legend, which folds on a phone."""
    scale = {"domain": [name for name, _ in legend], "range": [colour for _, colour in legend]}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}


def tip_fields(*named: tuple[str, str]) -> list[Spec]:
    """Say what a mark's tip shows."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in named]


def first_day(month: str) -> str:
    """Return the first day of a month."""
    return f"{month}-01"


def beside(words: str, left_words: str) -> list[Spec]:
    """Make two layers of words beside a point: on its right, and on its left for those that have no room there."""
    mark = {"type": "text", "dy": -6, "color": INK}
    return [
        {"mark": {**mark, "align": "left", "dx": 9}, "encoding": {"text": {"field": words, "type": "nominal"}}},
        {"mark": {**mark, "align": "right", "dx": -9}, "encoding": {"text": {"field": left_words, "type": "nominal"}}},
    ]


def text_mark() -> Spec:
    """Write words at the end of a bar."""
    return {"type": "text", "align": "left", "dx": 5, "color": INK}


def roomy(rows: Sequence[Mapping[str, Any]], field: str) -> Spec:
    """Leave a third of the axis free, for the words at the end of the longest bar."""
    longest = max((float(row[field]) for row in rows), default=0.0)
    return {"domainMax": longest + longest / 2} if longest > 0 else {}


def after(month: str) -> str:
    """Return the month after a month."""
    year, number = (int(part) for part in month.split("-"))
    return f"{year + 1}-01" if number == 12 else f"{year}-{number + 1:02d}"
