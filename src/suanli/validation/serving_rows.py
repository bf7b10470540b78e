"""A row of the table of serving runs, read: what ran, on what, how it was driven, what was measured, in SI."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from suanli.domain.serving import DraftKind
from suanli.foundation.errors import InputError
from suanli.foundation.language import tell, tr
from suanli.foundation.units import to_si
from suanli.validation.corrections import corrected
from suanli.validation.habits import habit_of
from suanli.validation.rows import MOST_COUNT, plain_number

OPEN_WORDS = ("", "auto", "none", "nan", "unspecified (bf16 or model default)", "unspecified")
"""Cells that leave the choice to the engine or the model."""

WEIGHT_FORMATS: Mapping[str, str] = {
    "fp16/bf16": "fp16",
    "f16": "fp16",
    "fp16": "fp16",
    "bf16": "bf16",
    "float16": "fp16",
    "bfloat16": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8_block",
    "fp4": "nvfp4",
    "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
    "mxfp8": "mxfp8",
    "int8": "int8",
    "w8a8": "int8",
    "gptq-int8": "int8_weight",
    "int8_wo": "int8_weight",
    "awq-int4": "int4_weight",
    "gptq-int4": "gptq_int4",
    "int4": "int4_weight",
    "int4_wo": "int4_weight",
    "awq": "int4_weight",
    "gptq": "gptq_int4",
    "q4_k_m": "q4_k_m",
    "q4_0": "q4_0",
}
"""What tables call a weight format, and the scheme that it means."""

CACHE_FORMATS: Mapping[str, str] = {"fp16": "fp16", "bf16": "bf16", "fp8": "fp8", "f16": "fp16", "int8": "int8"}


class Drive(StrEnum):
    """How a run was driven."""

    STEADY = "steady"
    STATIC = "static"
    BURST = "burst"
    OFFLINE = "offline"
    PREFILL = "prefill"
    DECODE = "decode"
    APART = "apart"
    MEMORY = "memory"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """What a table's metric measures: the quantity's name in SI, the unit it is printed in, and for each of what."""

    quantity: str
    unit: str
    into: str
    per_accelerator: bool = False

    @property
    def factor(self) -> float:
        """What one printed unit is in SI."""
        return to_si(1.0, self.unit, self.into, self.quantity)


TTFT = Metric(quantity="ttft_seconds", unit="ms", into="s")
TPOT = Metric(quantity="tpot_seconds", unit="ms", into="s")
METRICS: Mapping[str, Metric] = {
    "output_tok_s_total": Metric(quantity="output_tokens_per_s", unit="token/s", into="token/s"),
    "output_tok_s_per_gpu": Metric(
        quantity="output_tokens_per_s_per_accelerator", unit="token/s", into="token/s", per_accelerator=True
    ),
    "total_tok_s": Metric(quantity="total_tokens_per_s", unit="token/s", into="token/s"),
    "total_tok_s_per_gpu": Metric(
        quantity="total_tokens_per_s_per_accelerator", unit="token/s", into="token/s", per_accelerator=True
    ),
    "prefill_tok_s": Metric(quantity="prefill_tokens_per_s", unit="token/s", into="token/s"),
    "request_s": Metric(quantity="requests_per_s", unit="1/s", into="1/s"),
    "ttft_ms": TTFT,
    "ttft_ms_mean": TTFT,
    "ttft_ms_median": TTFT,
    "tpot_ms": TPOT,
    "tpot_ms_mean": TPOT,
    "tpot_ms_median": TPOT,
    "mem_weights_gib_per_gpu": Metric(quantity="weight_bytes", unit="GiB", into="B"),
    "mem_activation_peak_gib": Metric(quantity="activation_bytes", unit="GiB", into="B"),
    "mem_non_torch_gib": Metric(quantity="runtime_bytes", unit="GiB", into="B"),
    "mem_kv_pool_gib": Metric(quantity="kv_pool_bytes", unit="GiB", into="B"),
    "kv_capacity_tokens": Metric(quantity="kv_capacity_tokens", unit="token", into="token"),
}
"""Metrics of the table, and their names and units in SI."""

MEMORY_QUANTITIES = ("weight_bytes", "activation_bytes", "runtime_bytes", "kv_pool_bytes", "kv_capacity_tokens")

WORKERS = re.compile(r"(\d+)x\(tp(\d+) ep(\d+) dpa=(True|False)\)")
ATTENTION_DATA = re.compile(r"attention_dp (\d+)")
REQUESTS = re.compile(r"(\d+) requests")
DATA_RANKS = re.compile(r"\bdp(\d+)\b")
BUDGET = re.compile(r"--max-num-batched-tokens[ =](\d+)")
UTILISATION = re.compile(r"gpu_memory_utilization (\d*\.?\d+)")
AHEAD = "--async-scheduling"
SPECULATIVE = "; speculative;"


@dataclass(frozen=True, kw_only=True, slots=True)
class Workers:
    """Replicas of one kind as a row describes them: how many, and their tensor, expert and attention-data ranks."""

    count: int
    tensor: int
    expert: int
    attention_data: int
    pipeline: int = 1

    @property
    def accelerators(self) -> int:
        """How many accelerators they occupy together."""
        return self.count * self.tensor * self.pipeline * self.attention_data


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingRow:
    """One run and quantity of the table, in SI. `assumed` says which open cells were filled, and with what.

    `spreads_mixtures` says that the source runs models of experts with data-parallel attention over all ranks.
    """

    id: str
    source: str
    accelerator: str
    quantity: str
    measured: float
    model: str
    engine: str
    engine_version: str
    date: str
    weight_format: str
    kv_format: str
    inputs: float
    outputs: float
    concurrency: float
    requests: float
    drive: Drive
    workers: Workers
    prefill_workers: Workers | None
    per_accelerator: bool
    drafting: DraftKind | None
    spreads_mixtures: bool
    token_budget: float | None
    usable_share: float | None
    overlap: bool | None
    alike: bool
    grants_places: bool
    receive_steps: float | None
    assumed: tuple[str, ...]


def _text(cells: Mapping[str, str], key: str) -> str:
    said = cells.get(key)
    return "" if said is None or said != said else str(said).strip()


def _number(cells: Mapping[str, str], key: str, default: float) -> float:
    said = _text(cells, key)
    if said.lower() in OPEN_WORDS:
        return default
    value = plain_number(said)
    if not math.isfinite(value):
        raise InputError.single(place=key, found=f"'{said}'", allowed=tr("a number"))
    return value


def _length(cells: Mapping[str, str], key: str) -> float:
    """Return a length in tokens, NaN where it is open."""
    value = _number(cells, key, math.nan)
    if value < 0:
        raise InputError.single(place=key, found=str(value), allowed=tr("a finite number of at least 0, or nothing"))
    return value


def _count(cells: Mapping[str, str], key: str) -> int:
    value = _number(cells, key, 1.0)
    if not 1 <= value <= MOST_COUNT or value != int(value):
        raise InputError.single(place=key, found=str(value), allowed=tr("a whole number from 1"))
    return int(value)


def metric_of(cells: Mapping[str, str]) -> Metric:
    """Return what a row's metric measures. Raises InputError where the metric is not known."""
    said = _text(cells, "metric")
    if said not in METRICS:
        raise InputError.single(place="metric", found=f"'{said}'", allowed=", ".join(METRICS))
    return METRICS[said]


