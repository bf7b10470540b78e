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
NO_COUNTING = {"_nrt": False}
"""Numba's option to leave out its run-time for arrays that are made, and the counting of references with it."""
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
    """Compile a plain function, kept on disk between runs; the equations it calls must have been taught before.

    It may not make arrays or views of them: then arrays need not be counted at every call, which halves the time of a
    step that hands dozens of them on.
    """
    import numba

    kept = _writable(cache_folder())
    if kept:
        setattr(numba.config, "CACHE_DIR", str(cache_folder()))  # noqa: B010
    options: dict[str, Any] = {"cache": kept, **NO_COUNTING}
    return cast(Body, numba.njit(**options)(body))
