"""Logs are told by what they hold and read in any dress: colours, bars, ranks, cuts, encodings; faults come at once."""

import itertools
import json
import math
import tracemalloc

import numpy as np
import pytest
from tests.validation.logs import made

from suanli.domain.training_log import MemoryKind, PauseKind
from suanli.foundation.errors import InputError
from suanli.validation.logs.found import MOST_REPORTS, Reports, clock_of
from suanli.validation.logs.lines import encoding_of, lines_of
from suanli.validation.logs.merge import step_times
from suanli.validation.logs.read import is_log, is_text, read_logs

STEADY = [7.0] * 40
STATE = {
    "global_step": 20, "max_steps": 100, "logging_steps": 10, "save_steps": 50, "train_batch_size": 4,
    "num_input_tokens_seen": 20 * 8 * 512,
    "log_history": [
        {"step": 10, "loss": 2.0, "train_runtime": 80.0}, {"step": 10, "eval_loss": 2.0, "eval_runtime": 12.0},
        {"step": 20, "loss": 1.0, "train_runtime": 162.0},
    ],
}  # fmt: skip
SUMS = {"train_runtime": 100.0, "train_samples_per_second": 16.0, "train_steps_per_second": 0.5, "epoch": 1.0}
TEXTS = {
    "megatron": (made.megatron(STEADY), "Megatron-LM"),
    "torchtitan": (made.torchtitan(STEADY), "torchtitan"),
    "torchtitan 0.1": (made.torchtitan(STEADY, old=True, colours=False), "torchtitan"),
    "deepspeed": (made.deepspeed(STEADY), "DeepSpeed"),
    "console": (made.console([5.0] * 200), "Hugging Face Trainer"),
    "axolotl": (made.console([5.0] * 200, head=("[INFO] [axolotl.cli.config] config:", "{", "}")), "Axolotl"),
    "trainer_log": (made.trainer_log([5.0] * 200), "LLaMA-Factory"),
    "trainer_state": (json.dumps(STATE, indent=2), "Hugging Face Trainer"),
    "all_results": (json.dumps(SUMS), "Hugging Face Trainer"),
    "ds_config": (json.dumps(made.DEEPSPEED), "DeepSpeed"),
    "arguments": (json.dumps({"per_device_train_batch_size": 4, "optim": "adamw_torch"}), "Hugging Face Trainer"),
}
EXPORTS = {
    "csv": made.smi(), "csv without units": made.smi().replace(" %", "").replace(" MiB", "").replace(" MHz", ""),
    "dmon": made.dmon(), "table": made.SMI_TABLE, "dcgmi": made.dcgm_dmon(), "exporter": made.dcgm_exporter(),
}  # fmt: skip


