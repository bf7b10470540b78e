"""A serving fleet as one page: the answer, why, a curve's hours, the front, the other fleets, and what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from suanli.domain.serving_plan import CurvePlan, FrontPoint, ServingCost, ServingPlan
from suanli.foundation.language import tr
from suanli.report import html, numbers, serving_charts
from suanli.report.files import write_whole
from suanli.report.grammar import Chart
from suanli.report.layouts import pools_words
from suanli.report.story import Fact
from suanli.report.tables import Cell, Column, Table, cell
from suanli.report.words import word

MILLION = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What was asked, in words: model, date and region of the market, and every choice with its value."""

    model: str
    as_of: str
    region: str
    said: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingStory:
    """Everything that the page says, in the language in force."""

    title: str
    as_of: str
    region: str
    decision: str
    facts: tuple[Fact, ...]
    lines: tuple[str, ...]
    hours: tuple[Chart, ...]
    front: Chart
    alternatives: Table
    question: Table
    assumed: tuple[str, ...]


def write(story: ServingStory, version: str, path: Path) -> Path:
    """Write the page and return its path. Raises InputError where it cannot be written."""
    write_whole(Path(path), page(story, version).encode())
    return Path(path)


def page(story: ServingStory, version: str) -> str:
    """Return the page in the language in force."""
    drawn = (*story.hours, story.front)
    return html.render(
        "serving.html.j2",
        story=story,
        title=f"{story.title} · {tr('Serving fleet')}",
        version=version,
        specs={one.key: one.spec for one in drawn},
    )


def of_fleets(
    asked: Asked,
    plans: Sequence[ServingPlan],
    front: Sequence[FrontPoint],
    lines: tuple[str, ...],
    assumed: tuple[str, ...],
) -> ServingStory:
    """Tell a search's fleets, the best first; `lines` are the reasons and `assumed` what it rests on, in words."""
    best = plans[0]
    return ServingStory(
        title=tr("Fleets for {model}", model=asked.model),
        as_of=asked.as_of,
        region=word(asked.region),
        decision=_decision(best),
        facts=(*_speed(best), *(_money(best.cost) if best.cost else ())),
        lines=lines,
        hours=(),
        front=serving_charts.front(front, best),
        alternatives=_fleets(plans, [plan.cost for plan in plans], [numbers.percent(plan.worse) for plan in plans]),
        question=_question(asked),
        assumed=assumed,
    )


def of_curve(
    asked: Asked,
    plans: Sequence[CurvePlan],
    front: Sequence[FrontPoint],
    lines: tuple[str, ...],
    assumed: tuple[str, ...],
) -> ServingStory:
    """Tell the fleets for a traffic curve, the cheapest first."""
    best = plans[0]
    costs = [plan.cost for plan in plans]
    behind = [numbers.percent(cost.month_amount / best.cost.month_amount - 1) for cost in costs]
    return ServingStory(
        title=tr("Fleets for {model}", model=asked.model),
        as_of=asked.as_of,
        region=word(asked.region),
        decision=_decision(best.peak),
        facts=(*_speed(best.peak), *_money(best.cost)),
        lines=lines,
        hours=serving_charts.hours(best),
        front=serving_charts.front(front, best.peak),
        alternatives=_fleets([plan.peak for plan in plans], costs, behind),
        question=_question(asked),
        assumed=assumed,
    )


def _decision(plan: ServingPlan) -> str:
    return tr(
        "{fleet} on {system} in {format}: {chips} chips.", fleet=pools_words(plan.prefill, plan.decode),
        system=plan.system, format=plan.weight_format, chips=f"{plan.accelerators:,}",
    )  # fmt: skip


def _speed(plan: ServingPlan) -> tuple[Fact, ...]:
    bands = {name: plan.band[name] for name in ("ttft_seconds", "tpot_seconds", "output_tokens_per_s")}
    rate = bands["output_tokens_per_s"]
    return (
        *(
            Fact(label=label, value=numbers.seconds(value), tip=_band(numbers.seconds(low), numbers.seconds(high)))
            for label, value, low, high in (
                (tr("time to first token"), plan.ttft_seconds, bands["ttft_seconds"].low, bands["ttft_seconds"].high),
                (tr("time for each further token"), plan.tpot_seconds, bands["tpot_seconds"].low,
                 bands["tpot_seconds"].high),
            )
        ),
        Fact(
            label=tr("output tokens per second"),
            value=numbers.count(plan.output_tokens_per_s),
            tip=_band(numbers.count(rate.low), numbers.count(rate.high)),
            note=tr("{count} a chip", count=numbers.digits(plan.output_tokens_per_s_per_accelerator)),
        ),
    )  # fmt: skip


def _band(low: str, high: str) -> str:
    return f"{tr('80 % band')}: {numbers.band(low, high)}"


def _money(cost: ServingCost) -> tuple[Fact, ...]:
    exact = numbers.exact_money(cost.month_amount, cost.currency)
    shared = tr("by the time that each occupies the accelerators")
    return (
        Fact(label=tr("A month"), value=numbers.money(cost.month_amount, cost.currency), tip=exact),
        Fact(label=tr("A million tokens of prompts"), value=_per_million(cost.input_amount_per_token, cost),
             tip=shared),
        Fact(label=tr("A million tokens of answers"), value=_per_million(cost.output_amount_per_token, cost),
             tip=shared),
    )  # fmt: skip


def _per_million(amount_per_token: float, cost: ServingCost) -> str:
    return f"{cost.currency} {numbers.digits(amount_per_token * MILLION)}"


def _fleets(plans: Sequence[ServingPlan], costs: Sequence[ServingCost | None], behind: Sequence[str]) -> Table:
    titles = [(tr("system"), False), (tr("fleet"), False), (tr("in flight"), True), ("TTFT", True), ("TPOT", True),
              (tr("tokens/s a chip"), True), (tr("chips"), True)]  # fmt: skip
    if costs[0] is not None:
        titles += [(tr("A month"), True), (tr("1 M tokens in"), True), (tr("1 M tokens out"), True)]
    titles.append((tr("behind"), True))
    return Table(
        title=tr("The best kinds of fleet"),
        columns=tuple(Column(title=title, numeric=numeric) for title, numeric in titles),
        rows=tuple(_fleet(*one) for one in zip(plans, costs, behind, strict=True)),
    )


def _fleet(plan: ServingPlan, cost: ServingCost | None, behind: str) -> tuple[Cell, ...]:
    money = () if cost is None else (
        cell(numbers.money(cost.month_amount, cost.currency), numbers.exact_money(cost.month_amount, cost.currency)),
        cell(_per_million(cost.input_amount_per_token, cost)),
        cell(_per_million(cost.output_amount_per_token, cost)),
    )  # fmt: skip
    return (
        cell(f"{plan.system} {plan.weight_format}"),
        cell(pools_words(plan.prefill, plan.decode)),
        cell(f"{plan.decode.concurrency:.0f}"),
        cell(numbers.seconds(plan.ttft_seconds)),
        cell(numbers.seconds(plan.tpot_seconds)),
        cell(numbers.digits(plan.output_tokens_per_s_per_accelerator)),
        cell(f"{plan.accelerators:,}"),
        *money,
        cell(behind),
    )


def _question(asked: Asked) -> Table:
    return Table(
        title=asked.model,
        columns=(Column(title=tr("What")), Column(title=tr("Value"))),
        rows=tuple((cell(name), cell(value)) for name, value in asked.said),
    )
