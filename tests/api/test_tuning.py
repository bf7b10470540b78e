"""A tuning job from its text, the largest that fits, and the ways to a task side by side."""

import json
from dataclasses import replace

import pytest

from suanli.api.finetune import TextQuestion, TuningJobQuestion, finetune_job
from suanli.api.train import TrainingQuestion, box_of
from suanli.api.tuning_layers import LayersQuestion, PromptQuestion, tuning_layers
from suanli.api.tuning_limits import LargestQuestion, largest
from suanli.api.tuning_options import TuningOptions
from suanli.api.tuning_text import is_chinese, lengths_of, text_of, work_of
from suanli.foundation.errors import InfeasibleError, InputError

STEP = TrainingQuestion(
    model="Qwen/Qwen3-8B", system="H100-SXM", framework="llama-factory", sequence_tokens=2048, global_batch=16,
    method="lora",
)  # fmt: skip
CARD = replace(STEP, accelerators=1)


def job(step=STEP, **text):
    return TuningJobQuestion(step=step, text=TextQuestion(**text))


def written(path, *lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    return str(path)


def test_a_job_is_as_many_steps_as_its_text_fills():
    found = finetune_job(job(tokens=1e8, epochs=3))
    assert found.work.steps == -(-3e8 // (16 * 2048))
    assert found.clock.steps == found.work.steps
    assert found.cost.rent > 0


def test_packed_examples_do_not_see_each_other():
    packed, whole = (finetune_job(job(tokens=1e8, mean_tokens=mean)) for mean in (256, None))
    assert packed.search.estimates[0].step_seconds < whole.search.estimates[0].step_seconds


def test_padding_is_computed_and_told():
    padded = finetune_job(job(tokens=1e8, mean_tokens=512, padded=True))
    packed = finetune_job(job(tokens=1e8, mean_tokens=512))
    assert padded.work.wasted_share == 0.75
    assert padded.work.computed_tokens == pytest.approx(4 * packed.work.computed_tokens, rel=1e-3)


def test_examples_longer_than_a_sequence_are_cut():
    text = text_of(TextQuestion(tokens=1e6, mean_tokens=4000))
    work = work_of(TextQuestion(tokens=1e6, mean_tokens=4000, padded=True), text, 1000, 10)
    assert work.cut_share == pytest.approx(0.75)
    assert work.wasted_share == 0


def test_text_is_counted_by_characters_chinese_ones_apart(tmp_path):
    """Ten Chinese characters at 0.6, ten others at 0.3; who speaks is no text."""
    said = {
        "messages": [
            {"role": "user", "content": "你好请介绍一下自己吧"},
            {"role": "assistant", "content": "abcdefghij"},
        ]
    }
    file = written(tmp_path / "a.jsonl", said, "", {"instruction": "b" * 100, "output": ""})
    first, second = lengths_of(TextQuestion(file=file))
    assert first[0] == pytest.approx(10 * 0.6 + 11 * 0.3), "one line break between the turns"
    assert first[1] < first[0] < first[2]
    assert second[0] == pytest.approx(101 * 0.3)
    assert is_chinese("，")
    assert not is_chinese("a")


def test_a_tokenizer_counts_exactly(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    own = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    own.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    own.save(str(tmp_path / "tokenizer.json"))
    file = written(tmp_path / "a.jsonl", {"text": "a b a"}, {"text": "b"})
    text = text_of(TextQuestion(file=file, tokenizer=str(tmp_path / "tokenizer.json")))
    assert (text.tokens, text.low_tokens, text.examples, text.longest_tokens) == (4, 4, 2, 3)


def test_lines_that_hold_no_example_are_named_at_once(tmp_path):
    file = written(tmp_path / "a.jsonl", {"text": "a"}, "{not json", "[1]", {"role": "user"})
    with pytest.raises(InputError) as told:
        text_of(TextQuestion(file=file))
    assert [fault.place.rsplit(":", 1)[1] for fault in told.value.faults] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ({"tokens": -1.0}, "--data-tokens"),
        ({"tokens": float("nan")}, "--data-tokens"),
        ({"tokens": 1e6, "epochs": 0.0}, "--epochs"),
        ({"tokens": 1e6, "padded": True}, "--padded"),
        ({"file": "nowhere.jsonl"}, "--data"),
        ({"tokens": 1e6, "tokenizer": "nowhere.json"}, "--tokenizer"),
    ],
)
def test_wrong_texts_are_refused(text, place):
    with pytest.raises(InputError) as told:
        finetune_job(job(**text))
    assert place in {fault.place for fault in told.value.faults}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"method": "full", "tuning": TuningOptions(dora=True, targets=("q_proj",))}, "--dora"),
        ({"method": "lora", "tuning": TuningOptions(frozen_format="nf4")}, "--quantisation"),
        ({"method": "qlora", "tuning": TuningOptions(frozen_format="nf5")}, "--quantisation"),
        ({"tuning": TuningOptions(experts="none")}, "--expert-adapters"),
        ({"tuning": TuningOptions(freeze_layers=-1)}, "--freeze-layers"),
        ({"tuning": TuningOptions(freeze_layers=99)}, "--freeze-layers"),
        ({"tuning": TuningOptions(head_only=True)}, "--head-only"),
        ({"tuning": TuningOptions(targets=("q_prj",))}, "--lora-targets"),
        ({"accelerators": 9}, "--cards"),
        ({"accelerators": 1, "nodes": 2}, "--cards"),
    ],
)
def test_settings_that_a_method_does_not_have_are_refused(changes, place):
    with pytest.raises(InputError) as told:
        finetune_job(TuningJobQuestion(step=replace(STEP, **changes)))
    assert place in {fault.place for fault in told.value.faults}


