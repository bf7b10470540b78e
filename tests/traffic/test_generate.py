"""Generated traffic is what was asked for: rate, spread, lengths, days, talks; the same seed gives the same bytes."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.traffic.formats import OWN_BLOCK_TOKENS
from suanli.traffic.generate import DAY_SECONDS, Lengths, Mix, generate, rescaled
from suanli.traffic.named import named_traffic, variation_of

MIX = Mix(
    rate_per_s=5.0, gap_variation=1.0, inputs=Lengths(mean=800.0, variation=0.7, most=10**6),
    outputs=Lengths(mean=150.0, variation=1.0, most=10**6),
)  # fmt: skip
TALKS = replace(MIX, turns=4.0, system_tokens=320, inputs=Lengths(mean=60.0, variation=0.5, most=1000))


@settings(max_examples=20, deadline=None)
@given(rate=st.floats(0.1, 100), variation=st.floats(0.3, 3), seed=st.integers(0, 99))
def test_arrivals_have_the_rate_and_the_spread_that_were_asked_for(rate, variation, seed):
    many = 40_000
    gaps = np.diff(generate(replace(MIX, rate_per_s=rate, gap_variation=variation), many, seed).arrival_seconds)
    assert gaps.mean() * rate == pytest.approx(1, abs=6 * variation / many**0.5)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.15)


@settings(max_examples=20, deadline=None)
@given(mean=st.floats(50, 5000), variation=st.floats(0, 1.2), seed=st.integers(0, 99))
def test_lengths_have_the_mean_and_the_spread_that_were_asked_for(mean, variation, seed):
    found = generate(
        replace(MIX, inputs=Lengths(mean=mean, variation=variation, most=10**9)), 40_000, seed
    ).input_tokens
    assert found.min() >= 1
    assert found.mean() == pytest.approx(mean, rel=0.05)
    assert found.std() / found.mean() == pytest.approx(variation, rel=0.25, abs=0.02)


@pytest.mark.parametrize("mix", [MIX, TALKS, replace(MIX, daily_swing=0.5)])
def test_the_same_seed_gives_the_same_bytes_and_another_others(mix):
    one, same, other = (generate(mix, 500, seed) for seed in (7, 7, 8))
    for field in fields(one):
        first, second = getattr(one, field.name), getattr(same, field.name)
        assert first == second if isinstance(first, int) else first.tobytes() == second.tobytes()
    assert one.arrival_seconds.tobytes() != other.arrival_seconds.tobytes()


def test_a_day_swings_between_a_quiet_night_and_a_busy_noon():
    found = generate(replace(MIX, rate_per_s=2.0, daily_swing=0.5), 600_000, 3).arrival_seconds
    hours = np.histogram(found[found < 3 * DAY_SECONDS] % DAY_SECONDS, 24)[0]
    assert hours[0] / hours.mean() == pytest.approx(0.5, abs=0.05)
    assert hours[12] / hours.mean() == pytest.approx(1.5, abs=0.05)


def test_turns_of_a_talk_begin_with_all_that_was_said_before():
    found = generate(TALKS, 2000, 1)
    assert (np.diff(found.arrival_seconds) >= 0).all()
    common = TALKS.system_tokens // OWN_BLOCK_TOKENS
    known: dict[int, set[int]] = {}
    grown = 0
    for at in range(len(found)):
        blocks = found.block_ids[found.block_offsets[at] : found.block_offsets[at + 1]]
        assert list(blocks[:common]) == list(range(common))
        own = set(blocks[common:].tolist())
        if not own:
            continue
        talk = min(own) // 2**32
        if talk in known:
            assert known[talk] <= own
            grown += 1
        known[talk] = own
    assert grown > 500


def test_a_trace_brought_to_a_rate_keeps_its_order_and_its_gaps_in_proportion():
    before = generate(MIX, 1000, 1)
    after = rescaled(before, 20.0)
    assert (len(after) - 1) / after.arrival_seconds[-1] == pytest.approx(20.0)
    assert after.arrival_seconds / before.arrival_seconds.clip(1e-9) == pytest.approx(
        after.arrival_seconds[-1] / before.arrival_seconds[-1], abs=1
    )


@pytest.mark.parametrize("name", sorted(named_traffic()))
def test_traffic_by_name_has_the_median_and_mean_of_its_trace(name):
    mix = named_traffic()[name]
    found = generate(mix, 60_000, 1)
    assert found.input_tokens.mean() == pytest.approx(mix.inputs.mean, rel=0.08)
    median = mix.inputs.mean / (1 + mix.inputs.variation**2) ** 0.5
    assert np.median(found.input_tokens) == pytest.approx(median, rel=0.05)


def test_mean_and_median_of_a_lognormal_tell_its_spread():
    """Sigma = 1: mean over median is exp(1/2), and the coefficient of variation sqrt(e - 1)."""
    assert variation_of(np.exp(0.5), 1.0) == pytest.approx((np.e - 1) ** 0.5)


@pytest.mark.parametrize("rate", [2.0, 50.0, 500.0])
def test_talks_come_at_the_rate_that_was_asked_for_from_the_start(rate):
    """Talks are under way already when traffic begins, so that the first minute is like any other."""
    found = generate(replace(TALKS, rate_per_s=rate), 6000, 2)
    assert len(found) == 6000
    assert (len(found) - 1) / found.arrival_seconds[-1] == pytest.approx(rate, rel=0.08)
    half = np.searchsorted(found.arrival_seconds, found.arrival_seconds[-1] / 2)
    assert half == pytest.approx(3000, rel=0.1)
