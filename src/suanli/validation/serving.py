"""Predict a row of the table of serving runs at the layout it gives, with nothing tuned to the row."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from suanli.catalogue.engines import load_engines
from suanli.catalogue.find import accelerator as find_accelerator
from suanli.catalogue.find import default_system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.engine import EngineTable
from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.model import Model
from suanli.domain.validation import ValidationRow
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_ahead import ahead_run
from suanli.estimate.serving_apart import Apart, apart_run
from suanli.estimate.serving_burst import burst_run, offline_run
from suanli.estimate.serving_memory import (
    activation_bytes,
    cache_capacity_tokens,
    cache_pool_bytes,
    runtime_bytes,
    weight_bytes,
)
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_runs import RunFigures, prefill_run, static_run, steady_run
from suanli.estimate.serving_steady import demand_of
from suanli.foundation.errors import InputError, SuanliError
from suanli.foundation.language import tr
from suanli.parts.architectures.read import named_model
from suanli.validation.rows import plain_number
from suanli.validation.serving_rows import Drive, ServingRow, Workers, metric_of, read_serving_row
from suanli.validation.serving_told import predicted_row, refused_row


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """What predictions read beside the row: kernels and engines; `played` keeps runs that several rows measured."""

    kernels: KernelTable
    engines: EngineTable
    played: dict[ServingRow, tuple[Replica, RunFigures, int]] = field(default_factory=dict, compare=False)


@functools.cache
def default_tables() -> Tables:
    """Load the packaged tables."""
    return Tables(kernels=load_kernels(), engines=load_engines())


def predict_inference_row(cells: Mapping[str, str], tables: Tables | None = None) -> ValidationRow:
    """Predict one row; a row that cannot be predicted comes back with a status that says why."""
    used = tables or default_tables()
    try:
        row = read_serving_row(cells)
        return _predicted(row, used)
    except SuanliError as error:
        return _refused(cells, str(error))


def _refused(cells: Mapping[str, str], reason: str) -> ValidationRow:
    """Keep a row that has no prediction, with the reason."""
    try:
        metric = metric_of(cells)
        quantity, measured = metric.quantity, plain_number(cells.get("value") or "") * metric.factor
    except (InputError, ValueError):
        quantity, measured = str(cells.get("metric", "")), math.nan
    return refused_row(
        str(cells.get("id", "")), quantity, measured, reason, str(cells.get("source", "")),
        str(cells.get("accelerator", "")),
    )  # fmt: skip


def _predicted(row: ServingRow, tables: Tables) -> ValidationRow:
    if not math.isfinite(row.measured) or row.measured <= 0:
        raise InputError.single(place="value", found=str(row.measured), allowed=tr("a number above 0"))
    replica, predicted = predict(row, tables)
    if not (math.isfinite(predicted) and predicted > 0):
        raise InputError.single(place=row.quantity, found=f"{predicted:.3g}", allowed=tr("a number above 0"))
    return predicted_row(row, replica, predicted, row.source, row.accelerator)


@functools.cache
def _system_of(accelerator: str) -> System:
    """Return the box that an accelerator of a table usually comes in."""
    return default_system(find_accelerator(accelerator).id)


def predict(row: ServingRow, tables: Tables) -> tuple[Replica, float]:
    """Return the (decoding) replica of a row, and the predicted value of its quantity."""
    system = _system_of(row.accelerator)
    if row.drive is Drive.MEMORY:
        replica = _replica(row, row.workers, system, tables)
        return replica, _memory_value(replica, row.quantity)
    run = replace(row, id="", quantity="", measured=0.0, per_accelerator=False, assumed=())
    if run not in tables.played:
        tables.played[run] = _play(row, system, tables)
    replica, figures, accelerators = tables.played[run]
    return replica, _value(row, figures, accelerators)


def _play(row: ServingRow, system: System, tables: Tables) -> tuple[Replica, RunFigures, int]:
    """Play a row's run; return its (decoding) replica, figures and accelerators."""
    replica = _replica(row, row.workers, system, tables)
    _must_fit(replica)
    if row.drive is Drive.APART and row.prefill_workers is not None:
        pair = Apart(
            prefill=_replica(row, row.prefill_workers, system, tables),
            prefills=row.prefill_workers.count,
            decode=replica,
            decodes=row.workers.count,
        )
        return replica, apart_run(pair, row.concurrency), pair.accelerators
    return replica, _run(replica, row), replica.layout.accelerators


