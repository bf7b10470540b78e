"""What scaling laws make of a budget: parameters, tokens, loss, by law; batches; serving counted in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from suanli.catalogue.scaling_laws import scaling_laws
from suanli.domain.result import Band
from suanli.domain.scaling import Batch, ScalingLaw, Serving, Split
from suanli.equations import scaling
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

SERVE_FLOP_PER_TOKEN = 2.0
"""A multiply-add for each parameter that a token passes through."""

TRAIN_FLOP_PER_TOKEN = SERVE_FLOP_PER_TOKEN * (1 + 2)
"""Forward once, backward twice."""

SCALES = ("floor", "parameter_scale", "token_scale", "parameter_exponent", "token_exponent")
FEWEST_FLOP, MOST_FLOP, CLOSE = 1e6, 1e36, 1e-9
"""Budgets between which that of a size is looked for, and how near its ends must come."""
GRID = 2**10
ZOOMS = 2 + 2
"""A minimum is looked for on a grid of so many points, then so often again between the neighbours of the best."""


def default_law() -> ScalingLaw:
    """Return the law that is taken unless another is asked for."""
    known = scaling_laws()
    return known.laws[known.default]


def loss_of(law: ScalingLaw, parameters: float, tokens: float) -> float | None:
    """Return the loss of a size and a text by a law, None where it tells none."""
    if not law.has_loss:
        return None
    known = {name: figure.value for name, figure in law.figures.items()}
    if law.has_scales:
        return float(scaling.loss_of_sizes(parameters, tokens, **{name: known[name] for name in SCALES}))
    names = ("parameter_constant", "token_constant", "parameter_exponent", "token_exponent")
    return float(scaling.kaplan_loss(parameters, tokens, **{name: known[name] for name in names}))


def parameters_of(law: ScalingLaw, flop: float) -> float:
    """Return how many parameters a law gives to a budget."""
    known = {name: figure.value for name, figure in law.figures.items()}
    if law.has_scales:
        scales = {name: known[name] for name in SCALES if name != "floor"}
        return float(scaling.best_parameters(flop / TRAIN_FLOP_PER_TOKEN, **scales))
    of_tokens = "anchor_tokens" in known
    anchor = known["anchor_tokens" if of_tokens else "anchor_parameters"]
    grown = float(scaling.grown_from_anchor(anchor, flop, known["anchor_flop"], known["growth"]))
    return flop / (TRAIN_FLOP_PER_TOKEN * grown) if of_tokens else grown


def split_of(law: ScalingLaw, flop: float, parameters: float | None = None, tokens: float | None = None) -> Split:
    """Split a budget by a law, or by what is fixed of it: parameters or tokens."""
    if parameters is None and tokens is not None:
        parameters = flop / (TRAIN_FLOP_PER_TOKEN * tokens)
    size = parameters_of(law, flop) if parameters is None else parameters
    text = float(scaling.affordable_tokens(flop, size, TRAIN_FLOP_PER_TOKEN))
    return Split(
        law=law.id,
        parameters=size,
        tokens=text,
        loss_nats_per_token=loss_of(law, size, text),
        in_band=law.in_band,
        source=law.source,
    )


def best_tokens(law: ScalingLaw, parameters: float) -> float:
    """Return the text that a law gives a size: that of the budget whose best size it is, found by halving."""
    low, high = FEWEST_FLOP, MOST_FLOP
    while high / low > 1 + CLOSE:
        middle = (low * high) ** (1 / 2)
        low, high = (middle, high) if parameters_of(law, middle) < parameters else (low, middle)
    return split_of(law, (low * high) ** (1 / 2), parameters=parameters).tokens


def all_splits(flop: float, parameters: float | None = None, tokens: float | None = None) -> tuple[Split, ...]:
    """Split a budget by every law."""
    return tuple(split_of(law, flop, parameters, tokens) for law in scaling_laws().laws.values())


def band_over(splits: Iterable[Split]) -> dict[str, Band]:
    """Return the least and the most of parameters, tokens and loss over the laws that count."""
    counted = [split for split in splits if split.in_band]
    columns = {
        "parameters": [split.parameters for split in counted],
        "tokens": [split.tokens for split in counted],
        "loss_nats_per_token": [
            split.loss_nats_per_token for split in counted if split.loss_nats_per_token is not None
        ],
    }
    return {name: Band(low=min(column), high=max(column)) for name, column in columns.items() if column}


def batch_of(loss: float, flop: float, sequence_tokens: int, accelerators: int) -> Batch:
    """Choose a global batch within the critical one: a power of two of sequences, times the system's odd part."""
    known = {name: figure.value for name, figure in scaling_laws().batch.items()}
    at_one = scaling_laws().batch["critical_at_one_nat"]
    low, critical, high = (
        float(scaling.critical_batch(loss, end, known["critical_exponent"]))
        for end in (at_one.low, at_one.value, at_one.high)
    )
    best = float(scaling.grown_from_anchor(known["best_at_one_flop"], flop, 1.0, known["best_growth"]))
    odd = accelerators // (accelerators & -accelerators)
    doublings = int(np.floor(np.log2(max(critical / (sequence_tokens * odd), 1.0))))
    return Batch(
        batch_tokens=float(sequence_tokens * odd * 2**doublings),
        critical_tokens=critical,
        critical_low_tokens=low,
        critical_high_tokens=high,
        best_tokens=best,
        best_learning_rate=float(scaling.grown_from_anchor(known["rate_at_one_flop"], flop, 1.0, -known["rate_decay"])),
    )


