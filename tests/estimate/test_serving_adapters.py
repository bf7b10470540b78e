"""Adapters in serving: bytes by hand, products grouped by adapter, slots, waits for the host, and what was measured."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import LLAMA, MIXTURE, replica, system

from suanli.domain.serving import Adapters
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_adapters import adapter_bytes, distinct_adapters, loading_seconds, targets_of
from suanli.estimate.serving_burst import offline_run
from suanli.estimate.serving_memory import fixed_bytes
from suanli.estimate.serving_steady import demand_of, steady_state
from suanli.estimate.serving_step import StepLoad, step_causes
from suanli.foundation.errors import InputError

ATTENTION = 4096 + 4096 + 4096 + 1024 + 4096 + 1024 + 4096 + 4096
"""Inputs and outputs of query, key, value and output of one layer of Llama 3 8B, together."""
MLP = 3 * (4096 + 14336)


def adapted(count=4, rank=16, model=LLAMA, layout=None, **changes):
    told = {name: changes.pop(name) for name in ("targets", "slots", "most_rank") if name in changes}
    return replica(model, layout=layout, adapters=Adapters(count=count, rank=rank, **told), **changes)


def spent(one, decoding=16.0):
    return float(step_causes(one, StepLoad(decoding=decoding, context=1000.0))["adapters"])


def test_an_adapter_takes_its_two_matrices_for_every_target():
    """Two bytes for each element of A and B of rank 16, in 32 layers."""
    assert adapter_bytes(adapted()) == 32 * 16 * (ATTENTION + MLP) * 2
    assert adapter_bytes(adapted(targets=("attention",))) == 32 * 16 * ATTENTION * 2
    assert adapter_bytes(adapted(targets=("q_proj", "v_proj"))) == 32 * 16 * (4 * 4096 - 4096 + 1024) * 2


def test_a_slot_has_room_for_the_next_rank_that_engines_keep():
    assert adapter_bytes(adapted(rank=9)) == adapter_bytes(adapted(rank=16))
    assert adapter_bytes(adapted(rank=9, most_rank=64)) == 4 * adapter_bytes(adapted(rank=16))


def test_slots_take_memory_from_the_cache_whether_used_or_not():
    few, many = adapted(count=16, slots=2), adapted(count=16, slots=16)
    assert fixed_bytes(many)["adapters"] == 8 * fixed_bytes(few)["adapters"]
    assert demand_of(many).resident <= demand_of(few).resident


def test_tensor_ranks_split_what_the_matrix_is_split_by_and_repeat_the_rest():
    """Into the rank all columns for queries, out of it a part of them; for outputs the other way."""
    one = adapted(targets=("attention",), layout=ServingLayout(tensor=4))
    columns = 3 * 4096 + (4096 + 1024 + 1024) / 4
    rows = 4096 / 4 + 4096
    assert adapter_bytes(one) == pytest.approx(32 * 16 * (columns + rows) * 2)


def test_experts_have_adapters_of_their_own():
    one = adapted(model=MIXTURE, targets=("experts",), layout=ServingLayout(tensor=2, expert=2))
    assert adapter_bytes(one) == pytest.approx(48 * 64 * 16 * 3 * (2048 + 768) * 2)


def test_adapters_are_a_cause_of_their_own():
    causes = step_causes(adapted(), StepLoad(decoding=16.0, context=1000.0))
    assert causes["adapters"] > 0
    assert "adapters" not in step_causes(replica(), StepLoad(decoding=16.0, context=1000.0))


@settings(max_examples=25, deadline=None)
@given(decoding=st.floats(1, 300), more=st.floats(0, 300), slots=st.integers(1, 32))
def test_more_rows_adapters_or_rank_never_take_less(decoding, more, slots):
    assert spent(adapted(slots, slots=slots), decoding + more) >= spent(adapted(slots, slots=slots), decoding)
    assert spent(adapted(slots + 1, slots=slots + 1), decoding) >= spent(adapted(slots, slots=slots), decoding)
    assert spent(adapted(rank=64), decoding) >= spent(adapted(rank=16), decoding)


def test_rows_of_one_adapter_read_it_once_and_of_many_each():
    """Sixty-four requests of one adapter beside as many of sixty-four: Punica's identical and distinct workloads."""
    one, many = spent(adapted(1, slots=1), 64.0), spent(adapted(64, slots=64), 64.0)
    assert 1.2 * one < many < 20 * one


