"""Whole steps: every pool's parts sum to the step, limits are exact, who is slower never waits."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of
from tests.estimate.posts import POLICY, REFERENCE, TOGETHER, answers_of, apart, job_of

from suanli.catalogue.posttraining import load_post_figures
from suanli.domain.layout import Layout, Sharding
from suanli.domain.posttraining import Beside, Passes, Placement, PostMethod, Scored, Transport
from suanli.domain.workload import TuningMethod
from suanli.estimate.posttraining import live_bytes, trained
from suanli.estimate.reinforcement import best_splits, packed, post_step, splits
from suanli.estimate.training import estimate_layout
from suanli.foundation.errors import InfeasibleError
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.read import named_model

FIGURES = load_post_figures()
quick = settings(max_examples=25, deadline=None)
TINY = named_model("facebook/opt-125m")
EXACT = 1e-12


def supervised(job):
    return estimate_layout(job.setup, job.cluster, job.layout, KERNELS, calibration=CALIBRATION)


def parts_of(found, pool=0):
    return found.pools[pool].seconds_by_part


# ------------------------------------------------------------------------------------------------------- preferences


@pytest.mark.parametrize("method", [PostMethod.ORPO, PostMethod.DISTILL])
def test_no_rollout_and_no_model_beside_is_the_supervised_step(method):
    job = job_of(method)
    found = post_step(job)
    assert found.step_seconds == supervised(job).step_seconds
    assert found.bytes_by_cause == supervised(job).bytes_by_cause
    assert found.band.low == pytest.approx(supervised(job).band.low)


def test_answers_of_no_length_are_the_supervised_step_on_prompts():
    answers = answers_of(answer_tokens=0.0, group=1)
    job = job_of(answers=answers)
    found = post_step(job)
    assert found.generated is None
    assert found.step_seconds == supervised(job).step_seconds
    assert job.setup.sequence_tokens * job.setup.global_batch == answers.samples * answers.prompt_tokens


def test_a_cached_reference_leaves_two_passes_of_the_policy_and_no_second_copy():
    cached = post_step(job_of(PostMethod.DPO, beside=Beside(reference=Scored.CACHED)))
    job = job_of(PostMethod.DPO)
    assert cached.step_seconds == supervised(job).step_seconds
    assert "reference" not in cached.bytes_by_cause
    assert cached.samples == job.setup.global_batch / 2
    assert any("read from a file" in said for said in cached.assumed)


def test_a_resident_reference_costs_a_forward_pass_and_a_copy():
    plain, beside = post_step(job_of(PostMethod.DPO)), post_step(job_of(PostMethod.DPO, beside=REFERENCE))
    passed = beside.step_seconds - plain.step_seconds
    assert 0.15 * plain.step_seconds < passed < 0.5 * plain.step_seconds
    assert beside.bytes_by_cause["reference"] == pytest.approx(2 * parameters(POLICY))
    assert beside.memory_bytes - plain.memory_bytes == pytest.approx(2 * parameters(POLICY))


def test_the_base_of_adapters_is_its_own_reference():
    tuned = {"tuning": TuningMethod.LORA, "lora_rank": 16}
    found = post_step(job_of(PostMethod.DPO, beside=REFERENCE, setup=tuned))
    assert "reference" not in found.bytes_by_cause
    assert parts_of(found)["reference"] > 0


def test_kto_scores_mismatched_pairs_with_the_policy_and_the_reference():
    dpo, kto = (post_step(job_of(method, beside=REFERENCE)) for method in (PostMethod.DPO, PostMethod.KTO))
    assert parts_of(kto)["reference"] == pytest.approx(2 * parts_of(dpo)["reference"])
    assert parts_of(kto)["kl_estimate"] == pytest.approx(parts_of(dpo)["reference"])
    assert kto.samples == 2 * dpo.samples


def test_a_reward_model_is_trained_without_a_head():
    found = post_step(job_of(PostMethod.REWARD))
    assert found.step_seconds < supervised(job_of()).step_seconds
    assert found.bytes_by_cause["logits"] == 0


def test_a_teacher_scores_and_stays_or_its_logits_are_read():
    teacher = named_model("Qwen/Qwen3-1.7B")
    here, cached = (
        post_step(job_of(PostMethod.DISTILL, beside=Beside(teacher=teacher, teacher_from=source)))
        for source in (Scored.RESIDENT, Scored.CACHED)
    )
    assert parts_of(here)["teacher"] > 0
    assert here.bytes_by_cause["teacher"] == pytest.approx(2 * parameters(teacher))
    assert "teacher" not in {*parts_of(cached), *cached.bytes_by_cause}


# ----------------------------------------------------------------------------------------------------- conservation


@given(
    lag=st.integers(0, 3), prompts=st.sampled_from([16, 32, 64]), group=st.sampled_from([1, 4, 8]),
    updates=st.sampled_from([1, 2]), epochs=st.integers(1, 2), mean=st.floats(1, 500),
    devices=st.sampled_from([1, 4, 8, 16]), transport=st.sampled_from(Transport),
)  # fmt: skip
@quick
def test_the_parts_of_every_pool_sum_to_the_step(lag, prompts, group, updates, epochs, mean, devices, transport):
    answers = answers_of(prompts=prompts, group=group, answer_tokens=mean)
    passes = Passes(updates=updates, epochs=epochs)
    rollout = apart(lag=lag, accelerators=devices, transport=transport)
    job = job_of(answers=answers, passes=passes, rollout=rollout, beside=REFERENCE)
    if job.setup.global_batch % job.layout.data:
        return
    found = post_step(job)
    for pool in found.pools:
        assert sum(pool.seconds_by_part.values()) == pytest.approx(found.step_seconds, rel=EXACT)
        assert min(pool.seconds_by_part.values()) >= 0
        assert 0 <= pool.idle_share < 1
    waits = [pool.seconds_by_part["idle"] for pool in found.pools]
    assert min(waits) == 0 if lag else waits == [parts_of(found, 1)["rollout"], pytest.approx(worked(found))]


def worked(found):
    return sum(s for name, s in parts_of(found).items() if name not in ("idle", "weight_sync"))


def test_one_pool_does_everything_in_turn():
    found = post_step(job_of(answers=answers_of(), rollout=TOGETHER, beside=REFERENCE))
    assert len(found.pools) == 1
    assert sum(parts_of(found).values()) == pytest.approx(found.step_seconds, rel=EXACT)
    assert found.pools[0].idle_share == 0
    assert found.placement is Placement.COLOCATED


def test_with_a_lag_the_slower_pool_makes_the_step():
    found = post_step(job_of(answers=answers_of(), rollout=apart(lag=1)))
    busy = max(worked(found), parts_of(found, 1)["rollout"])
    assert found.step_seconds == pytest.approx(busy + parts_of(found)["weight_sync"], rel=EXACT)


def test_in_turn_a_step_is_the_sum():
    turn, ahead = (post_step(job_of(answers=answers_of(), rollout=apart(lag=lag))) for lag in (0, 1))
    assert turn.step_seconds == pytest.approx(
        worked(turn) + parts_of(turn, 1)["rollout"] + parts_of(turn)["weight_sync"], rel=EXACT
    )
    assert ahead.step_seconds < turn.step_seconds


def test_more_lag_is_never_slower_and_staler():
    found = [post_step(job_of(answers=answers_of(), rollout=apart(lag=lag))) for lag in (0, 1, 2, 4)]
    assert all(before.step_seconds >= after.step_seconds for before, after in pairwise(found))
    assert [one.staleness_steps for one in found] == [0, 1, 2, 4]


def test_staleness_counts_updates_since_the_answers_were_made():
    job = job_of(answers=answers_of(), rollout=apart(lag=2), passes=Passes(updates=4, epochs=2))
    assert post_step(job).staleness_updates == 2 * 8 + 3.5


@given(mean=st.floats(16, 400), factor=st.floats(1.1, 2.0), lag=st.integers(0, 1))
@quick
def test_longer_answers_never_make_a_step_faster(mean, factor, lag):
    short, long = (
        post_step(job_of(answers=answers_of(answer_tokens=tokens), rollout=apart(lag=lag)))
        for tokens in (mean, mean * factor)
    )
    assert long.step_seconds >= short.step_seconds * (1 - 1e-3)


@given(few=st.sampled_from([1, 2, 4]), lag=st.integers(0, 1))
@quick
def test_more_devices_that_generate_never_make_a_step_slower(few, lag):
    small, large = (
        post_step(job_of(answers=answers_of(), rollout=apart(lag=lag, accelerators=count))) for count in (few, 2 * few)
    )
    assert large.step_seconds <= small.step_seconds * (1 + 1e-3)


# ------------------------------------------------------------------------------------------------- models and passes


def test_a_rule_judges_in_no_time_and_a_model_in_some():
    rule = post_step(job_of(answers=answers_of(), rollout=TOGETHER))
    model = post_step(job_of(answers=answers_of(), rollout=TOGETHER, beside=Beside(reward=TINY)))
    assert "reward" not in parts_of(rule)
    assert parts_of(model)["reward"] > 0
    assert model.step_seconds > rule.step_seconds


def test_ppo_trains_a_critic_beside_the_policy():
    beside = Beside(reference=Scored.RESIDENT, critic=POLICY, reward=POLICY)
    found = post_step(job_of(PostMethod.PPO, answers=answers_of(), rollout=TOGETHER, beside=beside))
    parts = parts_of(found)
    assert parts["critic_training"] < parts["policy_training"]
    assert parts["critic_values"] == pytest.approx(parts["reward"])
    states = [found.bytes_by_cause[name] for name in ("weights", "gradients", "optimizer")]
    assert found.bytes_by_cause["critic"] == pytest.approx(sum(states))


@pytest.mark.parametrize(("updates", "epochs"), [(1, 1), (1, 3), (2, 1), (2, 2)])
def test_epochs_repeat_training_and_updates_cut_it(updates, epochs):
    job = job_of(answers=answers_of(), rollout=TOGETHER, passes=Passes(updates=updates, epochs=epochs))
    each = supervised(job).step_seconds
    slack = FIGURES.trainer_slack.value
    assert parts_of(post_step(job))["policy_training"] == pytest.approx(slack * updates * epochs * each)


def test_scores_of_the_engine_save_a_pass():
    told = [
        post_step(job_of(answers=answers_of(), rollout=TOGETHER, passes=Passes(old_log_probs=old)))
        for old in (True, False)
    ]
    saved = told[0].step_seconds - told[1].step_seconds
    assert saved == pytest.approx(parts_of(told[0])["old_log_probs"])


def test_a_packed_update_holds_every_token_once_and_no_row_outgrows_the_longest_sample():
    answers = answers_of(prompts=64, answer_tokens=300.0)
    setup = packed(job_of().setup, answers, 2, 8)
    whole = setup.sequence_tokens * setup.global_batch
    assert whole == pytest.approx(answers.samples / 2 * answers.sample_tokens, rel=0.04)
    assert setup.sequence_tokens <= answers.longest_sample
    assert setup.global_batch >= 8


def test_tokens_find_themselves_in_long_samples():
    even, uneven = (packed(job_of().setup, answers_of(spread=spread), 1, 8) for spread in (0.0, 1.0))
    assert even.document_tokens == pytest.approx(128 + 256)
    assert uneven.document_tokens > even.document_tokens


def test_the_longest_sample_sets_the_memory():
    short, long = (
        post_step(job_of(answers=answers_of(longest_tokens=longest), rollout=TOGETHER)) for longest in (1024.0, 8192.0)
    )
    assert long.bytes_by_cause["activations"] > short.bytes_by_cause["activations"]


# ------------------------------------------------------------------------------------------------ memory and weights


def test_states_that_stay_cost_cache_and_save_the_way_to_the_host():
    kept, moved = (
        post_step(job_of(answers=answers_of(), rollout=replace(TOGETHER, kept=kept))) for kept in (True, False)
    )
    assert "states_moved" in parts_of(moved)
    assert "states_moved" not in parts_of(kept)
    assert kept.generated.bytes_by_cause["cache"] < moved.generated.bytes_by_cause["cache"]


def test_adapters_alone_travel():
    full, tuned = (
        post_step(job_of(answers=answers_of(), rollout=apart(), setup=setup))
        for setup in ({}, {"tuning": TuningMethod.LORA, "lora_rank": 16})
    )
    assert full.sync_bytes == 2 * parameters(POLICY)
    assert 0 < tuned.sync_bytes < full.sync_bytes / 10
    assert parts_of(tuned)["weight_sync"] < parts_of(full)["weight_sync"]


def test_fetching_directly_uses_every_link_of_the_smaller_pool():
    one, all_links = (
        parts_of(post_step(job_of(answers=answers_of(), rollout=apart(transport=transport))))["weight_sync"]
        for transport in (Transport.BROADCAST, Transport.DIRECT)
    )
    assert all_links == pytest.approx(one)  # eight copies over eight links
    split = replace(apart(transport=Transport.DIRECT), tensor=8)
    assert parts_of(post_step(job_of(answers=answers_of(), rollout=split)))["weight_sync"] == pytest.approx(one / 8)


def test_weights_that_are_sharded_are_gathered_for_the_engine():
    whole, shared = (
        parts_of(post_step(job_of(answers=answers_of(), rollout=TOGETHER, layout=Layout(data=8, sharding=one))))
        for one in (Sharding.OPTIMIZER, Sharding.FULL)
    )
    assert shared["weight_sync"] > whole["weight_sync"]


def test_a_search_leaves_room_for_the_models_beside_the_policy():
    job = job_of(PostMethod.DPO, beside=REFERENCE, layout=None, model=named_model("Qwen/Qwen3-8B"))
    found = trained(job)
    assert not found.limit
    assert live_bytes(found.bytes_by_cause) <= found.update.capacity_bytes


def test_what_does_not_fit_is_told_with_its_limit():
    job = job_of(PostMethod.DPO, beside=REFERENCE, model=named_model("Qwen/Qwen3-8B"))
    assert post_step(job).limit == "memory"


# --------------------------------------------------------------------------------------------------------------- splits


def test_splits_are_of_the_nodes_there_are():
    assert [one.rollout_nodes for one in splits(1, None)] == [0]
    assert [one.rollout_nodes for one in splits(4, None)] == [0, 1, 2, 3]
    assert [one.rollout_nodes for one in splits(4, Placement.SEPARATE)] == [1, 2, 3]
    assert [one.rollout_nodes for one in splits(4, Placement.COLOCATED)] == [0]
    assert all(0 <= one.rollout_nodes < 100 for one in splits(100, None))


def test_the_best_split_is_the_fastest_of_those_told():
    answers = answers_of(prompts=128)
    job = job_of(answers=answers, nodes=4, layout=None, rollout=replace(TOGETHER, lag=1))
    found = best_splits(job, answers, None)
    steps = [one.step_seconds for one in found]
    assert steps == sorted(steps)
    assert {one.accelerators for one in found} == {32}
    assert {len(one.pools) for one in found} == {1, 2}


def test_no_split_that_fits_is_said():
    answers = answers_of()
    job = job_of(answers=answers, nodes=2, layout=None, model=named_model("DeepSeekV3"), cluster=cluster_of(2))
    with pytest.raises(InfeasibleError):
        best_splits(job, answers, None)
