"""Training questions, as scripts ask them."""

from dataclasses import replace

import pytest

from suanli.api.finetune import finetune
from suanli.api.train import TrainingQuestion, train
from suanli.foundation.errors import InfeasibleError, InputError


def ask(**more):
    return TrainingQuestion(**{"model": "LLaMA2-7B", "system": "dgx-a100-640", **more})


def test_a_question_with_degrees_is_answered_by_that_layout():
    (found,) = train(ask(nodes=2, tensor=4, micro_batch=2, global_batch=64))
    assert (found.layout.tensor, found.layout.data, found.layout.micro_batch) == (4, 4, 2)


def test_a_question_without_degrees_is_searched():
    found = train(ask(nodes=2, keep=5))
    assert len(found) == 5
    assert found[0].step_seconds <= found[-1].step_seconds


def test_what_was_assumed_is_said():
    (found,) = train(ask(tensor=1))
    assert found.assumed == ("sequence_tokens = 4096", "global_batch = 1024")
    (given,) = train(ask(tensor=1, sequence_tokens=2048, global_batch=512))
    assert given.assumed == ()


def test_a_layout_takes_a_schedule_an_offload_and_an_optimizer():
    question = ask(nodes=2, pipeline=4, schedule="zb-h1", offload="optimizer", optimizer="lion", global_batch=64)
    (found,) = train(question)
    (plain,) = train(replace(question, schedule=None, offload=None, optimizer=None))
    assert (found.layout.schedule, found.layout.offload) == ("zb-h1", "optimizer")
    assert found.seconds_by_cause["bubble"] < plain.seconds_by_cause["bubble"]
    assert found.bytes_by_cause["optimizer"] == 0
    assert found.host_memory_bytes == pytest.approx(plain.bytes_by_cause["optimizer"] * 8 / 12, rel=1e-3)


def test_a_path_that_turns_has_two_chunks_unless_told_otherwise():
    (found,) = train(ask(nodes=2, pipeline=4, schedule="zb-v", global_batch=64))
    assert (found.layout.interleave, found.limit) == (2, "")
    with pytest.raises(InputError, match="2 chunks a stage under zb-v"):
        train(ask(nodes=2, pipeline=4, schedule="zb-v", interleave=4, global_batch=64))


def test_a_search_keeps_to_the_schedule_that_is_asked_and_any_lets_it_choose():
    question = ask(model="LLaMA2-13B", system="dgx-a100-320", nodes=2, global_batch=32, keep=1000)
    plain, asked, free = (train(replace(question, schedule=one)) for one in (None, "zb-h1", "any"))
    assert {one.layout.schedule for one in plain} == {"1f1b"}
    assert {one.layout.schedule for one in asked if one.layout.pipeline > 1} == {"zb-h1"}
    assert {one.layout.schedule for one in asked if one.layout.pipeline == 1} <= {"1f1b"}
    assert len({one.layout.schedule for one in free}) > 3
    assert "gpipe" not in {one.layout.schedule for one in free}
    assert free[0].step_seconds <= min(plain[0].step_seconds, asked[0].step_seconds)


def test_any_schedule_is_for_a_search():
    with pytest.raises(InputError, match="'any'"):
        train(ask(pipeline=4, schedule="any"))


def test_a_search_offloads_what_it_is_told_to():
    found = train(ask(nodes=1, global_batch=64, offload="both", keep=3))
    assert {one.layout.offload for one in found} == {"both"}
    assert all(one.host_memory_bytes > 0 for one in found)


def test_tuning_takes_them_too():
    (found,) = finetune(ask(tensor=2, global_batch=64, offload="activations", optimizer="adamw-8bit"))
    assert found.layout.offload == "activations"
    assert found.host_memory_bytes > 0


def test_a_config_file_is_a_model(tmp_path):
    config = tmp_path / "config.json"
    config.write_text('{"model_type": "llama", "hidden_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 16, '
                      '"num_key_value_heads": 16, "intermediate_size": 4096, "vocab_size": 32000, '
                      '"max_position_embeddings": 2048}', encoding="utf-8")  # fmt: skip
    (found,) = train(ask(model=str(config), tensor=1))
    assert found.assumed[0] == "sequence_tokens = 2048"


@pytest.mark.parametrize("name", ["nodes", "tensor", "micro_batch", "global_batch", "sequence_tokens", "keep"])
@pytest.mark.parametrize("wrong", [0, -8, 10**30])
def test_counts_below_one_or_beyond_all_reason_are_refused(name, wrong):
    with pytest.raises(InputError, match="a whole number") as caught:
        train(ask(**{name: wrong}))
    assert [fault.found for fault in caught.value.faults] == [str(wrong)]


def test_all_faults_are_told_at_once():
    with pytest.raises(InputError) as caught:
        train(ask(nodes=0, recompute="some", sharding="optimiser", method="lorra", schedule="zb", offload="disk",
                  optimizer="moun"))  # fmt: skip
    assert len(caught.value.faults) == 7
    assert "muon" in str(caught.value)
    assert "optimizer" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "said"), [("model", "LLaMA9-7B"), ("system", "dgx-z"), ("precision", "bf61"), ("framework", "megatrom")]
)
def test_unknown_names_are_refused(field, said):
    with pytest.raises(InputError, match=said):
        train(ask(**{field: said}))


