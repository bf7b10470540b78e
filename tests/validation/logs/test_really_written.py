"""Logs that a library wrote itself: a real run of Hugging Face's Trainer on this machine, timed from within."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from suanli.api.logs import compare_logs
from suanli.domain.training_log import PauseKind
from suanli.validation.logs.merge import step_times
from suanli.validation.logs.read import is_log, read_logs
from suanli.validation.logs.steady import pace_of

pytestmark = pytest.mark.oracle
STEPS = 40
SCRIPT = """
import json, sys, time
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments

class Clock(TrainerCallback):
    begun, spent = 0.0, []
    def on_step_begin(self, *_, **__): Clock.begun = time.perf_counter()
    def on_substep_end(self, *_, **__): time.sleep(0.6)
    def on_step_end(self, *_, **__): Clock.spent.append(time.perf_counter() - Clock.begun)

torch.manual_seed(0)
torch.set_num_threads(1)
config = LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, vocab_size=256)
model = LlamaForCausalLM(config)
data = [{name: torch.randint(0, 256, (64,)) for name in ("input_ids", "labels")} for _ in range(256)]
told = TrainingArguments(
    output_dir=sys.argv[1], per_device_train_batch_size=4, gradient_accumulation_steps=2, max_steps=int(sys.argv[2]),
    logging_steps=2, save_steps=8, eval_strategy="steps", eval_steps=8, include_num_input_tokens_seen=True,
    use_cpu=True, report_to=[],
)
trainer = Trainer(model, told, train_dataset=data, eval_dataset=data[:8], callbacks=[Clock()])
trainer.train()
trainer.save_state()
config.architectures = ["LlamaForCausalLM"]
config.save_pretrained(sys.argv[1])
with open(sys.argv[1] + "/training_args.json", "w") as file:
    json.dump(told.to_dict(), file, default=str)
with open(sys.argv[1] + "/clock.json", "w") as file:
    json.dump(Clock.spent, file)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    for name in ("torch", "transformers", "accelerate"):
        pytest.importorskip(name)
    place = tmp_path_factory.mktemp("trained")
    with (place / "console.log").open("wb") as console:
        command = [sys.executable, "-c", SCRIPT, str(place), str(STEPS)]
        subprocess.run(command, stdout=console, stderr=subprocess.STDOUT, check=True, timeout=600)
    return place


@pytest.fixture(scope="module")
def clock(folder):
    return np.asarray(json.loads((folder / "clock.json").read_text("utf-8")))


@pytest.mark.parametrize("name", ["console.log", "trainer_state.json", "training_args.json"])
def test_every_file_is_known_for_what_it_is(name, folder):
    assert is_log(folder / name)
    assert read_logs([folder / name]).tools == ("Hugging Face Trainer",)


def test_the_state_tells_the_steps_as_the_clock_within_saw_them(folder, clock):
    log = read_logs([folder / "trainer_state.json"])
    times = step_times(log.reports, None, None, 1)
    pace = pace_of(times, log.pauses)
    assert log.last_step == STEPS
    assert log.tokens_seen == STEPS * 8 * 64
    assert [pause.step for pause in log.pauses if pause.kind is PauseKind.EVALUATION] == [8, 16, 24, 32, 40]
    told, seen = pace.step_seconds, float(np.median(clock[2:]))
    assert 0.98 * seen <= told <= 1.25 * seen, "what passes between steps is of a step too"


def test_the_console_tells_them_to_the_whole_seconds_that_it_prints(folder, clock):
    log = read_logs([folder / "console.log"])
    assert log.last_step == STEPS
    assert log.ended
    times = step_times(log.reports, None, None, 1)
    for number, covers, seconds in zip(times.number, times.covers, times.seconds, strict=True):
        within = float(clock[number - covers : number].sum())
        between = float(np.mean(clock))  # saving and evaluating pass by on this clock too
        assert within - 1.0 <= seconds * covers <= within + 1.0 + 2 * between


def test_the_arguments_tell_the_batches(folder):
    told = {name: one.value for name, one in read_logs([folder / "training_args.json"]).settings.items()}
    assert (
        told | {"micro_batch": 4, "accumulation": 2, "total_steps": STEPS, "save_every": 8, "sharding": "none"} == told
    )


def test_all_of_them_together_are_one_run(folder):
    files = [folder / name for name in ("console.log", "trainer_state.json", "training_args.json")]
    said = {"system": "dgx-h100", "nodes": 1, "data": 8, "model": str(Path(folder) / "config.json")}
    told = compare_logs(files, said, searched=False)
    assert told.progress.ended
    assert {row.quantity for row in told.rows} >= {"step_seconds", "tokens_per_s"}
    assert any("64 tokens" in one or "8 tokens" in one for one in told.assumed)
