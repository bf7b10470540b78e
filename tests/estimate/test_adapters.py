"""Adapters stand where people say, count as peft counts them, and frozen parts cost no backward pass."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, question_of, setup_of

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.model import Role
from suanli.domain.tuning import ExpertAdapters, Freezing, LowRank
from suanli.domain.workload import TuningMethod
from suanli.estimate.adapters import adapted, layer_adapters, table_adapters, target_names
from suanli.estimate.evaluate import paged_bytes, weigh_memory, weigh_time
from suanli.estimate.finetuning import estimate_tuning, tuned
from suanli.estimate.shards import trained_parameters
from suanli.estimate.tables import to_table
from suanli.estimate.training import estimate_layout, training_flop
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.read import named_model, read_model

LLAMA = named_model("LLaMA2-7B")
MIXTURE = named_model("Qwen/Qwen3-30B-A3B")
NEOX = {"model_type": "gpt_neox", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 256, "vocab_size": 1000}  # fmt: skip


def lora(model=LLAMA, rank=8, targets=("all-linear",), method=TuningMethod.LORA, **fields):
    low = LowRank(rank=rank, targets=targets, **fields)
    return tuned(replace(setup_of(model, batch=32), adapters=low), method, CALIBRATION)


def step(setup, layout=None):
    return estimate_layout(setup, cluster_of(2), layout or Layout(data=16), KERNELS)


@pytest.mark.parametrize(
    ("targets", "each"),
    [
        (("q_proj", "v_proj"), 2 * 2 * 4096),
        (("attention",), 4 * 2 * 4096),
        (("mlp",), 3 * (4096 + 11008)),
        (("gate_up_proj",), 2 * (4096 + 11008)),
        (("all-linear",), 4 * 2 * 4096 + 3 * (4096 + 11008)),
    ],
)
def test_targets_are_named_as_adapters_files_name_them(targets, each):
    assert trained_parameters(lora(targets=targets)) == 32 * 8 * each


def test_matrices_stored_as_one_share_one_adapter():
    """One product of queries, keys and values has one way down to the rank; three have three."""
    fused = lora(read_model(NEOX, "neox"), targets=("query_key_value",))
    apart = lora(targets=("qkv_proj",))
    assert trained_parameters(fused) == 2 * 8 * (64 + 3 * 64)
    assert sum(matrix.inputs for matrix in adapted(apart, LLAMA.runs[0].layer)) == 3 * 4096


def test_every_wrong_target_is_told_at_once():
    with pytest.raises(InputError) as told:
        target_names(LLAMA, ("q_prj", "attention", "experts"))
    assert [fault.found for fault in told.value.faults] == ["'q_prj'", "'experts'"]
    assert "q_proj" in str(told.value)


def test_experts_have_their_own_adapters_or_share_one():
    each, shared = (lora(MIXTURE, targets=("experts",), experts=kind) for kind in ExpertAdapters)
    layer = MIXTURE.runs[0].layer
    assert layer_adapters(each, layer)[1] == 128 * layer_adapters(shared, layer)[0]
    assert layer_adapters(shared, layer)[1] == layer_adapters(each, layer)[0] == 0
    spread = Layout(data=16, expert=8)
    held = [step(one, spread).bytes_by_cause["gradients"] for one in (each, shared)]
    assert held[0] == pytest.approx(128 / 8 * held[1]), "a rank holds its experts' own, and all of a shared one"
    assert step(each, spread).step_seconds != step(shared, spread).step_seconds


def test_routers_tables_and_heads_are_adapted_where_they_are_named():
    setup = lora(MIXTURE, targets=("router", "embed", "lm_head"))
    names = {matrix.role for matrix in adapted(setup, MIXTURE.runs[0].layer)}
    assert names == {Role.ROUTER}
    assert table_adapters(setup) == (8 * (MIXTURE.vocabulary + 2048), 8 * (MIXTURE.vocabulary + 2048))
    assert table_adapters(lora(MIXTURE)) == (0, 0)


def test_magnitudes_are_one_for_each_output_and_take_time_and_room():
    plain, dora = lora(targets=("q_proj",)), lora(targets=("q_proj",), dora=True)
    assert trained_parameters(dora) - trained_parameters(plain) == 32 * 4096
    found = [step(one) for one in (plain, dora)]
    assert found[1].step_seconds > found[0].step_seconds
    for cause in ("activations", "buffers"):
        assert found[1].bytes_by_cause[cause] > found[0].bytes_by_cause[cause]


def test_a_larger_rank_never_takes_less():
    found = [step(lora(rank=rank)) for rank in (1, 8, 64, 512)]
    for quantity in ("memory_bytes", "step_seconds"):
        rising = [getattr(one, quantity) for one in found]
        assert rising == sorted(rising)


def test_nothing_frozen_is_full_tuning():
    plain = step(setup_of(LLAMA, batch=32))
    assert step(setup_of(LLAMA, batch=32, freezing=Freezing())) == plain


def test_the_backward_pass_ends_at_the_first_layer_that_trains():
    """Half the layers frozen: half the backward products, activations, gradients and state of layers."""
    whole, half = (step(setup_of(LLAMA, batch=32, freezing=Freezing(layers=frozen))) for frozen in (0, 16))
    assert half.bytes_by_cause["activations"] == pytest.approx(whole.bytes_by_cause["activations"] / 2)
    saved = whole.seconds_by_cause["matmul"] - half.seconds_by_cause["matmul"]
    assert saved == pytest.approx(whole.seconds_by_cause["matmul"] / 3, rel=0.05), "half of two passes of three"
    assert training_flop(setup_of(LLAMA, freezing=Freezing(layers=16))) == pytest.approx(
        training_flop(setup_of(LLAMA)) * 2 / 3
    )


def test_training_the_head_alone_keeps_nothing_of_layers():
    head = step(setup_of(LLAMA, batch=32, freezing=Freezing(all_but_head=True)))
    whole = step(setup_of(LLAMA, batch=32))
    assert head.bytes_by_cause["activations"] == 0
    assert head.seconds_by_cause["matmul"] == pytest.approx(whole.seconds_by_cause["matmul"] / 3, rel=0.05)
    assert trained_parameters(setup_of(LLAMA, freezing=Freezing(all_but_head=True))) == 32000 * 4096


def test_frozen_first_layers_do_not_hasten_a_pipeline_whose_last_stage_trains_whole():
    staged = Layout(data=4, pipeline=4)
    found = [step(setup_of(LLAMA, batch=32, freezing=Freezing(layers=n)), staged).step_seconds for n in (0, 8)]
    assert found[0] == pytest.approx(found[1], rel=0.05)


def test_paged_state_goes_to_the_host_as_far_as_memory_is_short():
    """No more than is short, no less; what goes travels there and back for each update."""
    layout = to_table([Layout(data=16, sharding=Sharding.NONE)])
    plain, paged = (
        question_of(setup_of(LLAMA, batch=32, optimizer=name), nodes=2) for name in ("adamw", "paged-adamw")
    )
    held = [weigh_memory(one, layout) for one in (plain, paged)]
    short = held[0].memory_bytes[0] - held[0].causes["fragmentation"][0] - plain.capacity_bytes
    assert 0 < short < held[0].causes["optimizer"][0]
    assert paged_bytes(paged, layout)[0] == pytest.approx(short)
    assert held[1].host_bytes[0] == pytest.approx(short)
    assert held[1].memory_bytes[0] == pytest.approx(held[0].memory_bytes[0] - short)
    seconds = [weigh_time(one, layout).step_seconds[0] for one in (plain, paged)]
    assert seconds[1] - seconds[0] == pytest.approx(2 * short / paged.machine.host_bytes_per_s)


def test_paging_costs_nothing_where_all_fits():
    wide = Layout(data=16, sharding=Sharding.FULL, recompute=Recompute.FULL)
    plain, paged = (step(setup_of(LLAMA, batch=32, optimizer=name), wide) for name in ("adamw", "paged-adamw"))
    assert plain == paged


def test_unpacked_weights_stand_once_beside_packed_ones():
    found = estimate_tuning(setup_of(LLAMA, batch=32), TuningMethod.QLORA, cluster_of(2), Layout(data=16), KERNELS)
    assert found.bytes_by_cause["buffers"] == 4096 * 11008 * 2


@pytest.mark.parametrize("name", ["Qwen/Qwen3-30B-A3B", "deepseek-ai/DeepSeek-V3", "LLaMA2-70B", "GPT-3-175B"])
def test_full_tuning_trains_every_parameter(name):
    model = named_model(name)
    drafts = sum(run.count for run in model.draft_runs)
    if not drafts:
        assert trained_parameters(setup_of(model)) == pytest.approx(parameters(model), rel=1e-9)
    assert float(np.ravel(trained_parameters(setup_of(model)))[0]) >= parameters(model) * 0.999


def published_pairs():
    """Read the ratios of published pairs of a full and a LoRA run, and ours, from the benchmark that tells them."""
    path = Path(__file__).parents[2] / "benchmarks" / "tuning_ratio.py"
    spec = importlib.util.spec_from_file_location("tuning_ratio", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.ratios())


def test_lora_s_step_over_a_full_one_is_as_published():
    """Eight pairs from 7B to 70B, H100 to GB300: on average within 5 %, none of them off by more than a fifth."""
    found = published_pairs()
    errors = [np.log(ours / published) for _, published, ours in found]
    assert len(errors) == 8
    assert abs(np.mean(errors)) < np.log(1.05)
    assert max(map(abs, errors)) < np.log(1.2)
