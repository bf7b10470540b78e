"""A training step at its limits: nothing to send, endless links, degree one, one parameter changed at a time."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import (
    CALIBRATION,
    KERNELS,
    cluster_of,
    question_of,
    setup_of,
    small_model,
    weighed,
    with_device,
    with_links,
)

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.workload import Attention, TuningMethod
from suanli.estimate.compose import CAUSES
from suanli.estimate.evaluate import evaluate, single_experts_dense
from suanli.estimate.finetuning import DOUBLE_QUANTISED, estimate_tuning, tuned
from suanli.estimate.operators import Bench, matrix_seconds
from suanli.estimate.shards import stage_parameters
from suanli.estimate.space import layouts
from suanli.estimate.step import job_of, open_machine, state_columns
from suanli.estimate.tables import take, to_table
from suanli.estimate.training import estimate_layout
from suanli.foundation.errors import InputError
from suanli.parts.architectures.read import named_model

COMMUNICATION = (
    "tensor_exposed", "context_exposed", "expert_exposed", "sharding_exposed", "pipeline_exposed", "data_exposed",
)  # fmt: skip
SPLITS = {
    "tensor_exposed": Layout(data=2, tensor=8),
    "context_exposed": Layout(data=4, context=4),
    "expert_exposed": Layout(data=16, expert=8),
    "sharding_exposed": Layout(data=16, sharding=Sharding.FULL),
    "pipeline_exposed": Layout(data=4, pipeline=4),
    "data_exposed": Layout(data=16),
}
MIXTURE = small_model(experts=8, active=2)
WHOLE_SPACE = layouts(setup_of(MIXTURE), open_machine(cluster_of(2), KERNELS), True)
rows = st.integers(0, len(WHOLE_SPACE) - 1)
factors = st.floats(1.0, 8.0)
quick = settings(max_examples=40, deadline=None)


def free_links(machine):
    """Return the machine with links and network that are endless and start at once."""

    def free(tier):
        kernels = {
            op: dataclasses.replace(kernel, base_seconds=0.0, hop_seconds=0.0) for op, kernel in tier.kernels.items()
        }
        return dataclasses.replace(tier, kernels=kernels, link_bytes_per_s=1e40)

    fabric = machine.fabric
    wide = dataclasses.replace(fabric, links=free(fabric.links), host=free(fabric.host), network=free(fabric.network))
    return dataclasses.replace(machine, fabric=wide)


def step_of(row, cluster, setup=None):
    """Return the seconds of one row of the space on a cluster."""
    question = dataclasses.replace(question_of(setup or setup_of(MIXTURE), 2), machine=open_machine(cluster, KERNELS))
    return evaluate(question, take(WHOLE_SPACE, [row])).step.step_seconds[0]


# -------------------------------------------------------------------------------------------------------------- limits


def test_over_endless_links_no_layout_waits_for_traffic():
    question = question_of(setup_of(MIXTURE), 2)
    free = dataclasses.replace(question, machine=free_links(question.machine))
    found = evaluate(free, WHOLE_SPACE)
    for cause in COMMUNICATION:
        assert np.max(found.step.causes[cause]) <= 1e-9 * np.min(found.step.step_seconds), cause


@pytest.mark.parametrize("cause", COMMUNICATION)
def test_traffic_is_of_the_split_that_asks_for_it(cause):
    """Each cause is there under its own split, and gone where nothing is split that way."""
    setup = setup_of(MIXTURE)
    split, alone = (
        weighed(to_table([one]), setup, 2) for one in (SPLITS[cause], Layout(data=16, sharding=Sharding.NONE))
    )
    assert split.step.causes[cause][0] > 0
    if cause != "data_exposed":
        assert alone.step.causes[cause][0] == 0


def test_one_accelerator_only_computes():
    found = estimate_layout(setup_of(MIXTURE), cluster_of(1), Layout(), KERNELS, accelerators=1)
    for cause in (*COMMUNICATION, "bubble", "stragglers", "expert_imbalance"):
        assert found.seconds_by_cause[cause] == 0, cause
    assert found.seconds_by_cause["matmul"] > 0


def test_balanced_experts_wait_for_nobody():
    even = weighed(to_table([Layout(data=16, expert=8)]), setup_of(MIXTURE, balanced_experts=True), 2)
    assert even.step.causes["expert_imbalance"][0] == 0


def test_an_endless_machine_leaves_launches_and_floors():
    """Arithmetic and memory a million times as fast: what is left does not grow with the hidden size."""
    steps = []
    for hidden in (1024, 2048):
        fast = with_device(cluster_of(2), memory_bytes_per_s=1e9, peak=1e9)
        machine = free_links(open_machine(fast, KERNELS))
        setup = setup_of(small_model(hidden=hidden))
        steps.append(evaluate(dataclasses.replace(question_of(setup, 2), machine=machine), to_table([Layout(data=16)])))
    small, large = (one.step.step_seconds[0] for one in steps)
    assert large == pytest.approx(small, rel=0.02)


# ------------------------------------------------------------------------------------------------------- never slower


@quick
@given(row=rows, factor=factors, part=st.sampled_from(["memory", "peak", "inside", "outside"]))
def test_more_of_anything_is_never_slower_in_any_layout(row, factor, part):
    cluster = cluster_of(2)
    better = {
        "memory": lambda: with_device(cluster, memory_bytes_per_s=factor),
        "peak": lambda: with_device(cluster, peak=factor),
        "inside": lambda: with_links(cluster, inside=factor),
        "outside": lambda: with_links(cluster, outside=factor),
    }[part]()
    assert step_of(row, better) <= step_of(row, cluster) * (1 + 1e-9)


@quick
@given(row=rows, factor=factors)
def test_all_of_it_faster_by_a_factor_gains_at_most_the_factor(row, factor):
    """Floors, latencies and launches stay, so a machine k times as fast is never more than k times as quick."""
    cluster = cluster_of(2)
    better = with_links(with_device(cluster, memory_bytes_per_s=factor, peak=factor), inside=factor, outside=factor)
    assert step_of(row, better) * factor >= step_of(row, cluster) * (1 - 1e-9)


@quick
@given(row=rows)
def test_a_network_matters_only_to_what_leaves_the_node(row):
    one_node = take(WHOLE_SPACE, [row])
    used = one_node.tensor[0] * one_node.context[0] * one_node.pipeline[0] * one_node.data[0]
    assert used == 16
    plain, faster = step_of(row, cluster_of(2)), step_of(row, with_links(cluster_of(2), outside=10.0))
    assert faster <= plain


@pytest.mark.parametrize(
    "layout", [Layout(data=8), Layout(data=1, tensor=8), Layout(data=4, tensor=2, sharding=Sharding.FULL)]
)
def test_within_a_node_the_network_matters_to_nothing(layout):
    plain, faster = (
        estimate_layout(setup_of(), cluster, layout, KERNELS).step_seconds
        for cluster in (cluster_of(1), with_links(cluster_of(1), outside=100.0))
    )
    assert plain == faster


@pytest.mark.parametrize("layers", [4, 8, 16])
def test_a_model_of_twice_the_layers_takes_twice_as_long_but_for_the_head(layers):
    one, two = (
        weighed(to_table([Layout(data=16)]), setup_of(small_model(layers=count)), 2) for count in (layers, 2 * layers)
    )
    for cause in ("matmul", "attention"):
        assert two.step.causes[cause][0] == pytest.approx(2 * one.step.causes[cause][0], rel=1e-12), cause
    assert two.step.causes["memory_passes"][0] <= 2 * one.step.causes["memory_passes"][0], "the tables' gradients stay"
    assert two.step.causes["head"][0] == pytest.approx(one.step.causes["head"][0], rel=1e-9)


@pytest.mark.parametrize("times", [2, 4])
def test_twice_the_micro_batches_take_twice_the_kernels(times):
    one, more = (weighed(to_table([Layout(data=16)]), setup_of(batch=64 * many), 2) for many in (1, times))
    for cause in ("matmul", "attention", "head"):
        assert more.step.causes[cause][0] == pytest.approx(times * one.step.causes[cause][0], rel=1e-12), cause
    assert more.step.causes["optimizer"][0] == one.step.causes["optimizer"][0]


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_the_bubble_is_fill_and_drain_over_the_chunks(stages):
    table = to_table([Layout(data=16 // stages, pipeline=stages, interleave=chunks) for chunks in (1, 2)])
    setup = setup_of(small_model(layers=16), batch=256)
    plain, chunked = weighed(table, setup, 2).step.causes["bubble"]
    assert 0 < chunked < plain
    assert plain / chunked == pytest.approx(2, rel=0.1)


def test_more_micro_batches_dilute_the_bubble():
    shares = []
    for batch in (32, 128, 512):
        found = weighed(to_table([Layout(data=4, pipeline=4)]), setup_of(batch=batch), 2).step
        shares.append(found.causes["bubble"][0] / found.step_seconds[0])
    assert shares == sorted(shares, reverse=True)


def test_recomputing_costs_time_and_saves_memory_in_every_layout():
    kept = take(WHOLE_SPACE, WHOLE_SPACE.recompute == 0)
    again = take(WHOLE_SPACE, WHOLE_SPACE.recompute == 2)
    plain, saved = (weighed(table, setup_of(MIXTURE), 2) for table in (kept, again))
    assert np.all(saved.step.step_seconds >= plain.step.step_seconds * (1 - 1e-9))
    assert np.all(saved.step.causes["recompute"] > 0)
    assert np.all(plain.step.causes["recompute"] == 0)


def test_the_names_of_causes_are_whole_and_stable():
    assert len(set(CAUSES)) == len(CAUSES)
    assert set(COMMUNICATION) < set(CAUSES)


# ---------------------------------------------------------------------------------------------------------- equal kinds


def test_groups_of_one_head_are_plain_attention():
    """A model that says as many key-value heads as heads is the plain one, to the last bit."""
    model = small_model()
    core = model.runs[0].layer.core
    grouped = dataclasses.replace(core, kv_heads=core.heads)
    layer = dataclasses.replace(model.runs[0].layer, core=grouped)
    said = dataclasses.replace(model, runs=(dataclasses.replace(model.runs[0], layer=layer),))
    plain, other = (weighed(to_table([Layout(data=2, tensor=8)]), setup_of(one), 2) for one in (model, said))
    assert np.array_equal(plain.step.step_seconds, other.step.step_seconds)


def test_fewer_key_value_heads_never_take_more():
    model = small_model()
    steps, bytes_held = [], []
    for kv_heads in (16, 4, 1):
        core = dataclasses.replace(model.runs[0].layer.core, kv_heads=kv_heads)
        layer = dataclasses.replace(model.runs[0].layer, core=core)
        shared = dataclasses.replace(model, runs=(dataclasses.replace(model.runs[0], layer=layer),))
        found = weighed(to_table([Layout(data=4, context=4)]), setup_of(shared), 2)
        steps.append(found.step.step_seconds[0])
        bytes_held.append(found.memory.memory_bytes[0])
    assert steps == sorted(steps, reverse=True)
    assert bytes_held == sorted(bytes_held, reverse=True)


def test_one_expert_is_dense_in_every_layout_of_a_dense_model():
    dense, single = small_model(), small_model(experts=1, active=1)
    table = layouts(setup_of(dense), open_machine(cluster_of(2), KERNELS))
    plain, other = (weighed(table, setup_of(model), 2) for model in (dense, single))
    assert np.array_equal(plain.step.step_seconds, other.step.step_seconds)
    assert np.array_equal(plain.memory.memory_bytes, other.memory.memory_bytes)
    assert single_experts_dense(dense) is dense


@pytest.mark.parametrize("window", [256, 1024, 2048, 4096])
def test_a_window_as_long_as_the_sequence_hides_nothing(window):
    model = small_model()
    core = dataclasses.replace(model.runs[0].layer.core, window=window)
    layer = dataclasses.replace(model.runs[0].layer, core=core)
    bounded = dataclasses.replace(model, runs=(dataclasses.replace(model.runs[0], layer=layer),))
    plain, other = (weighed(to_table([Layout(data=16)]), setup_of(one), 2).step for one in (model, bounded))
    if window >= 2048:
        assert np.array_equal(plain.step_seconds, other.step_seconds)
    else:
        assert other.causes["attention"][0] < plain.causes["attention"][0]


def test_an_answer_is_the_same_each_time():
    one, other = (weighed(WHOLE_SPACE, setup_of(MIXTURE), 2) for _ in range(2))
    assert np.array_equal(one.step.step_seconds, other.step.step_seconds)
    assert np.array_equal(one.memory.memory_bytes, other.memory.memory_bytes)


# -------------------------------------------------------------------------------------------------------------- tuning


@pytest.mark.parametrize("method", list(TuningMethod))
def test_a_method_says_what_it_needs_and_no_more(method):
    setup = tuned(setup_of(), method, CALIBRATION)
    assert setup.tuning is method
    assert (setup.lora_rank > 0) == (method is not TuningMethod.FULL)
    assert bool(setup.frozen_format) == (method is TuningMethod.QLORA)


def test_a_rank_and_a_format_that_were_asked_for_stay():
    asked = dataclasses.replace(setup_of(), lora_rank=64, frozen_format="int8")
    assert tuned(asked, TuningMethod.LORA, CALIBRATION).lora_rank == 64
    assert tuned(asked, TuningMethod.QLORA, CALIBRATION).frozen_format == "int8"
    assert tuned(setup_of(), TuningMethod.QLORA, CALIBRATION).frozen_format == DOUBLE_QUANTISED


@pytest.mark.parametrize("method", [TuningMethod.LORA, TuningMethod.QLORA])
def test_a_greater_rank_never_takes_less(method):
    model, layout = named_model("LLaMA2-7B"), Layout(data=16)
    found = [
        estimate_tuning(
            dataclasses.replace(setup_of(model, batch=32), lora_rank=rank), method, cluster_of(2), layout, KERNELS
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
    states = (
        float(stage_parameters(question.setup, table).first.dense[0]) / 16 * question.software.optimizer_moved_bytes
    )
    reached = device.memory_bytes_per_s * device.kernels.element_pass.memory_share
    assert told == pytest.approx(parameters * question.software.optimizer_moved_bytes / reached, rel=1e-12)


@pytest.mark.parametrize("rank", [8, 64])
def test_adapters_add_two_thin_products_forward_and_four_backward(rank):
    """Each adapter has an input and a weight gradient; the frozen matrix has the former alone."""
    layer = small_model().runs[0].layer
    machine, table = open_machine(cluster_of(2), KERNELS), to_table([Layout(data=16)])
    setups = [dataclasses.replace(setup_of(), tuning=TuningMethod.LORA, lora_rank=asked) for asked in (0, rank)]
    frozen, adapted = (
        matrix_seconds(
            Bench(setup=one, job=job_of(one, machine), device=machine.device, fabric=machine.fabric, table=table),
            layer.matrices[0],
        )
        for one in setups
    )
    added = [float(np.ravel(adapted[way] - frozen[way])[0]) for way in (0, 1)]
    assert added[0] > 0
    assert added[1] == pytest.approx(2 * added[0], rel=1e-9)
