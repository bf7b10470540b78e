"""Whatever stands in a file: an answer or faults with their places, never anything else."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.validation.logs.test_reading import EXPORTS, TEXTS

from suanli.api.logs import compare_logs, is_log, is_text
from suanli.foundation.errors import SuanliError
from suanli.validation.logs.read import read_logs

WHOLE = {name: text for name, (text, _) in TEXTS.items()} | EXPORTS
WORDS = st.sampled_from([
    "nan", "inf", "-1", "0", "1e400", "9" * 40, "{", "}", "|", "\r", "\x1b[31m", "\x00", "iteration", "None", "[N/A]",
    "step: 3", "100%|", "训练", ",", '"', "'", "\n", "elapsed time per iteration (ms):", "%", "[", "1/0 [00:00<",
])  # fmt: skip
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), WORDS), min_size=1, max_size=8)
PATIENT = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SAID = {
    "model": "LLAMA3_8B", "system": "dgx-h100", "nodes": 1, "sequence_tokens": 2048, "global_batch": 64, "tensor": 1,
    "micro_batch": 1, "recompute": "full", "precision": "bf16", "context": 1, "pipeline": 1,
}  # fmt: skip


def edited(text, edits):
    for share, length, word in edits:
        place = int(share * len(text))
        text = text[:place] + word + text[place + length :]
    return text


def finite(value):
    if isinstance(value, dict):
        return all(finite(one) for one in value.values())
    if isinstance(value, (list, tuple)):
        return all(finite(one) for one in value)
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("name", WHOLE)
@PATIENT
@given(edits=EDITS)
def test_an_edited_log_is_read_or_refused(name, edits, tmp_path):
    path = tmp_path / "edited"
    path.write_text(edited(WHOLE[name], edits), encoding="utf-8")
    try:
        told = compare_logs([path], SAID, searched=False)
    except SuanliError:
        return
    for row in told.rows:
        assert finite([row.measured, row.predicted, row.low, row.high, row.error])
        assert row.measured > 0
    for one in told.causes:
        assert finite([one.saved_seconds, one.saved_share])
        assert one.saved_seconds >= 0
    assert told.progress.done_share is None or 0 <= told.progress.done_share <= 1


@PATIENT
@given(content=st.binary(max_size=2000))
def test_any_bytes_are_refused_or_read(content, tmp_path):
    path = tmp_path / "any"
    path.write_bytes(content)
    known = is_log(path)
    assert isinstance(is_text(path), bool)
    try:
        read_logs([path])
    except SuanliError:
        pass
    else:
        assert known


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([
    "log_history", "global_step", "max_steps", "train_runtime", "train_steps_per_second", "total_steps",
    "current_steps", "elapsed_time", "per_device_train_batch_size", "deepspeed", "fsdp", "optim", "base_model",
    "zero_optimization",
    "datasets", "micro_batch_size", "model_name_or_path", "stage", "finetuning_type", "quantization_bit", "bf16",
    "train_samples_per_second", "num_input_tokens_seen", "adapter", "lora_r", "eval_runtime", "step", "loss",
])  # fmt: skip


@settings(PATIENT, max_examples=300)
@given(document=st.dictionaries(KEYS, JSON, max_size=12), lines=st.integers(1, 2))
def test_any_values_under_known_keys_are_read_or_refused(document, lines, tmp_path):
    path = tmp_path / "any.json"
    path.write_text("\n".join([json.dumps(document)] * lines), encoding="utf-8")
    try:
        told = compare_logs([path], SAID, searched=False)
    except SuanliError:
        pass
    else:
        assert all(finite([row.measured, row.predicted]) for row in told.rows)
