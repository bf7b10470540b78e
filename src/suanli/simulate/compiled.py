"""Equations read as compiled code: after `teach`, a numba loop may call any equation by its own name."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

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


Body = TypeVar("Body", bound=Callable[..., Any])
OPTIONS = {"error_model": "numpy", "no_cfunc_wrapper": True}
"""numba's options of all compiled code: a quotient by zero is what NumPy says, not a test at every division."""
CACHE_VARIABLE = "SUANLI_CACHE"
"""The environment variable that says where compiled code is kept between runs."""


@functools.cache
def cache_folder() -> Path:
    """Return where compiled code of this very source is kept: a folder named by what all of it says.

    A compiled function holds what it calls, so a change anywhere below it must not meet an old copy.
    """
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for file in sorted((*package.glob("equations/*.py"), *package.glob("simulate/*.py"))):
        digest.update(file.read_bytes())
    root = os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "suanli"
    return Path(root) / f"compiled-{digest.hexdigest()[:16]}"


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def fast(body: Body) -> Body:
    """Let compiled code call a plain function; the equations that it calls must have been taught before.

    It becomes a part of every function that calls it. A call would copy the whole state, some 340 numbers, from one
    place of the stack to another, and where these happen to lie as a processor's guess of dependences dislikes, that
    takes as long as the step itself. Called from Python it is the plain function still.
    """
    from numba.extending import register_jitable

    return cast(Body, register_jitable(**OPTIONS, forceinline=True)(body))


def entry(body: Body) -> Body:
    """Compile a plain function and all it calls as one piece, which is kept on disk between runs."""
    import numba

    kept = _writable(cache_folder())
    if kept:
        setattr(numba.config, "CACHE_DIR", str(cache_folder()))  # noqa: B010
    return cast(Body, numba.njit(**OPTIONS, cache=kept)(body))