def _replica(row: ServingRow, workers: Workers, system: System, tables: Tables) -> Replica:
    setup = ServingSetup(
        model=named_model(row.model),
        input_tokens=row.inputs,
        output_tokens=row.outputs,
        weight_format=row.weight_format,
        kv_format=row.kv_format,
        engine=row.engine,
        engine_version=row.engine_version,
        engine_date=row.date,
        draft_tokens=tables.engines.constants.drafts if row.drafting else 0.0,
        drafting=row.drafting,
        sequence_limit=_granted(row, workers),
        token_budget=row.token_budget,
        usable_share=row.usable_share,
        overlap=row.overlap,
        receive_steps=row.receive_steps,
    )
    return open_replica(setup, system, _layout(row, workers, setup.model), tables.kernels, tables.engines)


def _granted(row: ServingRow, workers: Workers) -> float | None:
    """Return how many places a rank was given, where the source gives as many as requests are in flight."""
    return max(row.concurrency / workers.attention_data, 1.0) if row.grants_places else None


def _layout(row: ServingRow, workers: Workers, model: Model) -> ServingLayout:
    """Return the layout of a row's workers; a dense model has no experts to spread."""
    if not any(run.layer.experts for run in model.runs):
        return ServingLayout(tensor=workers.tensor, pipeline=workers.pipeline, attention_data=workers.attention_data)
    tensor, data = workers.tensor, workers.attention_data
    if row.spreads_mixtures:
        tensor, data = 1, tensor * data
    return ServingLayout(tensor=tensor, pipeline=workers.pipeline, expert=workers.expert, attention_data=data)


def _must_fit(replica: Replica) -> None:
    """Raise InputError where the layout's weights leave no room for one sequence."""
    if demand_of(replica).resident < 1:
        raise InputError.single(
            place=tr("memory"),
            found=tr("weights and activations that leave no room in the cache"),
            allowed=tr("room for one sequence"),
        )


def _run(replica: Replica, row: ServingRow) -> RunFigures:
    """Play a row's run in the way it was driven.

    Equal requests that a client keeps in flight stay in step where prompts go first: all end together, all come again.
    """
    if row.drive is Drive.OFFLINE:
        return offline_run(replica, min(row.requests, replica.constants.offline_requests))
    if row.drive is Drive.STATIC:
        return static_run(replica, row.concurrency)
    if row.drive is Drive.BURST:
        ahead = replica.engine.prefills_ahead
        return ahead_run(replica, row.concurrency) if ahead else burst_run(replica, row.concurrency, row.alike)
    if row.drive is Drive.PREFILL:
        return prefill_run(replica)
    if row.alike and not replica.engine.mixes:
        return burst_run(replica, row.concurrency, alike=True)
    return steady_run(replica, row.concurrency)


def _value(row: ServingRow, run: RunFigures, accelerators: int) -> float:
    """Return the run's value of a row's quantity."""
    shared = accelerators if row.per_accelerator else 1
    if row.quantity == "ttft_seconds":
        return run.ttft_seconds
    if row.quantity == "tpot_seconds":
        return run.tpot_seconds
    if row.quantity == "requests_per_s":
        return run.requests_per_s
    if row.quantity == "prefill_tokens_per_s":
        return row.inputs / run.ttft_seconds
    if row.drive is Drive.DECODE:
        return 1 / run.tpot_seconds
    tokens = row.outputs if row.quantity.startswith("output") else row.inputs + row.outputs
    return run.requests_per_s * tokens / shared


def _memory_value(replica: Replica, quantity: str) -> float:
    """Return the predicted bytes or tokens of a memory quantity."""
    if quantity == "kv_capacity_tokens":
        return cache_capacity_tokens(replica, 1.0)
    return {
        "weight_bytes": weight_bytes,
        "activation_bytes": activation_bytes,
        "runtime_bytes": runtime_bytes,
        "kv_pool_bytes": cache_pool_bytes,
    }[quantity](replica)
