"""What a scaling question asks, as people write it, and every fault in it at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from suanli.api.training_question import MOST
from suanli.api.wall_clock import PRESETS
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

BOUNDS = {
    "flop": (1e15, 1e35),
    "money": (1e-6, 1e15),
    "nodes": (1, MOST),
    "days": (1e-3, 1e5),
    "parameters": (1e6, 1e17),
    "tokens": (1e6, 1e20),
    "serve_tokens": (1, 1e24),
}
"""Beyond these a number is a slip: more than all there is, or less than any use."""
OPTIONS = {"parameters": "--params", "serve_tokens": "--serve-tokens", "days": "--deadline-days"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalingQuestion:
    """A budget and what is fixed of the answer; None leaves it open.

    The budget is one of `flop`, `money` (which needs `system` and `as_of`), both `parameters` and `tokens`, or `system`
    with `nodes` and `days`. One of `parameters` and `tokens` beside another budget fixes that side. With `system` the
    run is put on nodes; with `as_of` its rent is told.
    """

    flop: float | None = None
    money: float | None = None
    currency: str = ""
    system: str = ""
    nodes: int | None = None
    days: float | None = None
    parameters: float | None = None
    tokens: float | None = None
    serve_tokens: float | None = None
    law: str = ""
    as_of: str = ""
    region: str = "world"
    failures: str = "middle"


def faults_of(question: ScalingQuestion) -> list[Fault]:
    """Name everything wrong in a scaling question."""
    faults = [*_out_of_bounds(question), *_contradictions(question)]
    if question.failures not in PRESETS:
        hint = did_you_mean(question.failures, PRESETS)
        allowed = ", ".join(PRESETS)
        faults.append(Fault(place="--failures", found=f"'{question.failures}'", allowed=allowed, hint=hint))
    for ask in _lookups(question):
        try:
            ask()
        except InputError as error:
            faults += error.faults
    return faults


def _out_of_bounds(question: ScalingQuestion) -> Iterator[Fault]:
    for name, (least, most) in BOUNDS.items():
        value = getattr(question, name)
        if value is not None and not (math.isfinite(value) and least <= value <= most):
            place = OPTIONS.get(name, f"--{name}")
            yield Fault(place=place, found=f"{value:g}", allowed=tr("{least:g} to {most:g}", least=least, most=most))


def _contradictions(question: ScalingQuestion) -> Iterator[Fault]:
    nothing = tr("nothing")
    both = question.parameters is not None and question.tokens is not None
    budgets = {
        "--flop": question.flop is not None,
        "--money": question.money is not None,
        "--params + --tokens": both,
    }
    given = [name for name, there in budgets.items() if there]
    chips = question.nodes is not None and question.days is not None
    if len(given) > 1 or not (given or chips):
        allowed = tr("one of --flop, --money, --params with --tokens, or --system with --nodes and --deadline-days")
        yield Fault(place=tr("budget"), found=", ".join(given) or nothing, allowed=allowed)
    needs_system = question.money is not None or question.nodes is not None or question.days is not None
    if needs_system and not question.system:
        yield Fault(place="--system", found=nothing, allowed=tr("a system, where money, nodes or a deadline are given"))
    if question.money is not None and not question.as_of:
        yield Fault(place="--as-of", found=nothing, allowed=tr("the date whose rents the money pays"))
    if question.money is not None and question.nodes is not None:
        yield Fault(place="--nodes", found=str(question.nodes), allowed=tr("no nodes: the money says how many"))
    if question.serve_tokens is not None and both:
        allowed = tr("one of --params and --tokens at most: serving chooses both")
        yield Fault(place="--serve-tokens", found="--params, --tokens", allowed=allowed)


def _lookups(question: ScalingQuestion) -> Iterator[Callable[[], object]]:
    """Yield what must be found: law, system, currency, date."""
    from suanli.catalogue.bases import refuse_unknown_currency
    from suanli.catalogue.dates import last_day
    from suanli.catalogue.profile import resolve
    from suanli.catalogue.scaling_laws import find_law

    yield lambda: find_law(question.law, "--law")
    if question.system:
        yield lambda: resolve(question.system)
    if question.currency:
        yield lambda: refuse_unknown_currency(question.currency)
    if question.as_of:
        yield lambda: last_day(question.as_of, "--as-of")
    if question.serve_tokens is not None:
        yield lambda: _refuse_law_without_loss(question.law)


def _refuse_law_without_loss(name: str) -> None:
    """Raise InputError where serving is to be counted in and a law tells no loss with a floor."""
    from suanli.catalogue.scaling_laws import scaling_laws

    known = scaling_laws()
    law = known.laws.get(name.strip().lower() or known.default)
    if law is not None and not law.has_scales:
        allowed = ", ".join(one.id for one in known.laws.values() if one.has_scales)
        raise InputError.single(place="--law", found=f"'{name}'", allowed=allowed)
