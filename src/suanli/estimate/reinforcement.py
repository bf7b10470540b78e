"""One whole step of preference or reinforcement tuning: pools that train and generate, who waits, what is stale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from suanli.catalogue.posttraining import load_post_figures
from suanli.domain.posttraining import (
    Answers,
    Generated,
    Placement,
    PoolTime,
    PostEstimate,
    PostMethod,
    Scored,
)
from suanli.domain.result import Band
from suanli.domain.workload import TrainingSetup
from suanli.equations.optimizer import host_link_seconds
from suanli.equations.posttraining import token_biased_length, waiting_seconds
from suanli.estimate.posttraining import PADDED, PostJob, Trained, live_bytes, machine_of, question_of, trained
from suanli.estimate.rollout import Pool, answer_lengths, rolled_out
from suanli.estimate.serving_memory import runtime_bytes
from suanli.estimate.weight_sync import Sync, sync_apart, sync_together
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr

TRAINER, ENGINE, BOTH = "trainer", "rollout", "together"
"""Names of pools that train, generate, or do both in turn."""
EIGHTHS = 8
"""Into how many parts nodes are cut for splits to try, beside powers of two."""
PAIRED = (PostMethod.DPO, PostMethod.ORPO, PostMethod.REWARD)
"""Methods whose sample is a pair of answers: the better one and the worse one."""


def packed(setup: TrainingSetup, answers: Answers, updates: int, ranks: int) -> TrainingSetup:
    """Say what one update learns from: samples packed into rows that are no longer than the longest sample.

    As many samples share a row (a power of two that divides them) as leave every accelerator a row. A token sees what
    its own sample holds, which is long more often than not.
    """
    samples = answers.samples // updates
    mean = max(answers.sample_tokens, 1.0)
    each = 1
    while 2 * each * mean <= answers.longest_sample and samples % (2 * each) == 0 and samples // (2 * each) >= ranks:
        each *= 2
    seen = mean
    if not answers.empty:
        lengths = answer_lengths(answers) + answers.prompt_tokens
        seen = float(token_biased_length(float(lengths.mean()), float((lengths**2.0).mean())))
    return replace(
        setup,
        sequence_tokens=PADDED * math.ceil(each * mean / PADDED),
        global_batch=samples // each,
        document_tokens=seen,
    )


def post_step(job: PostJob) -> PostEstimate:
    """Estimate one step of a job: on one pool, or on one that trains and one that generates.

    Raises InfeasibleError where a model fits nowhere, InputError where a layout is not possible.
    """
    own = trained(job)
    if not job.generates or job.answers is None:
        return _told(job, own, (_alone(job, own),), None, None)
    if job.rollout.placement is Placement.SEPARATE:
        return _apart(job, own, job.answers)
    return _together(job, own, job.answers)


def _alone(job: PostJob, own: Trained) -> PoolTime:
    return PoolTime(name=TRAINER, accelerators=job.accelerators, seconds_by_part=dict(own.seconds_by_part))


def _generated(job: PostJob, answers: Answers, pool: Pool) -> tuple[Generated, float]:
    """Roll out, and say what the engine keeps of a device while it sleeps."""
    rank = job.setup.adapters.rank if job.setup.adapters else 0
    found, replica = rolled_out(job.setup.model, answers, job.rollout, pool, job.kernels, rank)
    return found, runtime_bytes(replica)


def _together(job: PostJob, own: Trained, answers: Answers) -> PostEstimate:
    """Let one pool train and generate in turn; what training holds stays there or goes to the host meanwhile."""
    kept, machine = job.rollout.kept, machine_of(job)
    pool = Pool(system=job.cluster.system, accelerators=job.accelerators, resident_bytes=own.states if kept else 0.0)
    generated, asleep = _generated(job, answers, pool)
    if not own.limit and live_bytes(own.bytes_by_cause) + asleep > question_of(job).capacity_bytes:
        own = trained(job, asleep)
    sync = sync_together(machine, job.setup, own.update.layout, generated)
    parts = {
        **own.seconds_by_part,
        "rollout": generated.seconds,
        "weight_sync": sync.seconds,
        "engine_switch": 2 * load_post_figures().switch_seconds.value,
        "driver": load_post_figures().driver_seconds.value,
    }
    if not kept:
        parts["states_moved"] = 2 * float(host_link_seconds(own.states, machine.host_bytes_per_s))
    held = {**own.bytes_by_cause, "engine_asleep": asleep}
    own = replace(own, bytes_by_cause=held)
    time = PoolTime(name=BOTH, accelerators=job.accelerators, seconds_by_part=parts)
    return _told(job, own, (time,), generated, sync)


def _apart(job: PostJob, own: Trained, answers: Answers) -> PostEstimate:
    """Let two pools work in turn, or ahead of each other; both stand still while weights travel."""
    accelerators, ahead = job.rollout.accelerators or job.accelerators, float(job.rollout.lag > 0)
    generated, _ = _generated(job, answers, Pool(system=job.cluster.system, accelerators=accelerators))
    sync = sync_apart(machine_of(job), job.setup, own.update.layout, generated, job.rollout)
    working = {**own.seconds_by_part, "driver": load_post_figures().driver_seconds.value}
    busy = sum(working.values())
    told = (
        (TRAINER, job.accelerators, working, busy, generated.seconds),
        (ENGINE, accelerators, {"rollout": generated.seconds}, generated.seconds, busy),
    )
    pools = tuple(
        PoolTime(
            name=name,
            accelerators=count,
            seconds_by_part={
                **parts,
                "weight_sync": sync.seconds,
                "idle": float(waiting_seconds(mine, others, ahead)),
            },
        )
        for name, count, parts, mine, others in told
    )
    return _told(job, own, pools, generated, sync)


def _told(
    job: PostJob, own: Trained, pools: tuple[PoolTime, ...], generated: Generated | None, sync: Sync | None
) -> PostEstimate:
    """Put a step together from what its pools do."""
    passes, answers = job.passes, job.answers
    repeats = passes.updates * passes.epochs
    step = sum(pools[0].seconds_by_part.values())
    rows = job.setup.global_batch * passes.updates
    samples = answers.samples if answers is not None else rows // (2 if job.method in PAIRED else 1)
    tokens = answers.samples * answers.sample_tokens if answers is not None else rows * job.setup.sequence_tokens
    lag = job.rollout.lag if generated is not None else 0
    return PostEstimate(
        method=job.method,
        step_seconds=step,
        band=_band(own, generated, sync, step, ahead=lag > 0),
        pools=pools,
        training=own.update,
        updates=repeats,
        samples=samples,
        tokens=float(tokens),
        memory_bytes=sum(own.bytes_by_cause.values()),
        bytes_by_cause=own.bytes_by_cause,
        capacity_bytes=own.update.capacity_bytes,
        placement=job.rollout.placement if generated is not None else None,
        generated=generated,
        sync_bytes=sync.sent_bytes if sync is not None else 0.0,
        staleness_steps=float(lag),
        staleness_updates=lag * repeats + (repeats - 1) / 2 if generated is not None else 0.0,
        limit=own.limit,
        assumed=_assumed(job, generated),
    )


def _band(own: Trained, generated: Generated | None, sync: Sync | None, step: float, ahead: bool) -> Band:
    """Put the 80 % band around a step: of passes, rollout and weights on their way, which err apart from each other.

    Where the pools work ahead of each other, the slower one alone makes the step beside the weights.
    """
    update, figures = own.update, load_post_figures()
    worked = sum(own.seconds_by_part.values())
    passes = Band(
        low=worked * update.band.low / update.step_seconds, high=worked * update.band.high / update.step_seconds
    )
    if generated is None or sync is None:
        return Band(low=step - worked + passes.low, high=step - worked + passes.high)
    passes = _wider(passes, worked, figures.trainer_slack)
    rolled = _wider(generated.band, generated.seconds, figures.rollout_slack)
    share = figures.sync_share
    sent = Band(low=sync.seconds * share.value / share.high, high=sync.seconds * share.value / share.low)
    parts = [(worked, passes), (generated.seconds, rolled)]
    if ahead:
        parts = [max(parts, key=lambda one: one[0])]
    if sync.apart:
        parts.append((sync.seconds, sent))
    down = math.hypot(*(middle - one.low for middle, one in parts))
    up = math.hypot(*(one.high - middle for middle, one in parts))
    return Band(low=max(step - down, 0.0), high=step + up)


def _wider(band: Band, middle: float, figure: Figure) -> Band:
    """Widen a band around seconds by the range of a figure that they are a multiple of."""
    if not middle:
        return band
    down = math.hypot(math.log(middle / band.low), math.log(figure.value / figure.low))
    up = math.hypot(math.log(band.high / middle), math.log(figure.high / figure.value))
    return Band(low=middle * math.exp(-down), high=middle * math.exp(up))


def _assumed(job: PostJob, generated: Generated | None) -> tuple[str, ...]:
    """Say what a step rests on that nobody told."""
    said = list(job_assumed(job))
    if generated is not None:
        said += generated.assumed
    return tuple(dict.fromkeys(said))


def job_assumed(job: PostJob) -> list[str]:
    """Say what is assumed of the models beside the policy and of what judges answers."""
    said, models = [], job.beside
    if job.generates and models.reward is None and models.teacher is None:
        said.append(tr("a rule judges answers beside the step, in no time of it"))
    if job.generates:
        figures = load_post_figures()
        told = {"passes": figures.trainer_slack.value, "rollouts": figures.rollout_slack.value}
        said.append(
            tr(
                "passes take {passes:g} times what supervised training does for as many tokens, a rollout {rollouts:g}"
                " times what the engine alone does",
                **told,
            )
        )
    if models.reference is Scored.CACHED:
        said.append(tr("log-probabilities of the reference are read from a file, in no time of the step"))
    if models.teacher is not None and models.teacher_from is Scored.CACHED:
        said.append(tr("the teacher's logits are read from a file, in no time of the step"))
    if job.generates and job.rollout.placement is Placement.COLOCATED:
        seconds = load_post_figures().switch_seconds.value
        said.append(tr("the engine takes {seconds:g} s to go to sleep, and as long to wake", seconds=seconds))
    if job.generates and job.rollout.placement is Placement.SEPARATE:
        share = load_post_figures().sync_share.value
        said.append(tr("weights travel at {share:.0%} of a link's rate", share=share))
    return said


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """How nodes are split between training and generating: so many generate; 0: all do both in turn."""

    rollout_nodes: int


def splits(nodes: int, placement: Placement | None) -> list[Split]:
    """List the splits of nodes to try: all together, and powers of two and eighths apart, from both ends."""
    together = [] if placement is Placement.SEPARATE else [Split(rollout_nodes=0)]
    if placement is Placement.COLOCATED or nodes < 2:
        return together
    tried = {count for step in range(nodes.bit_length()) for count in (2**step, nodes - 2**step)}
    tried |= {round(nodes * eighth / EIGHTHS) for eighth in range(1, EIGHTHS)}
    return together + [Split(rollout_nodes=count) for count in sorted(tried) if 0 < count < nodes]


def at_split(job: PostJob, answers: Answers, split: Split) -> PostJob:
    """Put a job on a split of its cluster's nodes; each pool packs the samples for its own number of accelerators."""
    nodes, each = job.cluster.nodes, job.cluster.system.accelerators
    train = nodes - split.rollout_nodes
    apart = split.rollout_nodes > 0
    rollout = replace(
        job.rollout,
        placement=Placement.SEPARATE if apart else Placement.COLOCATED,
        accelerators=split.rollout_nodes * each if apart else None,
        lag=job.rollout.lag if apart else 0,
    )
    return replace(
        job,
        cluster=replace(job.cluster, nodes=train),
        accelerators=train * each,
        setup=packed(job.setup, answers, job.passes.updates, train * each),
        rollout=rollout,
    )


def best_splits(job: PostJob, answers: Answers, placement: Placement | None) -> list[PostEstimate]:
    """Try the splits of a job's nodes and return those that fit, the fastest step first.

    Raises InfeasibleError where none fits.
    """
    found: list[PostEstimate] = []
    refused: InfeasibleError | None = None
    for split in splits(job.cluster.nodes, placement):
        try:
            one = post_step(at_split(job, answers, split))
        except InfeasibleError as error:
            refused = error
            continue
        if not one.limit:
            found.append(one)
    if not found:
        raise refused or InfeasibleError(
            limit=tr("No split of {nodes} nodes holds the job.", nodes=job.cluster.nodes),
            relief=tr("Take more nodes, or a smaller model beside the one that is trained."),
        )
    return sorted(found, key=lambda one: one.step_seconds)
