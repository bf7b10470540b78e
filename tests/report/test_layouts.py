"""A layout is said with the degrees above one and the settings that are in force."""

import dataclasses

import pytest

from suanli.domain.layout import Layout, Offload, Recompute, Schedule, Sharding
from suanli.domain.plan import Plan
from suanli.domain.workload import ServingLayout
from suanli.foundation.language import set_language
from suanli.report import layouts

BARE = Layout(sharding=Sharding.NONE, recompute=Recompute.NONE)


@pytest.mark.parametrize("axis", ["tensor", "pipeline", "context", "expert", "data"])
def test_a_degree_above_one_is_said(axis: str) -> None:
    said = layouts.training_words(dataclasses.replace(BARE, **{axis: 4}))
    assert said == f"{axis} 4, micro-batch 1"


def test_degrees_of_one_are_not_said() -> None:
    assert layouts.training_words(BARE) == "micro-batch 1"


@pytest.mark.parametrize(
    ("sharding", "said"),
    [
        (Sharding.OPTIMIZER, "optimizer sharded"),
        (Sharding.GRADIENTS, "optimizer and gradients sharded"),
        (Sharding.FULL, "everything sharded"),
    ],
)
def test_sharding_is_said(sharding: Sharding, said: str) -> None:
    assert layouts.training_words(dataclasses.replace(BARE, sharding=sharding)).endswith(said)


@pytest.mark.parametrize(
    ("recompute", "said"), [(Recompute.SELECTIVE, "selective recompute"), (Recompute.FULL, "full recompute")]
)
def test_recompute_is_said(recompute: Recompute, said: str) -> None:
    assert layouts.training_words(dataclasses.replace(BARE, recompute=recompute)).endswith(said)


@pytest.mark.parametrize("schedule", list(Schedule))
def test_a_schedule_is_said_unless_it_is_the_usual_one(schedule: Schedule) -> None:
    said = layouts.training_words(dataclasses.replace(BARE, pipeline=4, schedule=schedule))
    plain = "pipeline 4, micro-batch 1"
    assert said == (plain if schedule is Schedule.ONE_F_ONE_B else f"{plain}, schedule {schedule.value}")


@pytest.mark.parametrize(
    ("offload", "said"),
    [
        (Offload.NONE, "micro-batch 1"),
        (Offload.OPTIMIZER, "optimizer on the host"),
        (Offload.ACTIVATIONS, "activations on the host"),
        (Offload.BOTH, "optimizer and activations on the host"),
    ],
)
def test_what_lives_on_the_host_is_said(offload: Offload, said: str) -> None:
    assert layouts.training_words(dataclasses.replace(BARE, offload=offload)).endswith(said)


def test_interleaving_is_said() -> None:
    assert "3 stages interleaved" in layouts.training_words(dataclasses.replace(BARE, pipeline=4, interleave=3))


def test_a_serving_layout_of_one_accelerator_says_so() -> None:
    assert layouts.serving_words(ServingLayout()) == "one accelerator a replica"


def test_a_serving_layout_says_its_degrees() -> None:
    said = layouts.serving_words(ServingLayout(tensor=2, pipeline=3, expert=8, attention_data=4))
    assert said == "tensor 2, pipeline 3, expert 8, attention data 4"


def test_a_workload_says_the_layout_of_its_estimate(plan: Plan) -> None:
    training, _, serving = plan.recommended.workloads
    assert layouts.layout_words(training).startswith("tensor 8, pipeline 2, data 12")
    assert layouts.layout_words(serving) == "tensor 4"
    assert layouts.layout_words(dataclasses.replace(training, training=None)) == ""


def test_chinese_uses_the_fields_terms() -> None:
    set_language("zh")
    said = layouts.training_words(Layout(tensor=8, pipeline=4, data=2, recompute=Recompute.FULL))
    assert said == "张量并行 8，流水线并行 4，数据并行 2，微批 1，优化器切分，完全重计算"