def test_distinct_adapters_are_at_most_the_slots_and_the_requests():
    load = adapted(8, slots=8).adapters
    assert float(distinct_adapters(load, 1.0)) == pytest.approx(1.0)
    assert 7 < float(distinct_adapters(load, 64.0)) <= 8
    assert np.all(np.diff(np.asarray(distinct_adapters(load, np.arange(1.0, 50.0)))) > 0)


def test_where_all_have_a_slot_nobody_waits_for_the_host():
    assert loading_seconds(adapted(4, slots=4)) == 0
    assert adapted(4, slots=4).engine.front_seconds == replica().engine.front_seconds


def test_an_adapter_without_a_slot_comes_over_the_host_s_link():
    """Three of four requests wait for bytes of one adapter over the share of the link that small copies reach."""
    one = adapted(8, slots=2)
    rate = system().accelerator.host_bytes_per_s.value * one.adapters.figures.link_share.value
    waits = 0.75 * adapter_bytes(one) / rate
    assert loading_seconds(one) == pytest.approx(waits)
    assert one.engine.front_seconds == pytest.approx(replica().engine.front_seconds + waits)


def test_requests_of_adapters_without_a_slot_wait_outside():
    few, all_there = (steady_state(adapted(16, slots=slots), 64.0) for slots in (2, 16))
    assert few.resident[0] == pytest.approx(64 * 2 / 16)
    assert few.requests_per_s[0] < all_there.requests_per_s[0]
    assert few.ttft_seconds[0] > all_there.ttft_seconds[0]


@pytest.mark.parametrize(("version", "measured"), [("0.6.4", 1788 / 2694), ("0.8.3", 2578 / 2694)])
def test_measured_rates_with_an_adapter_are_met(version, measured):
    """Llama-2-7B of rank 8 on one A100, ShareGPT offline; no run of the second version without adapters is told."""
    changes = {
        "input_tokens": 245.0, "output_tokens": 235.0, "engine_version": version, "weight_format": "fp16",
    }  # fmt: skip
    with_one = replica("LLaMA2-7B", "A100-80GB-SXM", adapters=Adapters(count=1, rank=8, slots=1), **changes)
    plain = replica("LLaMA2-7B", "A100-80GB-SXM", **changes)
    rate, alone = (offline_run(one, 3000.0).requests_per_s for one in (with_one, plain))
    assert rate / alone == pytest.approx(measured, rel=0.05)
    if version == "0.6.4":
        assert alone * 235 == pytest.approx(2694, rel=0.12)


def test_every_wrong_target_is_told_at_once():
    with pytest.raises(InputError) as told:
        targets_of(replica().setup, ("q_prj", "attention", "gate"))
    assert [fault.found for fault in told.value.faults] == ["'q_prj'", "'gate'"]
    assert "q_proj" in str(told.value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"rank": 1024}, "at most 512"), ({"rank": 32, "most_rank": 16}, "at least the adapters' rank")],
)
def test_a_rank_without_room_is_refused(asked, said):
    with pytest.raises(InputError, match=said):
        adapted(**asked)


def test_a_host_s_link_that_nobody_knows_is_refused_where_it_is_needed():
    box = system()
    blind = dataclasses.replace(box, accelerator=dataclasses.replace(box.accelerator, host_bytes_per_s=None))
    with pytest.raises(InputError, match="host's link"):
        adapted(8, slots=2, box=blind)
    adapted(2, slots=2, box=blind)


def test_slots_that_nobody_names_are_told_as_assumed():
    assert any("adapters share a step" in said for said in adapted(20).assumed)
    assert adapted(20).adapters.slots == 8
