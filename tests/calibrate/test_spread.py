"""Bands hold the share of runs that they promise, wide where noise is wide; one wild run does not rule them."""

from dataclasses import replace

import numpy as np
import pytest
from tests.calibrate.made import FREE, KNOWN

from suanli.calibrate.errors import errors_of, judged
from suanli.calibrate.spread import Residuals, conformal_sigmas, fit_spread, sigmas_of
from suanli.estimate.uncertainty import ChipEvidence

COPIES = 60
QUIET, LOUD = 0.04, 0.16


@pytest.fixture
def many(some):
    """Copy the runs many times, each with noise: one class of software is louder than the other."""
    rows = np.tile(np.arange(len(some)), COPIES)
    names = tuple(some.classes[at] for at in some.class_rows)
    copied = replace(
        some,
        class_rows=some.class_rows[rows],
        searched=some.searched[rows],
        expert_share=some.expert_share[rows],
        attention_share=some.attention_share[rows],
        measured_seconds=some.measured_seconds[rows],
        **{
            name: tuple(getattr(some, name)[row] for row in rows)
            for name in ("ids", "sources", "accelerators", "chips")
        },
    )
    loud = np.array([names[row] == "torch_foundry" for row in rows])
    noise = np.random.default_rng(7).normal(0, 1, len(rows)) * np.where(loud, LOUD, QUIET)
    return copied, loud, noise


def even(noise):
    return Residuals(seen=noise, left_out=noise, weights=np.ones(len(noise)))


def test_bands_hold_four_in_five_of_every_class(many):
    runs, loud, noise = many
    spread = fit_spread(KNOWN.spread, runs, even(noise), FREE.spread)
    sigma = sigmas_of(spread, runs)
    inside = (noise >= -spread.sigmas_below * sigma) & (noise <= spread.sigmas_above * sigma)
    assert inside.mean() == pytest.approx(0.8, abs=0.005)
    assert inside[loud].mean() == pytest.approx(0.8, abs=0.05)
    assert inside[~loud].mean() == pytest.approx(0.8, abs=0.05)


def test_a_louder_class_has_a_wider_band(many):
    runs, _, noise = many
    spread = fit_spread(KNOWN.spread, runs, even(noise), FREE.spread)
    ratio = spread.software["torch_foundry"] / spread.software["megatron_core"]
    assert ratio == pytest.approx(LOUD / QUIET, rel=0.15)


def test_a_class_without_runs_keeps_what_was_thought_of_it(many):
    runs, _, noise = many
    spread = fit_spread(KNOWN.spread, runs, even(noise), FREE.spread)
    assert spread.software["xla"] == pytest.approx(FREE.spread.software)
    assert spread.chip[ChipEvidence.DATASHEET] == pytest.approx(FREE.spread.datasheet)
    assert spread.chip[ChipEvidence.MEASURED] == KNOWN.spread.chip[ChipEvidence.MEASURED]


def test_wild_runs_do_not_rule_a_band(many):
    runs, _, noise = many
    wild = noise.copy()
    wild[:: len(noise) // 6] = 2.0
    calm, stirred = (fit_spread(KNOWN.spread, runs, even(told), FREE.spread) for told in (noise, wild))
    assert stirred.software["megatron_core"] < 2 * calm.software["megatron_core"]


def test_as_many_runs_lie_beyond_each_end_as_said():
    noise = np.random.default_rng(3).exponential(1, 5000) - 0.5
    below, above = conformal_sigmas(even(noise), np.ones(len(noise)), FREE.spread)
    assert (noise < -below).mean() == pytest.approx(0.1, abs=1e-3)
    assert (noise > above).mean() == pytest.approx(0.1, abs=1e-3)
    assert above > below


@pytest.mark.parametrize(("share", "end"), [(0.0, 0.0), (0.5, 0.6), (1.0, 0.8)])
def test_runs_seen_and_left_out_count_by_their_share(share, end):
    seen, left_out = np.zeros(100), np.linspace(-1, 1, 100)
    both = Residuals(seen=seen, left_out=left_out, weights=np.ones(100))
    below, above = conformal_sigmas(both, np.ones(100), replace(FREE.spread, left_out_share=share))
    assert (below, above) == pytest.approx((end, end), abs=0.03)


def test_experts_and_a_layout_that_nobody_told_widen_a_band(some):
    dense = sigmas_of(KNOWN.spread, replace(some, expert_share=np.zeros(len(some))))
    expert = sigmas_of(KNOWN.spread, replace(some, expert_share=np.full(len(some), 0.5)))
    searched = sigmas_of(KNOWN.spread, replace(some, searched=np.ones(len(some), dtype=bool)))
    assert np.all(expert > dense)
    assert np.all(searched > dense)


def test_errors_are_summed_by_source_too(some):
    seconds = some.measured_seconds * 1.1
    whole, by_source = errors_of(some, seconds, KNOWN.spread)
    assert whole.mape == pytest.approx(0.1)
    assert {name: one.rows for name, one in by_source.items()} == {"ours": 10, "theirs": 10}
    assert sum(row.low <= row.measured <= row.high for row in judged(some, seconds, KNOWN.spread)) == pytest.approx(
        whole.band_coverage * len(some)
    )
