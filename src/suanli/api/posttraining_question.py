"""A question about preference or reinforcement tuning as people write it, and everything wrong in it at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from suanli.api.market_question import MarketQuestion, market_faults
from suanli.api.training_question import MOST, MOST_OF, TrainingQuestion, faults_of, option_of
from suanli.domain.posttraining import Placement, PostMethod, RewardKind, Scored, Transport
from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.language import tr

ADAPTERS = ("lora", "qlora")
ENGINES = ("vllm", "sglang")
GENERATING = (PostMethod.PPO, PostMethod.GRPO)
"""Methods that always begin with a rollout; distillation does where it is on-policy."""
REFERRING = (PostMethod.DPO, PostMethod.KTO, *GENERATING)
"""Methods that compare the policy with what it was before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PostOptions:
    """What is asked beside the training question, as people write it; None and "" leave the choice to the default.

    Lengths are in tokens: `prompt_tokens` and `answer_tokens` means, `answer_spread` the standard deviation of answers
    over their mean, `answer_limit` where they are cut off. `updates` mini-batches are cut of one step's samples, which
    are used `answer_epochs` times. `rollout_nodes` of all nodes generate. `keep_trainer` leaves on the device what
    training holds there while an engine generates beside it, `in_flight` changes weights while answers are under way.
    """

    adapters: str = ""
    reference: str = ""
    prompts: int | None = None
    group: int | None = None
    prompt_tokens: float | None = None
    answer_tokens: float | None = None
    answer_spread: float | None = None
    answer_limit: float | None = None
    updates: int | None = None
    answer_epochs: int | None = None
    old_log_probs: bool | None = None
    rollout: str = ""
    rollout_nodes: int | None = None
    rollout_engine: str = ""
    rollout_tp: int | None = None
    rollout_ep: int | None = None
    rollout_format: str = ""
    rollout_memory: float | None = None
    keep_trainer: bool = False
    lag: int | None = None
    in_flight: bool = False
    weight_transport: str = ""
    reward: str = ""
    reward_model: str = ""
    critic_model: str = ""
    teacher: str = ""
    teacher_logits: str = ""
    on_policy: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PostQuestion:
    """A tuning job after supervised training: the model, its cluster and layout in `job`, and what comes beside."""

    job: TrainingQuestion
    method: str
    options: PostOptions = field(default_factory=PostOptions)
    market: MarketQuestion = field(default_factory=MarketQuestion)

    @property
    def generates(self) -> bool:
        """Whether a step begins with answers of the policy itself."""
        return self.method in GENERATING or (self.method == PostMethod.DISTILL and self.options.on_policy)


COUNTS = ("prompts", "group", "updates", "answer_epochs", "rollout_nodes", "rollout_tp", "rollout_ep")
LENGTHS = ("prompt_tokens", "answer_limit")
ROLLING = (
    "prompts", "group", "prompt_tokens", "answer_tokens", "answer_spread", "answer_limit", "updates", "answer_epochs",
    "old_log_probs", "rollout", "rollout_nodes", "rollout_engine", "rollout_tp", "rollout_ep", "rollout_format",
    "rollout_memory", "keep_trainer", "lag", "in_flight", "weight_transport", "reward", "reward_model",
)  # fmt: skip
"""Options that only a method with a rollout knows."""
KNOWN_BY: dict[str, tuple[str, ...]] = {
    "reference": REFERRING, "critic_model": (PostMethod.PPO,), "teacher": (PostMethod.DISTILL,),
    "teacher_logits": (PostMethod.DISTILL,), "on_policy": (PostMethod.DISTILL,), "reward": GENERATING,
}  # fmt: skip
"""Options of some methods, and which."""
MOST_SPREAD = 10.0
MOST_LAG = 2**10
MOST_SAMPLES = 2**20
"""The most answers of a step: a hundred times what the largest published runs draw."""


def given(options: PostOptions) -> list[str]:
    """List the options that were said."""
    usual = PostOptions()
    return [one.name for one in fields(options) if getattr(options, one.name) != getattr(usual, one.name)]


def stray_faults(options: PostOptions) -> list[Fault]:
    """Name every option that the supervised methods do not know."""
    methods = f"--method {', '.join(PostMethod)}"
    return [
        Fault(place=option_of(name), found=str(getattr(options, name)), allowed=tr("with {methods}", methods=methods))
        for name in given(options)
    ]


def post_faults(question: PostQuestion) -> list[Fault]:
    """Name everything wrong in a question that shows before anything is looked up."""
    return [
        *faults_of(question.job),
        *market_faults(question.market),
        *_words(question.options),
        *_numbers(question.options),
        *_methods(question),
        *_beside(question),
        *(_rollouts(question) if question.generates else ()),
    ]


def _words(options: PostOptions) -> Iterator[Fault]:
    told = (
        ("adapters", ADAPTERS), ("reference", tuple(Scored)), ("rollout", tuple(Placement)),
        ("rollout_engine", ENGINES), ("weight_transport", tuple(Transport)), ("reward", tuple(RewardKind)),
        ("teacher_logits", (Scored.RESIDENT, Scored.CACHED)),
    )  # fmt: skip
    for name, known in told:
        said = getattr(options, name)
        if said and said not in known:
            hint = did_you_mean(said, known)
            yield Fault(place=option_of(name), found=f"'{said}'", allowed=", ".join(known), hint=hint)


