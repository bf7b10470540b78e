"""Requests written in the form of our own, as a stream; what is read back is what was written, to the last bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from suanli.domain.traffic import Requests
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

PLAIN = ("arrival_s", "input_tokens", "output_tokens")


def write_traffic(chunks: Iterable[Requests], path: Path) -> int:
    """Write requests to a file, whole or not at all; return how many.

    Priorities and blocks have columns where the first chunk has any. Raises InputError where the file cannot be
    written, or there is no request.
    """
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as opened:
            many = _written(iter(chunks), opened)
        if many:
            beside.replace(path)
    except OSError as error:
        allowed = tr("a file that can be written")
        raise InputError.single(place=str(path), found=str(error.strerror or error), allowed=allowed) from error
    finally:
        beside.unlink(missing_ok=True)
    if not many:
        raise InputError.single(place=tr("traffic"), found=tr("no requests"), allowed=tr("a table of requests"))
    return many


def _written(chunks: Iterator[Requests], opened: TextIO) -> int:
    many, more = 0, False
    for chunk in chunks:
        if many == 0:
            more = bool(chunk.block_tokens) or bool(chunk.priority.any())
            opened.write(",".join((*PLAIN, *(("priority", "block_tokens", "block_ids") if more else ()))) + "\n")
        opened.writelines(_lines(chunk, more))
        many += len(chunk)
    return many


def _lines(chunk: Requests, more: bool) -> Iterator[str]:
    columns = (chunk.arrival_seconds.tolist(), chunk.input_tokens.tolist(), chunk.output_tokens.tolist())
    if not more:
        for when, inputs, outputs in zip(*columns, strict=True):
            yield f"{when!r},{inputs},{outputs}\n"
        return
    blocks, ends = chunk.block_ids.tolist(), chunk.block_offsets.tolist()
    for at, (when, inputs, outputs, priority) in enumerate(zip(*columns, chunk.priority.tolist(), strict=True)):
        own = " ".join(map(str, blocks[ends[at] : ends[at + 1]]))
        yield f"{when!r},{inputs},{outputs},{priority},{chunk.block_tokens if own else ''},{own}\n"
