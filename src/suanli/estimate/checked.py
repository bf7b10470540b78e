"""Predictions of real cases: a step of plain PyTorch on one device, and its peak of live bytes as torch counts them."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.check import Case, Kind
from suanli.domain.hardware import Cluster, System
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.result import Band
from suanli.domain.tuning import LowRank
from suanli.domain.workload import ServingLayout, ServingSetup, TrainingSetup, TuningMethod
from suanli.estimate.finetuning import tuned
from suanli.estimate.operators import mlp_elements
from suanli.estimate.precision import element_bytes
from suanli.estimate.serving_memory import sequence_cache_bytes, weight_bytes
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_step import StepLoad, step_causes
from suanli.estimate.software import load_training_calibration
from suanli.estimate.training import estimate_layout
from suanli.estimate.uncertainty import band_of, step_band
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

FRAMEWORK = ENGINE = "torch_plain"
"""The class of training software, and of serving engines, that a loop of one's own is of."""
ADAPTED = ("attention",)
"""Matrices that adapters of real cases stand beside."""
STANDING, COPIED = 5.0, 3.0
"""Hidden states that stand beside a feed-forward network, and copies of a token that its expert makes (by its code)."""
NOT_LIVE = ("runtime", "fragmentation")
"""Causes of memory that torch's own count of live tensors leaves out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """What a case should take: seconds by cause and in all, live bytes at the peak, with their 80 % bands."""

    seconds: float
    seconds_band: Band
    seconds_by_cause: dict[str, float]
    peak_bytes: float
    peak_band: Band


def predict(case: Case, system: System, kernels: KernelTable, ranks: int = 1) -> Predicted:
    """Predict a case on devices of a system: tuning on all ranks, each with its own sequences, serving on one.

    Raises InputError where the format has no peak there, or the system fewer devices.
    """
    if ranks > system.accelerators:
        allowed = tr("at most {count} on {name}", count=system.accelerators, name=system.name)
        raise InputError.single(place="WORLD_SIZE", found=str(ranks), allowed=allowed)
    return _trained(case, system, kernels, ranks) if case.kind.tunes else _served(case, system, kernels)


def _trained(case: Case, system: System, kernels: KernelTable, ranks: int) -> Predicted:
    lora = case.kind is Kind.LORA
    setup = TrainingSetup(
        model=case.model,
        sequence_tokens=case.tokens,
        global_batch=case.batch * ranks,
        precision=kernels.formats[case.number_format].precisions[0],
        number_format=case.number_format,
        framework=FRAMEWORK,
        adapters=LowRank(rank=case.rank, targets=ADAPTED) if lora else None,
    )
    if lora:
        setup = tuned(setup, TuningMethod.LORA, load_training_calibration())
    layout = Layout(data=ranks, micro_batch=case.batch, recompute=Recompute.NONE, sharding=Sharding.NONE)
    told = estimate_layout(setup, Cluster(system=system, nodes=1), layout, kernels, accelerators=ranks)
    live = sum(held for cause, held in told.bytes_by_cause.items() if cause not in NOT_LIVE)
    ratio = live / told.memory_bytes
    return Predicted(
        seconds=told.step_seconds,
        seconds_band=told.band,
        seconds_by_cause=dict(told.seconds_by_cause),
        peak_bytes=live,
        peak_band=Band(low=told.memory_band.low * ratio, high=told.memory_band.high * ratio),
    )


def working_bytes(case: Case) -> float:
    """Bytes of one token's activations at the fullest moment of a forward pass that keeps nothing.

    That is inside the feed-forward network. What enters it, both residuals, the results of attention and of the norm
    stand there, with that of the network where no gate makes the moment before it fuller; of the matrices' results each
    stands twice, as it came and as the activation left it. Experts take their share of the tokens one after another,
    over copies of those and of what they give.
    """
    most = 0.0
    for run in case.model.runs:
        layer, hidden = run.layer, float(case.model.hidden)
        incoming, _ = mlp_elements(layer)
        standing = STANDING + float(not layer.gated)
        if layer.experts > 1:
            one = (2 * incoming / layer.experts_per_token + COPIED * hidden) * layer.experts_per_token / layer.experts
            most = max(most, (standing + 1) * hidden + one)
        else:
            most = max(most, standing * hidden + 2 * incoming)
    return most * element_bytes(case.number_format)


def _served(case: Case, system: System, kernels: KernelTable) -> Predicted:
    prefill, calibration = case.kind is Kind.PREFILL, load_training_calibration()
    rows = case.batch * (case.tokens if prefill else 1)
    setup = ServingSetup(
        model=case.model, input_tokens=float(case.tokens), output_tokens=2.0, weight_format=case.number_format,
        kv_format=case.number_format, engine=ENGINE, token_budget=float(rows), sequence_limit=float(case.batch),
    )  # fmt: skip
    replica = open_replica(setup, system, ServingLayout(), kernels)
    load = StepLoad(decoding=float(case.batch), context=case.tokens + 1.0)
    if prefill:
        load = StepLoad(prompt_tokens=float(rows), prompts=float(case.batch), prompt_context=float(case.tokens))
    causes = {cause: float(spent) for cause, spent in step_causes(replica, load).items()}
    seconds = sum(causes.values())
    cached = case.batch * float(sequence_cache_bytes(replica, case.tokens + 1.0))
    held = weight_bytes(replica) + cached + rows * working_bytes(case)
    return Predicted(
        seconds=seconds,
        seconds_band=step_band(calibration, FRAMEWORK, replica.device, case.model, float(case.tokens), seconds),
        seconds_by_cause=causes,
        peak_bytes=held,
        peak_band=band_of(calibration, "memory", replica.device, held),
    )