def _format(said: str, known: Mapping[str, str], place: str) -> str:
    if said.lower() in OPEN_WORDS:
        return ""
    if said.lower() not in known:
        raise InputError.single(place=place, found=f"'{said}'", allowed=", ".join(known))
    return known[said.lower()]


def _drive(metric: Metric, notes: str, batch: str, inputs: float, outputs: float) -> Drive:
    """Say how a run was driven, from its metric, its notes and which lengths are none."""
    if metric.quantity in MEMORY_QUANTITIES:
        return Drive.MEMORY
    if "disaggregated" in notes:
        return Drive.APART
    if metric.quantity == "prefill_tokens_per_s" or _prompt_alone(batch, inputs, outputs):
        return Drive.PREFILL
    if inputs == 0 or "single stream" in notes:
        return Drive.DECODE
    if batch == "max":
        return Drive.OFFLINE
    if "static batch" in notes:
        return Drive.STATIC
    return Drive.BURST if "all sent at once" in notes else Drive.STEADY


def _prompt_alone(batch: str, inputs: float, outputs: float) -> bool:
    """Say whether a run only reads prompts: it answers nothing, or one prompt at a time with a token at most."""
    return (outputs == 0 and inputs > 0) or (outputs <= 1 and batch == "1")


def _told(pattern: re.Pattern[str], notes: str, most: float = math.inf) -> float | None:
    """Return the figure that the notes tell by a pattern, None where they tell none.

    Raises InputError where it is 0 or more than it can be.
    """
    found = pattern.search(notes)
    if found is None:
        return None
    value = float(found.group(1))
    if not 0 < value <= most:
        allowed = tr("at most {bound}", bound=most) if value > most else tr("a number above 0")
        raise InputError.single(place="notes", found=f"'{found.group(0)}'", allowed=allowed)
    return value


