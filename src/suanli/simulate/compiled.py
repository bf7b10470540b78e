"""Equations read as compiled code: after `teach`, a numba loop may call any equation by its own name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from suanli.foundation.equation import EQUATIONS, Equation


@functools.cache
def _overload(equation: Equation[Any, Any]) -> None:
    """Tell numba once that calling the equation means calling its bare body."""
    from numba.extending import overload

    body = equation.body

    def give_body(*args: Any, **kwargs: Any) -> Callable[..., Any]:
        return body

    overload(equation, strict=False)(give_body)


def teach() -> None:
    """Let compiled code call every equation registered so far; calling it again teaches only what is new."""
    for equation in EQUATIONS.values():
        _overload(equation)


def compiled(equation: Equation[Any, Any]) -> Callable[..., Any]:
    """Return the equation's body as one compiled function."""
    import numba

    return numba.njit(equation.body)  # type: ignore[no-any-return]
