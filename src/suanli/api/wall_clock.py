"""A whole training run on the wall's clock, beside the step that it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suanli.api.train import TrainingQuestion, TrainingSearch, box_of, find_model, train_told
from suanli.api.training_question import MOST, faults_of
from suanli.domain.result import TrainingEstimate
from suanli.domain.wall_clock import Recovery, Saving, Upkeep, WallClock
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.estimate.wall_clock import RunJob

__all__ = ["RunQuestion", "WallClock", "job_of", "run_faults", "train_run"]

PRESETS = ("good", "middle", "young")
MOST_TOKENS = 1e18
"""More text than was ever written: beyond it a number of tokens is a slip."""
MOST_STEPS = 1e12


@dataclass(frozen=True, kw_only=True, slots=True)
class RunQuestion:
    """How long a run is, in tokens or in steps (None: not asked), and how its fleet is kept, as people write it."""

    tokens: float | None = None
    steps: float | None = None
    failures: str = "middle"
    recovery: str = "automatic"
    checkpoints: str = "asynchronous"
    spares: int | None = None

    @property
    def asked(self) -> bool:
        """Whether a whole run is asked for at all."""
        return self.tokens is not None or self.steps is not None


def run_faults(run: RunQuestion) -> list[Fault]:
    """Name everything wrong in what is asked of a run."""
    faults = []
    for name, value, most in (("tokens", run.tokens, MOST_TOKENS), ("steps", run.steps, MOST_STEPS)):
        if value is not None and not (math.isfinite(value) and 1 <= value <= most):
            allowed = tr("a number from 1 to {most:g}", most=most)
            faults.append(Fault(place=f"--{name}", found=f"{value:g}", allowed=allowed))
    if run.tokens is not None and run.steps is not None:
        faults.append(Fault(place="--tokens, --steps", found=tr("both"), allowed=tr("one of them")))
    words = (
        ("failures", run.failures, PRESETS),
        ("recovery", run.recovery, tuple(Recovery)),
        ("checkpoints", run.checkpoints, tuple(Saving)),
    )
    for name, said, known in words:
        if said not in known:
            hint = did_you_mean(said, known)
            faults.append(Fault(place=f"--{name}", found=f"'{said}'", allowed=", ".join(known), hint=hint))
    if run.spares is not None and not 0 <= run.spares <= MOST:
        span = tr("a whole number from 0 to {most}", most=MOST)
        faults.append(Fault(place="--spares", found=str(run.spares), allowed=span))
    return faults


def train_run(question: TrainingQuestion, run: RunQuestion) -> tuple[TrainingSearch, WallClock | None]:
    """Answer a training question, and put the whole run on the wall's clock where its length is told.

    Of a given layout that does not fit no run is told. Raises InputError with every fault at once, InfeasibleError
    where nothing fits or the run never ends.
    """
    refuse(question, run)
    found = train_told(question)
    if not run.asked or found.estimates[0].limit:
        return found, None
    from suanli.estimate.wall_clock import wall_clock

    return found, wall_clock(job_of(question, run, found.estimates[0]))


def refuse(question: TrainingQuestion, run: RunQuestion) -> None:
    """Raise InputError with every fault of a question and of the run it asks for."""
    if faults := [*faults_of(question), *run_faults(run)]:
        raise InputError(faults)


def job_of(question: TrainingQuestion, run: RunQuestion, estimate: TrainingEstimate) -> RunJob:
    """Make the job of a run whose step is estimated; its batch is what the step's rate says."""
    from suanli.estimate.wall_clock import RunJob
    from suanli.parts.architectures.count import parameters

    step_tokens = estimate.tokens_per_s * estimate.step_seconds
    steps = run.steps if run.steps is not None else (run.tokens or 0.0) / step_tokens
    return RunJob(
        estimate=estimate,
        steps=steps,
        tokens=steps * step_tokens,
        parameters=float(parameters(find_model(question.model))),
        system=box_of(question),
        systems=question.nodes,
        upkeep=Upkeep(
            failures=run.failures,
            recovery=Recovery(run.recovery),
            saving=Saving(run.checkpoints),
            spares=run.spares,
        ),
    )