def written(tmp_path, text, name="anything.txt", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def read(tmp_path, text, name="anything.txt", encoding="utf-8"):
    return read_logs([written(tmp_path, text, name, encoding)])


def seconds(log, tokens=None, sequences=None, accelerators=8):
    return step_times(log.reports, tokens, sequences, accelerators).seconds


@pytest.mark.parametrize("name", TEXTS)
def test_a_log_is_told_by_what_it_holds_whatever_its_name(name, tmp_path):
    text, tool = TEXTS[name]
    path = written(tmp_path, text)
    assert is_log(path)
    assert read_logs([path]).tools == (tool,)


@pytest.mark.parametrize("name", ["LLAMAFACTORY_YAML", "AXOLOTL_YAML"])
def test_a_configuration_is_told_by_its_keys(name, tmp_path):
    path = written(tmp_path, getattr(made, name), "any.yaml")
    assert is_log(path)
    settings = read_logs([path]).settings
    assert settings["accumulation"].value == 4
    assert settings["packed"].value is True
    assert settings["recompute"].value == "full"


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_of_devices_is_told_by_what_it_holds(name, tmp_path):
    path = written(tmp_path, EXPORTS[name])
    assert is_log(path)
    devices = read_logs([path]).devices
    assert len(devices) in (2, 8)
    for use in devices:
        assert 0.9 < use.busy_share <= 1
        assert use.memory_bytes == pytest.approx(61_000 * 2**20, rel=0.01)
        assert 600 < use.power_watts <= 700
        assert math.isnan(use.clock_hertz) or 1.8e9 < use.clock_hertz < 2e9
        assert use.product in ("", "NVIDIA H100 80GB HBM3")


def test_megatron_tells_its_arguments_shape_memory_and_timers(tmp_path):
    log = read(tmp_path, made.megatron(STEADY, timers={"optimizer": (0.05, 0.06)}, skipped=1))
    told = {name: one.value for name, one in log.settings.items()}
    assert told | {
        "tensor": 2, "data": 4, "micro_batch": 1, "global_batch": 128, "sequence_tokens": 8192, "accelerators": 8,
        "sharding": "optimizer", "recompute": "none", "precision": "bf16", "attention": "flash", "total_steps": 1000,
        "save_every": 500, "evaluate_every": 100,
    } == told  # fmt: skip
    assert log.shape["layers"] == "32"
    assert log.shape["kv_heads"] == "8"
    assert log.peaks == {MemoryKind.ALLOCATED: 52_000 * 2**20, MemoryKind.RESERVED: 57_000 * 2**20}
    assert log.timers["optimizer"] == pytest.approx((0.05, 0.06))
    assert log.skipped_steps == 40
    assert seconds(log) == pytest.approx(STEADY)
    assert log.settings["tensor"].place.startswith("anything.txt:")


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ({"recompute_granularity": "full"}, "recompute", "full"),
        ({"fp8": "hybrid"}, "precision", "fp8"),
        ({"bf16": False, "fp16": True}, "precision", "fp16"),
        ({"use_distributed_optimizer": False}, "sharding", "none"),
        ({"use_torch_fsdp2": True}, "sharding", "full"),
        ({"attention_backend": "AttnBackend.unfused"}, "attention", "unfused"),
        ({"virtual_pipeline_model_parallel_size": 4}, "interleave", 4),
    ],
)
def test_an_argument_of_megatron_becomes_a_setting(arguments, name, value, tmp_path):
    assert read(tmp_path, made.megatron(STEADY, arguments=arguments)).settings[name].value == value


def test_a_shape_that_columns_cannot_tell_is_left_to_the_name(tmp_path):
    for arguments in ({"multi_latent_attention": True}, {"num_experts": 8, "moe_layer_freq": "([0]*3+[1]*29)"}):
        assert not read(tmp_path, made.megatron(STEADY, arguments=arguments)).shape


@pytest.mark.parametrize("old", [True, False])
def test_torchtitan_tells_its_mesh_batches_and_memory(old, tmp_path):
    log = read(tmp_path, made.torchtitan(STEADY, mesh={"dp_shard": 4, "tp": 2}, old=old))
    told = {name: one.value for name, one in log.settings.items()}
    assert told | {
        "tensor": 2, "data": 4, "accelerators": 8, "sharding": "full", "micro_batch": 2, "global_batch": 64,
        "sequence_tokens": 8192, "recompute": "selective", "compiled": False, "model": "llama3 8B", "save_every": 500,
    } == told  # fmt: skip
    assert log.peaks == {MemoryKind.RESERVED: pytest.approx(61.5 * 2**30)}
    assert seconds(log, tokens=8 * 8192 * 8) == pytest.approx(STEADY, rel=1e-3)
    assert seconds(log) == pytest.approx(STEADY[1:], abs=2e-3), "its clock tells steps where batches are not known"


def test_torchtitan_tells_its_number_format(tmp_path):
    plain = made.torchtitan(STEADY, old=True)
    eight = plain.replace("'compile':", "'model': {'converters': ['quantize.linear.float8']}, 'compile':")
    single = plain.replace("'gc_freq':", "'mixed_precision_param': 'float32', 'gc_freq':")
    told = [read(tmp_path, text).settings.get("precision") for text in (plain, eight, single)]
    assert [one and one.value for one in told] == ["bf16", "fp8", None]


