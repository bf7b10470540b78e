"""Traces read as streams: requests in chunks, in order of arrival, whatever the size of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from suanli.domain.traffic import Requests
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr
from suanli.traffic.formats import Cells, Form, Line, form_of, line_of, rows_of

CHUNK = 100_000
"""Requests of one chunk, and numbers of blocks with them: a few megabytes."""
MOST_FAULTS = 20
"""How many wrong lines are told before reading stops."""


@dataclass(kw_only=True, slots=True)
class _Order:
    """What lines must hold among each other: arrivals in order, blocks of one size."""

    last: float = -np.inf
    block_tokens: int = 0

    def checked(self, line: Line | Fault, place: str) -> Line | Fault:
        """Return the line, or what is wrong with it after those before."""
        if isinstance(line, Fault):
            return line
        if line.arrival_seconds < self.last:
            return Fault(place=place, found=f"{line.arrival_seconds:g}", allowed=tr("arrivals in order"))
        if line.blocks:
            self.block_tokens = self.block_tokens or line.block_tokens
            if line.block_tokens != self.block_tokens:
                return Fault(place=place, found=f"{line.block_tokens}", allowed=tr("blocks of one size"))
        self.last = line.arrival_seconds
        return line


def read_traffic(path: Path, chunk: int = CHUNK) -> Iterator[Requests]:
    """Yield the requests of a trace in chunks; arrivals count from the first.

    Requests without a prompt or an answer (BurstGPT's failed ones) are left out. Raises InputError where the file
    cannot be read, no form has its columns, lines are wrong, or arrivals go back in time.
    """
    faults: list[Fault] = []
    held: list[Line] = []
    weight = 0
    start: float | None = None
    order, form = _Order(), None
    try:
        with path.open(encoding="utf-8", newline="") as opened:
            for number, cells in rows_of(opened, path.name):
                place = f"{path.name}:{number}"
                form = form or form_of(_columns(cells, place), path.name)
                line = order.checked(line_of(form, cells, place), place)
                if isinstance(line, Fault):
                    _note(faults, line, path.name)
                elif line.input_tokens and line.output_tokens:
                    start = line.arrival_seconds if start is None else start
                    held.append(line)
                    weight += 1 + len(line.blocks)
                if weight >= chunk and not faults:
                    yield columns_of(held, form, start or 0.0)
                    held, weight = [], 0
    except (OSError, UnicodeDecodeError) as error:
        said = str(getattr(error, "strerror", None) or tr("no text in UTF-8"))
        raise InputError.single(place=str(path), found=said, allowed=tr("a table of requests")) from error
    if faults:
        raise InputError(faults)
    if held and form is not None:
        yield columns_of(held, form, start or 0.0)


def _note(faults: list[Fault], fault: Fault, file: str) -> None:
    """Note what is wrong. Raises InputError with all of it where it is enough."""
    faults.append(fault)
    if len(faults) >= MOST_FAULTS:
        more = Fault(place=file, found=tr("more lines, not read"), allowed=tr("a table of requests"))
        raise InputError([*faults, more])


def _columns(cells: Cells | str, place: str) -> list[str]:
    if isinstance(cells, str):
        raise InputError.single(place=place, found=cells, allowed=tr("a line of a table or of JSON"))
    return [str(name) for name in cells]


def columns_of(lines: Sequence[Line], form: Form, start: float) -> Requests:
    """Write lines as columns; arrivals count from a start."""
    many = [len(line.blocks) for line in lines]
    return Requests(
        arrival_seconds=np.array([line.arrival_seconds for line in lines]) - start,
        input_tokens=np.array([line.input_tokens for line in lines], dtype=np.int64),
        output_tokens=np.array([line.output_tokens for line in lines], dtype=np.int64),
        priority=np.array([line.priority for line in lines], dtype=np.int64),
        block_ids=np.array([block for line in lines for block in line.blocks], dtype=np.int64),
        block_offsets=np.concatenate([[0], np.cumsum(many)]).astype(np.int64),
        block_tokens=next((line.block_tokens or form.block_tokens for line in lines if line.blocks), 0),
    )


def joined(chunks: Sequence[Requests]) -> Requests:
    """Put chunks one behind the other. Raises InputError where there is no request."""
    if not chunks:
        raise InputError.single(place=tr("traffic"), found=tr("no requests"), allowed=tr("a table of requests"))
    offsets = [np.zeros(1, dtype=np.int64)]
    for one in chunks:
        offsets.append(one.block_offsets[1:] + offsets[-1][-1])
    return Requests(
        arrival_seconds=np.concatenate([one.arrival_seconds for one in chunks]),
        input_tokens=np.concatenate([one.input_tokens for one in chunks]),
        output_tokens=np.concatenate([one.output_tokens for one in chunks]),
        priority=np.concatenate([one.priority for one in chunks]),
        block_ids=np.concatenate([one.block_ids for one in chunks]),
        block_offsets=np.concatenate(offsets),
        block_tokens=max(one.block_tokens for one in chunks),
    )


def limited(chunks: Iterable[Requests], requests: int | None) -> Iterator[Requests]:
    """Yield the first requests of a trace, all of them where no number is given."""
    left = requests
    for chunk in chunks:
        if left is None or len(chunk) < left:
            yield chunk
            left = None if left is None else left - len(chunk)
        else:
            yield head(chunk, left)
            return


def first_of(path: Path, requests: int | None) -> Requests:
    """Read the first requests of a trace, all of them where no number is given."""
    return joined(list(limited(read_traffic(path), requests)))


def head(requests: Requests, many: int) -> Requests:
    """Keep the first requests."""
    blocks = requests.block_offsets[many]
    return Requests(
        arrival_seconds=requests.arrival_seconds[:many],
        input_tokens=requests.input_tokens[:many],
        output_tokens=requests.output_tokens[:many],
        priority=requests.priority[:many],
        block_ids=requests.block_ids[:blocks],
        block_offsets=requests.block_offsets[: many + 1],
        block_tokens=requests.block_tokens,
    )
