"""Time of a step from its parts: stages, idle time, hidden traffic, launch-bound layers, stragglers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import pipeline

degrees = st.integers(1, 64).map(float)
seconds = st.floats(1e-6, 1e3)
shares = st.floats(0.0, 1.0)


def test_a_replica_works_through_its_share_of_the_batch():
    assert pipeline.micro_batches(1536.0, 64.0, 1.0) == 24


def test_a_smaller_last_micro_batch_counts_for_its_share():
    assert pipeline.micro_batches(12.0, 1.0, 8.0) == 1.5


@given(layers=st.integers(1, 200).map(float), stages=degrees)
def test_stages_hold_every_layer(layers, stages):
    assert pipeline.fullest_stage_layers(layers, stages, 1.0) * stages >= layers


@given(layers=st.integers(1, 200).map(float), stages=degrees, chunks=st.integers(1, 8).map(float))
def test_the_last_stage_is_never_fuller_than_the_fullest(layers, stages, chunks):
    last = pipeline.last_stage_layers(layers, stages, chunks)
    assert 0 <= last <= pipeline.fullest_stage_layers(layers, stages, chunks)


def test_an_even_split_gives_every_stage_the_same():
    assert pipeline.fullest_stage_layers(96.0, 8.0, 2.0) == pipeline.last_stage_layers(96.0, 8.0, 2.0) == 12


@given(layers=st.integers(1, 200).map(float), stages=degrees, chunks=st.integers(1, 8).map(float))
def test_every_spare_place_relieves_the_last_stage(layers, stages, chunks):
    """The other stages are full; what they leave is the last one's, so nothing is lost where it has any."""
    full = pipeline.fullest_stage_layers(layers, stages, chunks)
    last = pipeline.last_stage_layers(layers, stages, chunks)
    assert (stages - 1) * full + last == max(layers, (stages - 1) * full)


def test_two_spare_places_relieve_the_last_stage_of_two():
    """126 layers (Llama 3 405B) in 16 stages of 8: the last one has 6."""
    assert pipeline.last_stage_layers(126.0, 16.0, 1.0) == 6


def test_one_stage_has_no_idle_time():
    assert pipeline.bubble_seconds(3.0, 3.0, 1.0) == 0


@given(stage=seconds, stages=st.integers(2, 64).map(float), chunks=st.integers(1, 16).map(float))
def test_interleaving_divides_the_idle_time(stage, stages, chunks):
    plain = pipeline.bubble_seconds(stages * stage, stage, 1.0)
    assert plain == pytest.approx((stages - 1) * stage)
    assert pipeline.bubble_seconds(stages * stage, stage, chunks) == pytest.approx(plain / chunks)


@given(chunks=st.integers(1, 16).map(float))
def test_stages_hand_on_both_ways_for_each_chunk_but_the_path_has_two_ends(chunks):
    """2 v (p - 1) hops one way and the other, for p stages of v chunks: v p - 1 seams, each crossed twice."""
    for stages in (2.0, 3.0, 8.0):
        both = 2 * pipeline.stage_hops(stages, chunks, 1.0) + (stages - 2) * pipeline.stage_hops(stages, chunks, 0.0)
        assert both == 2 * (chunks * stages - 1)


def test_a_part_of_a_node_in_step_waits_less_than_all_of_it():
    assert pipeline.lockstep_slowdown(8.0, 8.0, 0.4) == pytest.approx(1.4)
    assert pipeline.lockstep_slowdown(1.0, 8.0, 0.4) < pipeline.lockstep_slowdown(4.0, 8.0, 0.4) < 1.2


@given(sent=seconds, cover=seconds, hidden=shares)
def test_what_shows_lies_between_nothing_and_the_whole_transfer(sent, cover, hidden):
    shown = pipeline.exposed_seconds(sent, cover, hidden)
    assert -1e-12 <= shown <= sent * (1 + 1e-12)


@given(sent=seconds, cover=seconds)
def test_nothing_hides_where_software_hides_nothing(sent, cover):
    assert pipeline.exposed_seconds(sent, cover, 0.0) == sent


@given(sent=seconds, cover=seconds, hidden=shares)
def test_more_cover_never_shows_more(sent, cover, hidden):
    assert pipeline.exposed_seconds(sent, 2 * cover, hidden) <= pipeline.exposed_seconds(sent, cover, hidden)


@given(launches=st.floats(0, 1000), launch=st.floats(0, 1e-4), busy=seconds)
def test_launches_and_device_run_side_by_side(launches, launch, busy):
    waited = pipeline.launch_bound_seconds(launches, launch, busy)
    assert waited + busy == pytest.approx(max(launches * launch, busy))


def test_one_node_has_no_stragglers():
    assert pipeline.straggler_slowdown(1.0, 0.02) == 1


@given(nodes=st.floats(1, 1e4), slowdown=st.floats(0, 0.1))
def test_more_nodes_are_never_faster_than_fewer(nodes, slowdown):
    assert pipeline.straggler_slowdown(2 * nodes, slowdown) >= pipeline.straggler_slowdown(nodes, slowdown)


def test_the_slowest_stage_is_the_last_where_the_head_is_heavy():
    assert pipeline.slowest_stage_seconds(1.0, 6.0, 6.0, 0.0, 2.0) == 8
    assert pipeline.slowest_stage_seconds(1.0, 6.0, 3.0, 0.0, 2.0) == 6


def test_utilisation_counts_the_model_s_own_arithmetic():
    assert pipeline.model_flop_utilisation(1.0e15, 10.0, 1.0e14, 2.0) == 0.5


def test_columns_read_as_numbers_do():
    stages = np.array([2.0, 4.0, 8.0])
    column = pipeline.bubble_seconds(stages, 2.0, 2.0)
    assert column.tolist() == [pipeline.bubble_seconds(one, 2.0, 2.0) for one in stages]