def test_a_part_of_a_system_shares_its_host():
    whole, one = box_of(STEP), box_of(CARD)
    assert one.accelerators == 1
    assert one.host_memory_bytes.value * whole.accelerators == whole.host_memory_bytes.value


@pytest.mark.parametrize("asked", ["rank", "context", "batch"])
def test_the_largest_fits_and_the_next_does_not(asked):
    found = largest(LargestQuestion(step=replace(CARD, system="RTX 4090", method="qlora"), asked=asked))
    best = found.estimate
    assert best.memory_bytes - best.bytes_by_cause["fragmentation"] <= best.capacity_bytes
    assert not found.bounded
    assert found.binds in found.estimate.bytes_by_cause
    changed = {"rank": "lora_rank", "context": "sequence_tokens", "batch": "micro_batch"}[asked]
    beyond = float(found.tried_next.replace(",", ""))
    step = replace(CARD, system="RTX 4090", method="qlora", **{changed: int(beyond)})
    if asked == "batch":
        step = replace(step, global_batch=int(beyond), search=True)
    with pytest.raises(InfeasibleError):
        finetune_job(TuningJobQuestion(step=step))


def test_the_largest_model_is_larger_under_fewer_bits():
    sizes = [largest(LargestQuestion(step=replace(CARD, method=method), asked="model")) for method in ("lora", "qlora")]
    assert sizes[0].value < sizes[1].value
    assert sizes[1].model


def test_where_not_even_the_smallest_fits_the_answer_is_no():
    step = replace(CARD, model="LLaMA2-70B", system="RTX 4090", method="lora")
    with pytest.raises(InfeasibleError, match="memory"):
        largest(LargestQuestion(step=step, asked="rank"))


@pytest.mark.parametrize(("asked", "method"), [("speed", "lora"), ("rank", "full")])
def test_questions_without_an_answer_are_refused(asked, method):
    with pytest.raises(InputError, match="largest"):
        largest(LargestQuestion(step=replace(CARD, method=method), asked=asked))


def test_the_ways_stand_side_by_side():
    """Each trains less of the model than the one before; two passes of three for adapters; pretraining dwarfs all."""
    found = tuning_layers(LayersQuestion(job=job(tokens=1e7, mean_tokens=500, epochs=2)))
    ways = {one.id: one for one in found.layers}
    assert list(ways) == ["pretrain", "continue", "full", "lora", "qlora", "prompt"]
    assert ways["lora"].flop == pytest.approx(ways["full"].flop * 2 / 3, rel=1e-6)
    assert ways["full"].flop == pytest.approx(2 * ways["continue"].flop, rel=0.01), "twice through the same text"
    assert ways["pretrain"].flop > 1e3 * ways["full"].flop
    assert ways["qlora"].memory_bytes < ways["lora"].memory_bytes < ways["full"].memory_bytes
    assert ways["pretrain"].rent > ways["lora"].rent
    assert ways["prompt"].trained_parameters == 0
    one_more = ways["lora"].rent / found.pays_from_requests
    assert 0 < one_more < ways["prompt"].rent / 1e6


def test_a_way_that_does_not_fit_says_why():
    step = replace(STEP, system="RTX 4090", accelerators=1)
    found = tuning_layers(LayersQuestion(job=job(step, tokens=1e7, mean_tokens=500)))
    ways = {one.id: one for one in found.layers}
    assert "memory" in ways["full"].reason
    assert not ways["qlora"].reason


def test_no_example_in_the_prompt_never_pays_less():
    asked = LayersQuestion(job=job(tokens=1e7, mean_tokens=500), prompt=PromptQuestion(shots=0))
    assert tuning_layers(asked).pays_from_requests is None


def test_a_comparison_needs_a_data_set():
    with pytest.raises(InputError, match="data"):
        tuning_layers(LayersQuestion(job=TuningJobQuestion(step=STEP)))
