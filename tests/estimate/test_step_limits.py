"""A training step at its limits: nothing to send, endless links, degree one, one parameter changed at a time."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import (
    KERNELS,
    cluster_of,
    question_of,
    setup_of,
    small_model,
    weighed,
    with_device,
    with_links,
)

from suanli.domain.layout import Layout, Sharding
from suanli.estimate.compose import CAUSES
from suanli.estimate.evaluate import evaluate, single_experts_dense
from suanli.estimate.schedules import weights_wait
from suanli.estimate.space import layouts
from suanli.estimate.step import open_machine
from suanli.estimate.tables import take, to_table
from suanli.estimate.training import estimate_layout
from suanli.estimate.updates import activations_away

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
    """Return the machine with links and network that are endless and start at once, and rings that do not wait."""

    def free(tier):
        kernels = {
            op: dataclasses.replace(kernel, base_seconds=0.0, hop_seconds=0.0) for op, kernel in tier.kernels.items()
        }
        return dataclasses.replace(tier, kernels=kernels, link_bytes_per_s=1e40)

    fabric = machine.fabric
    tiers = {tier: free(getattr(fabric, tier)) for tier in ("links", "host", "network")}
    wide = dataclasses.replace(fabric, **tiers, ring_steps=(0.0, 0.0))
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
    assert faster <= plain * (1 + 1e-9)


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
    """Where weights' gradients wait there is nothing to save, where activations travel there is less to send."""
    both = np.asarray((weights_wait(WHOLE_SPACE) == 0) & (activations_away(WHOLE_SPACE) == 0))
    kept = take(WHOLE_SPACE, both & (WHOLE_SPACE.recompute == 0))
    again = take(WHOLE_SPACE, both & (WHOLE_SPACE.recompute == 2))
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


def test_a_cluster_listed_as_a_whole_is_as_many_nodes_as_it_has_link_domains():
    from suanli.catalogue.kernels import load_kernels
    from suanli.catalogue.load import catalogue
    from suanli.domain.hardware import Cluster
    from suanli.estimate.step import open_machine

    systems = catalogue().systems
    whole = next(box for box in systems.values() if box.system_kind == "cluster" and box.link.bytes_per_s is not None)
    machine = open_machine(Cluster(system=whole, nodes=1), load_kernels())
    assert machine.nodes == whole.accelerators / min(whole.link.domain, whole.accelerators)
    node = open_machine(Cluster(system=systems["dgx-h100"], nodes=3), load_kernels())
    assert node.nodes == 3