def test_torchtitan_of_2026_tells_batches_in_tokens(tmp_path):
    text = made.torchtitan(STEADY).replace('"local_batch_size": 2', '"num_tokens_per_microbatch_per_dp_rank": 16384')
    text = text.replace('"global_batch_size": 64', '"num_tokens_per_train_step": 524288')
    settings = read(tmp_path, text.replace('"seq_len"', '"max_context_length"')).settings
    assert (settings["micro_batch"].value, settings["global_batch"].value) == (2, 64)


def test_deepspeed_tells_its_configuration_and_the_rate_of_a_step(tmp_path):
    log = read(tmp_path, made.deepspeed(STEADY, skipped=3, flushes=(20, 30)))
    told = {name: one.value for name, one in log.settings.items()}
    assert (
        told | {"global_batch": 64, "micro_batch": 4, "sharding": "gradients", "precision": "bf16", "data": 8} == told
    )
    assert seconds(log, sequences=64) == pytest.approx(STEADY)
    assert (log.skipped_steps, log.allocator_flushes) == (3, 4)
    assert log.peaks == {MemoryKind.ALLOCATED: pytest.approx(50.5 * 2**30)}


def test_the_bar_of_training_is_told_from_those_beside_it(tmp_path):
    log = read(tmp_path, made.console([5.0] * 200, evaluations=(60, 120), ended=True))
    assert log.reports.last == 200
    assert [pause.step for pause in log.pauses] == [60, 120]
    assert {pause.kind for pause in log.pauses} == {PauseKind.EVALUATION}
    assert log.ended
    told = {name: log.settings[name].value for name in ("global_batch", "micro_batch", "accumulation", "total_steps")}
    assert told == {"global_batch": 64, "micro_batch": 4, "accumulation": 2, "total_steps": 1000}
    assert np.median(seconds(log)) == pytest.approx(5.0)


def test_whole_seconds_of_a_clock_are_put_together_until_they_are_many(tmp_path):
    told = np.asarray(seconds(read(tmp_path, made.trainer_log([0.37] * 4000, every=1))))
    assert len(told) > 50
    assert told == pytest.approx(0.37, rel=0.06)


def test_a_state_tells_steps_where_tokens_are_counted_and_the_mean_where_not(tmp_path):
    log = read(tmp_path, json.dumps(STATE))
    assert seconds(log) == pytest.approx([8.2])
    assert log.tokens_seen == 20 * 8 * 512
    plain = {**STATE, "log_history": [{"step": 20, "train_steps_per_second": 0.1, "train_runtime": 200.0}]}
    assert seconds(read(tmp_path, json.dumps(plain))) == pytest.approx([10.0])
    assert seconds(read(tmp_path, json.dumps(SUMS))) == pytest.approx([2.0])


