"""Bytes that a training rank holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import memory

counts = st.integers(1, 10**12).map(float)
degrees = st.integers(1, 64).map(float)


@given(parameters=counts, ranks=degrees)
def test_shards_of_all_ranks_make_up_the_whole(parameters, ranks):
    assert memory.state_bytes(parameters, 12.0, ranks) * ranks == pytest.approx(12 * parameters)


def test_a_gpt_layer_keeps_34_bytes_for_each_hidden_element():
    hidden = 4096.0
    whole = (2 + 2) * hidden * 2 + 2 * hidden
    split = (3 * hidden + hidden + 4 * hidden + 4 * hidden) * 2
    assert memory.kept_activation_bytes(1.0, whole, split, 1.0, 1.0) == 34 * hidden


@given(tensor=degrees)
def test_sequence_parallelism_splits_what_tensor_parallelism_leaves_whole(tensor):
    plain = memory.kept_activation_bytes(8.0, 10.0, 24.0, tensor, 1.0)
    assert memory.kept_activation_bytes(8.0, 10.0, 24.0, tensor, tensor) <= plain


def test_scores_grow_with_the_square_of_the_sequence():
    short, long = (memory.score_activation_bytes(tokens, tokens, 8.0, 1.0, 5.0) for tokens in (1024.0, 2048.0))
    assert long == 4 * short


@given(batches=st.integers(1, 512).map(float), stages=degrees)
def test_a_stage_holds_no_more_micro_batches_than_there_are_stages(batches, stages):
    assert memory.first_stage_in_flight(batches, stages, 1.0) == min(batches, stages)


@given(
    batches=st.integers(1, 512).map(float), stages=st.integers(2, 64).map(float), chunks=st.integers(2, 8).map(float)
)
def test_interleaving_holds_more_activations(batches, stages, chunks):
    plain = memory.first_stage_in_flight(batches, stages, 1.0)
    assert plain < memory.first_stage_in_flight(batches, stages, chunks) < 2 * plain


def test_one_stage_holds_one_micro_batch():
    assert memory.first_stage_in_flight(64.0, 1.0, 1.0) == 1


@given(state=counts, live=counts, lost=st.floats(0, 1))
def test_fragmentation_adds_to_live_bytes_only(state, live, lost):
    assert memory.held_bytes(state, live, 0.0, lost) == pytest.approx(state + live * (1 + lost))


def test_logits_split_by_tensor():
    assert memory.logits_bytes(2048.0, 50000.0, 8.0, 6.0) == memory.logits_bytes(2048.0, 50000.0, 1.0, 6.0) / 8
