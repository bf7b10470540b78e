"""The real PyTorch on this machine's processor: a whole quick measurement, collectives between two processes."""

import pytest
from tests.measure.few import small_rules_file

from suanli.api.measure import measure
from suanli.api.train import TrainingQuestion, train
from suanli.catalogue.profile import load_profile

pytestmark = [pytest.mark.oracle, pytest.mark.slow]
torch = pytest.importorskip("torch")


def test_this_processor_is_measured_and_trains_by_it(tmp_path, monkeypatch):
    monkeypatch.setattr("suanli.measure.rules.RULES", small_rules_file(tmp_path))
    path = tmp_path / "here.yaml"
    found = measure(path, quick=True, device="cpu", dtypes=["bf16"])
    assert load_profile(str(path)).system == found.machine.system
    machine = found.machine
    assert machine.accelerator.device_class == "cpu"
    assert "bf16" in machine.kernels.matmul
    assert "bf16" in machine.kernels.backward
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
