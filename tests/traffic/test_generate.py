"""Generated traffic is what was asked for: rate, spread, lengths, days, talks; the same seed gives the same bytes."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.traffic.describe import describe
from suanli.traffic.draw import DAY_SECONDS, Lengths, Mix
from suanli.traffic.formats import OWN_BLOCK_TOKENS
from suanli.traffic.generate import generate
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


@pytest.mark.parametrize("name", sorted(set(named_traffic()) - {"agentic"}))
def test_traffic_by_name_has_the_lengths_of_its_trace(name):
    mix = named_traffic()[name]
    found = generate(mix, 40_000, 1)
    for tokens, of in ((found.input_tokens, mix.inputs), (found.output_tokens, mix.outputs)):
        assert tokens.mean() == pytest.approx(of.mean, rel=0.08)
        if of.table:
            shares, told = np.array(of.table)[8:-4].T
            assert np.quantile(tokens, shares) == pytest.approx(told, rel=0.07, abs=2)
        else:
            assert np.median(tokens) == pytest.approx(of.mean / (1 + of.variation**2) ** 0.5, rel=0.05)


@pytest.mark.parametrize(
    ("name", "what", "p99"), [("azure-2023-conv", "inputs", 4142), ("azure-2023-conv", "outputs", 601)]
)
def test_tails_are_those_of_the_published_trace(name, what, p99):
    found = generate(named_traffic()[name], 40_000, 2)
    tokens = found.input_tokens if what == "inputs" else found.output_tokens
    assert np.quantile(tokens, 0.99) == pytest.approx(p99, rel=0.03)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_long_context_prompts_begin_as_often_as_in_their_trace(seed):
    mix = named_traffic()["mooncake-conversation"]
    found = describe([generate(mix, 8000, seed)])
    assert found.endless_hit_share == pytest.approx(mix.shared_share, abs=0.02)
    assert found.inputs.mean == pytest.approx(mix.inputs.mean, rel=0.08)


def test_talks_share_the_description_of_one_tool_after_the_system_prompt():
    """With 5 tools and prompts longer than 320 + 160 tokens, blocks 20 to 29 take five values each."""
    found = generate(replace(TALKS, tools=5, tool_tokens=160), 2000, 1)
    first = found.block_offsets[:-1]
    for place in (0, 19):
        assert len(set(found.block_ids[first + place].tolist())) == 1
    for place in (20, 29):
        assert len(set(found.block_ids[first + place].tolist())) == 5
    assert found.input_tokens.min() > 480


def test_a_daily_curve_gives_each_hour_its_share():
    curve = tuple(1.0 + (hour == 20) for hour in range(24))
    when = generate(replace(MIX, rate_per_s=1.0, daily_curve=curve), 300_000, 4).arrival_seconds
    hours = np.histogram(when[when < 3 * DAY_SECONDS] % DAY_SECONDS, 24)[0]
    assert hours[20] / np.delete(hours, 20).mean() == pytest.approx(2, abs=0.06)


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
