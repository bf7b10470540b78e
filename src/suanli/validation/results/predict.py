"""Predict measured runs: the same load played through an engine where compiled code is at hand, else in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.measured import LATENCIES, MEAN, ComparedValue, Comparison, MeasuredRun, Table
from suanli.domain.traffic import IntArray, Requests, TrafficResult
from suanli.domain.validation import PREDICTED
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_arrivals import estimate_arrivals
from suanli.estimate.serving_bands import serving_band
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_steady import demand_of, steady_state
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import SuanliError
from suanli.foundation.language import tr
from suanli.traffic.draw import Lengths, Mix, arrivals, lengths, without_blocks
from suanli.validation.results.cells import percentile_of

PLAYS = 5
"""Draws of arrivals and lengths that are averaged, where the file does not tell them one by one."""
TOKENS_PLAYED = {MEAN, "p50", "p90", "p95", "p99"}
"""What a play tells of the gaps between single tokens."""
Play = Callable[[Replica, Requests, float | None], TrafficResult]
"""Plays requests through a replica, with no more than so many on their way (None: no limit)."""
Statistics = Mapping[tuple[str, str], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What served the measured requests: a setup whose lengths are taken from each run, a system, a layout."""

    setup: ServingSetup
    system: System
    layout: ServingLayout
    kernels: KernelTable


def compare(runs: Sequence[tuple[MeasuredRun, Served]], play: Play | None) -> Comparison:
    """Predict every value of runs, by playing them where compiled code is at hand. What cannot be told says why."""
    rows: list[ComparedValue] = []
    assumed: dict[str, None] = {}
    for run, served in runs:
        try:
            replica = _opened(run, served)
            told = _played(run, replica, play) if play else _closed(run, replica, served)
            assumed |= dict.fromkeys((*_assumed(run, play is not None), *replica.assumed))
        except SuanliError as error:
            rows += [_refused(run, key, str(error)) for key in run.values]
            continue
        rows += [_compared(run, key, told, replica, play is not None) for key in run.values]
    return Comparison(rows=tuple(rows), assumed=tuple(assumed))


def _opened(run: MeasuredRun, served: Served) -> Replica:
    setup = replace(served.setup, input_tokens=run.input_tokens or 1.0, output_tokens=run.output_tokens or 1.0)
    return open_replica(setup, served.system, served.layout, served.kernels)


def _assumed(run: MeasuredRun, play: bool) -> list[str]:
    told = []
    if not run.inputs and not run.input_table and play:
        told.append(tr("every prompt and answer as long as the mean, where a file tells no more"))
    if run.sent_seconds and run.concurrency is None:
        told.append(tr("requests sent when the file says they were"))
    if not play:
        told.append(tr("means by the closed form: pip install 'suanli[compiled]' plays requests and tells percentiles"))
    return told


def _compared(run: MeasuredRun, key: tuple[str, str], told: Statistics, replica: Replica, play: bool) -> ComparedValue:
    predicted, measured = told.get(key), run.values[key]
    if predicted is None:
        why = tr("not told of single tokens") if play else tr("a play is needed: pip install 'suanli[compiled]'")
        return _refused(run, key, why)
    band = serving_band(replica, {"itl_seconds": "tpot_seconds"}.get(key[0], key[0]), predicted)
    return ComparedValue(
        run=run.name, tool=run.tool, quantity=key[0], statistic=key[1], measured=measured, predicted=predicted,
        low=band.low, high=band.high, error=predicted / measured - 1, status=PREDICTED,
    )  # fmt: skip


def _refused(run: MeasuredRun, key: tuple[str, str], why: str) -> ComparedValue:
    return ComparedValue(
        run=run.name, tool=run.tool, quantity=key[0], statistic=key[1], measured=run.values[key], predicted=None,
        low=None, high=None, error=None, status=why,
    )  # fmt: skip


def _played(run: MeasuredRun, replica: Replica, play: Play) -> dict[tuple[str, str], float]:
    """Play a run, several times where its arrivals or lengths are drawn, and average what the plays tell."""
    drawn = not (run.inputs and run.outputs and (run.sent_seconds or run.rate_per_s is None))
    plays = [
        _statistics(play(replica, requests_of(run, seed), run.concurrency), run)
        for seed in range(PLAYS if drawn else 1)
    ]
    return {key: float(np.mean([told[key] for told in plays])) for key in plays[0]}


