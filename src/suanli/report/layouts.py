"""A layout as people of the field write it."""

from __future__ import annotations

from suanli.domain.layout import Layout, Offload, Recompute, Schedule, Sharding
from suanli.domain.plan import WorkloadPlan
from suanli.domain.serving_plan import PoolPlan
from suanli.domain.workload import ServingLayout
from suanli.foundation.language import tr
from suanli.report.words import listed


def layout_words(work: WorkloadPlan) -> str:
    """Say the parallel layout of a workload."""
    if work.training is not None:
        return training_words(work.training.layout)
    return serving_words(work.serving.layout) if work.serving is not None else ""


def training_words(layout: Layout) -> str:
    """Say a training layout: the degrees above one, then the settings."""
    degrees = _degrees(
        (tr("tensor"), layout.tensor),
        (tr("pipeline"), layout.pipeline),
        (tr("context"), layout.context),
        (tr("expert"), layout.expert),
        (tr("data"), layout.data),
    )
    settings = [tr("micro-batch {count}", count=layout.micro_batch)]
    if layout.interleave > 1:
        settings.append(tr("{count} stages interleaved", count=layout.interleave))
    settings += settings_words(layout)
    return listed([*degrees, *settings])


def settings_words(layout: Layout) -> list[str]:
    """Say what a layout shards, what it computes again, its schedule and what lives on the host, where not plain."""
    words = (_sharding(layout.sharding), _recompute(layout.recompute), _schedule(layout.schedule))
    return [said for said in (*words, _offload(layout.offload)) if said]


def serving_words(layout: ServingLayout) -> str:
    """Say a serving layout: the degrees above one of one replica."""
    degrees = _degrees(
        (tr("tensor"), layout.tensor),
        (tr("pipeline"), layout.pipeline),
        (tr("expert"), layout.expert),
        (tr("attention data"), layout.attention_data),
        (tr("context"), layout.context),
        (tr("context of decoding"), layout.decode_context),
        (tr("shared feed-forward"), layout.feed_forward),
    )
    return listed(degrees) or tr("one accelerator a replica")


def short_words(layout: ServingLayout) -> str:
    """Say a serving layout by its degrees above 1 in short, tensor always: tp4 pp2."""
    degrees = (("pp", layout.pipeline), ("dp", layout.attention_data), ("ep", layout.expert))
    return " ".join([f"tp{layout.tensor}", *(f"{name}{degree}" for name, degree in degrees if degree > 1)])


def pools_words(prefill: PoolPlan | None, decode: PoolPlan) -> str:
    """Say the replicas of a fleet: how many of which layout, those that prefill first where they are apart."""
    told = f"{decode.replicas} x {short_words(decode.layout)}"
    if prefill is None:
        return told
    return tr("prefill {first}, decode {then}", first=f"{prefill.replicas} x {short_words(prefill.layout)}", then=told)


def _degrees(*named: tuple[str, int]) -> list[str]:
    return [f"{name} {degree}" for name, degree in named if degree > 1]


def _sharding(sharding: Sharding) -> str:
    return {
        Sharding.NONE: "",
        Sharding.OPTIMIZER: tr("optimizer sharded"),
        Sharding.GRADIENTS: tr("optimizer and gradients sharded"),
        Sharding.FULL: tr("everything sharded"),
    }[sharding]


def _schedule(schedule: Schedule) -> str:
    """Say a schedule by the name that the field gives it; 1F1B goes without saying."""
    return "" if schedule is Schedule.ONE_F_ONE_B else tr("schedule {name}", name=schedule.value)


def _offload(offload: Offload) -> str:
    return {
        Offload.NONE: "",
        Offload.OPTIMIZER: tr("optimizer on the host"),
        Offload.ACTIVATIONS: tr("activations on the host"),
        Offload.BOTH: tr("optimizer and activations on the host"),
    }[offload]


def _recompute(recompute: Recompute) -> str:
    return {
        Recompute.NONE: "",
        Recompute.SELECTIVE: tr("selective recompute"),
        Recompute.FULL: tr("full recompute"),
    }[recompute]
