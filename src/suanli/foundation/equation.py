"""The register of equations: each formula stands once, and the same body is read in six ways.

A body is a plain function of numbers. It uses arithmetic, comparisons and NumPy's element-wise functions only, so it is
a number for one layout, a column for a chunk of layouts, compiled code inside a loop, an explanation with sources (a
ledger that listens), a unit check (called with quantities) and an error band (an uncertain input is one more axis).
"""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from suanli.foundation.registry import Registry

FloatArray = NDArray[np.float64]
Real = float | FloatArray
"""What an equation takes and gives: one number, or a column of them."""

Inputs = ParamSpec("Inputs")
Output = TypeVar("Output")


@dataclass(slots=True)
class Line:
    """One line of the ledger: an equation, what went in, what came out, and the lines below it."""

    name: str = ""
    unit: str = ""
    source: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    value: Any = None
    below: list[Line] = field(default_factory=list)


_open_line: contextvars.ContextVar[Line | None] = contextvars.ContextVar("open_line", default=None)


class Equation(Generic[Inputs, Output]):
    """A registered formula: callable as its body, with unit, source and the bare body for other readings."""

    def __init__(self, body: Callable[Inputs, Output], unit: str, source: str) -> None:
        self.body = body
        self.unit = unit
        self.source = source
        self.name = body.__name__
        self.signature = inspect.signature(body)
        functools.update_wrapper(self, body)

    def __call__(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Output:
        """Read the equation as its body, telling the open ledger line where somebody listens."""
        parent = _open_line.get()
        if parent is None:
            return self.body(*args, **kwargs)
        line = Line(self.name, self.unit, self.source, dict(self.signature.bind(*args, **kwargs).arguments))
        parent.below.append(line)
        token = _open_line.set(line)
        try:
            value = self.body(*args, **kwargs)
        finally:
            _open_line.reset(token)
        line.value = value
        return value


EQUATIONS: Registry[Equation[Any, Any]] = Registry("equation")


def equation(*, unit: str, source: str) -> Callable[[Callable[Inputs, Output]], Equation[Inputs, Output]]:
    """Register a pure function of numbers as the one home of a formula; `source` is a key of `data/sources.yaml`."""

    def register(body: Callable[Inputs, Output]) -> Equation[Inputs, Output]:
        made = Equation(body, unit, source)
        EQUATIONS.add(made.name, made)
        return made

    return register


@contextmanager
def ledger() -> Iterator[Line]:
    """Listen to every equation that is read inside the block; the root line holds what was heard."""
    root = Line()
    token = _open_line.set(root)
    try:
        yield root
    finally:
        _open_line.reset(token)
