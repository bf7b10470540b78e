"""A scaled trace keeps what is not scaled: thinning keeps lengths, copies keep beginnings apart, time its order."""

from dataclasses import fields

import numpy as np
import pytest
from tests.traffic.test_generate import MIX, TALKS

from suanli.foundation.errors import InputError
from suanli.traffic.generate import generate
from suanli.traffic.read import head, joined
from suanli.traffic.scale import Scaling, chosen, rate_of, scaled

TRACE = generate(MIX, 20_000, 1)


def cut(requests, size=3000):
    """Give a trace in chunks."""
    places = np.arange(len(requests))
    return [chosen(requests, (places >= at) & (places < at + size)) for at in range(0, len(requests), size)]


def after(requests, **asked):
    return joined(list(scaled(lambda: cut(requests), Scaling(**asked), 7)))


def same(one, other):
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


def test_nothing_asked_is_nothing_changed():
    assert same(after(TRACE), TRACE)


def test_thinning_brings_the_rate_down_and_keeps_the_lengths():
    found = after(TRACE, thin_to_per_s=2.0)
    assert rate_of([found]) == pytest.approx(2.0, rel=0.03)
    for share in (0.1, 0.5, 0.9, 0.99):
        for kept, told in ((found.input_tokens, TRACE.input_tokens), (found.output_tokens, TRACE.output_tokens)):
            below = np.mean(kept <= np.quantile(told, share))
            assert below == pytest.approx(share, abs=4 * (share * (1 - share) / len(found)) ** 0.5 + 1e-3)


def test_thinning_to_more_than_there_is_is_refused():
    with pytest.raises(InputError, match="--thin-to"):
        after(TRACE, thin_to_per_s=9.0)


def test_copies_multiply_the_rate_and_share_no_beginnings():
    talks = generate(TALKS, 600, 1)
    found = after(talks, copies=3)
    assert len(found) == 3 * len(talks)
    assert rate_of([found]) == pytest.approx(3 * rate_of([talks]), rel=0.01)
    assert (np.diff(found.arrival_seconds) >= 0).all()
    assert found.input_tokens.sum() == 3 * talks.input_tokens.sum()
    first = [set(found.block_ids[found.block_offsets[at] : found.block_offsets[at + 1]].tolist()) for at in range(3)]
    assert not first[0] & first[1]
    assert len(set(found.block_ids.tolist())) == 3 * len(set(talks.block_ids.tolist()))


def test_a_window_counts_from_its_first_request():
    found = after(TRACE, from_seconds=100.0, until_seconds=300.0)
    inside = (TRACE.arrival_seconds >= 100) & (TRACE.arrival_seconds < 300)
    assert len(found) == inside.sum()
    assert found.arrival_seconds[0] == 0
    assert np.diff(found.arrival_seconds) == pytest.approx(np.diff(TRACE.arrival_seconds[inside]))


def test_time_and_lengths_are_scaled_by_their_factors():
    found = after(TRACE, stretch=4.0, input_factor=2.0, output_factor=0.5)
    assert found.arrival_seconds == pytest.approx(4 * TRACE.arrival_seconds)
    assert (found.input_tokens == 2 * TRACE.input_tokens).all()
    assert found.output_tokens.min() >= 1
    assert np.abs(found.output_tokens - TRACE.output_tokens / 2).max() <= 0.5


def test_a_trace_brought_to_a_rate_keeps_its_order_and_its_gaps_in_proportion():
    found = after(TRACE, rate_per_s=20.0)
    assert rate_of([found]) == pytest.approx(20.0)
    assert found.arrival_seconds * 20.0 == pytest.approx(TRACE.arrival_seconds * rate_of([TRACE]))


def test_a_rate_needs_two_times():
    with pytest.raises(InputError, match="two times"):
        after(head(TRACE, 1), rate_per_s=1.0)


def test_the_same_seed_keeps_the_same_requests():
    assert same(after(TRACE, thin_to_per_s=1.0, copies=2), after(TRACE, thin_to_per_s=1.0, copies=2))
