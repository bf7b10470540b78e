"""Reads rows of a table of training runs: setup, cluster, layout, what was measured; open cells by default."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from suanli.catalogue.load import Catalogue
from suanli.domain.hardware import Cluster, Precision
from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.software import Software, TrainingCalibration
from suanli.domain.tuning import LowRank
from suanli.domain.validation import MeasuredQuantity
from suanli.domain.workload import Attention, TrainingSetup, TuningMethod
from suanli.estimate.operators import layer_count
from suanli.estimate.software import find_software, software_for
from suanli.foundation.errors import SuanliError
from suanli.foundation.language import tr
from suanli.parts.axes.axis import divisors
from suanli.validation.reading import Reading, read_accelerator, read_format, read_system, slices_of, unseen_causes
from suanli.validation.rows import Record
from suanli.validation.run_model import read_run_model

TRAINING_COLUMNS = ("id", "accelerator")
MEASURED_COLUMNS = ("step_time_s", "tokens_per_s_per_gpu", "peak_mem_gb")
GIGABYTE = 10**9
LONGEST = re.compile(r"longest sample (\d+) tokens")
GROUPS = re.compile(r"groups of (\d+)")
OUT_OF_MEMORY = re.compile(r"\bOOM\b|\bout[ -]of[ -]memory\b", re.IGNORECASE)
SPLIT = re.compile(r"use-mc2|async tp", re.IGNORECASE)
"""Words of notes for products that are cut into pieces beside their tensor traffic."""
STAGES = {
    "zero2": Sharding.GRADIENTS,
    "gradop": Sharding.GRADIENTS,
    "zero3": Sharding.FULL,
    "fsdp": Sharding.FULL,
    "zero1": Sharding.OPTIMIZER,
    "dist-opt": Sharding.OPTIMIZER,
}
"""Words for a stage of sharding; the first that a cell holds counts."""
TUNING = {"lora": TuningMethod.LORA, "qlora": TuningMethod.QLORA, "sft": TuningMethod.FULL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A row as the model sees it: setup, cluster, layout (None where the row gives none), what was assumed.

    `open_recompute` says that the row does not tell what is computed again, `out_of_memory` that it was published as
    a run that did not fit. `unseen_causes` are causes of memory that its printed peak leaves out.
    """

    id: str
    source: str
    accelerator: str
    setup: TrainingSetup
    cluster: Cluster
    accelerators: int
    layout: Layout | None
    open_recompute: bool
    out_of_memory: bool
    unseen_causes: tuple[str, ...]
    assumed: tuple[str, ...]


def measured_quantities(record: Record) -> list[MeasuredQuantity]:
    """Return what a row measures: the step's seconds (printed, or from tokens per second) and the peak memory."""
    found: list[MeasuredQuantity] = []

    def add(quantity: str, value: float) -> None:
        found.append(
            MeasuredQuantity(
                id=record.text("id"),
                quantity=quantity,
                measured=value,
                source=record.text("source"),
                accelerator=record.text("accelerator"),
            )
        )

    step = record.number("step_time_s")
    rate, tokens = record.number("tokens_per_s_per_gpu"), _tokens(record)
    accelerators = record.count("gpus") or 1
    if step:
        add("step_seconds", step)
    elif rate:
        add("step_seconds", tokens / (rate * accelerators))
    peak = record.number("peak_mem_gb")
    if peak:
        add("peak_memory_bytes", peak * GIGABYTE)
    return found


def _tokens(record: Record) -> float:
    return float(_sequence(record) * (record.count("global_batch") or DEFAULT_BATCH))


def _sequence(record: Record) -> int:
    longest = LONGEST.search(record.text("notes"))
    return record.count("seq_len") or (int(longest.group(1)) if longest else DEFAULT_SEQUENCE)


DEFAULT_SEQUENCE = 2048
DEFAULT_BATCH = 2048


