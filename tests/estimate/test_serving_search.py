"""The search: targets are kept, a tighter one never raises the rate, what is infeasible says what would free it."""

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import DEEPSEEK, LLAMA, LLAMA_70B, MIXTURE, load_kernels, setup, system

from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_search import flight_grid, legal_layouts, replicas_for, search
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.parts.architectures.read import named_model


def best(model=LLAMA, box="H100-SXM", ttft=math.inf, tpot=math.inf, **changes):
    return search(setup(model, **changes), system(box), load_kernels(), ttft, tpot)[0]


@pytest.mark.parametrize("tpot", [0.02, 0.05])
@pytest.mark.parametrize("ttft", [0.5, 2.0])
def test_latency_targets_are_kept(ttft, tpot):
    found = best(ttft=ttft, tpot=tpot)
    assert found.ttft_seconds <= ttft
    assert found.tpot_seconds <= tpot


@settings(max_examples=8, deadline=None)
@given(loose=st.floats(0.02, 0.1), share=st.floats(0.5, 1.0))
def test_a_tighter_target_never_raises_the_rate(loose, share):
    def rate(tpot):
        found = best(tpot=tpot)
        return found.output_tokens_per_s / found.layout.accelerators

    assert rate(loose * share) <= rate(loose) * (1 + 1e-9)


def test_settings_come_best_first():
    found = search(setup(LLAMA_70B), system(), load_kernels(), 2.0, 0.05)
    rates = [one.output_tokens_per_s / one.layout.accelerators for one in found]
    assert rates == sorted(rates, reverse=True)


def test_a_large_model_takes_as_many_accelerators_as_it_needs():
    assert best(LLAMA_70B).layout.accelerators >= 2
    assert best(DEEPSEEK, "H200-SXM", weight_format="fp8").layout.accelerators == 8


def test_an_impossible_target_names_the_closest_setting():
    with pytest.raises(InfeasibleError, match="closest is tensor"):
        best(tpot=1e-5)


def test_a_model_too_large_says_by_how_much():
    with pytest.raises(InfeasibleError, match="short of memory by"):
        best(DEEPSEEK, "RTX-4090")


def test_splitting_is_legal_only_where_heads_divide():
    layouts = list(legal_layouts(named_model(LLAMA), 8))
    assert ServingLayout(tensor=8) in layouts
    assert all(layout.accelerators <= 8 for layout in layouts)
    assert all(layout.expert == 1 for layout in layouts)


def test_mixtures_may_spread_their_experts():
    assert any(layout.expert == 8 for layout in legal_layouts(named_model(MIXTURE), 8))


def test_latent_attention_may_run_data_parallel():
    assert ServingLayout(attention_data=8, expert=8) in legal_layouts(named_model(DEEPSEEK), 8)


@pytest.mark.parametrize("most", [1.0, 2.0, 7.0, 100.0, 4096.0])
def test_the_grid_of_concurrencies_runs_from_one_to_the_most(most):
    grid = flight_grid(most)
    assert grid[0] == 1.0
    assert grid[-1] == most


def test_replicas_hold_the_rate_with_headroom():
    one = best(ttft=1.0, tpot=0.05)
    replicas = replicas_for(10 * one.requests_per_s, one, 0.2)
    assert replicas == math.ceil(10 / 0.8)


def test_one_replica_is_the_least():
    assert replicas_for(1e-6, best()) == 1


@pytest.mark.parametrize("headroom", [-0.1, 1.0, 2.0])
def test_a_headroom_that_leaves_nothing_is_refused(headroom):
    with pytest.raises(InputError, match="headroom"):
        replicas_for(1.0, best(), headroom)


def test_a_search_is_quick_enough_for_tens_of_systems():
    best(LLAMA_70B)
    begun = time.process_time()
    best(LLAMA_70B, ttft=2.0, tpot=0.05)
    assert time.process_time() - begun < 1.0
