"""Tuning that needs more than the tuned model: preferences, rewards, rollouts, teachers. No formula lives here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from suanli.domain.model import Model
from suanli.domain.result import Band, TrainingEstimate
from suanli.domain.workload import ServingLayout
from suanli.foundation.figure import Figure


class PostMethod(StrEnum):
    """How a model is tuned after supervised training."""

    DPO = "dpo"
    ORPO = "orpo"
    KTO = "kto"
    REWARD = "reward"
    PPO = "ppo"
    GRPO = "grpo"
    DISTILL = "distill"


class Scored(StrEnum):
    """Where the log-probabilities of a model that stays as it is come from: a copy beside, a file, or nobody asks."""

    RESIDENT = "resident"
    CACHED = "cached"
    NONE = "none"


class Placement(StrEnum):
    """Whether answers are generated on the devices that train, or on others."""

    COLOCATED = "colocated"
    SEPARATE = "separate"


class Transport(StrEnum):
    """How weights reach other devices: one rank sends all of them to everybody, or each fetches its own part."""

    BROADCAST = "broadcast"
    DIRECT = "direct"


class RewardKind(StrEnum):
    """Who judges an answer."""

    RULE = "rule"
    MODEL = "model"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Prompts of one step and the answers to them.

    `prompt_tokens` and `answer_tokens` are means, `spread` is the standard deviation of an answer's length over its
    mean before it is cut off at `longest_tokens`. `group` answers are drawn for each of `prompts`.
    """

    prompts: int
    group: int
    prompt_tokens: float
    answer_tokens: float
    spread: float
    longest_tokens: float

    @property
    def samples(self) -> int:
        """Answers of one step."""
        return self.prompts * self.group

    @property
    def sample_tokens(self) -> float:
        """Tokens of a prompt with its answer, on average."""
        return self.prompt_tokens + self.answer_tokens

    @property
    def longest_sample(self) -> float:
        """Tokens of a prompt with the longest answer."""
        return self.prompt_tokens + (0.0 if self.empty else self.longest_tokens)

    @property
    def empty(self) -> bool:
        """Whether nothing is generated."""
        return self.answer_tokens <= 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """Models beside the tuned one; None where there is none of its kind.

    `reference` and `teacher_from` say where their log-probabilities come from. `critic` is trained with the policy.
    """

    reference: Scored = Scored.NONE
    reward: Model | None = None
    critic: Model | None = None
    teacher: Model | None = None
    teacher_from: Scored = Scored.NONE


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """How answers are generated: where, by which engine, split how (None: the fastest split), how far ahead.

    `lag` is how many steps answers may be behind the weights that learn from them. `accelerators` is of the pool that
    generates where it is one of its own. `memory_share` of the device is the engine's (None: all but what training
    leaves there). `in_flight` says that weights change while answers are on their way, so that those of one step more
    are generated at once. `kept` says that what training holds stays on the device meanwhile.
    """

    placement: Placement = Placement.COLOCATED
    engine: str = "vllm"
    engine_date: str = ""
    weight_format: str = "bf16"
    tensor: int | None = None
    expert: int | None = None
    accelerators: int | None = None
    memory_share: float | None = None
    kept: bool = False
    lag: int = 0
    in_flight: bool = False
    transport: Transport = Transport.BROADCAST

    @property
    def batches(self) -> int:
        """How many steps' answers are generated at once."""
        return max(self.lag + int(self.in_flight), 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Passes:
    """How often samples of one step are worked through.

    The samples are cut into `updates` mini-batches, each an update of the weights, and used `epochs` times over.
    `old_log_probs` says that the trainer computes the log-probabilities of what was generated once more.
    """

    updates: int = 1
    epochs: int = 1
    old_log_probs: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PostFigures:
    """Figures of tuning with rollouts that nobody chooses, read from data.

    `answer_spread` is how far answers differ in length where nobody says, and `answer_limit` how many times the mean
    the longest may be. `switch_seconds` is what an engine takes to go
    to sleep or to wake up, `sync_share` what share of a link's rate weights on their way to an engine get.
    `driver_seconds` is what the process that drives a step takes between passes. `trainer_slack` and `rollout_slack`
    are how much longer passes and rollouts take in such a framework than in supervised training and in the engine.
    """

    answer_spread: Figure
    answer_limit: Figure
    switch_seconds: Figure
    sync_share: Figure
    driver_seconds: Figure
    trainer_slack: Figure
    rollout_slack: Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolTime:
    """What a pool of accelerators does in one step: seconds by part, idle and sync among them; they sum to the step."""

    name: str
    accelerators: int
    seconds_by_part: Mapping[str, float]

    @property
    def idle_share(self) -> float:
        """Share of the step in which the pool waits for the other."""
        whole = sum(self.seconds_by_part.values())
        return self.seconds_by_part.get("idle", 0.0) / whole if whole else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """One rollout: what it takes, how it is split, what is left of it in the tail, what its devices hold.

    `tail_seconds` go by after nine of ten answers have ended. `requests` are those of the fullest of `replicas`.
    """

    seconds: float
    tail_seconds: float
    layout: ServingLayout
    replicas: int
    requests: int
    longest_tokens: float
    output_tokens_per_s: float
    preempted: int
    memory_bytes: float
    bytes_by_cause: Mapping[str, float]
    band: Band
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PostEstimate:
    """One step of tuning after supervised training: time by part and pool, memory by cause, rates, how stale.

    `training` is one update of the tuned model, of which a step holds `updates`. `memory_bytes` is of the fullest
    accelerator that trains, `sync_bytes` what one copy of the weights takes on its way to the engine.
    `staleness_steps` is how many steps old answers are when they are learnt from, `staleness_updates` the same in
    updates of the weights, on average over a step. `limit` names the first limit that is broken ("": none).
    """

    method: PostMethod
    step_seconds: float
    band: Band
    pools: tuple[PoolTime, ...]
    training: TrainingEstimate
    updates: int
    samples: int
    tokens: float
    memory_bytes: float
    bytes_by_cause: Mapping[str, float]
    capacity_bytes: float
    placement: Placement | None = None
    generated: Generated | None = None
    sync_bytes: float = 0.0
    staleness_steps: float = 0.0
    staleness_updates: float = 0.0
    limit: str = ""
    assumed: tuple[str, ...] = ()

    @property
    def accelerators(self) -> int:
        """Accelerators of all pools."""
        return sum(pool.accelerators for pool in self.pools)

    @property
    def samples_per_s(self) -> float:
        """Samples learnt from in a second."""
        return self.samples / self.step_seconds

    @property
    def tokens_per_s(self) -> float:
        """Tokens of samples, prompts among them, learnt from in a second."""
        return self.tokens / self.step_seconds