def served(law: ScalingLaw, split: Split, serve_tokens: float) -> tuple[Split, Serving]:
    """Reach the loss of a split with the least arithmetic over training and serving: a smaller model, trained longer.

    Raises InputError where the law has no loss with a floor.
    """
    if not law.has_scales or split.loss_nats_per_token is None:
        allowed = ", ".join(one.id for one in scaling_laws().laws.values() if one.has_scales)
        found = tr("{law}, which tells no loss of size and text", law=law.id)
        raise InputError.single(place="--law", found=found, allowed=allowed)
    scales, loss = {name: law.figures[name].value for name in SCALES}, split.loss_nats_per_token
    size = _least(lambda sizes: _lifetime(sizes, loss, scales, serve_tokens), split.parameters)
    text = float(scaling.tokens_to_loss(size, loss, **scales))
    total = _lifetime(np.array([size]), loss, scales, serve_tokens)[0]
    before = scaling.lifetime_flop(
        split.parameters, split.tokens, serve_tokens, TRAIN_FLOP_PER_TOKEN, SERVE_FLOP_PER_TOKEN
    )
    return replace(split, parameters=size, tokens=text), Serving(
        serve_tokens=serve_tokens,
        training_flop=TRAIN_FLOP_PER_TOKEN * size * text,
        total_flop=float(total),
        saved_share=1 - float(total / before),
    )


def _lifetime(sizes: FloatArray, loss: float, scales: Mapping[str, float], serve_tokens: float) -> FloatArray:
    """Return the arithmetic of training sizes to a loss and serving them; infinite where they never reach it."""
    texts = scaling.tokens_to_loss(sizes, loss, **scales)
    spent = scaling.lifetime_flop(sizes, texts, serve_tokens, TRAIN_FLOP_PER_TOKEN, SERVE_FLOP_PER_TOKEN)
    return np.asarray(spent, dtype=float)


def _least(amount: Callable[[FloatArray], FloatArray], most: float) -> float:
    """Find the size of the least amount between nothing and the most, on ever finer grids of the logarithm."""
    low, high = np.log(most) - np.log(GRID), np.log(most)
    for _ in range(ZOOMS):
        grid = np.linspace(low, high, GRID)
        best = int(np.argmin(amount(np.exp(grid))))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    return float(np.exp((low + high) / 2))
