"""Bytes of a rank, cause by cause, against what is known of them by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, setup_of, small_model

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.tuning import LowRank
from suanli.domain.workload import Attention, TuningMethod
from suanli.estimate.kept import Keeping, layer_position_bytes
from suanli.estimate.memory import memory_columns
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import to_table
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.read import named_model

MEGATRON, FSDP = CALIBRATION.software["megatron_core"], CALIBRATION.software["torch_eager"]
LLAMA = named_model("LLaMA2-7B")


def held(layout, setup=None, software=MEGATRON, nodes=2, frozen=2.0):
    setup = setup or setup_of(LLAMA)
    job = job_of(setup, open_machine(cluster_of(nodes), KERNELS))
    found = memory_columns(setup, job, software, to_table([layout]), frozen)
    return {name: float(one[0]) for name, one in found.causes.items()} | {"all": float(found.memory_bytes[0])}


@pytest.mark.parametrize("replicas", [1, 2, 8, 16])
def test_a_distributed_optimizer_takes_6_and_12_over_d_bytes_a_parameter(replicas):
    found = held(Layout(data=replicas))
    states = found["weights"] + found["gradients"] + found["optimizer"]
    assert states == pytest.approx(parameters(LLAMA) * (6 + 12 / replicas), rel=1e-9)


def test_full_sharding_takes_16_bytes_over_all_ranks():
    found = held(Layout(data=16, sharding=Sharding.FULL), software=FSDP)
    states = found["weights"] + found["gradients"] + found["optimizer"]
    assert states == pytest.approx(parameters(LLAMA) * 16 / 16, rel=1e-9)
    assert found["buffers"] > 0


def test_one_rank_gathers_nothing():
    assert held(Layout(sharding=Sharding.FULL), software=FSDP)["buffers"] == 0


def test_a_gpt_layer_keeps_34_bytes_a_hidden_element_with_dropout_and_32_without():
    layer = small_model(hidden=1024, heads=16).runs[0].layer
    for dropout, expected in ((True, 34), (False, 32)):
        assert kept_of(layer, dropout=dropout) == expected * 1024


def test_a_frozen_gpt_layer_keeps_no_inputs_of_products_unless_they_are_quantised():
    layer = small_model(hidden=1024, heads=16).runs[0].layer
    assert kept_of(layer, trained=False) == (32 - 2 * 2 - 4 * 2) * 1024
    assert kept_of(layer, trained=False, quantised=True) == 32 * 1024


def test_an_eager_gated_layer_keeps_its_norms_in_32_bits_and_the_gate_s_result():
    layer, hidden, inner = LLAMA.runs[0].layer, LLAMA.hidden, 11008
    fused, eager = kept_of(layer, hidden), kept_of(layer, hidden, eager=True)
    assert eager - fused == 2 * (8 - 2) * hidden + 2 * inner
    frozen = kept_of(layer, hidden, eager=True, trained=False)
    assert eager - frozen == 2 * 4 * hidden + 2 * 2 * hidden + 2 * inner


def kept_of(layer, hidden=1024, **keeping):
    whole, split, _ = layer_position_bytes(layer, hidden, Keeping(**keeping))
    return whole + split


def test_unfused_scores_take_five_bytes_a_head_and_pair():
    setup = setup_of(small_model(layers=1, heads=16, vocabulary=1000), attention=Attention.UNFUSED, sequence=2048)
    kept, again = (held(Layout(data=16, recompute=level), setup)["activations"] for level in
                   (Recompute.NONE, Recompute.SELECTIVE))  # fmt: skip
    assert kept >= 5 * 16 * 2048**2
    assert again == pytest.approx(kept)  # one layer works with its scores whether it keeps them or not


def test_full_recomputation_keeps_layer_inputs_and_one_layer():
    model = small_model(layers=8, vocabulary=1000)
    found = held(Layout(data=16, recompute=Recompute.FULL), setup_of(model))
    inputs = 8 * 2048 * 1024 * 2
    assert found["activations"] == pytest.approx(inputs + 32 * 1024 * 2048)
    assert found["logits"] == 0


def test_logits_and_a_layer_computed_again_are_never_held_at_once():
    wide = setup_of(small_model(layers=8, vocabulary=128000))
    found = held(Layout(data=16, recompute=Recompute.FULL), wide)
    assert found["activations"] == pytest.approx(8 * 2048 * 1024 * 2)
    assert found["logits"] == pytest.approx(2048 * 128000 * MEGATRON.logit_bytes)
    kept = held(Layout(data=16), wide)
    assert kept["logits"] == pytest.approx(found["logits"])


def test_frozen_weights_that_are_not_let_go_are_whole_on_every_rank():
    fabric = CALIBRATION.software["torch_fabric"]
    setup = setup_of(LLAMA, tuning=TuningMethod.LORA, adapters=LowRank(rank=8))
    layout = Layout(data=16, sharding=Sharding.FULL)
    kept, free = (held(layout, setup, replace(fabric, gathers_frozen=on)) for on in (1.0, 0.0))
    whole = parameters(LLAMA) * 2
    assert whole < kept["buffers"] < 1.1 * whole
    assert free["buffers"] < 0.2 * whole


@settings(max_examples=40, deadline=None)
@given(
    stages=st.sampled_from([1, 2, 4, 8]),
    chunks=st.sampled_from([1, 2]),
    micro=st.sampled_from([1, 2, 4]),
    level=st.sampled_from(list(Recompute)),
)
def test_more_of_anything_never_takes_less(stages, chunks, micro, level):
    setup = setup_of(small_model(layers=16))
    base = held(Layout(pipeline=stages, interleave=chunks, micro_batch=micro, recompute=level), setup)
    bigger = held(Layout(pipeline=stages, interleave=chunks, micro_batch=2 * micro, recompute=level), setup)
    assert bigger["all"] >= base["all"]


@settings(max_examples=40, deadline=None)
@given(tensor=st.sampled_from([1, 2, 4, 8]), stage=st.sampled_from(list(Sharding)), data=st.sampled_from([1, 2, 8]))
def test_splitting_tensors_never_takes_more(tensor, stage, data):
    one, two = (held(Layout(data=data, tensor=degree, sharding=stage)) for degree in (tensor, 2 * tensor))
    assert two["all"] <= one["all"]


def test_a_pipeline_holds_its_first_stage_s_micro_batches():
    short, long = (
        held(Layout(pipeline=4, recompute=Recompute.NONE), setup_of(small_model(), batch=batch))["activations"]
        for batch in (1, 64)
    )
    assert long == pytest.approx(4 * short)


def test_logits_stand_on_the_last_stage():
    wide = setup_of(small_model(layers=2, vocabulary=256000, hidden=512, heads=8))
    assert held(Layout(pipeline=2), wide)["logits"] > 0
    narrow = setup_of(small_model(layers=64, vocabulary=1000), batch=256)
    assert held(Layout(pipeline=4), narrow)["logits"] == 0


def test_experts_spread_over_ranks():
    setup = setup_of(small_model(experts=64, active=2))
    whole, spread = (held(Layout(data=16, expert=degree), setup)["weights"] for degree in (1, 16))
    dense = whole - 8 * 64 * 8 * 1024**2 * 2
    assert spread - dense == pytest.approx((whole - dense) / 16)


def test_adapters_take_little_and_frozen_weights_their_format():
    setup = setup_of(LLAMA, tuning=TuningMethod.QLORA, adapters=LowRank(rank=8))
    wide, narrow = (held(Layout(data=16), setup, frozen=size) for size in (2.0, 0.5))
    tables = 2 * LLAMA.hidden * LLAMA.vocabulary
    quantised = parameters(LLAMA) - tables - LLAMA.hidden
    assert wide["weights"] - narrow["weights"] == pytest.approx(1.5 * quantised, rel=1e-6)
    assert wide["optimizer"] < 0.01 * wide["weights"]


def test_the_fuller_end_of_the_pipeline_counts():
    setup = setup_of(small_model(layers=8, vocabulary=200000))
    found = held(Layout(pipeline=8, micro_batch=4), setup)
    assert found["all"] == pytest.approx(sum(value for name, value in found.items() if name != "all"))
    assert np.isfinite(found["all"])
