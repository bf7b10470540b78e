"""Training estimates: one layout told in full, and the time of a whole run."""

from __future__ import annotations

import numpy as np

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout, Offload
from suanli.domain.result import TrainingEstimate
from suanli.domain.software import TrainingCalibration
from suanli.domain.workload import TrainingSetup
from suanli.equations.pipeline import model_flop_utilisation
from suanli.estimate.compose import CAUSES
from suanli.estimate.evaluate import Evaluation, Question, ask, evaluate
from suanli.estimate.memory import MEMORY_CAUSES
from suanli.estimate.operators import layer_count
from suanli.estimate.optimizers import load_choices
from suanli.estimate.software import load_training_calibration
from suanli.estimate.space import broken_rule
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import layout_at, to_table
from suanli.estimate.uncertainty import band_of, step_band
from suanli.foundation.language import tr
from suanli.parts.architectures.count import forward_flop

FORWARD_AND_BACKWARD = 1 + 2
"""A backward pass takes twice the arithmetic of a forward pass: gradients of inputs and of weights."""

GIGA = 1e9
MEMORY = "memory"
"""The limit of an accelerator's own memory, by its stable name."""


def training_flop(setup: TrainingSetup) -> float:
    """Arithmetic of the model itself in one step: causal, forward and backward, nothing computed twice.

    Frozen weights have no gradients of their own, which leaves two passes of three; layers before the first one that
    trains have no backward pass at all.
    """
    documents = setup.global_batch * setup.sequence_tokens / setup.seen_tokens
    forward = forward_flop(setup.model, setup.seen_tokens, documents, causal=True)
    frozen, layers = setup.freezing, layer_count(setup.model)
    reached = 0.0 if frozen.all_but_head else max(layers - frozen.layers, 0) / layers
    return forward * (1 + reached * (FORWARD_AND_BACKWARD - 1 - setup.frozen))


def at_row(question: Question, evaluation: Evaluation, row: int, limit: str = "") -> TrainingEstimate:
    """Tell one row of an evaluation in full."""
    setup, machine = question.setup, question.machine
    seconds = float(evaluation.step.step_seconds[row])
    held = float(evaluation.memory.memory_bytes[row])
    layout = layout_at(evaluation.table, row)
    used = model_flop_utilisation(
        training_flop(setup),
        float(layout.accelerators),
        machine.device.peak_flop_per_s(setup.number_format),
        seconds,
    )
    return TrainingEstimate(
        layout=layout,
        step_seconds=seconds,
        tokens_per_s=setup.global_batch * setup.sequence_tokens / seconds,
        mfu=float(np.asarray(used)),
        seconds_by_cause={cause: float(evaluation.step.causes[cause][row]) for cause in CAUSES},
        memory_bytes=held,
        bytes_by_cause={cause: float(evaluation.memory.causes[cause][row]) for cause in MEMORY_CAUSES},
        band=step_band(
            question.calibration, question.software.id, machine.device, setup.model, setup.seen_tokens, seconds
        ),
        memory_band=band_of(question.calibration, "memory", machine.device, held),
        limit=limit or memory_limit(evaluation, row),
        capacity_bytes=evaluation.capacity_bytes,
        host_memory_bytes=float(evaluation.memory.host_bytes[row]),
        assumed=() if layout.offload is Offload.NONE else offload_assumed(),
    )


def offload_assumed() -> tuple[str, ...]:
    """Say what is assumed of the host."""
    figures = load_choices().offloading
    share, rate = figures.hidden_share.value, figures.host_memory_rate.value / GIGA
    return (
        tr("work hides {share:.0%} of what travels to the host and back", share=share),
        tr("an optimizer on the host works at {rate:.0f} GB/s a node", rate=rate),
    )


def memory_limit(evaluation: Evaluation, row: int) -> str:
    """Name the memory that a row does not fit: the accelerator's, else the host's; "" where it fits both."""
    if evaluation.fits[row]:
        return ""
    held = evaluation.memory
    live = held.memory_bytes[row] - held.causes["fragmentation"][row]
    return MEMORY if live > evaluation.capacity_bytes else "host memory"


def estimate_layout(
    setup: TrainingSetup,
    cluster: Cluster,
    layout: Layout,
    kernels: KernelTable,
    *,
    calibration: TrainingCalibration | None = None,
    memory_margin: float = 0.0,
    accelerators: int | None = None,
) -> TrainingEstimate:
    """Estimate one given layout; `limit` names the first rule or memory limit that it breaks.

    `accelerators` may be fewer than the cluster's nodes hold.
    """
    machine = open_machine(cluster, kernels, accelerators or layout.accelerators)
    question = ask(setup, machine, calibration or load_training_calibration(), memory_margin)
    table = to_table([layout])
    return at_row(question, evaluate(question, table), 0, broken_rule(job_of(setup, machine), table)[0])


def training_seconds(total_tokens: float, estimate: TrainingEstimate) -> float:
    """Time of a whole run at the estimate's rate, failures and checkpoints left out."""
    return total_tokens / estimate.tokens_per_s
