"""Questions of preference and reinforcement tuning, as scripts ask them; all that is wrong in one at once."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.api.market_question import MarketQuestion
from suanli.api.posttraining import PostOptions, PostQuestion, is_posttraining, over_memory, posttrain
from suanli.api.posttraining_question import ROLLING, post_faults, stray_faults
from suanli.api.posttraining_question import given as said
from suanli.api.train import TrainingQuestion, train
from suanli.domain.posttraining import PostMethod
from suanli.foundation.errors import InputError

JOB = TrainingQuestion(model="Qwen/Qwen3-0.6B", system="dgx-a100-640", data=8)
ROLL = PostOptions(prompts=16, group=8, answer_tokens=200.0, rollout_tp=1)
MARKET = MarketQuestion(as_of="2026-01")


def ask(method, options=ROLL, **job):
    return PostQuestion(job=replace(JOB, **job), method=method, options=options, market=MARKET)


def places(question):
    return {fault.place for fault in post_faults(question)}


def test_every_method_is_known_and_no_supervised_one():
    assert all(is_posttraining(method) for method in PostMethod)
    assert not any(is_posttraining(method) for method in ("full", "lora", "qlora", ""))


@pytest.mark.parametrize("method", ["orpo", "kto", "reward", "dpo"])
def test_samples_that_are_given_need_no_options(method):
    answer = posttrain(ask(method, PostOptions(), global_batch=64, sequence_tokens=1024))
    assert len(answer.estimates) == 1
    assert answer.estimates[0].samples == 64
    assert answer.estimates[0].generated is None


def test_orpo_is_training_on_both_answers():
    (both,) = train(replace(JOB, global_batch=128, sequence_tokens=1024))
    answer = posttrain(ask("orpo", PostOptions(), global_batch=64, sequence_tokens=1024))
    assert answer.estimates[0].step_seconds == both.step_seconds


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_a_method_that_generates_tells_its_rollout_and_what_it_assumed(method):
    (found,) = posttrain(ask(method)).estimates
    assert found.generated is not None
    assert "prompt_tokens = 512" in found.assumed
    assert not any("answer_tokens" in words for words in found.assumed)


def test_rent_is_of_all_accelerators_for_a_step():
    answer = posttrain(ask("grpo"))
    whole = answer.estimates[0]
    assert whole.accelerators == 8
    two = posttrain(ask("grpo", replace(ROLL, rollout="separate"), nodes=2))
    assert two.estimates[0].accelerators == 16
    rate = answer.step_amount / (8 * whole.step_seconds)
    assert two.step_amount / (16 * two.estimates[0].step_seconds) == pytest.approx(rate)


def test_half_the_nodes_generate_where_nobody_says():
    (found,) = posttrain(ask("grpo", replace(ROLL, rollout="separate"), nodes=2)).estimates
    assert [pool.accelerators for pool in found.pools] == [8, 8]


@pytest.mark.parametrize("search", [False, True])
def test_without_answers_all_nodes_train(search):
    options = replace(ROLL, rollout="separate", answer_tokens=0.0, prompts=128)
    question = ask("grpo", options, nodes=2, data=None, search=search)
    (found,) = posttrain(question).estimates
    assert [pool.accelerators for pool in found.pools] == [16]
    assert found.generated is None


def test_a_search_compares_splits():
    options = replace(ROLL, prompts=64, lag=1)
    found = posttrain(PostQuestion(job=replace(JOB, data=None, nodes=3, search=True), method="grpo", options=options))
    assert len(found.estimates) == 3
    assert found.estimates[0].step_seconds == min(one.step_seconds for one in found.estimates)


def test_on_policy_distillation_is_scored_by_the_teacher():
    options = replace(ROLL, teacher="Qwen/Qwen3-1.7B", on_policy=True)
    (found,) = posttrain(ask("distill", options)).estimates
    parts = found.pools[0].seconds_by_part
    assert parts["teacher"] > 0
    assert not {"reference", "old_log_probs"} & set(parts)
    assert not any("rule" in words for words in found.assumed)


def test_a_job_over_the_memory_is_told_and_refused():
    answer = posttrain(ask("dpo", PostOptions(), model="Qwen/Qwen3-32B", global_batch=64))
    refused = over_memory(answer)
    assert refused is not None
    assert "over the memory" in str(refused)
    assert over_memory(posttrain(ask("dpo", PostOptions(), global_batch=64, sequence_tokens=1024))) is None


def test_options_that_a_supervised_method_does_not_know_are_all_named():
    found = {fault.place for fault in stray_faults(PostOptions(prompts=3, reference="cached", lag=2))}
    assert found == {"--prompts", "--reference", "--lag"}


def test_every_fault_is_told_at_once():
    options = PostOptions(
        prompts=0, adapters="loar", reference="cached", answer_spread=-1.0, teacher="x", reward="model", lag=3,
        rollout_memory=1.5, rollout_ep=2, answer_limit=5.0, answer_tokens=10.0,
    )  # fmt: skip
    assert places(ask("grpo", options, global_batch=4)) == {
        "--prompts", "--adapters", "--reference", "--answer-spread", "--teacher", "--reward-model", "--lag",
        "--rollout-memory", "--rollout-ep", "--answer-limit", "--global-batch",
    }  # fmt: skip


@pytest.mark.parametrize("name", ROLLING)
def test_what_belongs_to_a_rollout_is_refused_without_one(name):
    values = {"keep_trainer": True, "in_flight": True, "old_log_probs": False, "rollout": "separate", "reward": "rule",
              "weight_transport": "direct", "rollout_engine": "vllm", "rollout_format": "fp8",
              "reward_model": "Qwen/Qwen3-8B"}  # fmt: skip
    options = replace(PostOptions(), **{name: values.get(name, 1)})
    option = f"--{name.replace('_', '-')}"
    assert places(ask("orpo", options)) == {option}


@pytest.mark.parametrize(
    ("method", "options", "place"),
    [
        ("distill", PostOptions(), "--teacher"),
        ("ppo", PostOptions(reward_model="Qwen/Qwen3-8B"), "--reward-model"),
        ("grpo", PostOptions(critic_model="Qwen/Qwen3-8B"), "--critic-model"),
        ("orpo", PostOptions(reference="resident"), "--reference"),
        ("grpo", PostOptions(rollout="separate"), "--nodes"),
        ("grpo", PostOptions(rollout="together"), "--rollout"),
        ("distill", PostOptions(teacher="Qwen/Qwen3-8B", on_policy=True, teacher_logits="cached"), "--teacher-logits"),
        ("grpo", PostOptions(rollout="colocated", lag=1), "--lag"),
        ("grpo", PostOptions(in_flight=True), "--in-flight"),
        ("grpo", PostOptions(prompts=2**15, group=2**10), "--prompts, --group"),
    ],
)
def test_what_does_not_go_together_is_said(method, options, place):
    assert places(ask(method, options)) == {place}


def test_nodes_that_generate_leave_some_to_train():
    options = replace(ROLL, rollout="separate", rollout_nodes=2)
    assert places(ask("grpo", options, nodes=2)) == {"--rollout-nodes"}


def test_updates_divide_the_answers():
    with pytest.raises(InputError, match="a divisor of the 128 answers"):
        posttrain(ask("grpo", replace(ROLL, updates=3)))


def test_an_engine_splits_the_devices_that_generate_evenly():
    with pytest.raises(InputError, match="a divisor of the 8 accelerators that generate"):
        posttrain(ask("grpo", replace(ROLL, rollout_tp=3)))


def test_a_limit_below_the_usual_mean_is_refused():
    with pytest.raises(InputError, match="--answer-limit"):
        posttrain(ask("grpo", PostOptions(answer_limit=100.0)))


def test_what_was_said_is_listed_and_no_default():
    assert said(PostOptions()) == []
    assert said(ROLL) == ["prompts", "group", "answer_tokens", "rollout_tp"]


@given(value=st.one_of(st.just(float("nan")), st.just(float("inf")), st.floats(-1e9, -1e-9)))
@settings(max_examples=20, deadline=None)
@pytest.mark.parametrize("name", ["prompt_tokens", "answer_tokens", "answer_spread", "answer_limit", "rollout_memory"])
def test_no_number_out_of_range_gets_through(name, value):
    assert places(ask("grpo", replace(PostOptions(), **{name: value})))