def requests_of(run: MeasuredRun, seed: int) -> Requests:
    """Return the requests of a run: as the file tells them one by one, else drawn from what it tells."""
    random, many = np.random.default_rng(seed), run.completed
    inputs = _lengths(random, run.inputs, run.input_table, run.input_tokens or 1.0, many)
    outputs = _lengths(random, run.outputs, run.output_table, run.output_tokens or 1.0, many)
    if run.sent_seconds and run.concurrency is None:
        when = np.asarray(run.sent_seconds)
    elif run.rate_per_s is None:
        when = np.zeros(many)
    else:
        fixed = Lengths(mean=1.0, variation=0.0, most=1)
        mix = Mix(rate_per_s=run.rate_per_s, gap_variation=run.gap_variation, inputs=fixed, outputs=fixed)
        when = arrivals(random, mix, many)
    order = np.argsort(when, kind="stable")
    return without_blocks(when[order], inputs[order], outputs[order])


def _lengths(random: np.random.Generator, told: Sequence[int], table: Table, mean: float, many: int) -> IntArray:
    if told:
        return np.asarray(told, dtype=np.int64)
    most = max((tokens for _, tokens in table), default=mean)
    spread = Lengths(mean=mean, variation=0.0, most=max(int(np.ceil(most)), 1), table=table)
    return lengths(random, spread, many)


def _statistics(result: TrafficResult, run: MeasuredRun) -> dict[tuple[str, str], float]:
    """Return the statistics that the file tells, of what was played."""
    served = result.served
    columns: dict[str, FloatArray] = {
        "ttft_seconds": served.ttft_seconds,
        "tpot_seconds": served.tpot_seconds,
        "finish_seconds": served.finish_seconds,
    }
    rates = {
        "requests_per_s": result.requests_per_s,
        "output_tokens_per_s": result.output_tokens_per_s,
        "total_tokens_per_s": result.output_tokens_per_s + result.prompt_tokens / result.span_seconds,
    }
    found: dict[tuple[str, str], float] = {}
    for quantity, word in run.values:
        if quantity in rates:
            found[quantity, word] = rates[quantity]
        elif quantity == "itl_seconds":
            if word in TOKENS_PLAYED:
                found[quantity, word] = float(getattr(result.itl, word))
        else:
            found[quantity, word] = _statistic(columns[quantity], word)
    return found


def _statistic(values: FloatArray, word: str) -> float:
    known = values[~np.isnan(values)]
    share = percentile_of(word)
    if len(known) == 0:
        return 0.0
    return float(known.mean()) if share is None else float(np.quantile(known, share))


def _closed(run: MeasuredRun, replica: Replica, served: Served) -> dict[tuple[str, str], float]:
    """Return the means of the closed form: a steady number in flight, or open arrivals."""
    means = _means_in_flight if run.rate_per_s is None or run.concurrency is not None else _means_of_arrivals
    told = means(run, replica, served)
    return {key: told[key[0]] for key in run.values if key[1] in (MEAN, "p50") and key[0] in told}


Means = Callable[[MeasuredRun, Replica, Served], dict[str, float]]


def _means_in_flight(run: MeasuredRun, replica: Replica, _: Served) -> dict[str, float]:
    flight = min(run.concurrency or float(run.completed), demand_of(replica).resident)
    steady = steady_state(replica, flight)
    rate, ttft, tpot = (float(one[0]) for one in (steady.requests_per_s, steady.ttft_seconds, steady.tpot_seconds))
    return _means(run, rate, ttft, tpot)


def _means_of_arrivals(run: MeasuredRun, replica: Replica, served: Served) -> dict[str, float]:
    found = estimate_arrivals(
        replica.setup, served.system, served.layout, run.rate_per_s or 0.0, served.kernels, run.gap_variation**2
    )
    return _means(run, found.requests_per_s, found.ttft_seconds, found.tpot_seconds)


def _means(run: MeasuredRun, rate: float, ttft: float, tpot: float) -> dict[str, float]:
    inputs, outputs = run.input_tokens or 0.0, run.output_tokens or 0.0
    latencies = dict.fromkeys(LATENCIES, tpot) | {
        "ttft_seconds": ttft,
        "finish_seconds": ttft + tpot * max(outputs - 1, 0.0),
    }
    return latencies | {
        "requests_per_s": rate,
        "output_tokens_per_s": rate * outputs,
        "total_tokens_per_s": rate * (inputs + outputs),
    }
