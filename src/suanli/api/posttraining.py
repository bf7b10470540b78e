"""Preference and reinforcement tuning on a cluster: one step by part, memory by cause, money, and the best split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suanli.api.layouts import freedom_of, layout_of
from suanli.api.market_question import MarketQuestion
from suanli.api.model import find_model
from suanli.api.posttraining_question import (
    GENERATING,
    REFERRING,
    PostOptions,
    PostQuestion,
    given,
    post_faults,
    stray_faults,
)
from suanli.api.run_cost import SECONDS_PER_HOUR, rent_per_hour
from suanli.api.train import own_calibration, setup_of
from suanli.api.training_question import searches
from suanli.domain.hardware import Cluster
from suanli.domain.posttraining import (
    Answers,
    Beside,
    Passes,
    Placement,
    PoolTime,
    PostEstimate,
    PostMethod,
    Rollout,
    Scored,
    Transport,
)
from suanli.domain.workload import TuningMethod
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.hardware import System
    from suanli.domain.model import Model
    from suanli.domain.workload import TrainingSetup
    from suanli.estimate.posttraining import PostJob

__all__ = [
    "PoolTime", "PostAnswer", "PostEstimate", "PostOptions", "PostQuestion", "given", "is_posttraining", "over_memory",
    "posttrain", "stray_faults",
]  # fmt: skip
GIB = 2**30
PAIR = 2
"""Sequences of a sample that is a better answer and a worse one."""
PROMPTS, GROUP, PROMPT_TOKENS, ANSWER_TOKENS = 128, 8, 512.0, 1024.0
"""What is asked where nobody says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PostAnswer:
    """Steps of a job, best first (of a search: one for each split of the nodes), and what the best one's rent is.

    Amounts are None where no price is known.
    """

    estimates: tuple[PostEstimate, ...]
    step_amount: float | None
    currency: str
    rent_basis: str


def is_posttraining(method: str) -> bool:
    """Say whether a method is one of preference or reinforcement tuning."""
    return method in tuple(PostMethod)


def posttrain(question: PostQuestion) -> PostAnswer:
    """Answer a question of preference or reinforcement tuning.

    A job that fits no memory is an answer too: `over_memory` makes the error of it.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    from suanli.catalogue.find import system
    from suanli.estimate.reinforcement import best_splits, post_step

    if faults := post_faults(question):
        raise InputError(faults)
    box, options = system(question.job.system, place="--system"), question.options
    job, answers, told = _job(question, box)
    if answers is not None and not answers.empty and question.job.search and options.rollout_nodes is None:
        found = best_splits(job, answers, Placement(options.rollout) if options.rollout else None)
    else:
        found = [post_step(job)]
    said = tuple(replace(one, assumed=(*one.assumed, *told)) for one in found)
    return _priced(said, box, question.market)


def over_memory(answer: PostAnswer) -> InfeasibleError | None:
    """Say that a job does not fit, by how much and what would free it; None where it fits."""
    best = answer.estimates[0]
    if not best.limit:
        return None
    live = best.memory_bytes - best.bytes_by_cause["fragmentation"]
    return InfeasibleError(
        limit=tr("The job is over the memory by {gib:.1f} GiB an accelerator.",
                 gib=max(live - best.capacity_bytes, 0.0) / GIB),
        relief=tr(
            "Take more nodes, shard or recompute more, cache log-probabilities, train adapters, or generate on other"
            " devices."
        ),
    )  # fmt: skip


def _priced(found: tuple[PostEstimate, ...], box: System, market: MarketQuestion) -> PostAnswer:
    hourly, basis = rent_per_hour(box, market)
    hours = found[0].accelerators * found[0].step_seconds / SECONDS_PER_HOUR
    return PostAnswer(
        estimates=found,
        step_amount=None if hourly is None else hourly * hours,
        currency=market.currency,
        rent_basis=basis,
    )


def _job(question: PostQuestion, box: System) -> tuple[PostJob, Answers | None, tuple[str, ...]]:
    """Put a question into the estimate's terms, and say what was assumed of it."""
    from suanli.catalogue.kernels import load_kernels
    from suanli.estimate.posttraining import PostJob
    from suanli.estimate.reinforcement import PAIRED, packed

    options, kernels = question.options, load_kernels()
    method = PostMethod(question.method)
    calibration, own = own_calibration(question.job.calibration)
    adapters = options.adapters or TuningMethod.FULL.value
    setup, assumed = setup_of(replace(question.job, method=adapters), kernels, calibration)
    answers, updates = None, options.updates or 1
    nodes = question.job.nodes - (options.rollout_nodes or _half(question))
    cluster = Cluster(system=box, nodes=nodes)
    accelerators = nodes * box.accelerators
    if question.generates:
        answers, assumed = _answers(options, setup, method)
        _check_updates(answers, updates)
        setup = packed(setup, answers, updates, accelerators)
    elif method in PAIRED:
        setup = replace(setup, global_batch=PAIR * setup.global_batch)
    generating = (question.job.nodes - nodes) * box.accelerators or accelerators
    if question.generates and options.rollout_tp is not None and generating % options.rollout_tp:
        raise InputError.single(
            place="--rollout-tp",
            found=str(options.rollout_tp),
            allowed=tr("a divisor of the {count} accelerators that generate", count=generating),
        )
    layout = None if searches(question.job) else layout_of(question.job, setup, cluster, kernels)
    job = PostJob(
        method=method,
        setup=setup,
        cluster=cluster,
        accelerators=accelerators,
        kernels=kernels,
        calibration=calibration,
        layout=layout,
        freedom=freedom_of(question.job) if layout is None else None,
        beside=_beside(question, setup.model),
        passes=Passes(
            updates=updates,
            epochs=options.answer_epochs or 1,
            old_log_probs=method in GENERATING if options.old_log_probs is None else options.old_log_probs,
        ),
        answers=answers,
        rollout=_rollout(question, generating),
    )  # fmt: skip
    if question.generates and question.job.search and options.rollout_nodes is None:
        job = replace(job, cluster=replace(cluster, nodes=question.job.nodes))
    return job, answers, (*assumed, *own)


