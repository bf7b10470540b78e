"""The answers that lost: the same problem with a hand tied, solved again, and why each lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from suanli.domain.procurement import Choice, Problem, Tenure
from suanli.foundation.language import tr

Number = TypeVar("Number", int, float)
Change = Callable[[Problem], Problem]

RENTED = (Tenure.RENTED_HOUR, Tenure.RENTED_MONTH, Tenure.RENTED_RESERVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class TiedHand:
    """One restriction of the problem: its name for people, and how it changes the problem."""

    key: str
    name: str
    change: Change


def tied_hands(problem: Problem, best_systems: frozenset[str], wait_months: int) -> tuple[TiedHand, ...]:
    """List the alternatives worth trying: one way to hold systems, domestic chips, waiting, doing without the best."""
    hands = [
        TiedHand(key="buy", name=tr("Buy everything"), change=keeping(lambda choice: choice.tenure not in RENTED)),
        TiedHand(key="rent", name=tr("Rent everything"), change=keeping(_is_rented_or_held)),
        TiedHand(
            key="domestic",
            name=tr("Domestic chips only"),
            change=keeping(lambda choice: choice.domestic or choice.tenure is Tenure.OWNED or choice.held > 0),
        ),
        TiedHand(key="wait", name=tr("Wait {months} months", months=wait_months), change=waiting(wait_months)),
        TiedHand(
            key="without",
            name=tr("Without the recommended system"),
            change=keeping(lambda choice: choice.system_id not in best_systems or choice.held > 0),
        ),
    ]
    if not any(choice.domestic for choice in problem.choices):
        hands = [hand for hand in hands if hand.key != "domestic"]
    return tuple(hands)


def _is_rented_or_held(choice: Choice) -> bool:
    return choice.tenure in RENTED or choice.held > 0


def keeping(allowed: Callable[[Choice], bool]) -> Change:
    """Keep the choices that are allowed; of a pool that is held but may not grow, what is held stays."""

    def change(problem: Problem) -> Problem:
        kept = [choice for choice in problem.choices if allowed(choice)]
        return with_choices(problem, [_held_only(choice) if _only_held(choice, allowed) else choice for choice in kept])

    return change


def _only_held(choice: Choice, allowed: Callable[[Choice], bool]) -> bool:
    """Say whether a choice is allowed for what it holds alone."""
    return choice.held > 0 and not allowed(replace(choice, held=0))


def _held_only(choice: Choice) -> Choice:
    return replace(choice, tenure=Tenure.OWNED, supply=(0.0,) * len(choice.supply))


def waiting(months: int) -> Change:
    """Order nothing in the first months; what is held may be used."""

    def change(problem: Problem) -> Problem:
        return with_choices(problem, [_closed_until(choice, months) for choice in problem.choices])

    return change


def _closed_until(choice: Choice, months: int) -> Choice:
    held = float(choice.held) if choice.tenure in RENTED else 0.0
    closed = (held,) * min(months, len(choice.supply))
    return replace(choice, supply=closed + choice.supply[len(closed) :])


def with_choices(problem: Problem, choices: list[Choice]) -> Problem:
    """Return the problem with other choices; demands forget what is gone."""
    known = {choice.id for choice in choices}
    return replace(
        problem,
        choices=tuple(choices),
        demands=tuple(
            replace(
                demand,
                work_per_system=_among(demand.work_per_system, known),
                least_systems=_among(demand.least_systems, known),
                most_systems=_among(demand.most_systems, known),
            )
            for demand in problem.demands
        ),
    )


def _among(mapping: Mapping[str, Number], known: set[str]) -> dict[str, Number]:
    return {key: value for key, value in mapping.items() if key in known}
