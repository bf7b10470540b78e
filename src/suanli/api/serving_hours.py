"""The smallest fleet for a traffic curve: replicas hour by hour, a base held all month, a top by the hour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.api.serving_fleet import Found, beside_api, front_of, kept_rows, plans_assumed, search_fleets, told_plan
from suanli.api.serving_question import FleetQuestion, fleet_faults
from suanli.api.serving_tails import out_of_reach
from suanli.domain.serving_plan import CurvePlan, FrontPoint, Holding, HourPlan
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.estimate.serving_curve import BaseAndTop, Hourly, Kind
    from suanli.foundation.equation import FloatArray

KINDS = 12
"""How many of the best kinds of fleet at the peak are tried on the whole curve."""
LEVELS = 5
"""At how many rates a percentile is played, quietest hour to busiest; between them replicas follow a line."""
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveQuestion:
    """A service whose rate changes by the hour: a table of hours or a trace, or a swing around the mean rate.

    The fleet's own rate is the mean that hours are brought to (None: as the curve tells it).
    """

    fleet: FleetQuestion
    curve: Path | None = None
    swing: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveAnswer:
    """The cheapest fleet for a curve, what the next kinds of fleet cost a month, the front, and what it rests on."""

    model: str
    plan: CurvePlan
    others: tuple[CurvePlan, ...]
    front: tuple[FrontPoint, ...]
    why: tuple[str, ...]
    assumed: tuple[str, ...]


def plan_hours(question: CurveQuestion) -> CurveAnswer:
    """Find the cheapest fleet that holds every hour of a curve.

    Raises InputError with every fault at once, InfeasibleError where nothing holds the busiest hour.
    """
    _check(question)
    rates = _rates(question)
    peak = float(rates.max())
    fleet = replace(question.fleet, objective="month", job=replace(question.fleet.job, rate_per_s=peak))
    found = search_fleets(fleet)
    rows = kept_rows(found, KINDS)
    tried = sorted(
        ((_mixed(found, row, _hourly(found, row, rates)), row) for row in rows), key=lambda one: one[0].amount
    )
    played = fleet.percentile is not None
    plans = [_plan(found, row, rates, played) for _, row in tried[: 1 if played else fleet.job.keep]]
    return CurveAnswer(
        model=found.setup.model.name,
        plan=plans[0],
        others=tuple(plans[1:]),
        front=front_of(found),
        why=_why(plans[0]),
        assumed=(*plans_assumed(found), *_assumed(plans[0])),
    )


def _check(question: CurveQuestion) -> None:
    faults = fleet_faults(question.fleet, rated=True)
    if question.curve is not None and question.swing is not None:
        faults.append(Fault(place="--daily-swing", found="--curve", allowed=tr("one of both")))
    if question.swing is not None and not 0 <= question.swing <= 1:
        faults.append(Fault(place="--daily-swing", found=f"{question.swing:g}", allowed=tr("from 0 to 1")))
    if question.curve is None and question.fleet.job.rate_per_s is None:
        faults.append(Fault(place="--rate", found=tr("nothing"), allowed=tr("the mean rate that a day swings around")))
    if faults:
        raise InputError(faults)


def _rates(question: CurveQuestion) -> FloatArray:
    from suanli.traffic.curve import at_mean, read_curve, swinging

    mean = question.fleet.job.rate_per_s
    if question.curve is None:
        return swinging(mean or 0.0, question.swing or 0.0)
    rates = read_curve(question.curve)
    return rates if mean is None else at_mean(rates, mean)


def _kind(found: Found, row: int) -> Kind:
    from suanli.estimate.serving_columns import NONE, replica_rates
    from suanli.estimate.serving_curve import Kind

    columns, units = found.judged.columns, found.judged.units
    unit, first = units[columns.unit[row]], columns.prefill[row]
    rate, prefill_rate = replica_rates(columns, units, row)
    return Kind(
        rate_per_s=rate,
        accelerators=float(unit.accelerators),
        per_system=float(unit.system.accelerators),
        prefill_rate_per_s=prefill_rate,
        prefill_accelerators=0.0 if first == NONE else float(units[first].accelerators),
    )


def _hourly(found: Found, row: int, rates: FloatArray) -> Hourly:
    from suanli.estimate.serving_curve import hourly_fleet

    return hourly_fleet(_kind(found, row), rates, found.question.job.headroom)


def _played(found: Found, row: int, rates: FloatArray) -> Hourly:
    """Grow the fleet at some rates until the percentile keeps its targets; hours between follow a line, rounded up."""
    import numpy as np

    from suanli.api.serving_tails import arrivals, asked_of, grown_from
    from suanli.estimate.serving_curve import fleet_of_counts

    kind, asked = _kind(found, row), asked_of(found.question)
    levels = np.unique(np.quantile(rates[rates > 0], np.linspace(0, 1, LEVELS)))
    counts = []
    for rate in levels.tolist():
        start = _hourly(found, row, np.array([rate]))
        grown = grown_from(
            found, row, int(start.prefills[0]), int(start.replicas[0]), arrivals(found.question, rate), asked
        )
        if not grown.held:
            raise _out_of_reach(found, rate)
        counts.append((grown.fleet.prefills, grown.fleet.replicas))
    prefills, replicas = (np.array(column, dtype=float) for column in zip(*counts, strict=True))
    return fleet_of_counts(
        kind,
        np.ceil(np.interp(rates, levels, prefills) - ROUNDING),
        np.ceil(np.interp(rates, levels, replicas) - ROUNDING),
    )


def _out_of_reach(found: Found, rate: float) -> Exception:
    from suanli.foundation.errors import InfeasibleError

    percentile = f"{found.question.percentile:g}"
    return InfeasibleError(
        limit=tr("No fleet keeps the targets at the {percentile} percentile at {rate} requests a second.",
                 percentile=percentile, rate=f"{rate:.3g}"),
        relief=out_of_reach(),
    )  # fmt: skip


def _holding(found: Found, row: int) -> tuple[Holding, float | None]:
    """Return how the base is held, and what a system costs by the hour; None where that is not known."""
    from suanli.foundation.calendar import SECONDS_PER_MONTH
    from suanli.traffic.curve import HOUR_SECONDS

    held = found.held[found.judged.units[found.judged.columns.unit[row]].system.id]
    assert held.chosen is not None
    hourly = [way.month_amount / SECONDS_PER_MONTH * HOUR_SECONDS for way in held.ways if way.tenure == "month"]
    return held.chosen, hourly[0] if hourly else None


def _mixed(found: Found, row: int, hourly: Hourly) -> BaseAndTop:
    from suanli.estimate.serving_curve import cheapest_mix
    from suanli.foundation.calendar import SECONDS_PER_MONTH
    from suanli.traffic.curve import HOUR_SECONDS

    holding, hour = _holding(found, row)
    return cheapest_mix(hourly.systems, holding.month_amount, hour, SECONDS_PER_MONTH / HOUR_SECONDS, _start_share())


def _start_seconds() -> float:
    """Return how long a replica takes from nothing to its first request."""
    from suanli.planner.ground import planning_figures

    return planning_figures()["planning.replica_start"].value


def _start_share() -> float:
    """Return the share of an hour that the replicas which the next one adds are paid before it."""
    from suanli.traffic.curve import HOUR_SECONDS

    return _start_seconds() / HOUR_SECONDS


def _plan(found: Found, row: int, rates: FloatArray, played: bool) -> CurvePlan:
    import numpy as np

    from suanli.api.serving_fleet import plays
    from suanli.api.serving_money import cost_of, input_share_of
    from suanli.estimate.serving_columns import NONE
    from suanli.estimate.serving_curve import with_next
    from suanli.traffic.curve import HOUR_SECONDS

    hourly = _played(found, row, rates) if played and plays() else _hourly(found, row, rates)
    mix, (holding, _) = _mixed(found, row, hourly), _holding(found, row)
    columns, units = found.judged.columns, found.judged.units
    unit, first = units[columns.unit[row]], columns.prefill[row]
    top = int(np.argmax(rates))
    prefills, replicas = int(hourly.prefills[top]), int(hourly.replicas[top])
    peak = told_plan(found, row, prefills, replicas, float(hourly.most_per_s[top]))
    prefill = None if first == NONE else units[first]
    share = input_share_of(prefill, prefills, unit, replicas, float(columns.flight[row]))
    mean, currency = float(rates.mean()), found.question.market.currency
    spread = replace(holding, month_amount=mix.amount)
    cost = cost_of(spread, 1.0, currency, mean, unit, share)
    starting = _start_share()
    paid = (1 - starting) * np.maximum(hourly.systems, mix.base)
    paid += starting * np.maximum(with_next(hourly.systems), mix.base)
    could = hourly.most_per_s * paid / hourly.systems
    return CurvePlan(
        peak=peak,
        hours=tuple(
            HourPlan(
                start_seconds=index * HOUR_SECONDS, requests_per_s=float(rate), prefills=int(hourly.prefills[index]),
                replicas=int(hourly.replicas[index]), systems=int(hourly.systems[index]),
            )
            for index, rate in enumerate(rates)
        ),
        mean_requests_per_s=mean,
        peak_requests_per_s=float(rates.max()),
        base_systems=mix.base,
        peak_systems=int(hourly.systems.max()),
        top_system_seconds=mix.top_system_hours * HOUR_SECONDS,
        base_tenure=holding.tenure,
        base_amount=mix.base_amount,
        top_amount=mix.top_amount,
        cost=cost,
        all_base_amount=float(hourly.systems.max()) * holding.month_amount,
        used_share=float(rates.sum() / could.sum()),
        api=beside_api(found.question, cost, float(could.mean()), unit),
    )  # fmt: skip


def _why(plan: CurvePlan) -> tuple[str, ...]:
    said = tr(
        "The busiest hour asks for {peak} systems at {ratio} times the mean rate; {base} of them are in use long"
        " enough to be held for the month.",
        peak=plan.peak_systems, ratio=f"{plan.peak_requests_per_s / plan.mean_requests_per_s:.2f}",
        base=plan.base_systems,
    )  # fmt: skip
    if plan.base_systems == plan.peak_systems:
        return (said, tr("Renting the top by the hour would cost more, or cannot be had."))
    saved = f"{1 - plan.cost.month_amount / plan.all_base_amount:.1%}"
    return (said, tr("Renting the rest by the hour saves {share} against holding the peak.", share=saved))


def _assumed(plan: CurvePlan) -> tuple[str, ...]:
    told = [tr("hours of the curve stand for a whole month; by the hour a system costs what its rent by the month is")]
    told.append(
        tr(
            "replicas that an hour adds are started, and their systems paid, {seconds} s before it",
            seconds=f"{_start_seconds():.0f}",
        )
    )
    return tuple(told)
