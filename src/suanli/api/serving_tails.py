"""Fleets that a search found, played under arrivals until a percentile keeps its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from suanli.api.replay import ReplayQuestion, requests_of
from suanli.domain.serving_plan import ServingPlan, Tails
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.api.serving_fleet import Found
    from suanli.api.serving_question import FleetQuestion
    from suanli.domain.traffic import Requests
    from suanli.estimate.serving_tails import Asked, Grown

CHECKED = 3
"""How many of the best kinds are played."""
PLAYED_SECONDS = 120.0
LEAST_PLAYED, MOST_PLAYED = 3000, 20000
"""Two minutes of arrivals are played, of so many requests at least and at most."""
MILLI = 1000


def with_tails(
    found: Found, rows: Sequence[int], plans: Sequence[ServingPlan]
) -> tuple[list[tuple[int, ServingPlan]], list[str]]:
    """Play the best fleets, grow each until the percentile keeps its targets, and order them anew.

    Without the compiled engine fleets stay as they are. Raises InfeasibleError where none of them holds.
    """
    from suanli.api.serving_fleet import plays, reordered

    if not plays():
        return list(zip(rows, plans, strict=True)), []
    question = found.question
    requests, asked = arrivals(question, question.job.rate_per_s or 1.0), asked_of(question)
    chosen = list(dict.fromkeys([*range(min(CHECKED, len(rows))), len(rows) - 1]))
    told = [(rows[index], _played(found, rows[index], plans[index], requests, asked)) for index in chosen]
    held = [(row, plan) for row, plan in told if plan.tails is not None and plan.tails.held]
    if not held:
        raise _none_holds(found, [plan for _, plan in told])
    lengths = tr("every request as long as its mean") if not question.traffic else question.traffic
    said = tr(
        "percentiles: {count} requests played ({lengths}), the best {kinds} kinds of fleet",
        count=f"{len(requests):,}", lengths=lengths, kinds=len(chosen),
    )  # fmt: skip
    return reordered(found, held), [said]


def asked_of(question: FleetQuestion) -> Asked:
    """Return the targets that the asked percentile of requests must keep."""
    from suanli.domain.traffic import Targets
    from suanli.estimate.serving_tails import Asked

    targets = Targets(ttft_seconds=question.job.ttft_limit_seconds, tpot_seconds=question.job.tpot_limit_seconds)
    return Asked(targets=targets, percentile=(question.percentile or 0.0) / 100)


def arrivals(question: FleetQuestion, rate: float) -> Requests:
    """Make the requests that are played: a trace's or a named mix's, else Poisson arrivals of the asked lengths."""
    from suanli.traffic.draw import Lengths, Mix
    from suanli.traffic.generate import generate

    job = question.job
    many = question.requests or int(min(max(rate * PLAYED_SECONDS, LEAST_PLAYED), MOST_PLAYED))
    if question.traffic:
        return traffic_of(question, many, rate)
    inputs, outputs = (
        Lengths(mean=mean, variation=0.0, most=int(mean) + 1) for mean in (job.input_tokens, job.output_tokens)
    )
    return generate(Mix(rate_per_s=rate, inputs=inputs, outputs=outputs), many, question.seed)


def traffic_of(question: FleetQuestion, many: int, rate_per_s: float | None) -> Requests:
    """Read the first requests of the question's trace or named traffic. Raises InputError where it is neither."""
    asked = ReplayQuestion(
        model=question.job.model, system=question.systems[0], traffic=question.traffic, requests=many,
        rate_per_s=rate_per_s, seed=question.seed,
    )  # fmt: skip
    return requests_of(asked)


def with_lengths(question: FleetQuestion) -> FleetQuestion:
    """Give a question the mean lengths of its traffic, where it names any."""
    if not question.traffic:
        return question
    requests = traffic_of(question, question.requests or MOST_PLAYED, None)
    means = float(requests.input_tokens.mean()), float(requests.output_tokens.mean())
    return replace(question, job=replace(question.job, input_tokens=means[0], output_tokens=means[1]))


def _played(found: Found, row: int, plan: ServingPlan, requests: Requests, asked: Asked) -> ServingPlan:
    from suanli.api.serving_fleet import told_plan

    prefills = 0 if plan.prefill is None else plan.prefill.replicas
    result = grown_from(found, row, prefills, plan.decode.replicas, requests, asked)
    fleet = result.fleet
    most = most_per_s(found, row, fleet.prefills, fleet.replicas)
    return replace(told_plan(found, row, fleet.prefills, fleet.replicas, most), tails=_tails(result))


def grown_from(found: Found, row: int, prefills: int, replicas: int, requests: Requests, asked: Asked) -> Grown:
    """Play a row from so many replicas on, and grow it until the percentile keeps its targets."""
    from suanli.estimate.serving_columns import NONE
    from suanli.estimate.serving_tails import Fleets, grown

    columns, units = found.judged.columns, found.judged.units
    first = columns.prefill[row]
    start = Fleets(
        decode=units[columns.unit[row]].replica,
        replicas=replicas,
        prefill=None if first == NONE else units[first].replica,
        prefills=prefills,
    )
    return grown(start, requests, asked)


def most_per_s(found: Found, row: int, prefills: int, replicas: int) -> float:
    """Return the rate that so many replicas of a row do at most: of the slower pool, where there are two."""
    from suanli.equations.batching import paired_rate_per_s
    from suanli.estimate.serving_columns import replica_rates

    rate, first = replica_rates(found.judged.columns, found.judged.units, row)
    return rate * replicas if first is None else float(paired_rate_per_s(rate * replicas, first * prefills))


def _tails(grown: Grown) -> Tails:
    result = grown.result
    return Tails(
        requests=result.requests,
        requests_per_s=result.requests_per_s,
        ttft_seconds=result.ttft,
        tpot_seconds=result.tpot,
        finish_seconds=result.finish,
        good_share=result.good_share,
        held=grown.held,
    )


def _none_holds(found: Found, told: Sequence[ServingPlan]) -> InfeasibleError:
    question = found.question
    best = max(
        (plan for plan in told if plan.tails is not None), key=lambda plan: plan.tails.good_share if plan.tails else 0.0
    )
    tails = best.tails
    assert tails is not None
    return InfeasibleError(
        limit=tr(
            "No fleet that was played keeps the targets at the {percentile} percentile: of the nearest {share} of"
            " requests do, the first token takes {ttft} ms and each further one {tpot} ms at the 95th.",
            percentile=f"{question.percentile:g}", share=f"{tails.good_share:.1%}",
            ttft=f"{tails.ttft_seconds.p95 * MILLI:,.0f}", tpot=f"{tails.tpot_seconds.p95 * MILLI:,.1f}",
        ),
        relief=out_of_reach(),
    )  # fmt: skip


def out_of_reach() -> str:
    """Say what would bring a percentile within its targets."""
    return tr("Allow longer latencies or a lower percentile, or use faster accelerators or a smaller weight format.")