DRESSES = {
    "as it is": lambda text: text,
    "ends of lines as Windows writes them": lambda text: text.replace("\n", "\r\n"),
    "ranks of torchrun": lambda text: "".join(f"[rank0]:{line}\n" for line in text.splitlines()),
    "ranks of srun": lambda text: "".join(f"0: {line}\n" for line in text.splitlines()),
    "colours": lambda text: "".join(f"\x1b[32m{line}\x1b[0m\n" for line in text.splitlines()),
    "noise between": lambda text: "".join(f"NCCL INFO Channel 00/0 : 0[0]\n{line}\n" for line in text.splitlines()),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("name", ["megatron", "torchtitan", "deepspeed"])
def test_a_log_says_the_same_in_any_dress(name, dress, tmp_path):
    if name != "megatron" and dress == "noise between":
        pytest.skip("an object of JSON is printed at once")
    plain, dressed = (read(tmp_path, text) for text in (TEXTS[name][0], DRESSES[dress](TEXTS[name][0])))
    assert dressed.reports.columns["number"] == plain.reports.columns["number"]
    told = [{key: one.value for key, one in log.settings.items()} for log in (plain, dressed)]
    assert told[0] == told[1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk"])
def test_chinese_windows_may_have_written_it(encoding, tmp_path):
    text = "开始训练：正在初始化分布式环境\n" * 20 + TEXTS["megatron"][0]
    path = written(tmp_path, text, encoding=encoding)
    assert next(iter(lines_of(path))).text.lstrip("\ufeff").startswith("开始训练")
    assert read_logs([path]).reports.last == 40
    assert read(tmp_path, made.smi(), encoding=encoding).devices


def test_encodings_are_told_by_the_beginning():
    assert encoding_of(b"plain") == "utf-8"
    assert encoding_of("训练".encode("gbk")) == "gb18030"
    assert encoding_of("training".encode("utf-16-le")) == "utf-16-le"
    assert encoding_of("训".encode()[:2]) == "utf-8", (
        "a letter cut at the end of what was looked at is none that is wrong"
    )


def test_lines_of_several_ranks_are_those_of_the_first_that_reports(tmp_path):
    first, other = (made.torchtitan(STEADY, config=False, colours=False).splitlines() for _ in range(2))
    mixed = itertools.chain(*zip((f"[rank0]:{one}" for one in first), (f"[rank1]:{one}" for one in other), strict=True))
    log = read(tmp_path, "\n".join(mixed))
    assert len(log.reports) == len(STEADY)
    assert not log.reports.again


@pytest.mark.parametrize("name", ["megatron", "torchtitan", "deepspeed", "trainer_log", "console"])
def test_a_log_may_be_cut_anywhere(name, tmp_path):
    text = TEXTS[name][0]
    whole = read(tmp_path, text).reports.last
    for share in (0.55, 0.7, 0.83, 0.99):
        cut = read(tmp_path, text[: int(len(text) * share)])
        assert 0 < cut.reports.last <= whole


def test_lines_that_cannot_be_read_are_counted_with_their_numbers(tmp_path):
    lines = made.megatron(STEADY).splitlines()
    place = next(number for number, line in enumerate(lines) if "iteration        7/" in line)
    lines[place] = lines[place][:90]
    log = read(tmp_path, "\n".join(lines))
    assert len(log.reports) == len(STEADY) - 1
    assert f"anything.txt: 1 lines were cut or garbled and left out: {place + 1}" in log.notes
    garbled = made.trainer_log([5.0] * 200).splitlines()
    garbled[4] = garbled[4][:30]
    assert any("left out: 5" in note for note in read(tmp_path, "\n".join(garbled)).notes)
    rows = made.smi().splitlines()
    rows[9] = rows[9][:40]
    assert any("left out: 10" in note for note in read(tmp_path, "\n".join(rows)).notes)


def test_a_run_that_went_back_to_a_checkpoint_counts_its_last_pass(tmp_path):
    again = made.megatron([9.0] * 40, memory=False).splitlines()
    iterations = [line for line in again if " iteration " in line and "elapsed" in line][20:]
    log = read(tmp_path, made.megatron(STEADY) + "\n".join(iterations))
    assert seconds(log) == pytest.approx([7.0] * 20 + [9.0] * 20)
    assert any("went back" in note for note in log.notes)


def test_another_layout_in_the_same_file_is_another_run(tmp_path):
    other = made.megatron([5.0] * 10, arguments={"tensor_model_parallel_size": 4, "data_parallel_size": 2})
    log = read(tmp_path, made.megatron(STEADY) + other)
    assert seconds(log) == pytest.approx([5.0] * 10)
    assert log.settings["tensor"].value == 4


def test_files_of_two_runs_are_refused_with_both_places(tmp_path):
    one = written(tmp_path, made.megatron(STEADY), "one.log")
    other = written(tmp_path, made.megatron(STEADY, arguments={"tensor_model_parallel_size": 4}), "other.log")
    with pytest.raises(InputError, match="files of one run") as refused:
        read_logs([one, other])
    assert {fault.place.split(":")[0] for fault in refused.value.faults} == {"other.log"}


def test_what_nobody_knows_is_refused_with_the_known_tools_all_files_at_once(tmp_path):
    files = [
        written(tmp_path, "hello\nworld\n", "hello.log"), written(tmp_path, '{"a": 1}', "a.json"),
        written(tmp_path, '{"log_history": [}', "broken.json"), tmp_path / "nowhere.log",
        written(tmp_path, "PK\x03\x04\x00\x00\x00", "training_args.bin"), written(tmp_path, "a: 1\n", "a.yaml"),
    ]  # fmt: skip
    assert not any(is_log(file) for file in files)
    with pytest.raises(InputError) as refused:
        read_logs(files)
    said = {fault.place.split(":")[0].rsplit("/", 1)[-1]: fault for fault in refused.value.faults}
    assert set(said) == {file.name for file in files}
    for name in ("hello.log", "a.json", "a.yaml"):
        assert "Megatron-LM" in said[name].allowed
        assert "dcgm-exporter" in said[name].allowed
    assert said["broken.json"].place == "broken.json:1"
    assert "json.dumps" in said["training_args.bin"].hint


def test_tables_and_results_of_other_tools_are_no_logs(tmp_path):
    table = written(tmp_path, "id,accelerator,gpus,step_time_s\na,H100,8,1.0\n", "runs.csv")
    assert not is_log(table)
    assert not is_text(table)
    assert not is_log(written(tmp_path, '{"median_ttft_ms": 3, "num_prompts": 2}', "vllm.json"))
    assert is_text(written(tmp_path, "hello\n", "hello.log"))


def test_a_log_of_any_length_takes_bounded_memory(tmp_path):
    path = tmp_path / "long.log"
    line = made.megatron([7.0]).splitlines()[-2]
    with path.open("w", encoding="utf-8") as opened:
        opened.write(made.megatron(STEADY))
        for number in range(41, 60_000):
            opened.write(line.replace("       1/", f"{number:8d}/") + "\n")
    tracemalloc.start()
    log = read_logs([path])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert log.reports.last == 59_999
    assert peak < min(path.stat().st_size, 24 * 2**20)


def test_reports_beyond_the_bound_are_thinned_evenly():
    reports = Reports()
    for number in range(1, MOST_REPORTS + 10):
        reports.add(number, seconds=1.0)
    assert len(reports) < MOST_REPORTS / 2 + 10
    assert reports.last == MOST_REPORTS + 9


def test_one_endless_line_is_read_in_pieces(tmp_path):
    path = written(tmp_path, "x" * (3 * 2**20) + "\n" + made.megatron(STEADY))
    assert read_logs([path]).reports.last == 40


def test_clocks_are_read_however_they_are_written():
    one = clock_of("[2026-11-20 08:00:01,250] x")
    assert clock_of("2026/11/20 08:00:02") - one == pytest.approx(0.75)
    assert math.isnan(clock_of("2026-13-40 08:00:00"))


def test_idle_time_before_and_after_the_run_does_not_count(tmp_path):
    def busy(_, row):
        return 0 if row < 20 or row >= 50 or row % 5 == 0 else 100

    use = read(tmp_path, made.smi(samples=70, devices=1, busy=busy)).devices[0]
    assert use.busy_share == pytest.approx(24 / 29)
    assert use.samples == 70


@pytest.mark.parametrize(("mask", "capped", "heated"), [(0x4, 1, 0), (0x20, 0, 1), (0x48, 0, 1), (0x1, 0, 0)])
def test_reasons_of_slow_clocks_are_told_from_each_other(mask, capped, heated, tmp_path):
    use = read(tmp_path, made.smi(devices=1, mask=mask)).devices[0]
    assert (use.power_capped_share, use.heat_slowed_share) == (capped, heated)


def test_reasons_stand_in_columns_of_their_own_too(tmp_path):
    reasons = (f"clocks_throttle_reasons.{name}" for name in ("hw_thermal_slowdown", "sw_power_cap"))
    columns = ("index", "utilization.gpu [%]", *reasons)
    use = read(
        tmp_path, ", ".join(columns) + "\n" + "0, 99 %, Active, Not Active\n0, 99 %, Not Active, Not Active\n"
    ).devices[0]
    assert (use.heat_slowed_share, use.power_capped_share) == (0.5, 0)


def test_counters_of_dcgm_count_what_grew(tmp_path):
    cold, hot = (read(tmp_path, made.dcgm_exporter(heated=grown)).devices[0] for grown in (1000, 10**9))
    assert (cold.heat_slowed_share, hot.heat_slowed_share) == (0, 1)
