"""Which cases a machine runs: sizes by what it is, in the shape of known models or of the user's own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from suanli.catalogue.figures import DATA, in_si
from suanli.catalogue.plain_yaml import read_plain
from suanli.check.shrink import scaled_down
from suanli.domain.check import Case, Kind
from suanli.domain.model import Model

CHECK_FILE = DATA / "check.yaml"
PROCESSOR, ACCELERATOR = "cpu", "accelerator"
"""The two kinds of machines that sizes are told for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """One row of the file: what is done, in whose shape, how large."""

    kind: Kind
    shape_of: str
    hidden: int
    layers: int
    batch: int
    tokens: int
    number_format: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """The file of sizes: what all cases share, and rows by kind of machine."""

    vocabulary: int
    experts: int
    adapter_rank: int
    step_seconds: float
    rows: Mapping[str, tuple[Size, ...]]


@functools.cache
def load_sizes(path: Path = CHECK_FILE) -> Sizes:
    """Read the sizes of real steps."""
    said = read_plain(path).data
    value, unit = str(said["step_seconds"]).split()
    return Sizes(
        vocabulary=int(said["vocabulary"]),
        experts=int(said["experts"]),
        adapter_rank=int(said["adapter_rank"]),
        step_seconds=in_si(float(value), unit, "s", path.name),
        rows={name: tuple(_size(*row) for row in rows) for name, rows in said["sizes"].items()},
    )


def _size(kind: str, shape_of: str, hidden: int, layers: int, batch: int, tokens: int, number_format: str) -> Size:
    return Size(kind=Kind(kind), shape_of=shape_of, hidden=int(hidden), layers=int(layers), batch=int(batch),
                tokens=int(tokens), number_format=number_format)  # fmt: skip


def planned(
    machine: str, find: Callable[[str], Model], own: Model | None = None, kinds: tuple[Kind, ...] = tuple(Kind)
) -> tuple[Case, ...]:
    """List the cases of a machine: each row in the shape that it names, or all in the shape of the user's model.

    With a model of one's own, rows that differ in nothing but the shape stand once.
    """
    sizes, found = load_sizes(), {}
    for row in sizes.rows[machine]:
        if row.kind not in kinds:
            continue
        model = scaled_down(own or find(row.shape_of), row.hidden, row.layers, sizes.vocabulary, sizes.experts)
        case = Case(
            kind=row.kind, model=model, batch=row.batch, tokens=row.tokens, number_format=row.number_format,
            rank=sizes.adapter_rank if row.kind is Kind.LORA else 0,
        )  # fmt: skip
        found[case.name] = case
    return tuple(found.values())


def held_out(cases: tuple[Case, ...]) -> frozenset[str]:
    """Name every second case of each kind: those that no figure of the class was set on."""
    return frozenset(case.name for kind in Kind for case in [one for one in cases if one.kind is kind][1::2])
