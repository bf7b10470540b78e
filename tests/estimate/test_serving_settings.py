"""Settings that are not an engine's default: launches without graphs, and steps scheduled after the last one."""

import pytest
from tests.estimate.replicas import LLAMA, LLAMA_70B, MIXTURE, replica

from suanli.catalogue.serving_choices import load_serving_figures, offered
from suanli.domain.serving import Adapters, DraftKind, Since
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_launch import launches_of, least_seconds
from suanli.estimate.serving_step import StepLoad, step_causes, step_seconds
from suanli.foundation.errors import InputError

TRAITS = load_serving_figures().traits


def seconds(one, decoding=1.0):
    return float(step_seconds(one, StepLoad(decoding=decoding, context=500.0)))


def test_a_step_without_graphs_takes_at_least_its_launches():
    one = replica("Qwen/Qwen2.5-0.5B", eager=True)
    assert seconds(one) == pytest.approx(launches_of(one) * TRAITS.launch_seconds["vllm_v1"].value)
    assert seconds(one) > 2 * seconds(replica("Qwen/Qwen2.5-0.5B"))


def test_kernels_that_take_longer_hide_their_launches():
    load = {"decoding": 256.0}
    assert seconds(replica(LLAMA, eager=True), **load) == seconds(replica(LLAMA), **load)


def test_what_a_step_waits_for_is_the_engine_s():
    plain, eager = (
        step_causes(replica("Qwen/Qwen2.5-0.5B", eager=told), StepLoad(decoding=1.0, context=500.0))
        for told in (False, True)
    )
    assert eager["engine"] > plain["engine"]
    assert eager["matmul"] == plain["matmul"]


def test_a_measured_step_without_graphs_is_met():
    """8.4 ms: Llama 3.1 8B, one sequence, on an H100."""
    assert seconds(replica(LLAMA, eager=True)) == pytest.approx(8.4e-3, rel=0.05)


def test_captured_graphs_hide_every_launch():
    assert least_seconds(replica()) == 0


def test_kernels_are_counted_by_layer():
    """Four products, two norms, two passes, attention and the cache's write: ten in each of 32 layers, three more."""
    assert launches_of(replica()) == 32 * 10 + 3
    assert launches_of(replica(layout=ServingLayout(tensor=2))) == 32 * 12 + 3
    assert launches_of(replica(MIXTURE)) > 48 * 11
    adapted = replica(adapters=Adapters(count=1, rank=8))
    assert launches_of(adapted) == 32 * (10 + 8) + 3


def test_drafts_are_launched_too():
    drafted = replica(drafting=DraftKind.EAGLE, draft_tokens=3.0)
    assert launches_of(drafted) > launches_of(replica()) + 3 * 10


def test_engines_in_native_code_launch_sooner_than_those_in_python():
    launch = TRAITS.launch_seconds
    assert launch["trtllm_auto"].value < launch["vllm_v1"].value
    assert launch["lmdeploy"].value < launch["sglang"].value


def test_scheduling_after_the_last_step_costs_each_sequence():
    """5 to 6 ms between steps of 256 sequences, as published before vLLM scheduled ahead."""
    ahead, after = (seconds(replica(overlap=told), 256.0) for told in (True, False))
    assert 5e-3 < after - ahead < 6e-3


@pytest.mark.parametrize(
    ("version", "date", "ahead"),
    [("0.13.0", "", False), ("0.14.0", "", True), ("", "2025-12", False), ("", "2026-01", True), ("", "", True)],
)
def test_vllm_schedules_ahead_since_its_version(version, date, ahead):
    told = replica(engine_version=version, engine_date=date).engine
    assert told == replica(overlap=ahead).engine


def test_an_engine_that_can_schedule_ahead_does_so_when_asked():
    assert replica(engine_version="0.11.0", overlap=True).engine == replica().engine


def test_asking_for_what_an_engine_does_anyway_changes_nothing():
    assert replica(overlap=True).engine == replica().engine
    assert (
        replica(LLAMA_70B, layout=ServingLayout(tensor=8), engine="mindie", overlap=False).engine
        == replica(LLAMA_70B, layout=ServingLayout(tensor=8), engine="mindie").engine
    )


def test_an_engine_that_never_schedules_ahead_is_not_asked_to():
    with pytest.raises(InputError, match="schedules a step after"):
        replica(engine="mindie", overlap=True)


@pytest.mark.parametrize(
    ("version", "date", "there"),
    [("0.9.0", "", True), ("0.8.9", "", False), ("", "2025-05", True), ("", "2025-04-30", False), ("", "", True),
     ("nightly", "2025-04", False)],
)  # fmt: skip
def test_something_is_offered_since_its_version_or_date(version, date, there):
    assert offered(Since(version="0.9.0", date="2025-05"), version, date) is there


def test_what_is_not_listed_is_not_offered():
    assert not offered(None, "99.0", "")