def test_degrees_must_use_every_accelerator():
    with pytest.raises(InputError, match="product is 8"):
        train(ask(tensor=4, data=4))


def places(**wrong):
    with pytest.raises(InputError) as caught:
        train(ask(**wrong))
    return [fault.place for fault in caught.value.faults]


def test_every_rule_that_a_layout_breaks_is_told_at_once():
    """3 heads of 32, 80 chunks of 32 layers, half a round, a context of an odd sequence, experts there are not."""
    wrong = {"nodes": 3, "tensor": 3, "pipeline": 2, "interleave": 40, "expert": 4, "sharding_ranks": 5,
             "micro_batch": 5, "context": 4, "sequence_tokens": 1001}  # fmt: skip
    assert sorted(places(**wrong)) == [
        "--cp", "--dp, --micro-batch, --global-batch", "--ep", "--global-batch, --micro-batch, --dp", "--pp, --vp",
        "--tp",
    ]  # fmt: skip
    assert "--sharding-ranks" in places(sharding_ranks=5)


def test_where_no_number_of_replicas_comes_out_nothing_is_said_of_replicas():
    assert places(nodes=3, tensor=5, pipeline=7, expert=4, global_batch=1000) == ["--tp, --pp, --dp, --cp", "--tp"]


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"pipeline": 64, "nodes": 8}, "--pp, --vp"),
        ({"schedule": "zb-h1", "tensor": 1}, "--schedule"),
        ({"interleave": 2}, "--vp"),
        ({"schedule": "gpipe", "pipeline": 4, "interleave": 2}, "--vp"),
        ({"schedule": "dualpipe", "pipeline": 8, "global_batch": 8}, "--global-batch, --micro-batch, --dp"),
        ({"schedule": "dualpipe", "pipeline": 3, "nodes": 3}, "--pp"),
    ],
)
def test_pipelines_say_what_does_not_go_together(wrong, place):
    assert place in places(**wrong)


def test_a_search_keeps_what_is_fixed():
    found = train(ask(nodes=4, search=True, keep=1000, tensor=4, pipeline=2, recompute="full", sequence_parallel=False))
    assert {(one.layout.tensor, one.layout.pipeline, one.layout.recompute) for one in found} == {(4, 2, "full")}
    assert {one.layout.sequence_parallel for one in found} == {False}
    whole = train(ask(nodes=4, search=True, keep=1000))
    kept = [one.layout for one in whole if one.layout.tensor == 4 and one.layout.pipeline == 2]
    free = train(ask(nodes=4, search=True, keep=1000, tensor=4, pipeline=2))
    assert [one.layout for one in free[: len(kept)]] == kept


def test_a_search_that_is_left_nothing_says_so():
    with pytest.raises(InfeasibleError, match="fixed"):
        train(ask(search=True, tensor=4, expert=2))


def test_room_of_experts_and_even_spreading_are_for_models_with_experts():
    mixture = {"model": "Mixtral-8x7B", "nodes": 4, "tensor": 2, "expert": 8, "global_batch": 256}
    (plain,), (roomy,), (even,) = (
        train(ask(**mixture, **more)) for more in ({}, {"capacity": 4.0}, {"balanced_experts": True})
    )
    assert roomy.step_seconds > plain.step_seconds > even.step_seconds
    for wrong in ({"capacity": 1.5}, {"balanced_experts": True}):
        with pytest.raises(InputError, match="a model with experts"):
            train(ask(tensor=1, **wrong))
    with pytest.raises(InputError, match="a number above 0"):
        train(ask(**mixture, capacity=-1.0))


def test_unfused_attention_holds_its_scores():
    (flash,), (unfused,) = (train(ask(tensor=8, attention=kind)) for kind in ("flash", "unfused"))
    assert unfused.memory_bytes > flash.memory_bytes
    assert unfused.step_seconds > flash.step_seconds


def test_a_sharding_group_smaller_than_all_replicas_holds_more():
    (whole,) = train(ask(nodes=4, sharding="full"))
    (node,) = train(ask(nodes=4, sharding="full", sharding_ranks=8))
    assert node.layout.sharding_ranks == 8
    assert node.memory_bytes > whole.memory_bytes


def test_tuning_is_lora_unless_told_otherwise():
    (low,), (full,) = finetune(ask(tensor=1)), finetune(ask(tensor=1, method="full"))
    assert low.memory_bytes < full.memory_bytes
    (trained,) = train(ask(tensor=1, global_batch=64))
    assert full.step_seconds == trained.step_seconds


def test_a_higher_rank_takes_more():
    (small,), (large,) = finetune(ask(tensor=1, lora_rank=8)), finetune(ask(tensor=1, lora_rank=256))
    assert large.bytes_by_cause["optimizer"] > small.bytes_by_cause["optimizer"]


def test_what_cannot_fit_says_what_would():
    with pytest.raises(InfeasibleError, match="nodes would hold it"):
        train(ask(model="GPT-3-175B", search=True))
