"""Is a buying problem whole and sane: every fault of its terms at once, before any program is built."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from suanli.domain.procurement import Choice, Demand, DemandKind, Problem, Tenure
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr
from suanli.procure.draft import RENTS, is_hourly


def can_run(problem: Problem, demand: Demand) -> bool:
    """Say whether any choice can run a demand at all."""
    return any(demand.work_per_system.get(choice.id, 0.0) > 0.0 for choice in problem.choices)


def check_problem(problem: Problem) -> None:
    """Refuse a problem whose terms are missing, negative, endless or of the wrong length.

    Raises InputError with every fault found.
    """
    faults = [
        *_problem_faults(problem),
        *(fault for choice in problem.choices for fault in _choice_faults(problem, choice)),
        *(fault for demand in problem.demands for fault in _demand_faults(problem, demand)),
    ]
    if faults:
        raise InputError(faults)


def _problem_faults(problem: Problem) -> Iterator[Fault]:
    if not problem.periods:
        yield _fault("periods", tr("none"), tr("at least one period"))
    for what, names in (("choices", [c.id for c in problem.choices]), ("demands", [d.id for d in problem.demands])):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield _fault(what, tr("'{name}' twice", name=name), tr("each id once"))
    yield from _line_faults(problem, "discount", problem.discount, least=0.0)
    yield from _line_faults(problem, "cash", [c for c in problem.limits.cash if c is not None], length=False)
    if len(problem.limits.cash) != len(problem.periods):
        yield _length_fault("cash", len(problem.limits.cash), len(problem.periods))
    for category, line in problem.fixed_cost.items():
        yield from _line_faults(problem, f"fixed_cost.{category}", line)
    numbers = {"site_watts": problem.limits.site_watts, "rack_units": problem.limits.rack_units}
    for name, value in numbers.items():
        if value is not None and not (math.isfinite(value) and value >= 0.0):
            yield _fault(name, str(value), tr("a finite number from 0 up"))
    if not (math.isfinite(problem.limits.pue) and problem.limits.pue >= 1.0):
        yield _fault("pue", str(problem.limits.pue), tr("a finite number from 1 up"))


def _choice_faults(problem: Problem, choice: Choice) -> Iterator[Fault]:
    place = f"choices.{choice.id}"
    if choice.tenure is not Tenure.OWNED:
        yield from _line_faults(problem, f"{place}.price", choice.price, least=0.0)
        yield from _line_faults(problem, f"{place}.lead_periods", choice.lead_periods, least=0.0)
        supply = [cap for cap in choice.supply if cap is not None]
        yield from _line_faults(problem, f"{place}.supply", supply, least=0.0, length=False)
        if len(choice.supply) != len(problem.periods):
            yield _length_fault(f"{place}.supply", len(choice.supply), len(problem.periods))
    if choice.tenure is Tenure.BOUGHT:
        yield from _line_faults(problem, f"{place}.resale", choice.resale, least=0.0)
    for category, line in {**choice.running_cost, **choice.extra_cost}.items():
        yield from _line_faults(problem, f"{place}.{category}", line)
    counts = {"held": (choice.held, 0), "lot": (choice.lot, 1), "commit_periods": (choice.commit_periods, 1)}
    for name, (count, least) in counts.items():
        if count < least:
            yield _fault(f"{place}.{name}", str(count), tr("a whole number from {least} up", least=least))
    if choice.tenure in RENTS and choice.held:
        yield _fault(f"{place}.held", str(choice.held), tr("0 where a system is rented"))
    yield from _hourly_faults(choice)
    for name, value in {"watts": choice.watts, "rack_units": choice.rack_units}.items():
        if not (math.isfinite(value) and value >= 0.0):
            yield _fault(f"{place}.{name}", str(value), tr("a finite number from 0 up"))


def _hourly_faults(choice: Choice) -> Iterator[Fault]:
    if not is_hourly(choice):
        return
    place = f"choices.{choice.id}"
    for name, term in {"lot": choice.lot, "commit_periods": choice.commit_periods}.items():
        if term > 1:
            yield _fault(f"{place}.{name}", str(term), tr("1 where a system is rented by the hour"))
    if choice.on_site:
        yield _fault(f"{place}.on_site", "True", tr("False where a system is rented by the hour"))


def _demand_faults(problem: Problem, demand: Demand) -> Iterator[Fault]:
    place = f"demands.{demand.id}"
    for choice_id, work in demand.work_per_system.items():
        if not (math.isfinite(work) and work >= 0.0):
            yield _fault(f"{place}.work_per_system.{choice_id}", str(work), tr("a finite number from 0 up"))
    if demand.kind is DemandKind.RATE:
        yield from _line_faults(problem, f"{place}.rate", demand.rate, least=0.0)
        return
    if not (math.isfinite(demand.amount) and demand.amount >= 0.0):
        yield _fault(f"{place}.amount", str(demand.amount), tr("a finite number from 0 up"))
    if not 0 <= demand.first <= demand.last < len(problem.periods):
        found = tr("from {first} to {last}", first=demand.first, last=demand.last)
        yield _fault(place, found, tr("periods between 0 and {last}, in order", last=len(problem.periods) - 1))


def _line_faults(
    problem: Problem, place: str, line: Iterable[float], *, least: float = -math.inf, length: bool = True
) -> Iterator[Fault]:
    values = list(line)
    if length and len(values) != len(problem.periods):
        yield _length_fault(place, len(values), len(problem.periods))
    wrong = [value for value in values if not (math.isfinite(value) and value >= least)]
    if wrong:
        allowed = tr("finite numbers") if least == -math.inf else tr("finite numbers from {least:g} up", least=least)
        yield _fault(place, str(wrong[0]), allowed)


def _length_fault(place: str, found: int, periods: int) -> Fault:
    return _fault(place, tr("{found} values", found=found), tr("one for each of {periods} periods", periods=periods))


def _fault(place: str, found: str, allowed: str) -> Fault:
    return Fault(place=place, found=found, allowed=allowed)
