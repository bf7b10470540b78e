"""What software does to a step: each of its figures moves the seconds the way that its name says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, question_of, setup_of, small_model

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.workload import Attention
from suanli.estimate.compose import CAUSES, LASTING, Wear, compose, worn
from suanli.estimate.evaluate import single_experts_dense, wear_of
from suanli.estimate.step import open_machine, raw_step
from suanli.estimate.tables import to_table

SOFTWARE = CALIBRATION.software["megatron_core"]
MIXED = [
    Layout(data=16),
    Layout(data=2, tensor=8, micro_batch=2),
    Layout(data=2, tensor=2, pipeline=4, interleave=2),
    Layout(data=16, sharding=Sharding.FULL),
    Layout(data=4, context=4, recompute=Recompute.FULL),
]


def raw(layouts=MIXED, setup=None, name="dgx-a100-640", software=SOFTWARE):
    setup = setup or setup_of(small_model(layers=8, hidden=2048, heads=16), sequence=4096)
    return raw_step(setup, open_machine(cluster_of(2, name), KERNELS), software, to_table(layouts))


RAW = raw()
SHARES = ("gradient_hidden", "gather_hidden", "tensor_hidden", "context_hidden", "pipeline_hidden")
COSTS = ("pass_factor", "attention_factor", "launch_seconds", "optimizer_moved_bytes", "accumulate_moved_bytes")


@pytest.mark.parametrize("share", SHARES)
@settings(max_examples=20, deadline=None)
@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_hiding_more_never_takes_longer(share, low, high):
    low, high = sorted((low, high))
    before, after = (compose(RAW, replace(SOFTWARE, **{share: value}), Wear()).step_seconds for value in (low, high))
    assert (after <= before * (1 + 1e-12)).all()


@pytest.mark.parametrize("cost", COSTS)
@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1, 10))
def test_costing_more_never_takes_less(cost, factor):
    dearer = replace(SOFTWARE, **{cost: getattr(SOFTWARE, cost) * factor})
    assert (
        compose(RAW, dearer, Wear()).step_seconds >= compose(RAW, SOFTWARE, Wear()).step_seconds * (1 - 1e-12)
    ).all()


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.3, 1.0), ragged=st.floats(1, 3), odd=st.floats(1, 8), straggling=st.floats(0, 0.1))
def test_wear_never_speeds_a_step_up(share, ragged, odd, straggling):
    wear = Wear(sustained=share, misaligned_slowdown=ragged, odd_head_slowdown=odd, straggler_per_doubling=straggling)
    assert (
        compose(RAW, SOFTWARE, wear).step_seconds >= compose(RAW, SOFTWARE, Wear()).step_seconds * (1 - 1e-12)
    ).all()


def test_causes_sum_to_the_step():
    found = compose(RAW, SOFTWARE, Wear(straggler_per_doubling=0.01))
    assert set(found.causes) == set(CAUSES)
    assert np.allclose(sum(found.causes.values()), found.step_seconds, rtol=1e-12)


def test_a_rate_that_lasts_whole_changes_nothing():
    same = worn(RAW, replace(SOFTWARE, attention_factor=1.0), Wear())
    assert all((getattr(same, name) == getattr(RAW.layers, name)).all() for name in LASTING)


def test_half_the_rate_doubles_the_arithmetic_only():
    half = worn(RAW, replace(SOFTWARE, attention_factor=1.0), Wear(sustained=0.5))
    assert np.allclose(half.matmul_forward, 2 * RAW.layers.matmul_forward)
    assert (half.pass_forward == RAW.layers.pass_forward).all()


def test_software_of_the_last_generation_slows_hopper_only():
    slow = replace(SOFTWARE, hopper_share=0.5)
    for name, factor in (("dgx-h100", 2.0), ("dgx-a100-640", 1.0)):
        one = raw(name=name)
        assert np.allclose(worn(one, slow, Wear()).head_forward, factor * one.layers.head_forward)


def test_a_launch_bound_layer_waits_for_the_host():
    tiny = raw([Layout(data=16)], setup_of(small_model(hidden=256, heads=4), sequence=128, batch=16))
    eager = replace(SOFTWARE, launch_seconds=30e-6)
    assert compose(tiny, eager, Wear()).causes["launch"][0] > 0
    graphs = replace(SOFTWARE, launch_seconds=0.0)
    assert compose(tiny, graphs, Wear()).causes["launch"][0] == 0


def test_recomputing_the_whole_layer_adds_about_a_forward_pass():
    kept, again = (compose(raw([Layout(data=16, micro_batch=4, recompute=level)]), SOFTWARE, Wear()) for level in
                   (Recompute.NONE, Recompute.FULL))  # fmt: skip
    assert kept.causes["recompute"][0] == 0
    assert 1.2 < again.step_seconds[0] / kept.step_seconds[0] < 1.4


def test_recomputing_scores_costs_a_few_percent():
    setup = setup_of(small_model(hidden=4096, heads=32), attention=Attention.UNFUSED)
    kept, again = (compose(raw([Layout(data=16, recompute=level)], setup), SOFTWARE, Wear()).step_seconds[0] for level
                   in (Recompute.NONE, Recompute.SELECTIVE))  # fmt: skip
    assert 1.01 < again / kept < 1.2


def test_one_replica_shares_no_gradients():
    alone = compose(raw([Layout(tensor=8, pipeline=2)]), SOFTWARE, Wear())
    assert alone.causes["data_exposed"][0] == 0


def test_small_sharding_groups_gather_weights_without_the_network():
    whole, near = (raw([Layout(data=16, sharding=Sharding.FULL, sharding_ranks=ranks)]) for ranks in (16, 8))
    assert near.gather_layer[0] < whole.gather_layer[0]


def test_a_table_reads_as_its_rows_do():
    whole = compose(RAW, SOFTWARE, Wear())
    for row, layout in enumerate(MIXED):
        assert compose(raw([layout]), SOFTWARE, Wear()).step_seconds[0] == whole.step_seconds[row]


def test_wear_is_read_from_the_calibration():
    found = wear_of(question_of(name="dgx-b200"))
    assert found.sustained == CALIBRATION.sustained["nv-b200*"]
    assert found.straggler_per_doubling == CALIBRATION.straggler_per_doubling


def test_a_model_without_single_experts_is_left_as_it_is():
    model = small_model(experts=4, active=2)
    assert single_experts_dense(model) is model
    dense = single_experts_dense(small_model(experts=1)).runs[0].layer
    assert dense.experts == 0
    assert [one.role for one in dense.matrices] == [one.role for one in small_model().runs[0].layer.matrices]
