"""Statistics of a trace: by hand on small ones, and back to what generated traffic was asked for."""

from dataclasses import replace

import numpy as np
import pytest
from tests.traffic.test_generate import MIX

from suanli.domain.traffic import Requests
from suanli.foundation.errors import InputError
from suanli.traffic.describe import describe, lengths_of
from suanli.traffic.generate import generate
from suanli.traffic.read import head


def made(arrivals, blocks):
    many = len(arrivals)
    return Requests(
        arrival_seconds=np.array(arrivals, dtype=float),
        input_tokens=np.full(many, 100),
        output_tokens=np.full(many, 10),
        priority=np.zeros(many, dtype=np.int64),
        block_ids=np.array([one for own in blocks for one in own], dtype=np.int64),
        block_offsets=np.concatenate([[0], np.cumsum([len(own) for own in blocks])]).astype(np.int64),
        block_tokens=16,
    )


def test_rate_and_gaps_by_hand():
    """Gaps of 1, 3 and 2: mean 2, standard deviation sqrt(2/3)."""
    found = describe([made([0, 1, 4, 6], [[]] * 4)])
    assert found.requests_per_s == pytest.approx(0.5)
    assert found.gap_variation == pytest.approx((2 / 3) ** 0.5 / 2)
    assert found.blocks == 0


def test_shared_beginnings_count_until_the_first_new_block():
    """The second prompt shares two of three blocks, the third its first alone though its last is known."""
    found = describe([made([0, 1, 2], [[1, 2, 3], [1, 2, 4], [1, 5, 3]])])
    assert found.endless_hit_share == pytest.approx(3 / 9)


def test_chunks_do_not_change_what_is_found():
    whole = made(range(40), [[at % 7, 7 + at % 5] for at in range(40)])
    later = made(range(13, 40), [[at % 7, 7 + at % 5] for at in range(13, 40)])
    assert describe([whole]) == describe([head(whole, 13), later])


def test_generated_traffic_is_described_as_it_was_asked_for():
    found = describe([generate(replace(MIX, gap_variation=2.0), 100_000, 1)])
    assert found.requests_per_s == pytest.approx(MIX.rate_per_s, rel=0.03)
    assert found.gap_variation == pytest.approx(2.0, rel=0.05)
    assert found.inputs.fitted_variation == pytest.approx(MIX.inputs.variation, rel=0.05)
    assert found.outputs.mean == pytest.approx(MIX.outputs.mean, rel=0.03)


def test_equal_lengths_have_no_spread():
    assert lengths_of(np.full(9, 7)).fitted_variation == 0


def test_nothing_is_no_traffic():
    with pytest.raises(InputError, match="no requests"):
        describe([])
