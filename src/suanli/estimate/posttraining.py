"""One step of tuning after supervised training: passes over models on the devices that train, and what they hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from suanli.catalogue.posttraining import load_post_figures
from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout
from suanli.domain.model import Model
from suanli.domain.posttraining import Answers, Beside, Passes, PostMethod, Rollout, Scored
from suanli.domain.result import TrainingEstimate
from suanli.domain.software import TrainingCalibration
from suanli.domain.tuning import NOTHING_FROZEN
from suanli.domain.workload import TrainingSetup
from suanli.estimate.evaluate import Question, ask
from suanli.estimate.scoring import (
    WORK,
    Scoring,
    best_scoring,
    scalar_training,
    scoring_at,
    states_of,
    work_of,
)
from suanli.estimate.search import MEMORY_MARGIN, search
from suanli.estimate.space import Freedom, broken_rule
from suanli.estimate.step import Machine, job_of, open_machine
from suanli.estimate.tables import to_table
from suanli.estimate.training import MEMORY, estimate_layout
from suanli.foundation.errors import InfeasibleError

PADDED = 16
"""Rows are filled up to a multiple of so many tokens, which ranks that share out a row need."""
MARGINS = (MEMORY_MARGIN, 0.2, 0.4, 0.6, 0.8)
"""Shares of the memory that a search leaves to the models beside the tuned one, tried one after the other."""
KEPT = 20
"""How many layouts a search tells, of which the fastest that leaves room is taken."""
KTO_REFERENCES = 2
"""Passes of the reference under KTO: over the samples, and over mismatched pairs of them."""
ASIDE = ("reference", "critic", "reward", "teacher")
"""Causes of bytes of models beside the policy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PostJob:
    """What is tuned and how: `setup` is one update of the policy, of which a step makes `passes.updates`.

    `cluster` and `accelerators` are of the pool that trains. `layout` is the one told (None: the best of `freedom`).
    Without `answers` samples are given, not generated.
    """

    method: PostMethod
    setup: TrainingSetup
    cluster: Cluster
    accelerators: int
    kernels: KernelTable
    calibration: TrainingCalibration
    layout: Layout | None = None
    freedom: Freedom | None = None
    beside: Beside = field(default_factory=Beside)
    passes: Passes = field(default_factory=Passes)
    answers: Answers | None = None
    rollout: Rollout = field(default_factory=Rollout)

    @property
    def peak_setup(self) -> TrainingSetup:
        """Return the setup of the longest row: the one that holds the longest sample, where that is longer."""
        longest = 0.0 if self.answers is None else self.answers.longest_sample
        tokens = max(self.setup.sequence_tokens, PADDED * math.ceil(longest / PADDED))
        return replace(self.setup, sequence_tokens=tokens)

    @property
    def generates(self) -> bool:
        """Whether a step begins with answers of the policy itself."""
        return self.answers is not None and not self.answers.empty


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """The pool that trains: seconds by part of a step, one update of the policy, what its fullest rank holds.

    `states` are the bytes that stay from step to step, which an engine on the same devices finds there.
    """

    seconds_by_part: dict[str, float]
    update: TrainingEstimate
    bytes_by_cause: dict[str, float]
    states: float
    limit: str


def machine_of(job: PostJob) -> Machine:
    """Open the devices that train."""
    return open_machine(job.cluster, job.kernels, job.accelerators)


def question_of(job: PostJob, model: Model | None = None, updates: int = 1) -> Question:
    """Ask about a model on the devices that train, over the samples of so many updates at once."""
    whole = replace(job.setup, tuning=None, adapters=None, frozen_format="", freezing=NOTHING_FROZEN)
    setup = job.setup if model is None else replace(whole, model=model)
    setup = replace(setup, global_batch=setup.global_batch * updates)
    return ask(setup, machine_of(job), job.calibration, 0.0)


def candidates(job: PostJob) -> Iterator[TrainingEstimate]:
    """Yield layouts of the policy, the fastest first, then those that leave more and more room beside it.

    Raises InfeasibleError where not one fits.
    """
    if job.layout is not None:
        yield estimate_layout(
            job.setup, job.cluster, job.layout, job.kernels, calibration=job.calibration, accelerators=job.accelerators
        )
        return
    for margin in MARGINS:
        try:
            yield from search(
                job.setup, job.cluster, job.kernels, KEPT, margin, job.calibration, freedom=job.freedom,
                accelerators=job.accelerators,
            )  # fmt: skip
        except InfeasibleError:
            if margin == MARGINS[0]:
                raise
            return


def trained(job: PostJob, reserved_bytes: float = 0.0) -> Trained:
    """Find the fastest layout in which the policy and the models beside it find room; else tell the nearest.

    `reserved_bytes` of each accelerator are somebody else's.

    Raises InfeasibleError where the policy alone fits nowhere.
    """
    capacity = question_of(job).capacity_bytes - reserved_bytes
    nearest: tuple[float, Trained] | None = None
    refused: InfeasibleError | None = None
    seen: set[Layout] = set()
    for update in candidates(job):
        if update.layout in seen:
            continue
        seen.add(update.layout)
        try:
            found = beside(job, update, capacity)
        except InfeasibleError as error:
            refused = error
            continue
        over = live_bytes(found.bytes_by_cause) - capacity
        if over <= 0 and not found.limit:
            return found
        if nearest is None or over < nearest[0]:
            nearest = over, found
    if nearest is None:
        assert refused is not None  # candidates raise where they yield nothing
        raise refused
    return replace(nearest[1], limit=nearest[1].limit or MEMORY)


