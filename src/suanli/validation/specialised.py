"""Predict a row of a table of special-purpose chips, with nothing tuned to the row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from suanli.catalogue.find import default_system
from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.hardware import System
from suanli.domain.validation import ValidationRow
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_memory import weight_bytes
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_runs import RunFigures, static_run
from suanli.estimate.serving_search import layouts_on
from suanli.estimate.serving_steady import demand_of
from suanli.foundation.errors import InputError, SuanliError
from suanli.foundation.language import tr
from suanli.parts.architectures.count import parameters
from suanli.parts.devices.special import find_chip
from suanli.validation.rows import plain_number
from suanli.validation.serving_told import predicted_row, refused_row
from suanli.validation.specialised_rows import SpecialisedRow, quantity_of, read_specialised_row

FORWARD_FLOP = 2.0
"""Arithmetic of a forward pass for each parameter and token: a multiplication and an addition."""


def predict_specialised_row(cells: Mapping[str, str]) -> ValidationRow:
    """Predict one row; a row that cannot be predicted comes back with a status that says why."""
    try:
        return _predicted(read_specialised_row(cells))
    except SuanliError as error:
        return _refused(cells, str(error))


def _refused(cells: Mapping[str, str], reason: str) -> ValidationRow:
    try:
        quantity, measured = quantity_of(cells)
    except InputError:
        quantity, measured = str(cells.get("metric", "")), plain_number(cells.get("value") or "")
    return refused_row(
        str(cells.get("id", "")), quantity, measured, reason, str(cells.get("evidence_class", "")),
        str(cells.get("device", "")),
    )  # fmt: skip


def _predicted(row: SpecialisedRow) -> ValidationRow:
    replica, run = _fastest(row)
    _must_be_read(row, replica)
    value = _value(row, replica, run)
    layout = replica.layout
    told = tr("tensor {tensor}, pipeline {pipeline}", tensor=layout.tensor, pipeline=layout.pipeline)
    return predicted_row(row, replica, value, row.evidence, row.accelerator.id, (told,))


def _fastest(row: SpecialisedRow) -> tuple[Replica, RunFigures]:
    """Play the row under each layout that its chips allow, and keep the best (makers show theirs).

    Where the number of chips is open, the fewest that hold the model with products split as far as links bear.
    Raises InputError where none fits.
    """
    system = _system(row)
    best: tuple[Replica, RunFigures] | None = None
    for layout in _layouts(row, system):
        replica = open_replica(_setup(row), system, layout, load_kernels())
        if demand_of(replica).resident < 1:
            continue
        run = static_run(replica, row.batch)
        if best is None or _told_seconds(row, run) < _told_seconds(row, best[1]):
            best = replica, run
        if row.devices is None:
            break
    if best is None:
        raise InputError.single(
            place=tr("memory"), found=tr("weights and activations that leave no room in the cache"),
            allowed=tr("room for one sequence"),
        )  # fmt: skip
    return best


def _system(row: SpecialisedRow) -> System:
    """Return the usual box of a row's chips, or the smallest listed one that holds as many."""
    boxes = [one for one in catalogue().systems.values() if one.accelerator.id == row.accelerator.id]
    holding = [one for one in boxes if one.accelerators >= (row.devices or 1)]
    usual = default_system(row.accelerator.id)
    return usual if usual in holding or not holding else min(holding, key=lambda one: one.accelerators)


def _must_be_read(row: SpecialisedRow, replica: Replica) -> None:
    """Raise InputError where a dense model's tokens came faster than memory can read its weights."""
    if row.quantity != "decode_tokens_per_s" or row.drafts or any(run.layer.experts for run in row.model.runs):
        return
    held = weight_bytes(replica)
    most = row.batch * replica.device.memory_bytes_per_s / replica.device.share / held
    if row.measured > most:
        raise InputError.single(
            place="value", found=f"{row.measured:.4g}",
            allowed=tr("at most {most} tokens a second, by the memory of so many chips; a draft model or more of them "
                       "must have helped", most=f"{most:.3g}"),
        )  # fmt: skip


def _told_seconds(row: SpecialisedRow, run: RunFigures) -> float:
    """Return the time that a row's quantity tells of: prefill of one sequence, a decode step, or the whole run."""
    if row.quantity in ("ttft_seconds", "prefill_mfu"):
        return run.ttft_seconds / run.resident
    if row.quantity in ("tpot_seconds", "decode_tokens_per_s"):
        return run.tpot_seconds
    return run.ttft_seconds + run.tpot_seconds * row.outputs


def _setup(row: SpecialisedRow) -> ServingSetup:
    return ServingSetup(
        model=row.model, input_tokens=row.inputs, output_tokens=max(row.outputs, 1.0), weight_format=row.weight_format,
        kv_format="auto", draft_tokens=row.drafts,
    )  # fmt: skip


def _layouts(row: SpecialisedRow, system: System) -> Iterator[ServingLayout]:
    """Yield layouts of as many chips as the row has; where it says none, from few chips to many at the widest split."""
    kernels = load_kernels()
    if row.devices is None:
        chip = find_chip(row.accelerator, kernels.chips)
        found = list(layouts_on(row.model, system, kernels, None if chip and chip.placement.reach else 1))
        widest = max((layout.tensor for layout in found), default=1)
        yield from sorted((one for one in found if one.tensor == widest), key=lambda one: one.accelerators)
        return
    heads = min((run.layer.core.heads for run in row.model.runs if run.layer.core.heads), default=1)
    whole = [degree for degree in range(1, min(row.devices, heads) + 1) if heads % degree == 0]
    yield ServingLayout(tensor=row.devices if row.devices <= heads else max(whole))
    for layout in layouts_on(row.model, system, kernels, row.devices):
        if layout.accelerators <= row.devices and layout.expert == 1:
            yield layout


def _value(row: SpecialisedRow, replica: Replica, run: RunFigures) -> float:
    """Return the run's value of a row's quantity."""
    if row.quantity == "tpot_seconds":
        return run.tpot_seconds
    if row.quantity == "ttft_seconds":
        return run.ttft_seconds
    if row.quantity == "decode_tokens_per_s":
        return row.batch / run.tpot_seconds
    if row.quantity == "prefill_mfu":
        work = FORWARD_FLOP * parameters(row.model) * run.resident * row.inputs
        peak = replica.device.peak_flop_per_s("bf16") * replica.layout.accelerators
        return work / (run.ttft_seconds * peak)
    whole = run.ttft_seconds + run.tpot_seconds * (row.outputs - 1)
    return row.batch * (row.inputs + row.outputs) / max(whole, math.ulp(1.0))
