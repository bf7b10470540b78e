"""Measured runs of one or more tables, read once into stacked raw columns that any calibration can be composed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.kernel import KernelTable
from suanli.domain.software import TrainingCalibration
from suanli.domain.validation import MeasuredQuantity
from suanli.estimate.precision import BF16_BYTES
from suanli.estimate.software import sustained_pattern
from suanli.estimate.step import Machine, RawStep, open_machine, raw_step
from suanli.estimate.tables import to_table
from suanli.estimate.uncertainty import ChipEvidence, evidence_of
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InputError, SuanliError
from suanli.foundation.language import tr
from suanli.parts.architectures.count import attention_share, expert_share
from suanli.validation.predict import estimate_run
from suanli.validation.reading import load_reading
from suanli.validation.rows import Record, raise_faults, read_records
from suanli.validation.training import TRAINING_COLUMNS, Run, measured_quantities, read_run

Columns = TypeVar("Columns")


@dataclass(frozen=True, kw_only=True, slots=True)
class Runs:
    """All runs that can be predicted, one a row of every column.

    `classes` are the classes of software that occur and `class_rows` the place of every run's in them; `patterns`
    and `pattern_rows` the same of lasting shares. `narrow` is 1 where matrices are below 16 bits, `searched` says
    that a run gives no layout, `expert_share` and `attention_share` how much of its work experts and attention do,
    `chips` what its kernels' times rest on. `refused` tells of runs that cannot be used why.
    """

    raw: RawStep
    classes: tuple[str, ...]
    class_rows: NDArray[np.intp]
    patterns: tuple[str, ...]
    pattern_rows: NDArray[np.intp]
    narrow: FloatArray
    searched: NDArray[np.bool_]
    expert_share: FloatArray
    attention_share: FloatArray
    chips: tuple[ChipEvidence, ...]
    measured_seconds: FloatArray
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    accelerators: tuple[str, ...]
    refused: Mapping[str, str]

    def __len__(self) -> int:
        """Return how many runs there are."""
        return len(self.ids)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """One run, its machine, its raw row, and what was measured."""

    run: Run
    machine: Machine
    raw: RawStep
    measured: MeasuredQuantity


def stack(parts: Sequence[Columns]) -> Columns:
    """Put nouns of columns one under the other, nouns of columns inside them too."""
    kind: Any = type(parts[0])
    columns: dict[str, Any] = {}
    for field in fields(kind):
        inside = [getattr(part, field.name) for part in parts]
        columns[field.name] = stack(inside) if is_dataclass(inside[0]) else np.concatenate(inside)
    made: Columns = kind(**columns)
    return made


def _places(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """List the distinct names, and the place of each name in that list."""
    known = tuple(dict.fromkeys(names))
    return known, np.array([known.index(name) for name in names], dtype=np.intp)


def records_of(paths: Iterable[Path]) -> list[Record]:
    """Read tables of training runs. Raises InputError where one is no such table."""
    return [record for path in paths for record in read_records(path, TRAINING_COLUMNS)]


def _read(record: Record, kernels: KernelTable, known: TrainingCalibration) -> _Read | str:
    """Read a run at its layout, or say why it cannot be used."""
    steps = [one for one in measured_quantities(record) if one.quantity == "step_seconds"]
    if not steps:
        return tr("no step is timed")
    run = read_run(record, catalogue(), load_reading(), known)
    if isinstance(run, str):
        return run
    try:
        layout = estimate_run(run, kernels, known).layout
        machine = open_machine(run.cluster, kernels, run.accelerators)
        raw = raw_step(run.setup, machine, known.software[run.setup.framework], to_table([layout]))
    except SuanliError as error:
        return str(error)
    return _Read(run=run, machine=machine, raw=raw, measured=steps[0])


def read_runs(records: Sequence[Record], known: TrainingCalibration) -> Runs:
    """Read every run of the records that has a timed step.

    Raises InputError with every wrong cell at once, or where no run can be used.
    """
    kernels = load_kernels()
    found = {f"{record.file}:{record.line} {record.text('id')}": _read(record, kernels, known) for record in records}
    raise_faults(records)
    refused = {place: one for place, one in found.items() if isinstance(one, str)}
    used = [one for one in found.values() if isinstance(one, _Read)]
    if not used:
        said = "; ".join(dict.fromkeys(refused.values())) or tr("no rows")
        raise InputError.single(place=tr("runs"), found=said, allowed=tr("a table with at least one timed run"))
    return _stacked(used, known, refused)


def _is_narrow(one: _Read) -> bool:
    return one.machine.device.number_format(one.run.setup.number_format).activation_bytes < BF16_BYTES


def _stacked(used: Sequence[_Read], known: TrainingCalibration, refused: Mapping[str, str]) -> Runs:
    accelerators = tuple(one.machine.device.accelerator.id for one in used)
    classes, class_rows = _places([one.run.setup.framework for one in used])
    patterns, pattern_rows = _places([sustained_pattern(known, name) for name in accelerators])
    return Runs(
        raw=stack([one.raw for one in used]),
        classes=classes,
        class_rows=class_rows,
        patterns=patterns,
        pattern_rows=pattern_rows,
        narrow=np.array([float(_is_narrow(one)) for one in used]),
        searched=np.array([one.run.layout is None for one in used]),
        expert_share=np.array([expert_share(one.run.setup.model, one.run.setup.sequence_tokens) for one in used]),
        attention_share=np.array([attention_share(one.run.setup.model, one.run.setup.sequence_tokens) for one in used]),
        chips=tuple(evidence_of(known.spread, one.machine.device) for one in used),
        measured_seconds=np.array([one.measured.measured for one in used]),
        ids=tuple(one.run.id for one in used),
        sources=tuple(one.run.source for one in used),
        accelerators=accelerators,
        refused=refused,
    )
