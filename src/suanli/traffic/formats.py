"""Forms in which traces of requests are published, and how one line of each is read."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

MILLI = 1000.0
MOONCAKE_BLOCK_TOKENS = 512
"""Tokens of one hashed block in the traces of Mooncake (their paper, FAST'25)."""
OWN_BLOCK_TOKENS = 16
"""Tokens of one block in the form of our own, where it has no column that says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One request as a trace tells it; `arrival_seconds` counts from whatever the trace counts from.

    `block_tokens` is how many tokens its blocks have, 0 where the form fixes it.
    """

    arrival_seconds: float
    input_tokens: int
    output_tokens: int
    priority: int = 0
    blocks: tuple[int, ...] = ()
    block_tokens: int = 0


Cells = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A published form: the columns it is known by, how a line is read, tokens of a shared block (0: none are told)."""

    name: str
    columns: tuple[str, ...]
    read: Callable[[Cells], Line]
    block_tokens: int = 0


def seconds_of(said: Any) -> float:
    """Read a time: a number of seconds, or a date with its time of day. Raises ValueError on anything else."""
    try:
        return float(said)
    except (TypeError, ValueError):
        found = datetime.fromisoformat(str(said).strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def whole(said: Any) -> int:
    """Read a whole number, however it is written (1155 or 1155.0). Raises ValueError on anything else."""
    number = float(said)
    if number != int(number):
        raise ValueError(said)
    return int(number)


def _azure(cells: Cells) -> Line:
    return Line(
        arrival_seconds=seconds_of(cells["TIMESTAMP"]),
        input_tokens=whole(cells["ContextTokens"]),
        output_tokens=whole(cells["GeneratedTokens"]),
    )


def _burst(cells: Cells) -> Line:
    return Line(
        arrival_seconds=seconds_of(cells["Timestamp"]),
        input_tokens=whole(cells["Request tokens"]),
        output_tokens=whole(cells["Response tokens"]),
    )


def _vidur(cells: Cells) -> Line:
    return Line(
        arrival_seconds=seconds_of(cells["arrived_at"]),
        input_tokens=whole(cells["num_prefill_tokens"]),
        output_tokens=whole(cells["num_decode_tokens"]),
    )


def _mooncake(cells: Cells) -> Line:
    return Line(
        arrival_seconds=float(cells["timestamp"]) / MILLI,
        input_tokens=whole(cells["input_length"]),
        output_tokens=whole(cells["output_length"]),
        blocks=tuple(int(one) for one in cells["hash_ids"]),
    )


def _own(cells: Cells) -> Line:
    return Line(
        arrival_seconds=seconds_of(cells["arrival_s"]),
        input_tokens=whole(cells["input_tokens"]),
        output_tokens=whole(cells["output_tokens"]),
        priority=whole(cells.get("priority") or 0),
        blocks=tuple(int(one) for one in (cells.get("block_ids") or "").split()),
        block_tokens=whole(cells.get("block_tokens") or 0),
    )


FORMS = (
    Form(name="azure", columns=("TIMESTAMP", "ContextTokens", "GeneratedTokens"), read=_azure),
    Form(name="burstgpt", columns=("Timestamp", "Request tokens", "Response tokens"), read=_burst),
    Form(name="vidur", columns=("arrived_at", "num_prefill_tokens", "num_decode_tokens"), read=_vidur),
    Form(
        name="mooncake", columns=("timestamp", "input_length", "output_length", "hash_ids"), read=_mooncake,
        block_tokens=MOONCAKE_BLOCK_TOKENS,
    ),
    Form(
        name="suanli", columns=("arrival_s", "input_tokens", "output_tokens"), read=_own, block_tokens=OWN_BLOCK_TOKENS
    ),
)  # fmt: skip


def form_of(columns: list[str], place: str) -> Form:
    """Tell a form by its columns. Raises InputError with what the known forms need."""
    for form in FORMS:
        if set(form.columns) <= set(columns):
            return form
    known = "; ".join(f"{form.name}: {', '.join(form.columns)}" for form in FORMS)
    every = [column for form in FORMS for column in form.columns]
    near = next((hint for column in columns if (hint := did_you_mean(column, every))), "")
    raise InputError.single(
        place=place, found=tr("columns {columns}", columns=", ".join(columns)), allowed=known, hint=near
    )


def rows_of(opened: TextIO, place: str) -> Iterator[tuple[int, Cells | str]]:
    """Yield the number and the cells of every line of a table or of lines of JSON; text where a line is neither."""
    first = opened.readline()
    if first.lstrip().startswith("{"):
        yield 1, _json(first)
        for number, text in enumerate(opened, start=2):
            if text.strip():
                yield number, _json(text)
        return
    header = next(csv.reader([first.lstrip("\ufeff")]), [])
    if not header:
        raise InputError.single(place=place, found=tr("nothing"), allowed=tr("a table of requests"))
    for number, cells in enumerate(csv.reader(opened), start=2):
        if cells:
            yield number, dict(zip(header, cells, strict=False))


def _json(text: str) -> Cells | str:
    try:
        read = json.loads(text)
    except ValueError:
        return text.strip()
    return read if isinstance(read, dict) else text.strip()


def line_of(form: Form, cells: Cells | str, place: str) -> Line | Fault:
    """Read one line, or say what is wrong in it."""
    if isinstance(cells, str):
        return Fault(place=place, found=cells, allowed=tr("a line of a table or of JSON"))
    try:
        line = form.read(cells)
    except (KeyError, TypeError, ValueError, OverflowError):
        said = ", ".join(f"{column} = {cells.get(column)!r}" for column in form.columns)
        return Fault(place=place, found=said, allowed=tr("a time and whole numbers of tokens"))
    if not math.isfinite(line.arrival_seconds) or line.input_tokens < 0 or line.output_tokens < 0:
        said = f"{line.input_tokens}, {line.output_tokens}"
        return Fault(place=place, found=said, allowed=tr("a time and whole numbers of tokens"))
    return line
