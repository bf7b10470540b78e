"""Capacity and its inverse questions: consistent with each other, with the bytes by hand, and with what binds."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import DEEPSEEK, LLAMA, LLAMA_70B, better, replica, setup, small_model, system

from suanli.catalogue.kernels import load_kernels
from suanli.domain.capacity import Bound, Wanted
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_capacity import (
    block_bytes,
    capacity,
    held_by,
    layouts_to_hold,
    longest_context,
    sequences_of,
    smallest,
)
from suanli.estimate.serving_memory import BLOCK_TOKENS, cache_pool_bytes, fixed_bytes, sequence_cache_bytes
from suanli.foundation.errors import InfeasibleError, InputError

KERNELS = load_kernels()
PLAIN = {"dense": replica(), "split": replica(LLAMA_70B, layout=ServingLayout(tensor=8)),
         "latent": replica(DEEPSEEK, "H200-SXM", ServingLayout(tensor=8), weight_format="fp8"),
         "windows": replica("gpt-oss-120b", layout=ServingLayout(tensor=2))}  # fmt: skip
some = st.sampled_from(sorted(PLAIN)).map(PLAIN.__getitem__)
quick = settings(max_examples=40, deadline=None)


def ask(model=LLAMA_70B, layout=None, accelerators=8, users=16, tokens=8192, box=None, **changes):
    wanted = Wanted(users=users, context_tokens=tokens)
    return capacity(setup(model, **changes), box or system(), layout, accelerators, wanted, KERNELS)


def test_blocks_are_what_is_left_by_the_bytes_of_one():
    """A block of 16 tokens of Llama 3 8B is 2 MiB: 32 layers of 8 heads of 128, keys and values in 16 bits."""
    one = PLAIN["dense"]
    assert block_bytes(one, 4096) == BLOCK_TOKENS * 32 * 2 * 8 * 128 * 2 == 2 * 2**20
    held = held_by(one, Wanted(users=1, context_tokens=4096))
    assert held.kv_blocks == int(cache_pool_bytes(one) // (2 * 2**20))
    assert held.pool_bytes == cache_pool_bytes(one)
    assert held.bytes_by_cause == fixed_bytes(one)


@quick
@given(one=some, tokens=st.integers(1, 100_000))
def test_so_many_sequences_fit_and_not_one_more(one, tokens):
    held = sequences_of(one, tokens) // one.layout.attention_data
    whole = -(-tokens // BLOCK_TOKENS) * BLOCK_TOKENS
    each = float(sequence_cache_bytes(one, float(whole)))
    assert held * each <= cache_pool_bytes(one)
    assert held == one.engine.sequence_limit or (held + 1) * each > cache_pool_bytes(one)


@quick
@given(one=some, users=st.integers(1, 2000))
def test_the_longest_context_is_the_last_that_so_many_users_may_have(one, users):
    longest = longest_context(one, users)
    assert longest == 0 or sequences_of(one, longest) >= users
    assert longest == one.setup.model.max_positions or sequences_of(one, longest + 1) < users


@quick
@given(one=some, users=st.integers(1, 500), more=st.integers(0, 500), tokens=st.integers(1, 50_000))
def test_more_users_never_have_longer_contexts_nor_longer_contexts_more_users(one, users, more, tokens):
    assert longest_context(one, users + more) <= longest_context(one, users)
    assert sequences_of(one, tokens + more) <= sequences_of(one, tokens)


def test_the_smallest_setting_has_no_smaller_one_that_holds_the_wish():
    found = ask(users=64, tokens=16_384).held
    wanted = Wanted(users=64, context_tokens=16_384)
    assert found.fits
    assert found.layout.accelerators == 8
    fewer, _ = smallest(setup(LLAMA_70B), system(), found.layout.accelerators // 2, wanted, KERNELS)
    assert fewer is None


@pytest.mark.parametrize("change", [{"kv_format": "fp8"}, {"weight_format": "fp8"}])
def test_narrower_formats_never_need_more_accelerators(change):
    plain, narrow = ask(users=32), ask(users=32, **change)
    assert narrow.held.layout.accelerators <= plain.held.layout.accelerators
    assert narrow.held.sequences * narrow.held.layout.accelerators >= 0


def test_layouts_come_with_the_fewest_accelerators_first_and_cut_caches_that_stand_twice():
    found = list(layouts_to_hold(setup(DEEPSEEK), 8))
    assert [one.accelerators for one in found] == sorted(one.accelerators for one in found)
    assert ServingLayout(tensor=8, decode_context=8) in found


def test_every_change_that_is_told_holds_more():
    found = ask(layout=ServingLayout(tensor=8), users=8)
    assert found.changes
    for _, after in found.changes:
        assert (after.sequences, after.longest_tokens) > (found.held.sequences, found.held.longest_tokens)


def test_every_format_that_is_told_holds_the_wish_and_no_two_are_alike():
    found = ask(users=64, tokens=16_384)
    assert all(held.fits for held in found.smallest)
    alike = [(held.bytes_by_cause["weights"], held.layout, held.kv_format) for held in found.smallest]
    assert len(set(alike)) == len(alike)


@pytest.mark.parametrize(
    ("model", "layout", "wish", "bound"),
    [
        (LLAMA_70B, ServingLayout(tensor=4), {"users": 500, "tokens": 16_384}, Bound.CACHE),
        (LLAMA_70B, ServingLayout(tensor=1), {"users": 1, "tokens": 1024}, Bound.WEIGHTS),
        (LLAMA, ServingLayout(tensor=8), {"users": 5000, "tokens": 64}, Bound.PLACES),
        (LLAMA, ServingLayout(tensor=8), {"users": 1, "tokens": 200_000}, Bound.POSITIONS),
    ],
)
def test_what_binds_is_named(model, layout, wish, bound):
    held = held_by(replica(model, layout=layout), Wanted(users=wish["users"], context_tokens=wish["tokens"]))
    assert held.bound is bound
    assert not held.fits
    with pytest.raises(InfeasibleError):
        ask(model, layout, **wish)


def test_where_nothing_holds_the_wish_it_is_told_what_would():
    with pytest.raises(InfeasibleError) as told:
        ask(layout=ServingLayout(tensor=4), users=64, tokens=16_384)
    assert "short of" in told.value.limit
    assert "cache in fp8" in told.value.relief
    with pytest.raises(InfeasibleError) as told:
        ask(LLAMA, accelerators=1, users=2000, tokens=100_000)
    assert "fewer users" in told.value.relief


def test_where_the_weights_leave_no_room_nobody_is_told_to_ask_for_less():
    with pytest.raises(InfeasibleError) as told:
        ask(accelerators=1, users=2000, tokens=100_000)
    assert "more accelerators" in told.value.relief
    assert "up to 0" not in told.value.relief


def test_more_memory_never_holds_less():
    wanted = Wanted(users=4, context_tokens=8192)
    held = [held_by(replica(box=better(system(), memory=times)), wanted) for times in (1.0, 1.3, 2.0)]
    for name in ("sequences", "longest_tokens", "kv_blocks"):
        told = [getattr(one, name) for one in held]
        assert told == sorted(told)


def test_a_cache_that_stops_growing_holds_every_context_of_the_model():
    one = replica(small_model(model_type="mistral", sliding_window=512))
    assert longest_context(one, 8) == 8192


def test_a_model_that_names_no_bound_is_asked_as_far_as_memory_goes():
    model = dataclasses.replace(small_model(), max_positions=None)
    one = replica(model)
    longest = longest_context(one, 1)
    assert sequences_of(one, longest) == 1
    assert sequences_of(one, longest + 1) == 0


def test_a_layout_that_is_not_allowed_is_at_fault_not_infeasible():
    with pytest.raises(InputError):
        ask(layout=ServingLayout(tensor=8, decode_context=8))
