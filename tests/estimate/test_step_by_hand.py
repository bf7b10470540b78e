"""Tuning, parameters on their way and the optimizer, worked out once more by hand."""

import dataclasses

import numpy as np
import pytest
from tests.estimate.jobs import (
    CALIBRATION,
    KERNELS,
    cluster_of,
    question_of,
    setup_of,
    small_model,
    weighed,
)

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.tuning import LowRank
from suanli.domain.workload import Attention, TuningMethod
from suanli.estimate.evaluate import evaluate
from suanli.estimate.finetuning import DOUBLE_QUANTISED, estimate_tuning, tuned
from suanli.estimate.operators import Bench, adapters_seconds
from suanli.estimate.shards import stage_parameters
from suanli.estimate.step import job_of, open_machine, state_columns
from suanli.estimate.tables import to_table
from suanli.foundation.errors import InputError
from suanli.parts.architectures.read import named_model

# -------------------------------------------------------------------------------------------------------------- tuning


@pytest.mark.parametrize("method", list(TuningMethod))
def test_a_method_says_what_it_needs_and_no_more(method):
    setup = tuned(setup_of(), method, CALIBRATION)
    assert setup.tuning is method
    assert (setup.adapters is not None) == (method is not TuningMethod.FULL)
    assert bool(setup.frozen_format) == (method is TuningMethod.QLORA)


def test_a_rank_and_a_format_that_were_asked_for_stay():
    asked = dataclasses.replace(setup_of(), adapters=LowRank(rank=64), frozen_format="int8")
    assert tuned(asked, TuningMethod.LORA, CALIBRATION).adapters.rank == 64
    assert tuned(asked, TuningMethod.QLORA, CALIBRATION).frozen_format == "int8"
    assert tuned(setup_of(), TuningMethod.QLORA, CALIBRATION).frozen_format == DOUBLE_QUANTISED


@pytest.mark.parametrize("method", [TuningMethod.LORA, TuningMethod.QLORA])
def test_a_greater_rank_never_takes_less(method):
    model, layout = named_model("LLaMA2-7B"), Layout(data=16)
    found = [
        estimate_tuning(
            dataclasses.replace(setup_of(model, batch=32), adapters=LowRank(rank=rank)),
            method,
            cluster_of(2),
            layout,
            KERNELS,
        )
        for rank in (4, 16, 64, 256)
    ]
    assert [one.memory_bytes for one in found] == sorted(one.memory_bytes for one in found)
    assert [one.step_seconds for one in found] == sorted(one.step_seconds for one in found)
    assert [one.bytes_by_cause["optimizer"] for one in found] == pytest.approx(
        [found[0].bytes_by_cause["optimizer"] * times for times in (1, 4, 16, 64)]
    )


def test_frozen_weights_take_the_bytes_of_their_format():
    model = named_model("LLaMA2-7B")
    held = {}
    for name in CALIBRATION.frozen_bytes:
        setup = dataclasses.replace(setup_of(model, batch=32), frozen_format=name)
        found = estimate_tuning(setup, TuningMethod.QLORA, cluster_of(2), Layout(data=16), KERNELS)
        held[name] = found.bytes_by_cause["weights"]
    ordered = sorted(CALIBRATION.frozen_bytes, key=CALIBRATION.frozen_bytes.__getitem__)
    assert [held[name] for name in ordered] == sorted(held.values())


def test_frozen_gradients_are_never_reduced():
    model = named_model("LLaMA2-7B")
    full, lora = (
        estimate_tuning(setup_of(model, batch=32), method, cluster_of(2), Layout(data=16), KERNELS)
        for method in (TuningMethod.FULL, TuningMethod.LORA)
    )
    assert lora.bytes_by_cause["gradients"] < 0.05 * full.bytes_by_cause["gradients"]
    assert lora.seconds_by_cause["optimizer"] < 0.05 * full.seconds_by_cause["optimizer"]
    assert lora.seconds_by_cause["data_exposed"] <= full.seconds_by_cause["data_exposed"]


def test_unfused_attention_is_never_quicker_than_fused():
    for level in (Recompute.NONE, Recompute.FULL):
        fused, unfused = (
            weighed(to_table([Layout(data=16, recompute=level)]), setup_of(attention=kind), 2).step.step_seconds[0]
            for kind in (Attention.FLASH, Attention.UNFUSED)
        )
        assert fused < unfused


