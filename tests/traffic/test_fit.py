"""A mix fitted to a trace generates something like it: rate, gaps, every quantile, days, beginnings."""

from dataclasses import replace

import numpy as np
import pytest
from tests.traffic.test_generate import MIX

from suanli.traffic import describe as describing
from suanli.traffic.describe import Counted, describe
from suanli.traffic.fit import SHARES, fitted_mix
from suanli.traffic.generate import generate
from suanli.traffic.named import mean_of, named_traffic, spread_of

TRACE = generate(replace(MIX, gap_variation=2.0), 30_000, 5)


def test_counted_quantiles_are_those_of_all_numbers():
    random = np.random.default_rng(1)
    for many in (1, 2, 7, 1000):
        numbers, counted = random.integers(1, 50, many), Counted()
        for part in np.array_split(numbers, 3):
            counted.add(part)
        assert counted.quantiles(SHARES) == pytest.approx(np.quantile(numbers, SHARES))
        assert counted.mean() == pytest.approx(numbers.mean())
        assert counted.spread() == pytest.approx(numbers.std())


def test_traffic_like_a_trace_has_its_quantiles_within_chance():
    found = generate(fitted_mix([TRACE]), 30_000, 6)
    for made, told in ((found.input_tokens, TRACE.input_tokens), (found.output_tokens, TRACE.output_tokens)):
        for share in (0.05, 0.25, 0.5, 0.9, 0.99, 0.999):
            below = np.mean(made <= np.quantile(told, share))
            assert below == pytest.approx(share, abs=5 * (share * (1 - share) / 30_000) ** 0.5 + 1e-3)
    gaps = np.diff(found.arrival_seconds)
    assert gaps.mean() == pytest.approx(np.diff(TRACE.arrival_seconds).mean(), rel=0.05)
    assert gaps.std() / gaps.mean() == pytest.approx(2.0, rel=0.08)


def test_days_of_a_trace_come_back_by_the_hour():
    told = generate(replace(MIX, rate_per_s=1.0, daily_swing=0.6), 300_000, 1)
    curve = fitted_mix([told]).daily_curve
    assert len(curve) == 24
    assert np.mean(curve) == pytest.approx(1)
    assert curve[0] == pytest.approx(0.4, abs=0.07)
    assert curve[12] == pytest.approx(1.6, abs=0.07)
    assert fitted_mix([TRACE]).daily_curve == ()


def test_beginnings_of_a_trace_come_back():
    told = generate(named_traffic()["mooncake-conversation"], 6000, 3)
    found = describe([generate(fitted_mix([told]), 6000, 4)])
    assert found.endless_hit_share == pytest.approx(describe([told]).endless_hit_share, abs=0.03)


def test_blocks_that_are_forgotten_leave_the_share_as_it_is(monkeypatch):
    told = generate(named_traffic()["mooncake-conversation"], 3000, 3)
    every = describe([told]).endless_hit_share
    monkeypatch.setattr(describing, "MOST_SEEN", 10_000)
    assert describe([told]).endless_hit_share == pytest.approx(every, abs=0.03)


def test_mean_and_spread_of_a_table_by_hand():
    """Evenly between 0 and 6: mean 3, standard deviation 6 / sqrt(12)."""
    assert mean_of(((0.0, 0.0), (1.0, 6.0))) == pytest.approx(3)
    assert spread_of(((0.0, 0.0), (0.5, 3.0), (1.0, 6.0))) == pytest.approx(12**0.5 / 2)
