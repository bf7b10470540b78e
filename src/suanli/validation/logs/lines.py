"""Lines of a log as people see them: any usual encoding, no colours, progress bars apart, ranks' prefixes told."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

HEAD_BYTES = 2**16
CHUNK_BYTES = 2**20
MOST_LINE = 2**20
"""A longer line is cut: no known tool writes one that says more."""
ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
RANK = re.compile(r"^\s*(?:\[(?:rank|default|local_rank )?(\d{1,6})\]:|(\d{1,6}):(?=\s))\s?")
"""What torchrun (`--tee`, `[rank3]:`) and `srun --label` (`3: `) put before each line."""
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
WIDE = (("utf-16-le", 1), ("utf-16-be", 0))
CHINESE = "gb18030"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number in the file, its text, and the rank that wrote it where that is told (-1: it is not)."""

    number: int
    text: str
    rank: int = -1


def encoding_of(head: bytes) -> str:
    """Tell the encoding of a file by its beginning: its mark, zeros of wide letters, UTF-8, else Chinese Windows."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    zeros = [head[start::2].count(0) for start in (0, 1)]
    for name, place in WIDE:
        if zeros[place] > len(head) // 2**3 > zeros[1 - place]:
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        try:
            codecs.getincrementaldecoder(CHINESE)().decode(head)
        except UnicodeDecodeError:
            return "utf-8"
        return CHINESE
    return "utf-8"


def lines_of(path: Path) -> Iterator[Line]:
    """Yield the lines of a file in pieces of bounded size; a progress bar's states are lines of one number.

    Raises InputError where the file cannot be opened, or is no text.
    """
    try:
        with path.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
            encoding = encoding_of(head)
            if "16" not in encoding and head.count(0) > len(head) // 2**3:
                raise InputError.single(place=path.name, found=tr("no text"), allowed=tr("a log in text"))
            opened.seek(0)
            decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
            yield from _split(lambda: opened.read(CHUNK_BYTES), decoder)
    except OSError as error:
        raise InputError.single(place=str(path), found=str(error), allowed=tr("a file that can be read")) from error


def _split(read: Callable[[], bytes], decoder: codecs.IncrementalDecoder) -> Iterator[Line]:
    number, rest = 1, ""
    while True:
        chunk = read()
        text = rest + decoder.decode(chunk, final=not chunk)
        pieces = text.split("\n")
        rest = pieces.pop()
        for piece in pieces:
            yield from _states(number, piece)
            number += 1
        if len(rest) > MOST_LINE:
            head, _, rest = rest.rpartition("\r")
            yield from _states(number, head or rest[:MOST_LINE])
            rest = rest if head else ""
        if not chunk:
            yield from _states(number, rest)
            return


def _states(number: int, piece: str) -> Iterator[Line]:
    """Yield what stands in one line of a file: several states where a bar was drawn over and over."""
    for state in piece.split("\r"):
        text = ANSI.sub("", state) if "\x1b" in state else state
        text = text.replace("\x00", "").rstrip()
        if not text:
            continue
        rank = RANK.match(text)
        if rank is None:
            yield Line(number, text)
        else:
            yield Line(number, text[rank.end() :], int(rank.group(1) or rank.group(2)))
