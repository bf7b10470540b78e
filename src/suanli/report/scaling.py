"""One scale for all marks of a chart: the factor to divide by, and the axis' title."""

from __future__ import annotations

from collections.abc import Mapping

from suanli.domain.plan import Plan
from suanli.foundation.language import language
from suanli.report import numbers


def money_scale(plan: Plan) -> tuple[float, str]:
    """Choose the unit of a chart's money axis from the plan's cost."""
    size = max([abs(plan.recommended.cost), *(abs(line.amount) for line in plan.recommended.cash)])
    if language() == "zh":
        name, factor = _unit(size, numbers.MYRIAD_SCALE)
        return factor, f"{name}{numbers.CURRENCY_WORDS.get(plan.currency, plan.currency)}"
    name, factor = _unit(size, (*numbers.SHORT_SCALE, ("k", 1e3)))
    return factor, f"{plan.currency} {name}".strip()


def power_scale(plan: Plan) -> tuple[float, str]:
    """Choose the unit of a chart's power axis."""
    name, factor = _unit(max((use.watts for use in plan.recommended.power), default=0.0), numbers.PREFIXES)
    return factor, f"{name}W"


def time_scale(causes: Mapping[str, float]) -> tuple[float, str]:
    """Choose seconds or milliseconds for the axis of a step."""
    return (1.0, "s") if sum(causes.values()) >= 1 else (1e-3, "ms")


def _unit(size: float, scale: tuple[tuple[str, float], ...]) -> tuple[str, float]:
    return next(((name, factor) for name, factor in scale if size >= factor), ("", 1.0))