def _half(question: PostQuestion) -> int:
    """Return how many nodes generate where pools are apart and nobody says: half of them, if there are answers."""
    apart = question.options.rollout == Placement.SEPARATE and question.options.answer_tokens != 0
    return question.job.nodes // 2 if apart else 0


def _check_updates(answers: Answers, updates: int) -> None:
    """Raise InputError where the answers of a step cannot be cut into so many updates."""
    if answers.samples % updates:
        raise InputError.single(
            place="--updates",
            found=str(updates),
            allowed=tr("a divisor of the {samples} answers of a step", samples=answers.samples),
        )


def _answers(options: PostOptions, setup: TrainingSetup, method: PostMethod) -> tuple[Answers, tuple[str, ...]]:
    """Say what is generated in a step, and what of it nobody told."""
    from suanli.catalogue.posttraining import load_post_figures

    figures, said = load_post_figures(), []
    usual = {
        "prompts": PROMPTS, "group": GROUP if method is PostMethod.GRPO else 1, "prompt_tokens": PROMPT_TOKENS,
        "answer_tokens": ANSWER_TOKENS, "answer_spread": figures.answer_spread.value,
    }  # fmt: skip
    known = {name: getattr(options, name) for name in usual}
    for name, value in usual.items():
        if known[name] is None:
            known[name] = value
            said.append(f"{name} = {value:g}")
    limit = options.answer_limit
    if limit is None:
        limit = max(known["answer_tokens"] * figures.answer_limit.value, 1.0)
        if setup.model.max_positions:
            limit = min(limit, max(setup.model.max_positions - known["prompt_tokens"], known["answer_tokens"], 1.0))
        said.append(f"answer_limit = {limit:g}")
    elif limit < known["answer_tokens"]:
        raise InputError.single(
            place="--answer-limit", found=f"{limit:g}",
            allowed=tr("at least the mean, {tokens:g}", tokens=known["answer_tokens"]),
        )  # fmt: skip
    answers = Answers(
        prompts=known["prompts"],
        group=known["group"],
        prompt_tokens=known["prompt_tokens"],
        answer_tokens=known["answer_tokens"],
        spread=known["answer_spread"],
        longest_tokens=limit,
    )
    return answers, tuple(said)


def _beside(question: PostQuestion, policy: Model) -> Beside:
    """Open the models beside the policy; a critic is the policy's own kind where nobody says."""
    options, method = question.options, PostMethod(question.method)
    usual = Scored.RESIDENT if method in REFERRING else Scored.NONE
    critic = None
    if method is PostMethod.PPO:
        critic = find_model(options.critic_model) if options.critic_model else policy
    return Beside(
        reference=Scored(options.reference) if options.reference else usual,
        reward=find_model(options.reward_model) if options.reward_model else None,
        critic=critic,
        teacher=find_model(options.teacher) if options.teacher else None,
        teacher_from=Scored(options.teacher_logits or Scored.RESIDENT) if options.teacher else Scored.NONE,
    )


def _rollout(question: PostQuestion, accelerators: int) -> Rollout:
    """Say how answers are generated."""
    options = question.options
    apart = options.rollout == Placement.SEPARATE
    return Rollout(
        placement=Placement(options.rollout or Placement.COLOCATED),
        engine=options.rollout_engine or "vllm",
        weight_format=options.rollout_format or "bf16",
        tensor=options.rollout_tp,
        expert=options.rollout_ep,
        accelerators=accelerators if apart else None,
        memory_share=options.rollout_memory,
        kept=options.keep_trainer,
        lag=options.lag or 0,
        in_flight=options.in_flight,
        transport=Transport(options.weight_transport or Transport.BROADCAST),
    )
