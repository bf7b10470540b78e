"""Logged runs beside predictions: the share, the band, causes only where their own test sees them, and the end."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.validation.logs import made

from suanli.api.log_question import packaged_model, product_system
from suanli.api.logs import CauseKind, CausePart, compare_logs
from suanli.api.train import TrainingQuestion, train
from suanli.foundation.errors import InputError

BOX = {"system": "dgx-h100"}
QUESTION = TrainingQuestion(
    model="LLAMA3_8B", system="dgx-h100", tensor=2, data=4, micro_batch=1, global_batch=128, sequence_tokens=8192,
    framework="megatron",
)  # fmt: skip


@pytest.fixture(scope="module")
def predicted():
    return train(QUESTION)[0]


def noisy(level, count=300, seed=0):
    return np.random.default_rng(seed).normal(level, 0.004 * level, count)


def written(tmp_path, **texts):
    files = []
    for name, text in texts.items():
        path = tmp_path / name.replace("__", ".")
        path.write_text(text, encoding="utf-8")
        files.append(path)
    return files


def compared(tmp_path, level, said=BOX, export=None, searched=False, **changes):
    log = made.megatron(list(noisy(level)), **changes)
    files = written(tmp_path, train__log=log, **({"smi__csv": export} if export else {}))
    return compare_logs(files, said, searched)


def causes(told, part=None):
    return {one.name: one for one in told.causes if part is None or one.part is part}


def test_the_logs_own_layout_is_predicted_as_train_predicts_it(predicted, tmp_path):
    told = compared(tmp_path, 14.0)
    step = next(row for row in told.rows if row.quantity == "step_seconds")
    assert step.predicted == pytest.approx(predicted.step_seconds)
    assert (step.low, step.high) == pytest.approx((predicted.band.low, predicted.band.high))
    assert told.layout == predicted.layout
    assert told.reached_share == pytest.approx(predicted.step_seconds / 14.0, rel=0.002)
    memory = {row.statistic: row for row in told.rows if row.quantity == "memory_bytes"}
    runtime = predicted.bytes_by_cause["runtime"]
    assert memory["reserved"].predicted == pytest.approx(predicted.memory_bytes - runtime)
    assert memory["allocated"].predicted < memory["reserved"].predicted
    assert not told.assumed


def test_a_run_inside_the_band_is_told_so_and_lacks_no_cause(predicted, tmp_path):
    told = compared(tmp_path, predicted.step_seconds * 1.02, export=made.smi())
    assert told.inside_band
    assert not causes(told, CausePart.STEP)


def test_a_slow_run_without_evidence_gets_no_guess(predicted, tmp_path):
    told = compared(tmp_path, predicted.step_seconds * 1.5, export=made.smi())
    assert not told.inside_band
    assert not causes(told, CausePart.STEP)


def test_the_time_of_loading_is_read_from_its_timer(predicted, tmp_path):
    level = predicted.step_seconds * 1.3
    told = compared(tmp_path, level, timers={"batch-generator": (0.1, 2.5)})
    cause = causes(told)["input_pipeline"]
    assert cause.kind is CauseKind.SEEN
    assert cause.saved_seconds == pytest.approx(2.5)
    assert cause.saved_share == pytest.approx(2.5 / level, rel=0.01)
    quick = compared(tmp_path, level, timers={"batch-generator": (0.001, 0.01)})
    assert "input_pipeline" not in causes(quick)


def test_idle_devices_tell_of_the_host(predicted, tmp_path):
    level = predicted.step_seconds * 1.3
    export = made.smi(busy=lambda _, row: 0 if row % 4 == 1 else 100)
    cause = causes(compared(tmp_path, level, export=export))["input_pipeline"]
    assert cause.kind is CauseKind.SEEN
    assert cause.saved_seconds == pytest.approx(level / 4, rel=0.1)


def test_idle_time_that_pauses_explain_is_not_the_loaders(predicted, tmp_path):
    seconds = noisy(predicted.step_seconds * 1.3, 120)
    seconds[59] += 0.25 * seconds.sum() / 0.75
    files = written(
        tmp_path,
        titan__log=made.torchtitan(
            list(seconds), after={59: ["Saving the checkpoint (or staging if async is enabled)."]}
        ),
        smi__csv=made.smi(busy=lambda _, row: 0 if row % 4 == 1 else 100),
    )
    told = causes(compare_logs(files, {**BOX, "recompute": "selective"}, False))
    assert told["checkpoint"].saved_seconds == pytest.approx(seconds[59] / 119, rel=0.1)
    assert "input_pipeline" not in told


def test_two_speeds_of_steps_are_seen_with_idle_devices_and_possible_without(predicted, tmp_path):
    seconds = noisy(predicted.step_seconds)
    seconds[np.random.default_rng(3).random(300) < 0.6] *= 1.5
    files = written(tmp_path, train__log=made.megatron(list(seconds)))
    told = causes(compare_logs(files, BOX, False))["input_pipeline"]
    assert told.kind is CauseKind.POSSIBLE
    assert told.saved_share == pytest.approx(0.6 * 0.5 / 1.5, abs=0.03)
    export = written(tmp_path, smi__csv=made.smi(busy=lambda _, row: 0 if row % 5 == 1 else 100))
    assert causes(compare_logs(files + export, BOX, False))["input_pipeline"].kind is CauseKind.SEEN


@pytest.mark.parametrize(("every", "name"), [(100, "evaluation"), (30, "input_pipeline")])
def test_a_period_of_stalls_that_a_setting_has_names_them(every, name, predicted, tmp_path):
    seconds = noisy(predicted.step_seconds, 600)
    seconds[every - 1 :: every] += 40.0
    told = causes(
        compare_logs(written(tmp_path, train__log=made.megatron(list(seconds))), BOX, False), CausePart.BETWEEN
    )
    assert told[name].saved_seconds == pytest.approx(40.0 / every, rel=0.05)
    assert "period" in told[name].evidence or f"every {every} steps" in told[name].evidence


def test_the_period_of_a_setting_is_seen_among_other_stalls(predicted, tmp_path):
    seconds = noisy(predicted.step_seconds, 600)
    seconds[99::100] += 40.0
    seconds[[33, 151, 372, 480]] += 30.0
    files = written(tmp_path, train__log=made.megatron(list(seconds)))
    told = causes(compare_logs(files, BOX, False), CausePart.BETWEEN)
    assert told["evaluation"].saved_seconds == pytest.approx(40.0 / 100, rel=0.05)
    assert told["input_pipeline"].saved_seconds == pytest.approx(4 * 30.0 / 600, rel=0.1)


def test_garbage_collection_tells_its_own_time(tmp_path):
    after = {step: ["[GC] Performing periodic GC collection took 2.50 seconds"] for step in range(9, 120, 10)}
    files = written(tmp_path, titan__log=made.torchtitan(list(noisy(9.0, 120)), after=after))
    told = causes(compare_logs(files, {**BOX, "recompute": "selective"}, False))
    assert told["garbage_collection"].saved_seconds == pytest.approx(0.25, rel=0.1)


def test_heat_is_told_only_where_devices_say_so(predicted, tmp_path):
    level = predicted.step_seconds * 1.3
    hot = made.smi(clock=1400, mask=0x44, celsius=92)
    cause = causes(compared(tmp_path, level, export=hot))["throttling"]
    assert cause.kind is CauseKind.SEEN
    products = (
        sum(predicted.seconds_by_cause[name] for name in ("matmul", "attention", "head")) / predicted.step_seconds
    )
    assert cause.saved_seconds == pytest.approx(level * products * (1 - 1400 / 1980), rel=0.01)
    assert "92" in cause.evidence
    assert "throttling" not in causes(compared(tmp_path, level, export=made.smi(clock=1700, mask=0x4)))


def test_a_lowered_power_limit_is_told_from_the_makers(predicted, tmp_path):
    level = predicted.step_seconds * 1.3
    low = made.smi(limit=500, watts=498, clock=1500, mask=0x4)
    assert "500 W" in causes(compared(tmp_path, level, export=low))["throttling"].evidence
    unused = made.smi(limit=500, watts=300, clock=1900, mask=0x0)
    assert "throttling" not in causes(compared(tmp_path, level, export=unused))


def test_one_slow_device_is_told_by_name(predicted, tmp_path):
    level = predicted.step_seconds * 1.3
    export = made.smi(clock=lambda device, _: 1400 if device == 5 else 1900)
    cause = causes(compared(tmp_path, level, export=export))["straggler"]
    assert "smi.csv:5" in cause.evidence
    assert "straggler" not in causes(compared(tmp_path, level, export=made.smi(clock=lambda device, _: 1880 + device)))


def test_one_slow_rank_is_told_by_timers_of_its_own_work(predicted, tmp_path):
    level = predicted.step_seconds * 1.3
    timers = {"forward-compute": (3.0, 3.9), "backward-compute": (6.0, 7.9)}
    assert causes(compared(tmp_path, level, timers=timers))["straggler"].saved_seconds == pytest.approx(1.4)
    even = {"forward-compute": (3.0, 3.05), "backward-compute": (6.0, 6.1)}
    assert "straggler" not in causes(compared(tmp_path, level, timers=even))


def test_busy_devices_that_draw_little_wait_for_the_network(predicted, tmp_path):
    level = predicted.step_seconds * 1.5
    told = causes(compared(tmp_path, level, export=made.smi(watts=330, mask=0x0)))
    assert told["network"].kind is CauseKind.SEEN
    assert told["network"].saved_seconds == pytest.approx(level - predicted.step_seconds, rel=0.01)
    assert "network" not in causes(compared(tmp_path, level, export=made.smi(watts=650)))


def wide(level, tmp_path):
    """Hold a run against sixteen tensor ranks over two nodes, whose traffic is in the open."""
    arguments = {"world_size": 16, "tensor_model_parallel_size": 16, "data_parallel_size": 1, "num_query_groups": 32}
    files = written(tmp_path, train__log=made.megatron(list(noisy(level)), arguments=arguments))
    return compare_logs(files, BOX, False)


def test_traffic_in_the_open_may_be_the_gap_but_not_any_gap(tmp_path):
    sums = wide(1000.0, tmp_path)
    step = next(row for row in sums.rows if row.quantity == "step_seconds").predicted
    told = causes(wide(1.6 * step, tmp_path))
    assert told["network"].kind is CauseKind.POSSIBLE
    assert "network" not in causes(wide(step, tmp_path))
    assert "network" not in causes(wide(40 * step, tmp_path))


def test_drift_is_told_with_what_it_takes(predicted, tmp_path):
    seconds = noisy(predicted.step_seconds) * np.linspace(1, 1.4, 300)
    told = causes(compare_logs(written(tmp_path, train__log=made.megatron(list(seconds))), BOX, False))
    assert told["slowing_down"].kind is CauseKind.SEEN
    faster = causes(compare_logs(written(tmp_path, train__log=made.megatron(list(seconds[::-1]))), BOX, False))
    assert "slowing_down" not in faster


def test_recomputation_and_a_small_micro_batch_are_weighed_by_the_model(tmp_path):
    told = causes(compared(tmp_path, 17.0, arguments={"recompute_granularity": "full"}), CausePart.LAYOUT)
    without = train(QUESTION)[0].step_seconds
    step = compared(tmp_path, 17.0, arguments={"recompute_granularity": "full"}).rows[0]
    assert told["recomputation"].saved_seconds == pytest.approx(
        step.measured * (1 - without / step.predicted), rel=1e-6
    )
    assert told["recomputation"].kind is CauseKind.SETTING
    assert "recomputation" not in causes(compared(tmp_path, 17.0))


def test_attention_without_a_fused_kernel_is_a_setting(tmp_path):
    arguments = {"attention_backend": "AttnBackend.unfused", "seq_length": 2048}
    told = causes(compared(tmp_path, 9.0, arguments=arguments))
    assert told["unfused_attention"].saved_seconds > 0
    assert "unfused_attention" not in causes(compared(tmp_path, 9.0, arguments={"seq_length": 2048}))


@pytest.mark.parametrize(("name", "known"), [("adamw_torch", True), ("adamw_torch_fused", False)])
def test_an_optimizer_of_many_kernels_is_a_setting(name, known, tmp_path):
    arguments = {
        "per_device_train_batch_size": 1, "gradient_accumulation_steps": 1, "bf16": True, "optim": name,
        "fsdp": "full_shard", "gradient_checkpointing": True, "max_steps": 1000,
    }  # fmt: skip
    log = made.trainer_log([1.0] * 400)
    files = written(tmp_path, args__json=json.dumps(arguments), trainer_log__jsonl=log)
    said = {**BOX, "model": "LLAMA3_8B", "nodes": 1, "sequence_tokens": 512}
    assert ("unfused_optimizer" in causes(compare_logs(files, said, False))) is known


def test_skipped_steps_and_flushed_caches_are_counted(tmp_path):
    said = {**BOX, "model": "LLAMA3_8B", "sequence_tokens": 2048, "recompute": "full"}
    log = made.deepspeed(list(noisy(4.0, 40)), config={"fp16": {"enabled": True}}, skipped=20, flushes=(100, 200))
    told = causes(compare_logs(written(tmp_path, ds__log=log), said, False))
    assert told["skipped_steps"].saved_share == pytest.approx(20 / 400)
    assert "4 times" in told["memory_pressure"].evidence
    calm = causes(compare_logs(written(tmp_path, ds__log=made.deepspeed(list(noisy(4.0, 40)))), said, False))
    assert not set(calm) & {"skipped_steps", "memory_pressure", "synchronous_timers"}
    timed = made.deepspeed(list(noisy(40.0, 40)), config={"wall_clock_breakdown": True})
    assert "synchronous_timers" in causes(compare_logs(written(tmp_path, ds__log=timed), said, False))


@pytest.mark.parametrize(("share", "known"), [(0.6, True), (0.97, False)])
def test_padding_is_told_where_useful_tokens_are_counted(share, known, tmp_path):
    arguments = {
        "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "bf16": True,
        "include_num_input_tokens_seen": "non_padding",
    }  # fmt: skip
    seen = {"total_tokens": share * 2048 * 64}
    files = written(
        tmp_path, args__json=json.dumps(arguments), lf__yaml=made.LLAMAFACTORY_YAML,
        trainer_log__jsonl=made.trainer_log(list(noisy(5.0)), more=seen),
    )  # fmt: skip
    told = causes(compare_logs(files, {**BOX, "nodes": 1}, False))
    assert ("padding" in told) is known
    if known:
        assert told["padding"].saved_share == pytest.approx(1 - share, abs=0.01)


def test_a_search_tells_what_another_layout_would_gain(tmp_path):
    arguments = {
        "tensor_model_parallel_size": 8, "data_parallel_size": 1, "recompute_granularity": "full", "seq_length": 4096,
    }  # fmt: skip
    told = compared(tmp_path, 11.0, arguments=arguments, searched=True)
    cause = causes(told)["layout"]
    assert cause.part is CausePart.LAYOUT
    step = told.rows[0]
    assert cause.saved_seconds == pytest.approx(step.measured * (1 - told.best_step_seconds / step.predicted))
    assert "layout" not in causes(compared(tmp_path, 11.0, arguments=arguments, searched=False))


def test_what_is_seen_comes_first_and_layouts_last(tmp_path):
    arguments = {"recompute_granularity": "full"}
    export = made.smi(busy=lambda _, row: 0 if row % 4 == 1 else 100, clock=1500, mask=0x40)
    told = compared(tmp_path, 25.0, export=export, arguments=arguments, searched=True)
    parts = [one.part is CausePart.LAYOUT for one in told.causes]
    assert parts == sorted(parts)
    seen = [one.saved_seconds for one in told.causes if one.kind is CauseKind.SEEN and one.part is not CausePart.LAYOUT]
    assert len(seen) > 1
    assert seen == sorted(seen, reverse=True)


def test_the_end_is_that_of_the_pace_on_the_wall(tmp_path):
    told = compared(tmp_path, 15.0)
    progress = told.progress
    assert (progress.last_step, progress.total_steps, progress.ended) == (300, 1000, False)
    assert progress.done_share == pytest.approx(0.3)
    assert progress.left_seconds == pytest.approx(700 * 15.0, rel=0.002)
    begun = made.BEGIN.replace(tzinfo=UTC).timestamp()
    assert progress.end_clock_seconds == pytest.approx(begun + 1000 * 15.0, rel=1e-6)
    assert datetime.fromtimestamp(progress.end_clock_seconds, UTC).day == 20
    done = compared(tmp_path, 15.0, total=300)
    assert done.progress.ended
    assert done.progress.left_seconds is None


def test_options_count_before_what_a_file_tells(tmp_path):
    told = compared(tmp_path, 15.0, said={**BOX, "model": "LLaMA2-7B", "tensor": 4, "sequence_tokens": 4096})
    assert told.layout.tensor == 4
    assert "2" in told.model


def test_everything_that_is_missing_is_told_at_once(tmp_path):
    files = written(tmp_path, trainer_log__jsonl=made.trainer_log([5.0] * 200))
    with pytest.raises(InputError) as refused:
        compare_logs(files, {}, False)
    assert {fault.place for fault in refused.value.faults} == {"--model", "--system", "--global-batch"}


def test_a_layout_that_cannot_be_is_told_with_its_rule(tmp_path):
    with pytest.raises(InputError) as refused:
        compared(tmp_path, 15.0, said={**BOX, "tensor": 3})
    assert any("--tp" in fault.place for fault in refused.value.faults)
    with pytest.raises(InputError, match="--system"):
        compared(tmp_path, 15.0, said={"system": "dgx-h100"}, arguments={"world_size": 12, "data_parallel_size": 6})
    with pytest.raises(InputError, match=r"--method"):
        compared(tmp_path, 15.0, said={**BOX, "method": "osmosis"})


def test_a_layout_that_ran_and_is_told_not_to_fit_is_pointed_out(tmp_path):
    told = compared(tmp_path, 60.0, arguments={"micro_batch_size": 8})
    assert any("GiB" in note for note in told.notes)
    assert told.reached_share is not None


def test_the_product_of_the_devices_stands_in_for_a_system(tmp_path):
    told = compared(tmp_path, 15.0, said={}, export=made.smi())
    assert "H100" in told.system
    assert any("H100" in one for one in told.assumed)


@pytest.mark.parametrize(
    ("product", "known"),
    [
        ("NVIDIA H100 80GB HBM3", "nv-h100-sxm"),
        ("NVIDIA H100 PCIe", "nv-h100-pcie"),
        ("NVIDIA H200", "nv-h200-sxm"),
        ("NVIDIA A100-SXM4-80GB", "nv-a100-80-sxm"),
        ("NVIDIA A100-SXM4-40GB", "nv-a100-40-sxm"),
        ("NVIDIA A100 80GB PCIe", "nv-a100-80-pcie"),
        ("NVIDIA A800-SXM4-80GB", "nv-a800-80-sxm"),
        ("NVIDIA H20", "nv-h20"),
        ("NVIDIA L40S", "nv-l40s"),
        ("NVIDIA GeForce RTX 4090", "nv-rtx4090"),
        ("NVIDIA GeForce RTX 4090 D", "nv-rtx4090d"),
        ("NVIDIA RTX 6000 Ada Generation", "nv-rtx6000-ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "nv-rtxpro6000"),
        ("NVIDIA GH200 480GB", "nv-gh200-96"),
        ("NVIDIA B300 SXM6 AC", "nv-b300-sxm"),
        ("Tesla V100-SXM2-32GB", "nv-v100-sxm2-32"),
        ("Tesla T4", "nv-t4"),
    ],
)
def test_a_product_is_known_as_nvidia_smi_prints_it(product, known):
    assert product_system(product).accelerator.id == known


def test_fewer_devices_than_a_system_has_are_a_smaller_one(tmp_path):
    arguments = {"world_size": 4, "tensor_model_parallel_size": 4, "data_parallel_size": 1}
    told = compared(tmp_path, 30.0, arguments=arguments)
    assert told.accelerators == 4


def test_samples_that_were_not_packed_are_as_long_as_the_log_counted(tmp_path):
    plain = made.LLAMAFACTORY_YAML.replace("packing: true", "packing: false")
    files = written(tmp_path, lf__yaml=plain, log__jsonl=made.trainer_log([2.0] * 300, more={"total_tokens": 64 * 300}))
    told = compare_logs(files, {**BOX, "nodes": 1}, False)
    assert any("300 tokens" in one for one in told.assumed)
    longer = compare_logs(files, {**BOX, "nodes": 1, "sequence_tokens": 2048}, False)
    assert longer.rows[0].predicted > 2 * told.rows[0].predicted
    silent = written(tmp_path, lf__yaml=plain, log__jsonl=made.trainer_log([2.0] * 300))
    assert any("--seq-len" in one for one in compare_logs(silent, {**BOX, "nodes": 1}, False).assumed)


def test_few_trained_parameters_tell_of_adapters(tmp_path):
    text = made.console([5.0] * 200).replace(
        "trainable parameters = 8,030,261,248", "trainable parameters = 20,971,520"
    )
    said = {**BOX, "model": "LLAMA3_8B", "sequence_tokens": 2048}
    told = compare_logs(written(tmp_path, hf__log=text), said, False)
    full = compare_logs(written(tmp_path, hf__log=made.console([5.0] * 200)), said, False)
    assert any("adapters" in one for one in told.assumed)
    assert told.rows[0].predicted < full.rows[0].predicted


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("llama3 8B", "Meta-Llama-3-8B"),
        ("NousResearch/Llama-3.2-1B", "Llama-3.2-1B"),
        ("/data/models/Qwen2.5-7B-Instruct", "Qwen2.5-7B"),
        ("C:\\models\\Qwen3-8B", "Qwen3-8B"),
        ("my-own-model", None),
    ],
)
def test_a_checkpoint_is_known_by_its_name_whoever_published_it(name, known):
    model = packaged_model(name)
    assert (model is None) if known is None else (model is not None and known in model.name)


def test_exports_alone_are_compared_by_memory(tmp_path):
    files = written(tmp_path, lf__yaml=made.LLAMAFACTORY_YAML, smi__csv=made.smi())
    told = compare_logs(files, {}, False)
    assert told.reached_share is None
    assert [row.quantity for row in told.rows] == ["memory_bytes"]
    assert not told.causes


def test_no_number_of_an_answer_is_no_number(tmp_path):
    told = compared(tmp_path, 15.0, searched=True)
    for row in told.rows:
        assert all(math.isfinite(value) for value in (row.measured, row.predicted, row.low, row.high, row.error))
        assert row.low <= row.predicted <= row.high
