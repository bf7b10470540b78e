"""Writes the answers of a search for serving fleets as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.api.serving_hours import CurveAnswer, CurveQuestion
from suanli.api.serving_question import FleetQuestion
from suanli.domain.serving_plan import ServingPlans
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.report.serving_page import Asked


def write_fleet_page(
    question: FleetQuestion, found: ServingPlans, lines: tuple[str, ...], assumed: tuple[str, ...], path: Path
) -> None:
    """Write what a search found; `lines` say why in words. Raises InputError where the file cannot be written."""
    from importlib.metadata import version

    from suanli.report import serving_page

    asked = _asked(question, found.model, list(_said(question)))
    story = serving_page.of_fleets(asked, found.plans, found.front, lines, assumed)
    serving_page.write(story, version("suanli"), path)


def write_curve_page(
    question: CurveQuestion, found: CurveAnswer, lines: tuple[str, ...], assumed: tuple[str, ...], path: Path
) -> None:
    """Write the fleet for a traffic curve. Raises InputError where the file cannot be written."""
    from importlib.metadata import version

    from suanli.report import serving_page

    told = [*_said(replace(question.fleet, objective="month")), *_curve(question, found)]
    story = serving_page.of_curve(
        _asked(question.fleet, found.model, told), (found.plan, *found.others), found.front, lines, assumed
    )
    serving_page.write(story, version("suanli"), path)


def _asked(question: FleetQuestion, model: str, said: list[tuple[str, str]]) -> Asked:
    from suanli.report.serving_page import Asked

    return Asked(model=model, as_of=question.market.as_of, region=question.market.region, said=tuple(said))


def _said(question: FleetQuestion) -> Iterator[tuple[str, str]]:
    """Yield what was asked in words, leaving out what was left open."""
    from suanli.report import numbers

    job = question.job
    yield tr("tokens of a prompt"), f"{job.input_tokens:,.0f}"
    yield tr("tokens of an answer"), f"{job.output_tokens:,.0f}"
    for name, limit in (("TTFT", job.ttft_limit_seconds), ("TPOT", job.tpot_limit_seconds)):
        if limit is not None:
            yield tr("{name} at most", name=name), numbers.seconds(limit)
    if question.percentile is not None:
        yield tr("percentile"), f"P{question.percentile:g}"
    if job.rate_per_s is not None:
        yield tr("requests/s"), f"{job.rate_per_s:,.4g}"
        yield tr("share of capacity kept free"), numbers.percent(job.headroom)
    yield tr("systems"), ", ".join(question.systems)
    if question.accelerators is not None:
        yield tr("chips"), f"{question.accelerators:,}"
    yield tr("weight formats"), ", ".join(question.weight_formats)
    yield tr("serving engine"), f"{job.engine} {job.engine_version}".strip()
    yield tr("objective"), _objectives()[question.objective]


def _objectives() -> dict[str, str]:
    return {
        "throughput": tr("most tokens a chip"), "token": tr("cheapest token"), "month": tr("cheapest month"),
    }  # fmt: skip


def _curve(question: CurveQuestion, found: CurveAnswer) -> Iterator[tuple[str, str]]:
    """Yield what is told of the curve."""
    from suanli.report import numbers

    if question.curve is not None:
        yield tr("curve"), question.curve.name
    elif question.swing is not None:
        yield tr("swing of a day"), numbers.percent(question.swing)
    yield tr("requests/s at the peak"), f"{found.plan.peak_requests_per_s:,.4g}"