def _numbers(options: PostOptions) -> Iterator[Fault]:
    whole = tr("a whole number from 1 to {most}", most=MOST)
    for name in COUNTS:
        value = getattr(options, name)
        if value is not None and not 1 <= value <= MOST:
            yield Fault(place=option_of(name), found=str(value), allowed=whole)
    most = MOST_OF["sequence_tokens"]
    for name in LENGTHS:
        value = getattr(options, name)
        if value is not None and not 1 <= value <= most:
            yield Fault(place=option_of(name), found=f"{value:g}", allowed=tr("a number from 1 to {most}", most=most))
    told = (
        ("answer_tokens", 0.0, float(most)),
        ("answer_spread", 0.0, MOST_SPREAD),
        ("lag", 0, MOST_LAG),
    )
    for name, least, highest in told:
        value = getattr(options, name)
        if value is not None and not (math.isfinite(value) and least <= value <= highest):
            allowed = tr("a number from {least:g} to {most:g}", least=least, most=highest)
            yield Fault(place=option_of(name), found=f"{value:g}", allowed=allowed)
    share = options.rollout_memory
    if share is not None and not 0 < share <= 1:
        yield Fault(place="--rollout-memory", found=f"{share:g}", allowed=tr("above 0, at most {most}", most=1))


def _methods(question: PostQuestion) -> Iterator[Fault]:
    """Name options that the method does not know, and what it lacks."""
    options, method, job = question.options, question.method, question.job
    said = given(options)
    if not question.generates:
        beside = tr("with --method ppo or grpo, or --on-policy")
        for name in said:
            if name in ROLLING:
                yield Fault(place=option_of(name), found=str(getattr(options, name)), allowed=beside)
    elif job.global_batch is not None:
        yield Fault(place="--global-batch", found=str(job.global_batch), allowed=tr("--prompts and --group instead"))
    elif job.sequence_tokens is not None or job.document_tokens is not None:
        found = str(job.sequence_tokens or job.document_tokens)
        allowed = tr("--prompt-tokens and --answer-tokens instead")
        yield Fault(place="--seq-len, --document-tokens", found=found, allowed=allowed)
    for name, methods in KNOWN_BY.items():
        if name in said and method not in methods and (question.generates or name not in ROLLING):
            allowed = tr("with --method {methods}", methods=", ".join(methods))
            yield Fault(place=option_of(name), found=str(getattr(options, name)), allowed=allowed)


def _beside(question: PostQuestion) -> Iterator[Fault]:
    """Name what is missing of models beside the policy, and log-probabilities that nobody knows beforehand."""
    options, distils = question.options, question.method == PostMethod.DISTILL
    if distils and not options.teacher:
        yield Fault(place="--teacher", found=tr("nothing"), allowed=tr("a model to learn from"))
    cached = {"--teacher-logits": options.teacher_logits, "--reference": options.reference}
    for place, said in cached.items():
        if said == Scored.CACHED and question.generates:
            yield Fault(place=place, found=Scored.CACHED, allowed=tr("resident: nobody knows the answers beforehand"))
    judged = options.reward == RewardKind.MODEL
    if question.generates and judged != bool(options.reward_model):
        found = options.reward_model or tr("nothing")
        yield Fault(place="--reward-model", found=found, allowed=tr("a model, with --reward model"))


def _rollouts(question: PostQuestion) -> Iterator[Fault]:
    """Name what does not go together in a rollout."""
    options, nodes = question.options, question.job.nodes
    samples = (options.prompts or 1) * (options.group or 1)
    if samples > MOST_SAMPLES:
        allowed = tr("at most {most} answers in a step", most=MOST_SAMPLES)
        yield Fault(place="--prompts, --group", found=str(samples), allowed=allowed)
    apart = options.rollout == Placement.SEPARATE
    for name in ("rollout_nodes", "weight_transport", "lag"):
        if getattr(options, name) and not apart and not (question.job.search and not options.rollout):
            yield Fault(place=option_of(name), found=str(getattr(options, name)), allowed=tr("with --rollout separate"))
    if options.in_flight and not options.lag:
        yield Fault(place="--in-flight", found=tr("no lag"), allowed=tr("with a --lag of 1 at least"))
    if options.keep_trainer and apart:
        yield Fault(place="--keep-trainer", found=tr("pools apart"), allowed=tr("with --rollout colocated"))
    if apart and nodes < 2:
        yield Fault(place="--nodes", found=str(nodes), allowed=tr("two nodes at least, one of which generates"))
    elif options.rollout_nodes is not None and options.rollout_nodes >= nodes:
        allowed = tr("fewer than the {nodes} nodes of --nodes", nodes=nodes)
        yield Fault(place="--rollout-nodes", found=str(options.rollout_nodes), allowed=allowed)
    if options.rollout_ep is not None and options.rollout_tp is None:
        yield Fault(place="--rollout-ep", found=str(options.rollout_ep), allowed=tr("beside --rollout-tp"))
    limit, mean = options.answer_limit, options.answer_tokens
    if limit is not None and mean is not None and limit < mean:
        allowed = tr("at least the mean, {tokens:g}", tokens=mean)
        yield Fault(place="--answer-limit", found=f"{limit:g}", allowed=allowed)