def live_bytes(held: dict[str, float]) -> float:
    """Bytes that must be there at once: an allocator gives back what lies between tensors before it gives up."""
    return sum(held.values()) - held["fragmentation"]


def beside(job: PostJob, update: TrainingEstimate, capacity: float) -> Trained:
    """Put the models beside the policy in a layout of it: seconds of their passes, and bytes by cause.

    Raises InfeasibleError where one of them finds no room.
    """
    update = at_peak(job, job.peak_setup, update)
    held, parts = dict(update.bytes_by_cause), {}
    passes, models, layout = job.passes, job.beside, update.layout
    own = question_of(job, updates=passes.updates)
    repeats = passes.updates * passes.epochs
    parts["policy_training"] = repeats * update.step_seconds
    if job.method is PostMethod.REWARD:
        one = scalar_training(question_of(job), update)
        update, held = replace(one, limit=update.limit), dict(one.bytes_by_cause)
        parts["policy_training"] = repeats * one.step_seconds
    if job.generates and passes.old_log_probs:
        parts["old_log_probs"] = scoring_at(own, layout).seconds
    if job.method is PostMethod.KTO:
        parts["kl_estimate"] = scoring_at(own, layout).seconds
    if models.reference is Scored.RESIDENT:
        base = scoring_at(question_of(job, job.setup.model, passes.updates), layout)
        times = KTO_REFERENCES if job.method is PostMethod.KTO else 1
        parts["reference"] = times * base.seconds
        if not job.setup.frozen:
            held["reference"] = base.weight_bytes
    if models.critic is not None:
        critic = critic_of(job, models.critic, layout)
        value = scoring_at(question_of(job, models.critic, passes.updates), critic.layout, scalar=True)
        parts["critic_values"], parts["critic_training"] = value.seconds, repeats * critic.step_seconds
        held["critic"] = states_of(critic.bytes_by_cause)
        if work_of(critic.bytes_by_cause) > work_of(held):
            held = {**held, **{cause: critic.bytes_by_cause[cause] for cause in WORK}}
    for part, model, scalar in (("reward", models.reward, True), ("teacher", resident_teacher(models), False)):
        if model is not None:
            room = capacity - live_bytes(held)
            one_pass = frozen_beside(question_of(job, model, passes.updates), layout, room, scalar)
            parts[part], held[part] = one_pass.seconds, one_pass.weight_bytes
    slack = load_post_figures().trainer_slack.value if job.generates else 1.0
    parts = {part: slack * seconds for part, seconds in parts.items()}
    states = states_of(held) + sum(held.get(name, 0.0) for name in ASIDE)
    return Trained(seconds_by_part=parts, update=update, bytes_by_cause=held, states=states, limit=update.limit)


def at_peak(job: PostJob, setup: TrainingSetup, update: TrainingEstimate) -> TrainingEstimate:
    """Tell an update with the memory that its longest row takes."""
    if setup.sequence_tokens == job.setup.sequence_tokens:
        return update
    peak = estimate_layout(
        setup, job.cluster, update.layout, job.kernels, calibration=job.calibration, accelerators=job.accelerators
    )
    return replace(
        update,
        memory_bytes=peak.memory_bytes,
        bytes_by_cause=peak.bytes_by_cause,
        memory_band=peak.memory_band,
        limit=update.limit or peak.limit,
    )


def resident_teacher(models: Beside) -> Model | None:
    """Return the teacher where it works in every step; one whose logits are cached is not there."""
    return models.teacher if models.teacher_from is Scored.RESIDENT else None


def legal(question: Question, layout: Layout) -> bool:
    """Say whether a layout keeps the rules of every axis for another model."""
    return not broken_rule(job_of(question.setup, question.machine), to_table([layout]))[0]


def critic_of(job: PostJob, model: Model, layout: Layout) -> TrainingEstimate:
    """Train the critic in the policy's layout where it is legal for it, else in its own best one.

    Raises InfeasibleError where it fits nowhere.
    """
    question = question_of(job, model)
    if not legal(question, layout):
        layout = search(
            question.setup, job.cluster, job.kernels, 1, MEMORY_MARGIN, job.calibration, accelerators=job.accelerators
        )[0].layout
    one = estimate_layout(
        question.setup, job.cluster, layout, job.kernels, calibration=job.calibration, accelerators=job.accelerators
    )
    longest = replace(question.setup, sequence_tokens=job.peak_setup.sequence_tokens)
    return scalar_training(question, at_peak(job, longest, one))


def frozen_beside(question: Question, layout: Layout, room_bytes: float, scalar: bool) -> Scoring:
    """Score in the policy's layout where that is legal and leaves room, else in the fastest one that does.

    Where no layout leaves room, or there is none, what is told is over the memory.

    Raises InfeasibleError where the weights find no room.
    """
    if legal(question, layout):
        found = scoring_at(question, layout, scalar)
        if found.weight_bytes <= room_bytes:
            return found
        with suppress(InfeasibleError):
            return best_scoring(question, room_bytes, scalar)
        return found
    return best_scoring(question, room_bytes if room_bytes > 0 else math.inf, scalar)
