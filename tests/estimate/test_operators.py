"""What a layer costs: shapes by role, attended keys, passes, casts, transfers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import KERNELS, cluster_of, setup_of, small_model

from suanli.domain.layout import Layout
from suanli.domain.model import Core, CoreKind, Matrix, Role
from suanli.domain.tuning import LowRank
from suanli.domain.workload import Attention, TuningMethod
from suanli.estimate.operators import (
    Bench,
    attended_keys,
    attention_elements,
    biased_bytes,
    core_seconds,
    fused,
    head_seconds,
    layer_seconds,
    matrix_seconds,
    matrix_shape,
    misaligned,
    mlp_elements,
    pass_bytes,
    quantise_seconds,
    routed_bytes,
    routed_width,
    scan_seconds,
    time_layers,
)
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import to_table
from suanli.parts.architectures.read import named_model


def bench(*made, setup=None, name="dgx-h100"):
    machine = open_machine(cluster_of(2, name), KERNELS)
    setup = setup or setup_of()
    return Bench(
        setup=setup,
        job=job_of(setup, machine),
        device=machine.device,
        fabric=machine.fabric,
        table=to_table(made or [Layout()]),
    )


def matrix(role, inputs=1024, outputs=4096, **more):
    return Matrix(name="matrix", role=role, inputs=inputs, outputs=outputs, **more)


def shape(of, *made, **more):
    return tuple(float(np.asarray(side).ravel()[0]) for side in matrix_shape(bench(*made, **more), of))


def test_columns_are_split_on_the_way_in_and_rows_on_the_way_out():
    split = Layout(tensor=4)
    assert shape(matrix(Role.MLP_IN), split) == (2048, 1024, 1024, 1)
    assert shape(matrix(Role.MLP_OUT, 4096, 1024), split) == (2048, 1024, 1024, 1)


def test_a_router_works_on_each_rank_s_own_tokens():
    assert shape(matrix(Role.ROUTER, outputs=64), Layout(tensor=4)) == (512, 1024, 64, 1)


def test_experts_get_their_tokens_from_all_their_ranks():
    setup = setup_of(small_model(experts=64, active=4))
    of = matrix(Role.EXPERT_IN, copies=64, active=4.0)
    assert shape(of, Layout(data=16), setup=setup) == (2048 * 4 / 64, 1024, 4096, 64)
    assert shape(of, Layout(data=16, expert=16), setup=setup) == (2048 * 4 * 16 / 64, 1024, 4096, 4)


@settings(max_examples=30, deadline=None)
@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    context=st.sampled_from([1, 2, 4]),
    role=st.sampled_from(
        [
            Role.MLP_IN,
            Role.MLP_OUT,
            Role.ATTENTION_IN,
            Role.ATTENTION_OUT,
            Role.SHARED_IN,
            Role.EXPERT_IN,
            Role.EXPERT_OUT,
        ]
    ),
)
def test_ranks_share_the_arithmetic_of_a_matrix(tensor, context, role):
    of = matrix(role, 4096, 4096, **({"copies": 8, "active": 2.0} if "expert" in role.value else {}))
    setup = setup_of(small_model(experts=8, active=2))
    alone = np.prod(shape(of, Layout(), setup=setup))
    split = np.prod(shape(of, Layout(data=2, tensor=tensor, context=context), setup=setup))
    assert split * tensor * context == pytest.approx(alone)


def test_a_window_bounds_how_far_a_token_looks():
    core = Core(kind=CoreKind.SOFTMAX, window=128)
    assert attended_keys(core, 4096, True) == pytest.approx(128, rel=0.02)
    assert attended_keys(Core(kind=CoreKind.SOFTMAX), 4096, True) == pytest.approx(2048.5)
    assert attended_keys(core, 4096, False) == 4096


def test_a_sparse_index_lets_few_keys_through():
    assert attended_keys(Core(kind=CoreKind.LATENT, selected=512), 8192, True) == 512


def test_context_ranks_share_attention_evenly():
    alone, split = (core_seconds(bench(one), small_model().runs[0].layer.core)[0][0]
                    for one in (Layout(), Layout(context=4)))  # fmt: skip
    assert split < alone


def test_a_scan_grows_with_the_tokens():
    core = Core(kind=CoreKind.STATE_SPACE, heads=64, qk_head_dim=128, v_head_dim=64, state_elements=64 * 64 * 128)
    short, long = (scan_seconds(bench(setup=setup_of(sequence=length)), core)[0][0] for length in (2048, 16384))
    assert 4 < long / short < 9


@pytest.mark.parametrize("kind", CoreKind)
def test_a_core_either_attends_or_scans_or_does_neither(kind):
    core = Core(kind=kind, heads=64, kv_heads=64, qk_head_dim=128, v_head_dim=64, state_elements=64 * 64 * 128)
    attends, scans = core_seconds(bench(), core)[0][0] > 0, scan_seconds(bench(), core)[0][0] > 0
    assert attends == (kind in (CoreKind.SOFTMAX, CoreKind.LATENT))
    assert scans == (kind in (CoreKind.LINEAR, CoreKind.STATE_SPACE))


def test_a_layer_without_a_core_mixes_nothing():
    assert core_seconds(bench(), Core(kind=CoreKind.NONE))[0][0] == 0


def test_backward_takes_about_twice_as_long_as_forward():
    forward, backward = matrix_seconds(bench(), matrix(Role.MLP_IN, 4096, 16384), "bf16")
    assert 1.8 < backward[0] / forward[0] < 2.3


def elements(layer):
    return sum(one.copies * (one.inputs * one.outputs + one.bias) for one in layer)


@pytest.mark.parametrize("name", ["LLaMA2-70B", "DeepSeekV3", "gpt-oss-120b", "Qwen/Qwen3-30B-A3B", "GPT-3-175B"])
def test_joining_matrices_moves_no_parameter(name):
    for run in named_model(name).runs:
        joined = fused(run.layer)
        assert elements(joined) == elements(run.layer.matrices)
        assert len(joined) <= len(run.layer.matrices)
        assert {one.role for one in joined} == {one.role for one in run.layer.matrices}


def test_only_what_reads_the_same_input_is_joined():
    """Gate and up read the hidden state; two ways out, two routers, and experts of another number stay apart."""
    apart = (
        matrix(Role.MLP_OUT, 4096, 1024),
        replace(matrix(Role.MLP_OUT, 4096, 1024), name="second"),
        matrix(Role.EXPERT_IN, copies=8, active=2.0),
        matrix(Role.EXPERT_IN, copies=4, active=2.0),
        matrix(Role.MLP_IN, inputs=512),
    )
    gate, up = (replace(matrix(Role.MLP_IN, bias=4096), name=name) for name in ("gate", "up"))
    layer = replace(small_model().runs[0].layer, matrices=(*apart, gate, up))
    joined = fused(layer)
    assert joined[:-1] == apart
    assert (joined[-1].outputs, joined[-1].bias) == (2 * 4096, 2 * 4096)


def test_a_joined_product_takes_no_longer_than_its_parts():
    """One tall kernel fills the device at least as well as two, and reads its input once."""
    part, whole = (
        matrix_seconds(bench(), matrix(Role.MLP_IN, 4096, columns), "bf16")[0][0] for columns in (8192, 16384)
    )
    assert whole <= 2 * part


def test_frozen_weights_have_no_gradient_of_their_own():
    setup = setup_of(tuning=TuningMethod.LORA, adapters=LowRank(rank=8))
    whole = matrix_seconds(bench(), matrix(Role.MLP_IN, 4096, 16384), "bf16")
    frozen = matrix_seconds(bench(setup=setup), matrix(Role.MLP_IN, 4096, 16384), "bf16")
    assert frozen[1][0] < 0.75 * whole[1][0]
    assert frozen[0][0] == whole[0][0]


def test_ragged_sides_are_noticed():
    assert misaligned(bench(), matrix(Role.MLP_IN, 1024, 4096))[0] == 0
    assert misaligned(bench(), matrix(Role.MLP_IN, 1024, 4100))[0] == 1
    assert misaligned(bench(Layout(tensor=8)), matrix(Role.MLP_IN, 14400, 14400))[0] == 1
    assert misaligned(bench(), matrix(Role.ROUTER, 1024, 10))[0] == 0


def test_norms_are_split_under_sequence_parallelism_only():
    layer = small_model().runs[0].layer
    alone, split = (pass_bytes(bench(Layout(tensor=8, sequence_parallel=flag)), layer)[0][0] for flag in (False, True))
    assert split < alone


def test_a_dense_layer_routes_nothing():
    assert routed_bytes(bench(), small_model().runs[0].layer)[0][0] == 0
    assert routed_bytes(bench(), small_model(experts=8, active=2).runs[0].layer)[0][0] > 0


def test_experts_in_a_latent_are_sent_as_much_as_they_read():
    layer = small_model(experts=8, active=2).runs[0].layer
    narrow = replace(
        layer, matrices=tuple(replace(one, inputs=256) if one.role is Role.EXPERT_IN else one for one in layer.matrices)
    )
    assert (routed_width(layer), routed_width(narrow), routed_width(small_model().runs[0].layer)) == (1024, 256, 0)
    saved = routed_bytes(bench(), layer)[0][0] - routed_bytes(bench(), narrow)[0][0]
    assert saved == 2048 * (2 * 2 * 2) * (1024 - 256) * 2, "two copies, out and back, read and written, 16 bits each"


def biased(layer):
    """Give the matrices of experts a bias for each result."""
    return replace(
        layer,
        matrices=tuple(replace(one, bias=one.outputs) if "expert" in one.role.value else one for one in layer.matrices),
    )


def test_a_bias_passes_over_what_experts_give_out():
    """Two of eight experts: 2 x (4096 + 1024) results for each of 2048 tokens, read and written in 16 bits."""
    layer = small_model(experts=8, active=2).runs[0].layer
    assert biased_bytes(bench(), layer)[0] == 0
    assert biased_bytes(bench(), biased(layer))[0] == 2048 * 2 * (4096 + 1024) * 2 * 2
    plain, with_bias = (layer_seconds(bench(), one) for one in (layer, biased(layer)))
    assert plain["bias_forward"][0] == plain["bias_backward"][0] == 0, "no pass, so not even its least time"
    assert {cause for cause in plain if plain[cause][0] != with_bias[cause][0]} == {"bias_forward", "bias_backward"}


def test_dense_matrices_and_those_of_experts_are_counted_apart():
    dense, mixed = (layer_seconds(bench(), small_model(experts=count, active=1).runs[0].layer) for count in (0, 8))
    assert dense["grouped_forward"][0] == 0 < mixed["grouped_forward"][0]
    assert mixed["matmul_forward"][0] < dense["matmul_forward"][0]
    assert mixed["matmul_forward"][0] > 0


def test_wide_formats_are_not_cast():
    layer = small_model().runs[0].layer
    assert quantise_seconds(bench(), layer)[0] == 0
    assert quantise_seconds(bench(setup=setup_of(number_format="fp8")), layer)[0] > 0


def test_a_narrow_format_speeds_matrices_up_and_leaves_attention_alone():
    model = small_model(hidden=8192, heads=64)
    wide, narrow = (layer_seconds(bench(setup=setup_of(model, number_format=form)), model.runs[0].layer)
                    for form in ("bf16", "fp8"))  # fmt: skip
    assert narrow["matmul_forward"][0] < wide["matmul_forward"][0]
    assert narrow["core_forward"][0] == wide["core_forward"][0]


def test_the_head_stays_wide():
    wide, narrow = (head_seconds(bench(setup=setup_of(number_format=form))) for form in ("bf16", "fp8"))
    assert narrow["head_forward"][0] == wide["head_forward"][0]


def test_layers_of_two_kinds_are_averaged_by_how_many_there_are():
    model = named_model("DeepSeekV3")
    found = time_layers(bench(Layout(data=16, expert=16), setup=setup_of(model, sequence=4096)))
    each = [
        (
            run.count,
            layer_seconds(bench(Layout(data=16, expert=16), setup=setup_of(model, sequence=4096)), run.layer)[
                "matmul_forward"
            ][0],
        )
        for run in (*model.runs, *model.draft_runs)
    ]
    assert found.matmul_forward[0] == pytest.approx(sum(count * one for count, one in each) / 62)


def test_elements_between_matrices_count_both_kinds():
    assert mlp_elements(small_model().runs[0].layer) == (4096, 4096)
    assert mlp_elements(small_model(experts=8, active=2).runs[0].layer) == (8192, 8192)
    assert attention_elements(small_model().runs[0].layer.core) == 2048


def test_unfused_attention_is_slower():
    fused, unfused = (core_seconds(bench(setup=setup_of(attention=kind)), small_model().runs[0].layer.core)[0][0]
                      for kind in (Attention.FLASH, Attention.UNFUSED))  # fmt: skip
    assert unfused > fused
