"""Fits how far runs lie from their estimates, by cause, and how many sigmas hold the share that a band promises.

What counts is how a stranger's run fares: residuals of runs whose source was left out, in part (or not at all) those of
a fit that saw them, since a stranger's software and hardware may well have been seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from suanli.calibrate.figures import FitRules, SpreadRules
from suanli.calibrate.fit import optimisers, weights_of
from suanli.calibrate.runs import Runs
from suanli.domain.software import Spread
from suanli.estimate.uncertainty import ChipEvidence, step_spread
from suanli.foundation.equation import FloatArray

CHIPS = (ChipEvidence.GENERATION, ChipEvidence.DATASHEET)
"""What is known of a chip that widens a band; a measured one adds nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Residuals:
    """The log of measured over predicted seconds of every run, by fits that saw it and that did not, and its weight."""

    seen: FloatArray
    left_out: FloatArray
    weights: FloatArray


def residuals_of(runs: Runs, seen_seconds: FloatArray, left_out_seconds: FloatArray, rules: FitRules) -> Residuals:
    """Hold the runs against predictions of both kinds."""
    return Residuals(
        seen=np.log(runs.measured_seconds / seen_seconds),
        left_out=np.log(runs.measured_seconds / left_out_seconds),
        weights=weights_of(runs.sources, rules),
    )


def sigmas_of(spread: Spread, runs: Runs) -> FloatArray:
    """Return one sigma of the log of every run."""
    software = np.array([spread.software[name] for name in runs.classes])[runs.class_rows]
    chip = np.array([spread.chip[one] for one in runs.chips])
    searched = runs.searched.astype(np.float64)
    return np.asarray(
        step_spread(spread, software, chip, runs.expert_share, runs.attention_share, searched), dtype=np.float64
    )


def _with(known: Spread, values: Sequence[float]) -> Spread:
    """Put values into a spread: of classes of software, of what is known of chips, experts, attention, layouts."""
    classes = len(known.software)
    experts, attention, unknown_layout = values[classes + len(CHIPS) :]
    return replace(
        known,
        software=dict(zip(known.software, values[:classes], strict=True)),
        chip={**known.chip, **dict(zip(CHIPS, values[classes : classes + len(CHIPS)], strict=True))},
        experts=experts,
        attention=attention,
        unknown_layout=unknown_layout,
    )


def fit_spread(known: Spread, runs: Runs, residuals: Residuals, rules: SpreadRules) -> Spread:
    """Fit the spreads by maximum likelihood of a two-sided exponential, then the sigmas that hold the promised share.

    - log likelihood = sum of w (log sigma + sqrt(2) |r| / sigma), a loss that one wild run cannot rule.

    Raises InputError where scipy is not installed.
    """
    before = [rules.software] * len(known.software)
    before += [rules.generation, rules.datasheet, rules.experts, rules.attention, rules.unknown_layout]
    prior = np.log(np.array(before))

    def loss(logs: FloatArray) -> float:
        sigma = sigmas_of(_with(known, np.exp(logs).tolist()), runs)
        size = (1 - rules.left_out_share) * np.abs(residuals.seen) + rules.left_out_share * np.abs(residuals.left_out)
        unlikely = residuals.weights * (np.log(sigma) + np.sqrt(2) * size / sigma)
        off = (logs - prior) / rules.width_log
        return float(np.sum(unlikely) + np.sum(off**2) / 2)

    found = optimisers().minimize(loss, prior, method="L-BFGS-B")
    fitted = _with(known, np.exp(found.x).tolist())
    below, above = conformal_sigmas(residuals, sigmas_of(fitted, runs), rules)
    return replace(fitted, sigmas_below=below, sigmas_above=above)


def conformal_sigmas(residuals: Residuals, sigma: FloatArray, rules: SpreadRules) -> tuple[float, float]:
    """Return how many sigmas below and above leave the same weight of residuals beyond each end."""
    scaled, tail = np.concatenate([residuals.seen / sigma, residuals.left_out / sigma]), rules.tail
    shares = (1 - rules.left_out_share, rules.left_out_share)
    weights = np.concatenate([share * residuals.weights for share in shares])
    order = np.argsort(scaled, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    low = float(scaled[order][np.searchsorted(share, tail)])
    high = float(scaled[order][min(int(np.searchsorted(share, 1 - tail)), len(order) - 1)])
    return max(-low, 0.0), max(high, 0.0)
