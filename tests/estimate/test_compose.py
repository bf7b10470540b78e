"""What software does to a step: each of its figures moves the seconds the way that its name says."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, question_of, setup_of, small_model

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.model import Core, CoreKind
from suanli.domain.workload import Attention
from suanli.estimate.compose import CAUSES, Wear, compose, worn
from suanli.estimate.evaluate import single_experts_dense, wear_of
from suanli.estimate.step import mean_experts, open_machine, raw_step
from suanli.estimate.tables import to_table
from suanli.parts.architectures.read import named_model

SOFTWARE = CALIBRATION.software["megatron_core"]
BEST = replace(
    SOFTWARE, matmul_factor=1.0, grouped_factor=1.0, attention_factor=1.0, scan_factor=1.0, hopper_share=1.0,
    hopper_attention_share=1.0, blackwell_attention_share=1.0,
)  # fmt: skip
"""Software whose kernels are the best measured ones, on every generation."""
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


def with_biased_experts(model):
    """Give every matrix of an expert a bias for each of its results."""
    (run,) = model.runs
    matrices = tuple(
        replace(one, bias=one.outputs) if one.role.value.startswith("expert") else one for one in run.layer.matrices
    )
    return replace(model, runs=(replace(run, layer=replace(run.layer, matrices=matrices)),))


def with_scans(model):
    """Let every other layer scan with a state instead of attending."""
    (run,) = model.runs
    core = Core(kind=CoreKind.STATE_SPACE, heads=64, qk_head_dim=128, v_head_dim=64, state_elements=64 * 64 * 128)
    half = replace(run, count=run.count // 2)
    return replace(model, runs=(half, replace(half, layer=replace(run.layer, core=core))))


MIXTURE = with_biased_experts(small_model(layers=8, hidden=2048, heads=16, experts=8, active=2))
SPREAD = [Layout(data=16, expert=8), Layout(data=16, expert=16), Layout(data=2, tensor=8, expert=2, micro_batch=2)]
HYBRID = with_scans(small_model(layers=8, hidden=2048, heads=16))
RAW = raw()
ROUTED = raw(SPREAD, setup_of(MIXTURE, sequence=4096))
NARROW = raw(SPREAD, setup_of(MIXTURE, sequence=4096, number_format="fp8"), "dgx-b200")
SCANNED = raw(setup=setup_of(HYBRID, sequence=4096))
SPLIT = raw(setup=setup_of(small_model(layers=8, hidden=2048, heads=16), sequence=4096, split_tensor=True))
STEPS = {"dense": RAW, "experts": ROUTED, "narrow": NARROW, "hybrid": SCANNED}
SHARES = {
    "gradient_hidden": RAW, "gather_hidden": RAW, "tensor_hidden": RAW, "tensor_hidden_split": SPLIT,
    "context_hidden": RAW, "pipeline_hidden": RAW,
    "expert_hidden": ROUTED, "expert_hidden_across": ROUTED,
}  # fmt: skip
COSTS = {
    "pass_factor": "dense experts narrow hybrid", "matmul_factor": "dense experts narrow hybrid",
    "attention_factor": "dense experts narrow hybrid", "optimizer_moved_bytes": "dense experts narrow hybrid",
    "accumulate_moved_bytes": "dense experts narrow hybrid", "scan_factor": "hybrid",
    "grouped_factor": "experts narrow", "expert_pass_factor": "experts narrow", "bias_passes": "experts narrow",
    "quantise_factor": "narrow",
}  # fmt: skip
"""Which kinds of step each cost is met in: nowhere else may it be felt."""
HOST = ("launch_seconds", "launches_forward", "launches_backward", "launches_expert", "launches_local_expert")
PATIENT = replace(SOFTWARE, launch_seconds=0.0)


def seconds(step, software=SOFTWARE, wear=None):
    return compose(step, software, wear or Wear()).step_seconds


@pytest.mark.parametrize("share", SHARES)
@settings(max_examples=20, deadline=None)
@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_hiding_more_never_takes_longer(share, low, high):
    low, high = sorted((low, high))
    before, after = (seconds(SHARES[share], replace(SOFTWARE, **{share: value})) for value in (low, high))
    assert (after <= before * (1 + 1e-12)).all()


@pytest.mark.parametrize("share", SHARES)
def test_hiding_all_is_quicker_than_hiding_nothing_somewhere(share):
    none, whole = (seconds(SHARES[share], replace(PATIENT, **{share: value})) for value in (0.0, 1.0))
    assert (whole < none).any()


@pytest.mark.parametrize("cost", COSTS)
@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1, 10))
def test_costing_more_never_takes_less(cost, factor):
    dearer = replace(SOFTWARE, **{cost: getattr(SOFTWARE, cost) * factor})
    for step in STEPS.values():
        assert (seconds(step, dearer) >= seconds(step) * (1 - 1e-12)).all()


@pytest.mark.parametrize("cost", COSTS)
def test_a_cost_is_felt_where_its_kernels_run_and_nowhere_else(cost):
    dearer = replace(PATIENT, **{cost: 2 * getattr(PATIENT, cost)})
    felt = [kind for kind, step in STEPS.items() if (seconds(step, dearer) > seconds(step, PATIENT)).all()]
    spared = [kind for kind, step in STEPS.items() if (seconds(step, dearer) == seconds(step, PATIENT)).all()]
    assert felt == COSTS[cost].split()
    assert sorted(felt + spared) == sorted(STEPS)


@pytest.mark.parametrize("cost", HOST)
def test_more_launches_or_slower_ones_never_take_less(cost):
    dearer = replace(SOFTWARE, **{cost: 4 * getattr(SOFTWARE, cost)})
    for step in STEPS.values():
        assert (seconds(step, dearer) >= seconds(step) * (1 - 1e-12)).all()


@settings(max_examples=20, deadline=None)
@given(
    shares=st.tuples(*[st.floats(0.3, 1.0)] * 3),
    ragged=st.floats(1, 3),
    odd=st.floats(1, 8),
    straggling=st.floats(0, 0.1),
)
def test_wear_never_speeds_a_step_up(shares, ragged, odd, straggling):
    lasting = dict(zip(("matmul", "head", "attention"), shares, strict=True))
    wear = Wear(**lasting, misaligned_slowdown=ragged, odd_head_slowdown=odd, straggler_per_doubling=straggling)
    for step in STEPS.values():
        assert (seconds(step, wear=wear) >= seconds(step) * (1 - 1e-12)).all()


def test_causes_sum_to_the_step():
    found = compose(RAW, SOFTWARE, Wear(straggler_per_doubling=0.01))
    assert set(found.causes) == set(CAUSES)
    assert np.allclose(sum(found.causes.values()), found.step_seconds, rtol=1e-12)


def test_the_best_kernels_at_a_rate_that_lasts_are_those_that_were_measured():
    """Matrices of both kinds and both cores come together; all else is left as it is."""
    for step in STEPS.values():
        same, one = worn(step, BEST, Wear()), step.layers
        for way in ("forward", "backward"):
            dense, grouped, core, scan = (
                getattr(one, f"{part}_{way}") for part in ("matmul", "grouped", "core", "scan")
            )
            assert (getattr(same, f"matmul_{way}") == dense + grouped).all()
            assert (getattr(same, f"core_{way}") == core + scan).all()
        left = [field.name for field in fields(one) if not field.name.startswith(("matmul", "core"))]
        assert all((getattr(same, name) == getattr(one, name)).all() for name in left)


@pytest.mark.parametrize(
    ("share", "slowed"), [("matmul", "matmul"), ("head", "head"), ("attention", "core")], ids=["matmul", "head", "core"]
)
def test_half_of_a_rate_doubles_its_own_kernels_only(share, slowed):
    whole, half = worn(RAW, BEST, Wear()), worn(RAW, BEST, Wear(**{share: 0.5}))
    for field in fields(whole):
        twice = field.name in (f"{slowed}_forward", f"{slowed}_backward")
        assert (getattr(half, field.name) == (2 if twice else 1) * getattr(whole, field.name)).all(), field.name


def test_experts_and_dense_matrices_are_slowed_by_their_own_factors():
    one, found = ROUTED.layers, worn(ROUTED, replace(BEST, matmul_factor=2.0, grouped_factor=3.0), Wear())
    assert np.allclose(found.matmul_forward, 2 * one.matmul_forward + 3 * one.grouped_forward)
    assert np.allclose(found.matmul_backward, 2 * one.matmul_backward + 3 * one.grouped_backward)
    assert (found.head_forward == 2 * one.head_forward).all()


def test_attention_kernels_do_not_slow_scans_nor_the_other_way_round():
    one, found = SCANNED.layers, worn(SCANNED, replace(BEST, attention_factor=2.0, scan_factor=5.0), Wear())
    assert (one.scan_forward > 0).all()
    assert np.allclose(found.core_forward, 2 * one.core_forward + 5 * one.scan_forward)


@pytest.mark.parametrize(
    ("share", "column", "generation"),
    [
        ("hopper_share", "head_forward", "dgx-h100"),
        ("hopper_attention_share", "core_forward", "dgx-h100"),
        ("blackwell_attention_share", "core_forward", "dgx-b200"),
    ],
)
def test_what_software_reaches_of_a_generation_slows_that_one_only(share, column, generation):
    slow = replace(BEST, **{share: 0.5})
    for name in ("dgx-a100-640", "dgx-h100", "dgx-b200"):
        one = raw(name=name)
        factor = 2.0 if name == generation else 1.0
        assert np.allclose(getattr(worn(one, slow, Wear()), column), factor * getattr(one.layers, column)), name


def test_experts_without_biases_make_no_passes_for_them():
    plain = raw(SPREAD, setup_of(small_model(layers=8, hidden=2048, heads=16, experts=8, active=2), sequence=4096))
    careless, fusing = replace(PATIENT, bias_passes=10.0), replace(PATIENT, bias_passes=0.0)
    assert (seconds(plain, careless) == seconds(plain, fusing)).all()
    assert (seconds(ROUTED, careless) > seconds(ROUTED, fusing)).all()
    assert np.allclose(seconds(ROUTED, fusing), seconds(plain, fusing), rtol=1e-4), "a few parameters more"


def test_expert_traffic_hides_by_where_its_group_lies():
    """Groups of eight lie in a node and of sixteen in two: each hides by its own share."""
    inside, across = compose(ROUTED, replace(PATIENT, expert_hidden=1.0, expert_hidden_across=0.0), Wear()).causes[
        "expert_exposed"
    ][:2]
    assert inside == 0 < across
    inside, across = compose(ROUTED, replace(PATIENT, expert_hidden=0.0, expert_hidden_across=1.0), Wear()).causes[
        "expert_exposed"
    ][:2]
    assert inside > 0 == across


@pytest.mark.parametrize(("form", "read"), [("fp8", "quantise_factor"), ("mxfp8", "block_quantise_factor")])
def test_casts_with_a_scale_for_each_block_have_a_factor_of_their_own(form, read):
    step = raw(SPREAD, setup_of(MIXTURE, sequence=4096, number_format=form), "dgx-b200")
    once = compose(step, replace(SOFTWARE, quantise_factor=1.0, block_quantise_factor=1.0), Wear()).causes["quantise"]
    for name in ("quantise_factor", "block_quantise_factor"):
        one = replace(SOFTWARE, **{"quantise_factor": 1.0, "block_quantise_factor": 1.0, name: 3.0})
        assert np.allclose(compose(step, one, Wear()).causes["quantise"], (3 if name == read else 1) * once)


def test_each_expert_on_a_rank_is_launched_alone():
    """Eight experts over eight ranks and over sixteen: one and a half launch on each, times what each costs."""
    assert ROUTED.local_experts.tolist() == [1.0, 0.5, 4.0]
    assert RAW.local_experts.tolist() == [0.0] * len(MIXED)
    assert mean_experts(named_model("DeepSeekV3")) == 256 * 59 / 62
    tiny = raw(SPREAD[:1], setup_of(small_model(hidden=256, heads=4, experts=8, active=2), sequence=128, batch=16))
    eager = replace(SOFTWARE, launch_seconds=1e-3, launches_local_expert=0.0)
    few, many = (
        compose(tiny, replace(eager, launches_local_expert=more), Wear()).causes["launch"][0] for more in (0, 5)
    )
    assert many - few == pytest.approx(8 * 2 * 5 * 1e-3), "eight layers, both ways"


def test_a_launch_bound_layer_waits_for_the_host():
    tiny = raw([Layout(data=16)], setup_of(small_model(hidden=256, heads=4), sequence=128, batch=16))
    eager = replace(SOFTWARE, launch_seconds=30e-6)
    assert compose(tiny, eager, Wear()).causes["launch"][0] > 0
    graphs = replace(SOFTWARE, launch_seconds=0.0)
    assert compose(tiny, graphs, Wear()).causes["launch"][0] == 0


@pytest.mark.parametrize("traffic", [1.0, 0.5, 0.0])
def test_a_layer_that_waits_for_the_host_takes_as_long_whatever_its_traffic(traffic):
    """Launches run beside the device in each half, so quicker links only lengthen the wait, and cover stays whole."""
    tiny = raw([Layout(data=2, tensor=8)], setup_of(small_model(hidden=256, heads=8), sequence=128, batch=16))
    scaled = {name: traffic * getattr(tiny.layers, name) for name in ("tensor_forward", "tensor_backward")}
    eager = replace(SOFTWARE, launch_seconds=1e-3, gradient_hidden=1.0)
    whole, less = (compose(one, eager, Wear()) for one in (tiny, replace(tiny, layers=replace(tiny.layers, **scaled))))
    assert whole.causes["launch"][0] > 0
    assert less.step_seconds[0] == pytest.approx(whole.step_seconds[0], rel=1e-12)


def test_each_half_of_a_layer_waits_for_its_own_launches():
    """A forward pass that the host holds up cannot be made good by a long backward pass."""
    tiny = raw([Layout(data=16)], setup_of(small_model(hidden=256, heads=4), sequence=128, batch=16))
    eager = {"launch_seconds": 1.0, "launches_forward": 2.0, "launches_backward": 0.0}
    assert compose(tiny, replace(SOFTWARE, **eager), Wear()).causes["launch"][0] == pytest.approx(8 * 2, rel=1e-3)


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
    found, known = wear_of(question_of(name="dgx-b200")), CALIBRATION.sustained["nv-b200*"]
    assert (found.matmul, found.head, found.attention) == (known.matmul, known.matmul, known.attention)
    assert found.straggler_per_doubling == CALIBRATION.straggler_per_doubling


def test_narrow_matrices_last_by_their_own_share_and_the_head_stays_wide():
    found = wear_of(question_of(setup_of(number_format="fp8"), name="dgx-b200"))
    known = CALIBRATION.sustained["nv-b200*"]
    assert (found.matmul, found.head) == (known.narrow, known.matmul)


def test_a_model_without_single_experts_is_left_as_it_is():
    model = small_model(experts=4, active=2)
    assert single_experts_dense(model) is model
    dense = single_experts_dense(small_model(experts=1)).runs[0].layer
    assert dense.experts == 0
    assert [one.role for one in dense.matrices] == [one.role for one in small_model().runs[0].layer.matrices]


def test_split_products_hide_their_own_share_and_the_plain_one_is_not_felt():
    """The second of the mixed layouts alone splits matrices over all of a node, the third over two ranks."""
    plain = replace(PATIENT, tensor_hidden=0.0, tensor_hidden_split=1.0)
    shown, hidden = (compose(step, plain, Wear()).causes["tensor_exposed"] for step in (RAW, SPLIT))
    assert (shown[1:3] > 0).all()
    assert hidden == pytest.approx(0)
    assert (seconds(SPLIT, replace(plain, tensor_hidden=1.0)) == seconds(SPLIT, plain)).all()


def test_each_rank_that_hands_out_a_part_of_the_weights_adds_its_seconds():
    """ZeRO-1 over 16 replicas has 15 others, over two one (context ranks share too); gathered by layer are none."""
    told = compose(RAW, replace(SOFTWARE, part_seconds=1.0), Wear()).causes["data_exposed"]
    before = compose(RAW, replace(SOFTWARE, part_seconds=0.0), Wear()).causes["data_exposed"]
    assert told - before == pytest.approx([15, 1, 1, 0, 15])
