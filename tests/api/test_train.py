"""Training questions, as scripts ask them."""

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
        train(ask(nodes=0, recompute="some", sharding="optimiser", method="lorra"))
    assert len(caught.value.faults) == 4
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


def test_tuning_is_lora_unless_told_otherwise():
    (low,), (full,) = finetune(ask(tensor=1)), finetune(ask(tensor=1, method="full"))
    assert low.memory_bytes < full.memory_bytes
    (trained,) = train(ask(tensor=1))
    assert full.step_seconds == trained.step_seconds


def test_a_higher_rank_takes_more():
    (small,), (large,) = finetune(ask(tensor=1, lora_rank=8)), finetune(ask(tensor=1, lora_rank=256))
    assert large.bytes_by_cause["optimizer"] > small.bytes_by_cause["optimizer"]


def test_what_cannot_fit_says_what_would():
    with pytest.raises(InfeasibleError, match="nodes would hold it"):
        train(ask(model="GPT-3-175B", search=True))