def _load(drive: Drive, batch: str, notes: str) -> tuple[Drive, float, float]:
    """Return drive, requests in flight and requests of the run; a burst with fewer in flight than sent is steady."""
    sent = _told(REQUESTS, notes) or math.inf
    if batch in ("max", ""):
        return drive, sent if drive is Drive.BURST else (1.0 if batch == "" else math.inf), sent
    flight = plain_number(batch)
    if not (math.isfinite(flight) and flight > 0):
        raise InputError.single(place="batch_or_concurrency", found=f"'{batch}'", allowed=tr("a number above 0"))
    if drive is Drive.BURST and flight < sent:
        return Drive.STEADY, flight, sent
    return drive, flight, sent


def _drafting(notes: str) -> DraftKind | None:
    """Say who drafts: layers of the model itself where the notes name multi-token prediction, else EAGLE-3."""
    if "spec=mtp" in notes or ("MTP" in notes and SPECULATIVE in notes):
        return DraftKind.MTP
    return DraftKind.EAGLE3 if SPECULATIVE in notes else None


def _aggregated(cells: Mapping[str, str], notes: str) -> Workers:
    """Return the workers of a run whose prefill and decode share accelerators.

    Attention data parallelism is read from the notes: "attention_dp K" stands beside the tensor degree,
    "dp_attention=True" and "dpN" turn the tensor ranks into data ranks of attention. Expert ranks share the
    accelerators of the other axes, so they add none.
    """
    tensor, pipeline, expert = _count(cells, "tp"), _count(cells, "pp"), _count(cells, "ep")
    beside = ATTENTION_DATA.search(notes)
    ranks = DATA_RANKS.search(notes)
    if "tp counts cores" in notes:
        chips = _count(cells, "gpus")
        tensor, data = (1, chips) if ranks else (chips, 1)
    elif beside:
        data = int(beside.group(1))
    elif _turned(notes, tensor, expert, int(ranks.group(1)) if ranks else 1):
        tensor, data = 1, tensor
    else:
        data = 1
    group = tensor * data
    return Workers(
        count=1, tensor=tensor, pipeline=pipeline, attention_data=data, expert=math.gcd(expert, group) if group else 1
    )


def _turned(notes: str, tensor: int, expert: int, ranks: int) -> bool:
    """Say whether the notes turn the tensor ranks into data ranks of attention."""
    if "dp_attention=True" in notes or (expert > 1 and "attention data-parallel" in notes):
        return True
    return "dp-attention" in notes and ranks == tensor


