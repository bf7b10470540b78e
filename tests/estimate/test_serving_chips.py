"""Serving on special-purpose chips: what sets their time, what bounds their users, what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from tests.estimate.replicas import LLAMA, LLAMA_70B, better, replica, setup, small_model, system, times

from suanli.catalogue.chips import load_chips
from suanli.catalogue.kernels import load_kernels
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving import estimate_serving
from suanli.estimate.serving_ahead import ahead_run
from suanli.estimate.serving_memory import cache_capacity_tokens, visible_memory_bytes, weight_bytes
from suanli.estimate.serving_runs import static_run
from suanli.estimate.serving_search import layouts_on, search
from suanli.estimate.serving_spread import least_accelerators, spread_layouts
from suanli.estimate.serving_step import StepLoad, step_causes, step_seconds
from suanli.estimate.serving_tables import step_times
from suanli.foundation.errors import InfeasibleError, InputError

KERNELS = load_kernels()
GROQ = next(kind for kind in load_chips() if kind.id == "groq")


def token_seconds(layout, accelerator="groq-lpu1", model=LLAMA_70B, box=None, **changes):
    one = replica(model, accelerator, layout, box, weight_format=changes.pop("weight_format", "int8"), **changes)
    return float(step_seconds(one, StepLoad(decoding=1.0, context=1000.0)))


def with_memory(name, factor):
    box = system(name)
    return replace(box, accelerator=replace(box.accelerator, memory_bytes=times(box.accelerator.memory_bytes, factor)))


def test_half_the_sram_needs_about_twice_the_chips():
    asked = setup(LLAMA_70B, weight_format="int8")
    whole, half = (least_accelerators(asked, with_memory("groq-lpu1", factor), KERNELS) for factor in (1.0, 0.5))
    assert 300 < whole < 576, "seventy gigabytes in chips of 230 MB"
    assert 1.9 * whole < half < 2.6 * whole, "what each chip keeps beside weights does not halve"


def test_more_chips_shorten_a_token_until_hops_dominate():
    split = [token_seconds(ServingLayout(tensor=ways, pipeline=80)) for ways in (1, 2, 4, 8)]
    assert split == sorted(split, reverse=True)
    assert split[2] / split[3] < split[0] / split[1], "each doubling gains less"
    longer = [token_seconds(ServingLayout(tensor=8, pipeline=stages)) for stages in (40, 60, 80)]
    assert longer == sorted(longer), "stages add hops and take no work off a token"


def test_slow_links_make_a_wide_split_no_faster():
    slow = replace(GROQ, links=replace(GROQ.links, base_seconds=100e-6))
    kernels = replace(KERNELS, chips=(slow, *[kind for kind in KERNELS.chips if kind.id != "groq"]))
    one = replica(LLAMA_70B, "groq-lpu1", ServingLayout(tensor=8, pipeline=72), weight_format="int8")
    from suanli.parts.devices.open import open_special_fabric

    crawling = replace(one, fabric=open_special_fabric(system("groq-lpu1"), kernels))
    load = StepLoad(decoding=1.0, context=1000.0)
    told, slowed = step_causes(one, load), step_causes(crawling, load)
    assert slowed["communication"] > 2 * told["communication"]
    assert slowed["matmul"] == told["matmul"]


@pytest.mark.parametrize("name", ["sambanova-sn40l", "tpu-v7", "aws-trn2", "graphcore-bow"])
def test_more_bandwidth_is_never_slower(name):
    layout = ServingLayout(tensor=2, pipeline=32)
    box = system(name)
    faster = (
        better(box, memory_speed=2.0)
        if box.accelerator.link.bytes_per_s and box.link.bytes_per_s
        else replace(
            box, accelerator=replace(box.accelerator, memory_bytes_per_s=times(box.accelerator.memory_bytes_per_s, 2.0))
        )
    )
    before, after = (token_seconds(layout, name, LLAMA, one) for one in (box, faster))
    assert after < before


def test_a_wafer_gains_little_from_bandwidth_since_crossings_bind_it():
    box = system("cerebras-wse3")
    fast = replace(
        box, accelerator=replace(box.accelerator, memory_bytes_per_s=times(box.accelerator.memory_bytes_per_s, 10.0))
    )
    before, after = (
        token_seconds(ServingLayout(), "cerebras-wse3", LLAMA, one, weight_format="fp16") for one in (box, fast)
    )
    assert 0.7 * before < after <= before


def test_users_are_bounded_by_the_sram_that_weights_leave():
    few = replica(LLAMA_70B, "groq-lpu1", ServingLayout(tensor=8, pipeline=60), weight_format="int8")
    many = replica(LLAMA_70B, "groq-lpu1", ServingLayout(tensor=8, pipeline=72), weight_format="int8")
    assert weight_bytes(many) < weight_bytes(few) < visible_memory_bytes(few)
    assert cache_capacity_tokens(many, 2000.0) > cache_capacity_tokens(few, 2000.0)


def test_on_chip_memory_is_what_is_printed_and_weights_are_cut_anywhere():
    one = replica(LLAMA_70B, "groq-lpu1", ServingLayout(tensor=8, pipeline=60), weight_format="int8")
    assert visible_memory_bytes(one) == system("groq-lpu1").accelerator.memory_bytes.value
    other = replica(LLAMA_70B, "groq-lpu1", ServingLayout(tensor=8, pipeline=61), weight_format="int8")
    assert weight_bytes(other) == pytest.approx(weight_bytes(one) * 60 / 61, rel=1e-6)


def test_as_many_sequences_as_stages_move_through_a_wafer_at_once():
    one = replica(LLAMA, "cerebras-wse3", weight_format="fp16")
    assert one.regions == 32
    assert 10 < one.at_once <= 32
    alone, crowd = (static_run(one, batch) for batch in (1.0, 16.0))
    assert crowd.tpot_seconds < 1.6 * alone.tpot_seconds, "others' layers stand idle for a lone user"


def test_a_model_beyond_the_chips_in_reach_is_refused_with_how_many_hold_it():
    asked = setup("meta-llama/Llama-3.1-405B")
    with pytest.raises(InfeasibleError, match="576") as refused:
        search(asked, system("groq-lpu1"), KERNELS)
    least = least_accelerators(asked, system("groq-lpu1"), KERNELS)
    assert least > 576
    assert str(least) in refused.value.relief


def test_an_fpga_holds_nothing_beyond_its_memory():
    told = estimate_serving(setup(LLAMA), system("fpga-u280"), ServingLayout(), 1.0, KERNELS)
    assert "memory" in told.limit
    fits = estimate_serving(
        setup(LLAMA, weight_format="int4_weight"), system("fpga-u280"), ServingLayout(), 1.0, KERNELS
    )
    assert fits.limit == ""
    assert fits.memory_bytes <= system("fpga-u280").accelerator.memory_bytes.value


def test_fewer_bits_stream_sooner_from_an_fpga():
    formats = ("int8", "int4_weight", "int3_mixed", "int2_weight", "ternary")
    spent = [token_seconds(ServingLayout(), "fpga-vhk158", LLAMA, weight_format=form) for form in formats]
    assert spent == sorted(spent, reverse=True)


def test_every_layout_of_spread_chips_is_legal_and_within_reach():
    model = setup(LLAMA_70B).model
    layouts = list(spread_layouts(model, GROQ, 576))
    assert all(layout.accelerators <= 576 and layout.pipeline <= 80 for layout in layouts)
    assert {layout.tensor for layout in layouts} == {1, 2, 4, 8}
    assert len({(layout.tensor, layout.pipeline) for layout in layouts}) == len(layouts)
    assert ServingLayout(tensor=8, pipeline=72) in layouts, "weights are cut anywhere, so all chips may be used"


def test_tensor_splits_stay_within_what_links_bear():
    found = list(layouts_on(setup(LLAMA_70B).model, system("fpga-u280"), KERNELS, 64))
    assert max(layout.tensor for layout in found) == 8


def test_only_their_own_software_runs_on_chips_without_another():
    with pytest.raises(InputError, match="sglang"):
        replica(LLAMA, "groq-lpu1", ServingLayout(tensor=8, pipeline=8), engine="sglang")
    usual = replica(LLAMA, "groq-lpu1", ServingLayout(tensor=8, pipeline=8))
    assert usual.engine.id == "groq"
    assert any("vLLM" in one for one in usual.assumed), "what stands in is said"
    assert replica(LLAMA, "tpu-v7", engine="vllm").engine.id == "vllm_tpu"


def test_a_maker_s_backend_goes_by_the_engine_s_name_on_its_chips_alone():
    assert replica(LLAMA, "ascend-910b3", engine="vllm").engine.id == "vllm_fork"
    assert replica(LLAMA, "H100-SXM", engine="vllm").engine.id == "vllm_v1"


@pytest.mark.parametrize("name", ["groq-lpu1", "cerebras-wse3", "sambanova-sn40l", "fpga-vhk158", "tpu-v7", "aws-trn2"])
def test_compiled_steps_are_those_of_the_closed_form(name):
    """A replay on such chips times every step as the estimate does."""
    model = small_model()
    layout = (
        ServingLayout(tensor=2, pipeline=2 if name == "groq-lpu1" else 1)
        if name != "cerebras-wse3"
        else ServingLayout()
    )
    one = replica(model, name, layout)
    tables = step_times(one)
    rows = np.arange(5, dtype=float)
    causes = step_causes(one, StepLoad(decoding=rows, context=100.0))
    told = sum(np.broadcast_to(causes[cause], rows.shape) for cause in ("matmul", "experts", "passes", "communication"))
    assert np.allclose(np.asarray(tables.by_rows)[:5], told, rtol=1e-9)


def test_an_engine_that_prefills_ahead_answers_first_and_makes_tokens_wait():
    layout = ServingLayout()
    mindie = replica("Qwen/Qwen3-8B", "ascend-910b3", layout, engine="mindie", input_tokens=217.0, output_tokens=202.0)
    burst = ahead_run(mindie, 1000.0)
    few = ahead_run(mindie, 100.0)
    assert mindie.engine.prefills_ahead
    assert burst.ttft_seconds < 1000 / burst.requests_per_s / 3, "all prompts are read long before the last answer"
    assert burst.tpot_seconds > 3 * few.tpot_seconds, "what is beyond the batch limit waits between two tokens"
    assert few.requests_per_s < burst.requests_per_s


def test_products_of_many_rows_pay_for_the_library_they_go_through():
    one = replica(LLAMA, "H100-SXM", engine="llama.cpp", weight_format="q4_0")
    plain = replace(one, engine=replace(one.engine, wide_rows=0.0))
    few, many = StepLoad(decoding=8.0, context=100.0), StepLoad(prompt_tokens=512.0, prompts=1.0, prompt_context=512.0)
    assert step_seconds(one, few) == step_seconds(plain, few)
    written = 6.98e9 * 2 / one.engine.expand_bytes_per_s + 32 * 4 * one.engine.wide_product_seconds
    assert float(step_seconds(one, many) - step_seconds(plain, many)) == pytest.approx(
        one.engine.kernel_slack * written, rel=0.1
    )
