"""How a number came about: the ledger's lines as indented text, or as a tree to open on a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

import numpy as np

from suanli.domain.plan import Source
from suanli.foundation.equation import Line
from suanli.foundation.language import tr
from suanli.report import numbers

INDENT = "  "


def text(line: Line, sources: Mapping[str, Source] | None = None) -> str:
    """Tell a ledger as text, what lies below a line indented under it; sources by title where they are known."""
    known = sources or {}
    return "\n".join(f"{INDENT * depth}{_said(one, known)}" for depth, one in _walk(line))


def details(line: Line, sources: Mapping[str, Source] | None = None) -> str:
    """Tell a ledger as nested details elements of a page, everything in them escaped."""
    known = sources or {}
    if not line.name:
        return "".join(details(one, known) for one in line.below)
    head = escape(_said(line, known))
    if not line.below:
        return f"<div>{head}</div>"
    return f"<details><summary>{head}</summary>{''.join(details(one, known) for one in line.below)}</details>"


def _walk(line: Line) -> Iterator[tuple[int, Line]]:
    """Go through the lines in order with their depth; the root that only listens is no line."""
    waiting = [(0, line)] if line.name else [(0, one) for one in reversed(line.below)]
    while waiting:
        depth, one = waiting.pop()
        yield depth, one
        waiting.extend((depth + 1, below) for below in reversed(one.below))


def _said(line: Line, sources: Mapping[str, Source]) -> str:
    inputs = ", ".join(f"{name} {_number(value)}" for name, value in line.inputs.items())
    source = sources.get(line.source)
    told = tr("source: {source}", source=source.title or source.key if source else line.source)
    value = f"{_number(line.value)} {line.unit}".rstrip()
    return f"{line.name.replace('_', ' ')} = {value} ({inputs}) [{told}]"


def _number(value: object) -> str:
    if isinstance(value, bool | str) or value is None:
        return str(value)
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        return str(value)
    if array.size == 1:
        return _digits(float(array.reshape(-1)[0]))
    if array.size == 0:
        return tr("nothing")
    low, high = _digits(float(array.min())), _digits(float(array.max()))
    return tr("{count} values from {low} to {high}", count=array.size, low=low, high=high)


def _digits(value: float) -> str:
    """Write a number in full digits where they are few, else with an exponent."""
    plain = abs(value) < 1e9 and (abs(value) >= 1e-3 or value == 0)
    return numbers.digits(value, numbers.DIGITS + 1) if plain else f"{value:.{numbers.DIGITS}g}"
