"""A training run played many times, with failures, checkpoints, repairs and spare nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suanli.api.train import TrainingQuestion, over_a_limit, train_told
from suanli.api.wall_clock import RunQuestion, job_of, refuse
from suanli.domain.wall_clock import PlayedRun, RunQuantile, WallClock
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.foundation.equation import FloatArray

__all__ = ["PlayedRun", "RunQuantile", "play_training"]

MOST_RUNS = 10**5
MOST_SEED = 2**63
MOST_STOPS = 2e8
"""Failures over all plays together that are still played in minutes."""

MOST_PLACES = 2e7
"""Places of repair over all plays together that still fit the memory."""

MOST_LOOKS = 2e10
"""Places looked at, one after the other for each failure, that are still looked at in minutes."""


def play_training(question: TrainingQuestion, run: RunQuestion, runs: int = 1000, seed: int = 0) -> PlayedRun:
    """Play a training run many times: quantiles of its time on the wall, means by cause, the closed form beside them.

    Raises InputError with every fault at once, InfeasibleError where nothing fits or the run never ends.
    """
    _refuse_plays(question, run, runs, seed)
    from suanli.estimate.wall_clock import run_terms, wall_clock

    found = train_told(question)
    if (refused := over_a_limit(found)) is not None:
        raise refused
    job = job_of(question, run, found.estimates[0])
    predicted = wall_clock(job)
    _refuse_endless(predicted, runs)
    from suanli.simulate.training_run import play_run

    played = play_run(run_terms(job), runs, seed)
    slow = {cause: predicted.seconds_by_cause[cause] for cause in ("work", "stragglers", "jitter", "slow_nodes")}
    stops = {
        "checkpoints": played.checkpoint_seconds,
        "lost_work": played.lost_seconds,
        "restarts": played.restart_seconds,
        "repairs": played.repair_seconds,
    }
    mean = float(played.wall_seconds.mean())
    return PlayedRun(
        runs=runs,
        p50=_quantile(played.wall_seconds, played.failures, 0.5),
        p90=_quantile(played.wall_seconds, played.failures, 0.9),
        p99=_quantile(played.wall_seconds, played.failures, 0.99),
        goodput=predicted.steady_seconds / mean,
        mean_wall_seconds=mean,
        seconds_by_cause=slow | {cause: float(seconds.mean()) for cause, seconds in stops.items()},
        predicted=predicted,
    )


def _refuse_plays(question: TrainingQuestion, run: RunQuestion, runs: int, seed: int) -> None:
    faults = []
    if not run.asked:
        faults.append(Fault(place="--tokens, --steps", found=tr("nothing"), allowed=tr("one of them")))
    for place, value, least, most in (("--runs", runs, 1, MOST_RUNS), ("--seed", seed, 0, MOST_SEED)):
        if not least <= value <= most:
            span = tr("a whole number from {least} to {most}", least=least, most=most)
            faults.append(Fault(place=place, found=str(value), allowed=span))
    try:
        refuse(question, run)
    except InputError as error:
        faults += error.faults
    if faults:
        raise InputError(faults)


def _refuse_endless(predicted: WallClock, runs: int) -> None:
    """Raise InputError where playing would take hours or more memory than there is."""
    places = predicted.spares + 1
    stops = predicted.failures
    most = min(MOST_STOPS / stops, MOST_PLACES / places, MOST_LOOKS / (stops * places))
    if runs > most:
        allowed = tr("at most {most:,.0f} plays of {stops:,.0f} failures with {spares:,} spare nodes", most=most,
                     stops=stops, spares=predicted.spares)  # fmt: skip
        raise InputError.single(place="--runs", found=str(runs), allowed=allowed)


def _quantile(wall_seconds: FloatArray, failures: FloatArray, share: float) -> RunQuantile:
    import numpy as np

    return RunQuantile(
        wall_seconds=float(np.quantile(wall_seconds, share)), failures=float(np.quantile(failures, share))
    )
