"""The real PyTorch on this machine's processor: a whole quick measurement, collectives between two processes."""

import time

import pytest

from suanli.api.measure import measure
from suanli.api.train import TrainingQuestion, train
from suanli.catalogue.profile import load_profile
from suanli.measure.bench import load_average

pytestmark = [pytest.mark.oracle, pytest.mark.slow]
torch = pytest.importorskip("torch")


@pytest.mark.skipif(load_average() > 1, reason="others keep the processor busy: no time to measure it in")
def test_this_processor_is_measured_in_a_minute_and_trains_by_it(tmp_path):
    path = tmp_path / "here.yaml"
    start = time.perf_counter()
    found = measure(path, quick=True, device="cpu", dtypes=["fp32", "bf16"])
    assert time.perf_counter() - start < 60
    assert load_profile(str(path)).system == found.machine.system
    machine = found.machine
    assert machine.accelerator.device_class == "cpu"
    assert {"fp32", "bf16"} <= set(machine.kernels.matmul)
    assert set(machine.kernels.backward) >= {"fp32"}
    assert machine.measurement.families["matmul fp32"].median_error < 0.5
    assert 0 < found.launch_seconds < 1e-3
    question = TrainingQuestion(
        model="qwen3-0.6b", system=str(path), nodes=1, sequence_tokens=128, global_batch=1, tensor=1
    )
    assert train(question)[0].step_seconds > 0


def test_collectives_are_timed_between_two_processes():
    from suanli.measure.backends import find_backends
    from suanli.measure.links import OPS, collectives

    found = collectives(find_backends(torch)["cpu"], 2, (1024, 1048576), 3)
    assert {one.op for one in found} >= {"all_reduce", "all_gather", "send"}
    assert {one.op for one in found} <= set(OPS)
    assert all(one.seconds > 0 and one.ranks == 2 for one in found)