def _apart(notes: str, accelerators: int) -> tuple[Workers, Workers]:
    """Return prefill and decode workers of a disaggregated run. Raises InputError where the notes leave them open."""
    found = WORKERS.findall(notes)
    if len(found) != 2:
        raise InputError.single(place="notes", found=notes, allowed=tr("prefill and decode workers with their degrees"))
    made = []
    for count, tensor, expert, shared in found:
        data = int(tensor) if shared == "True" else 1
        ranks = math.gcd(int(expert), int(tensor))
        made.append(Workers(count=int(count), tensor=int(tensor) // data, expert=ranks, attention_data=data))
    prefill, decode = made
    told = prefill.accelerators + decode.accelerators
    if told != accelerators or not (prefill.count and decode.count):
        raise InputError.single(
            place="notes",
            found=tr("workers on {said} accelerators of {all}", said=told, all=accelerators),
            allowed=tr("the layout of every worker"),
        )
    return prefill, decode


def _lengths(cells: Mapping[str, str], assumed: list[str]) -> tuple[float, float]:
    """Return prompt and answer lengths; the llama.cpp convention of 512 stands in where a row leaves both open."""
    inputs, outputs = _length(cells, "input_len"), _length(cells, "output_len")
    if inputs == outputs == 0:
        raise InputError.single(place="input_len, output_len", found="0, 0", allowed=tr("a number above 0"))
    if math.isnan(inputs):
        inputs = ASSUMED_TOKENS
        assumed.append(tr("prompts of {tokens} tokens", tokens=int(inputs)))
    if math.isnan(outputs):
        outputs = ASSUMED_TOKENS
        assumed.append(tr("answers of {tokens} tokens", tokens=int(outputs)))
    return inputs, outputs


ASSUMED_TOKENS = 512.0
"""Length of prompt and answer where a row gives none: what llama-bench takes by default for prompts."""


def read_serving_row(cells: Mapping[str, str]) -> ServingRow:
    """Read one row of the table of serving runs.

    Raises InputError where a cell cannot be read, or the row leaves its layout open.
    """
    cells, put_right = corrected(cells)
    notes, batch = _text(cells, "notes"), _text(cells, "batch_or_concurrency")
    metric, assumed = metric_of(cells), [tell(why) for why in put_right]
    inputs, outputs = _lengths(cells, assumed)
    weights = _format(_text(cells, "weight_precision"), WEIGHT_FORMATS, "weight_precision")
    if not weights:
        weights = "bf16"
        assumed.append(tr("weights in {format}", format=weights))
    drive, concurrency, sent = _load(_drive(metric, notes, batch, inputs, outputs), batch, notes)
    habit = habit_of(_text(cells, "source"), _text(cells, "engine_version"), _text(cells, "engine"), notes,
                     _text(cells, "accelerator"))  # fmt: skip
    prefill = None
    if drive is Drive.APART:
        prefill, workers = _apart(notes, _count(cells, "gpus"))
    else:
        workers = _aggregated(cells, notes)
    return ServingRow(
        id=_text(cells, "id"),
        source=_text(cells, "source"),
        accelerator=_text(cells, "accelerator"),
        quantity=metric.quantity,
        measured=_number(cells, "value", math.nan) * metric.factor,
        model=_text(cells, "hf_config_name") or _text(cells, "model"),
        engine=_text(cells, "engine"),
        engine_version=_text(cells, "engine_version"),
        date=_text(cells, "date"),
        weight_format=weights,
        kv_format=_format(_text(cells, "kv_precision"), CACHE_FORMATS, "kv_precision"),
        inputs=inputs * habit.length_share,
        outputs=outputs * habit.length_share,
        concurrency=concurrency,
        requests=habit.requests_of(inputs, outputs, sent) if drive is Drive.OFFLINE else sent,
        drive=drive,
        workers=workers,
        prefill_workers=prefill,
        per_accelerator=metric.per_accelerator,
        drafting=_drafting(notes),
        spreads_mixtures=habit.spreads_mixtures,
        token_budget=_told(BUDGET, notes),
        usable_share=_told(UTILISATION, notes, 1.0) or habit.usable_share,
        overlap=True if AHEAD in notes else habit.overlap,
        alike=habit.alike,
        grants_places=habit.grants_places,
        receive_steps=habit.receive_steps_of(concurrency),
        assumed=tuple(assumed),
    )