class _Assumed:
    """Fills open cells and remembers with what."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.said: list[str] = []

    def count(self, column: str, default: int) -> int:
        value = self.record.count(column)
        if value is None:
            self.said.append(f"{column} = {default}")
            return default
        return value


def read_run(record: Record, catalogue: Catalogue, reading: Reading, calibration: TrainingCalibration) -> Run | str:
    """Read a row into a run, or say in words why it cannot be predicted."""
    model = read_run_model(record, reading)
    if model is None:
        return tr("the shape of model '{name}' is not given and not known", name=record.text("model_name"))
    accelerator = read_accelerator(record, catalogue)
    if accelerator is None:
        return tr("accelerator '{name}' is not in the catalogue", name=record.text("accelerator"))
    system = read_system(record, accelerator, catalogue, reading)
    accelerators = accelerators_of(record)
    if accelerators is None:
        return tr("the number of accelerators is not given")
    try:
        form = read_format(record, reading)
    except SuanliError as error:
        return str(error)
    assumed = _Assumed(record)
    software = software_for(
        calibration, software_of(record, calibration, assumed), model, form.number_format, accelerator.id
    )
    tuning = TUNING.get(record.text("workload"))
    setup = TrainingSetup(
        model=model,
        sequence_tokens=sequence_of(record, assumed),
        global_batch=1,
        precision=Precision(form.precision),
        number_format=form.number_format,
        attention=Attention.UNFUSED if record.text("flash_attention") == "0" else Attention.FLASH,
        framework=software.id,
        tuning=tuning,
        adapters=adapters_of(tuning, software, calibration),
        balanced_experts=True,
        split_tensor=SPLIT.search(record.text("notes")) is not None,
        capacity=1.0 if "tokendrop" in record.text("notes") else None,
        frozen_format=form.frozen,
    )
    layout = read_layout(record, accelerators, setup, software.sharded_master > 0, assumed)
    batch = batch_of(record, layout, assumed)
    return Run(
        id=record.text("id"),
        source=record.text("source"),
        accelerator=record.text("accelerator"),
        setup=replace(setup, global_batch=batch),
        cluster=Cluster(system=system, nodes=max(-(-accelerators // system.accelerators), 1)),
        accelerators=accelerators,
        layout=layout,
        open_recompute=not record.text("recompute"),
        out_of_memory=bool(OUT_OF_MEMORY.search(record.text("notes"))),
        unseen_causes=unseen_causes(record, reading),
        assumed=tuple(assumed.said),
    )


def adapters_of(tuning: TuningMethod | None, software: Software, calibration: TrainingCalibration) -> LowRank | None:
    """Return the adapters of a run, which no row tells: of the usual rank, where recipes of its software put them."""
    if tuning not in (TuningMethod.LORA, TuningMethod.QLORA):
        return None
    targets = calibration.recipes.get(software.id)
    plain = LowRank(rank=calibration.adapter_rank)
    return plain if targets is None else replace(plain, targets=targets)


def accelerators_of(record: Record) -> int | None:
    """Read how many accelerators a run used: its column, or the product of the degrees where all are given."""
    degrees = [record.count(column) for column in ("dp", "tp", "pp")]
    given = record.count("gpus")
    if given is not None or None in degrees:
        return given
    return math.prod(degree for degree in degrees if degree) * (record.count("cp") or 1)


def software_of(record: Record, calibration: TrainingCalibration, assumed: _Assumed) -> Software:
    """Find the class of a run's framework; one that is not known is taken to work as others that shard alike."""
    try:
        return find_software(calibration, framework_of(record), record.text("date"))
    except SuanliError:
        usual = "torch_eager" if sharding_of(record, False)[0] is Sharding.FULL else "megatron_core"
        assumed.said.append(f"framework = {usual}")
        return calibration.software[usual]


def batch_of(record: Record, layout: Layout | None, assumed: _Assumed) -> int:
    """Read the global batch; unsaid, the default for timed runs, one round of the pipeline for memory alone."""
    given = record.count("global_batch")
    if given is not None:
        return given
    timed = record.text("step_time_s") or record.text("tokens_per_s_per_gpu")
    batch = DEFAULT_BATCH if timed or layout is None else layout.data * layout.micro_batch * layout.pipeline
    assumed.said.append(f"global_batch = {batch}")
    return batch