def test_an_unknown_framework_and_format_are_refused_by_name():
    with pytest.raises(InputError, match="papyrus"):
        question_of(setup_of(framework="papyrus"))
    with pytest.raises(InputError, match="fp9"):
        weighed(to_table([Layout(data=8)]), setup_of(number_format="fp9"))


# ------------------------------------------------------------------------------------------------------ traffic by hand


@pytest.mark.parametrize(("stage", "out", "back"), [
    (Sharding.NONE, "all_reduce", ""), (Sharding.OPTIMIZER, "reduce_scatter", "all_gather"),
    (Sharding.GRADIENTS, "", "all_gather"), (Sharding.FULL, "", ""),
])  # fmt: skip
def test_parameters_travel_as_often_as_their_stage_says(stage, out, back):
    """Once a step for a whole stage up to sharded optimizers; gradients and weights of a layer go more often."""
    setup = setup_of()
    question = question_of(setup, 2)
    job, fabric, table = (
        job_of(setup, question.machine),
        question.machine.fabric,
        to_table([Layout(data=16, sharding=stage)]),
    )
    told = state_columns(setup, job, fabric, question.software, table)
    held = stage_parameters(setup, table)
    parameters, layer = float(held.first.dense[0]), float(held.layer.dense[0])
    layer += setup.model.hidden * setup.model.vocabulary / 8

    def sent(op, count, element_bytes):
        return float(fabric.collective_seconds(op, count * element_bytes, 16.0, 8.0)) if op else 0.0

    reduced = question.software.reduce_bytes
    assert float(told.reduce_stage[0]) == pytest.approx(sent(out, parameters, reduced))
    assert float(told.gather_stage[0]) == pytest.approx(sent(back, parameters, 2.0))
    whole, often = stage is Sharding.FULL, stage in (Sharding.GRADIENTS, Sharding.FULL)
    assert float(told.gather_layer[0]) == pytest.approx(sent("all_gather" if whole else "", layer, 2.0))
    assert float(told.scatter_layer[0]) == pytest.approx(sent("reduce_scatter" if often else "", layer, reduced))


@pytest.mark.parametrize("replicas", [2, 4, 8, 16])
def test_the_optimizer_works_on_its_share_of_the_parameters(replicas):
    setup = setup_of()
    question = question_of(setup, 2)
    job = job_of(setup, question.machine)
    for stage in Sharding:
        table = to_table([Layout(data=replicas, tensor=16 // replicas, sharding=stage)])
        told = state_columns(setup, job, question.machine.fabric, question.software, table)
        whole = float(stage_parameters(setup, table).first.dense[0])
        share = 1 if stage is Sharding.NONE else replicas
        assert float(told.optimizer_parameters[0]) == pytest.approx(whole / share, rel=1e-12)


@pytest.mark.parametrize("framework", sorted(CALIBRATION.software))
def test_the_optimizer_passes_its_bytes_through_memory_once(framework):
    question, table = question_of(setup_of(framework=framework), 2), to_table([Layout(data=16)])
    told = evaluate(question, table).step.causes["optimizer"][0]
    device = question.machine.device
    parameters = float(stage_parameters(question.setup, table).first.dense[0]) / 16
    reached = device.memory_bytes_per_s * device.kernels.element_pass.memory_share
    assert told == pytest.approx(parameters * question.software.optimizer_moved_bytes / reached, rel=1e-12)


@pytest.mark.parametrize("rank", [8, 64])
def test_adapters_add_two_thin_products_forward_and_four_backward(rank):
    """Each adapter has an input and a weight gradient; the frozen matrix has the former alone."""
    layer = small_model().runs[0].layer
    machine, table = open_machine(cluster_of(2), KERNELS), to_table([Layout(data=16)])
    setup = dataclasses.replace(setup_of(), tuning=TuningMethod.LORA, adapters=LowRank(rank=rank))
    bench = Bench(setup=setup, job=job_of(setup, machine), device=machine.device, fabric=machine.fabric, table=table)
    dense, _ = adapters_seconds(bench, layer)
    added = [float(np.ravel(one)[0]) for one in dense]
    assert added[0] > 0
    assert added[1] == pytest.approx(2 * added[0], rel=1e-9)
