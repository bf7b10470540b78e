"""The pictures of a serving fleet: the front with the chosen point, and a traffic curve's rate and replicas."""

from __future__ import annotations

from collections.abc import Sequence

from suanli.domain.serving_plan import CurvePlan, FrontPoint, ServingPlan
from suanli.foundation.language import tr
from suanli.report import numbers
from suanli.report.grammar import (
    HIGH_PIXELS,
    INK,
    LOW_PIXELS,
    MUTED,
    SERIES,
    Chart,
    Spec,
    amount_axis,
    base,
    coloured,
    colours,
    tip_fields,
)
from suanli.report.layouts import pools_words

HOUR_SECONDS = 3600
SHAPES = ("circle", "triangle-up")
"""Marks of replicas that do both, and of pools apart."""


def front(points: Sequence[FrontPoint], chosen: ServingPlan) -> Chart:
    """Draw what none beats in both speed for a user and throughput of a chip, and where the chosen fleet stands."""
    together, apart = tr("together"), tr("apart")
    rows = [_front_row(one, together if one.prefill is None else apart) for one in points]
    legend = colours(list(dict.fromkeys([chosen.system, *(one.system for one in points)])))
    tips = tip_fields(
        ("fleet", tr("fleet")), ("user", tr("tokens/s a user")), ("chip", tr("tokens/s a chip")), ("ttft", "TTFT"),
        ("kept", tr("within the targets")),
    )  # fmt: skip
    shape = {"field": "kind", "type": "nominal", "scale": {"domain": [together, apart], "range": list(SHAPES)}}
    opacity = {"condition": {"test": "datum.within", "value": 1}, "value": 0.35}
    mark = {"type": "point", "filled": True, "size": 70}
    marks = {
        "mark": mark,
        "encoding": {"color": coloured("system", legend), "shape": {**shape, "legend": None}, "opacity": opacity,
                     "tooltip": tips},
    }  # fmt: skip
    line = {"mark": {"type": "line", "color": MUTED, "strokeWidth": 1, "opacity": 0.5, "tooltip": None}}
    encoding = {
        "x": amount_axis("x", tr("tokens/s a user"), scale={"zero": True}),
        "y": amount_axis("y", tr("tokens/s a chip"), scale={"zero": True}),
    }
    return Chart(
        key="front",
        title=tr("What none beats in both"),
        said=tr(
            "Circles prefill and decode together, triangles apart; pale ones miss the targets. The ring is the"
            " recommended fleet."
        ),
        spec=base(rows, 2 * HIGH_PIXELS, encoding=encoding, layer=[line, marks, _ring(chosen)]),
        columns=(tr("system"), tr("fleet"), tr("tokens/s a user"), tr("tokens/s a chip"), "TTFT",
                 tr("within the targets")),
        rows=tuple(
            tuple(str(row[name]) for name in ("system", "fleet", "user", "chip", "ttft", "kept")) for row in rows
        ),
        legend=legend,
    )  # fmt: skip


def _front_row(point: FrontPoint, kind: str) -> dict[str, object]:
    return {
        "x": point.tokens_per_s_per_user,
        "y": point.output_tokens_per_s_per_accelerator,
        "system": point.system,
        "kind": kind,
        "within": point.within_targets,
        "fleet": f"{point.weight_format} {pools_words(point.prefill, point.decode)}",
        "user": numbers.digits(point.tokens_per_s_per_user),
        "chip": numbers.digits(point.output_tokens_per_s_per_accelerator),
        "ttft": numbers.seconds(point.ttft_seconds),
        "kept": tr("yes") if point.within_targets else tr("no"),
    }


def _ring(chosen: ServingPlan) -> Spec:
    row = {
        "x": chosen.tokens_per_s_per_user,
        "y": chosen.output_tokens_per_s_per_accelerator,
        "fleet": pools_words(chosen.prefill, chosen.decode),
    }
    mark = {"type": "point", "filled": False, "shape": "circle", "size": 320, "strokeWidth": 2.5, "color": INK}
    tips = tip_fields(("fleet", tr("recommended")))
    return {"mark": {**mark, "opacity": 1}, "data": {"values": [row]}, "encoding": {"tooltip": tips}}


def hours(plan: CurvePlan) -> tuple[Chart, Chart]:
    """Draw a curve's rate, and the replicas that hold it, over its hours."""
    return _rates(plan), _replicas(plan)


def _axis(plan: CurvePlan) -> Spec:
    scale = {"domain": [0, len(plan.hours)], "nice": False}
    return {"field": "hour", "type": "quantitative", "title": tr("hour"), "scale": scale, "axis": {"tickCount": 12}}


def _rates(plan: CurvePlan) -> Chart:
    rows = [
        {"hour": one.start_seconds / HOUR_SECONDS, "until": one.start_seconds / HOUR_SECONDS + 1,
         "when": f"{one.start_seconds / HOUR_SECONDS:.0f}", "rate": one.requests_per_s, "ground": 0,
         "told": numbers.digits(one.requests_per_s)}
        for one in plan.hours
    ]  # fmt: skip
    encoding = {
        "x": _axis(plan), "x2": {"field": "until"},
        "y": amount_axis("rate", tr("requests/s")), "y2": {"field": "ground"},
        "tooltip": tip_fields(("when", tr("hour")), ("told", tr("requests/s"))),
    }  # fmt: skip
    return Chart(
        key="rates",
        title=tr("Requests"),
        said=tr("The rate that each hour asks for."),
        spec=base(rows, LOW_PIXELS, mark={"type": "bar", "color": SERIES[0]}, encoding=encoding),
        columns=(tr("hour"), tr("requests/s")),
        rows=tuple((str(row["when"]), str(row["told"])) for row in rows),
    )


def _replicas(plan: CurvePlan) -> Chart:
    """Draw replicas stacked by what they do: those that prefill, and those that decode or do both."""
    apart = plan.peak.prefill is not None
    legend = colours([tr("decode"), tr("prefill")] if apart else [tr("replicas")])
    rows = [
        {"hour": one.start_seconds / HOUR_SECONDS, "until": one.start_seconds / HOUR_SECONDS + 1,
         "when": f"{one.start_seconds / HOUR_SECONDS:.0f}", "kind": name, "ground": ground, "top": ground + count,
         "told": f"{count}", "systems": f"{one.systems}"}
        for one in plan.hours
        for (name, _), count, ground in zip(legend, (one.replicas, one.prefills), (0, one.replicas), strict=False)
    ]  # fmt: skip
    encoding = {
        "x": _axis(plan), "x2": {"field": "until"},
        "y": amount_axis("top", tr("replicas")), "y2": {"field": "ground"}, "color": coloured("kind", legend),
        "tooltip": tip_fields(("when", tr("hour")), ("kind", tr("What")), ("told", tr("replicas")),
                              ("systems", tr("systems"))),
    }  # fmt: skip
    return Chart(
        key="replicas",
        title=tr("Replicas"),
        said=tr("The fewest that hold each hour's rate."),
        spec=base(rows, HIGH_PIXELS, mark={"type": "bar"}, encoding=encoding),
        columns=(tr("hour"), tr("What"), tr("replicas"), tr("systems")),
        rows=tuple((str(row["when"]), str(row["kind"]), str(row["told"]), str(row["systems"])) for row in rows),
        legend=legend,
    )