def framework_of(record: Record) -> str:
    """Read the framework; a run that its notes call eager ran without the compiler that its framework may use."""
    name = record.text("framework") or "megatron"
    words = re.split(r"[^a-z]+", record.text("notes").lower())
    return "torch_eager" if "torchtitan" in name.lower() and "eager" in words else name


def sequence_of(record: Record, assumed: _Assumed) -> int:
    """Read the sequence length: its column, the longest sample that the notes tell of, or the default."""
    length = _sequence(record)
    if record.count("seq_len") is None:
        assumed.said.append(f"seq_len = {length}")
    return length


def read_layout(
    record: Record, accelerators: int, setup: TrainingSetup, fully_sharded: bool, assumed: _Assumed
) -> Layout | None:
    """Read the layout that a row gives, open cells by default; None where it gives no degree at all."""
    if not any(record.text(column) for column in ("tp", "pp", "dp", "sharding")):
        assumed.said.append(tr("layout: the fastest legal one"))
        return None
    tensor, pipeline, context = (assumed.count(column, 1) for column in ("tp", "pp", "cp"))
    data = record.count("dp") or max(accelerators // (tensor * pipeline * context), 1)
    fitting = max(accelerators // (tensor * pipeline * context), 1)
    if data * tensor * pipeline * context != accelerators:
        data = fitting
    sharding, ranks = sharding_of(record, fully_sharded)
    slices = slices_of(record)
    return Layout(
        data=data,
        tensor=tensor,
        pipeline=pipeline,
        context=context,
        expert=record.count("ep") or 1,
        interleave=interleave_of(record, setup, pipeline, assumed),
        micro_batch=assumed.count("micro_batch", 1),
        sharding=sharding,
        sharding_ranks=data // slices if slices > 1 and data % slices == 0 else ranks,
        recompute=recompute_of(record, setup, assumed),
        sequence_parallel=sequence_parallel_of(record),
    )


def interleave_of(record: Record, setup: TrainingSetup, pipeline: int, assumed: _Assumed) -> int:
    """Read the chunks a stage; unsaid under a pipeline of Megatron, as many as leave each chunk two layers."""
    given = record.count("vp")
    layers = layer_count(setup.model)
    if given is not None or pipeline == 1 or layers % pipeline or not setup.framework.startswith("megatron"):
        return given or 1
    chunks = max((n for n in divisors(layers // pipeline) if layers // pipeline // n >= LAYERS_A_CHUNK), default=1)
    assumed.said.append(f"vp = {chunks}")
    return chunks


LAYERS_A_CHUNK = 2


def sequence_parallel_of(record: Record) -> bool:
    """Read whether activations are split between tensor ranks: off where notes say plain, or attention is unfused."""
    notes = record.text("notes").lower()
    if "plain tp" in notes or "no sequence parallelism" in notes:
        return False
    return "sequence" in notes or record.text("flash_attention") != "0"


def sharding_of(record: Record, fully_sharded: bool) -> tuple[Sharding, int | None]:
    """Read the ZeRO stage in words, and the size of its group where one is told."""
    said = record.text("sharding").lower()
    if said in ("none", "zero0"):
        return Sharding.NONE, None
    group = GROUPS.search(said)
    ranks = int(group.group(1)) if group else None
    if ranks == 0:
        record.fault("sharding", said, tr("a number above 0"))
    usual = Sharding.FULL if fully_sharded else Sharding.OPTIMIZER
    return next((stage for word, stage in STAGES.items() if word in said), usual), ranks


def recompute_of(record: Record, setup: TrainingSetup, assumed: _Assumed) -> Recompute:
    """Read what is computed again; unsaid, nothing under a fused attention kernel, its core under an unfused one."""
    said = record.text("recompute").lower()
    if said:
        return next((level for level in Recompute if said.startswith(level.value)), Recompute.NONE)
    level = Recompute.NONE if setup.attention is Attention.FLASH else Recompute.SELECTIVE
    assumed.said.append(f"recompute = {level.value}")
    return level
