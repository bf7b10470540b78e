"""State in the host's memory: what it frees, what travels, what shows, and the host's own limit."""

import dataclasses

import numpy as np
import pytest
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, question_of, setup_of, small_model

from suanli.domain.layout import Layout, Offload, Recompute, Schedule
from suanli.estimate.evaluate import evaluate
from suanli.estimate.optimizers import layers_on_device, load_choices
from suanli.estimate.search import search
from suanli.estimate.space import Freedom
from suanli.estimate.step import open_machine
from suanli.estimate.tables import to_table
from suanli.estimate.timeline import timeline
from suanli.estimate.training import estimate_layout
from suanli.estimate.updates import shown_beside
from suanli.foundation.errors import InfeasibleError
from suanli.parts.architectures.read import named_model

LLAMA = named_model("LLaMA2-7B")
MEGATRON = CALIBRATION.software["megatron_core"]
FIGURES = load_choices().offloading


def estimated(offload, layout=None, setup=None, cluster=None):
    asked = dataclasses.replace(layout or Layout(data=16, recompute=Recompute.NONE), offload=offload)
    return estimate_layout(setup or setup_of(LLAMA, batch=64), cluster or cluster_of(2), asked, KERNELS)


def with_host(cluster, memory_gib):
    """Return the same cluster with so much memory in every host."""
    host = dataclasses.replace(cluster.system.host_memory_bytes, value=memory_gib * 2**30)
    return dataclasses.replace(cluster, system=dataclasses.replace(cluster.system, host_memory_bytes=host))


def test_nothing_on_the_host_is_neutral():
    found = estimated(Offload.NONE)
    assert found.host_memory_bytes == found.seconds_by_cause["offload_exposed"] == 0
    assert not [said for said in found.assumed if "host" in said]


def test_optimizer_state_moves_from_device_to_host():
    home, away = (estimated(one) for one in (Offload.NONE, Offload.OPTIMIZER))
    assert away.bytes_by_cause["optimizer"] == 0
    assert away.host_memory_bytes == pytest.approx(home.bytes_by_cause["optimizer"])
    assert home.memory_bytes - away.memory_bytes == pytest.approx(away.host_memory_bytes)
    assert away.bytes_by_cause["activations"] == home.bytes_by_cause["activations"]


def test_activations_move_but_for_two_layers():
    home, away = (estimated(one) for one in (Offload.NONE, Offload.ACTIVATIONS))
    kept, stays = home.bytes_by_cause["activations"], away.bytes_by_cause["activations"]
    assert layers_on_device() == 2
    assert stays == pytest.approx(kept * 2 / 32)
    assert away.host_memory_bytes == pytest.approx(kept - stays)
    assert away.bytes_by_cause["optimizer"] == home.bytes_by_cause["optimizer"]


def test_both_is_the_sum():
    parts = [estimated(one).host_memory_bytes for one in (Offload.OPTIMIZER, Offload.ACTIVATIONS)]
    assert estimated(Offload.BOTH).host_memory_bytes == pytest.approx(sum(parts))


def test_a_stage_of_two_layers_keeps_them_on_the_device():
    layout = Layout(data=1, tensor=1, pipeline=16, micro_batch=64)
    setup = setup_of(small_model(layers=32), batch=64)
    home, away = (estimated(one, layout, setup) for one in (Offload.NONE, Offload.ACTIVATIONS))
    assert away.host_memory_bytes == 0
    assert away.memory_bytes == home.memory_bytes


def test_the_host_updates_at_its_memory_s_rate_and_state_travels_by_hand():
    away = estimated(Offload.OPTIMIZER, Layout(data=16, recompute=Recompute.NONE))
    kept = away.host_memory_bytes / MEGATRON.optimizer_bytes
    moved = kept * MEGATRON.optimizer_moved_bytes
    assert away.seconds_by_cause["optimizer"] == pytest.approx(8 * moved / FIGURES.host_memory_rate.value, rel=1e-6)
    link = open_machine(cluster_of(2), KERNELS).host_bytes_per_s
    back, out = kept * 2 / link, kept * MEGATRON.reduce_bytes / link
    shown = away.seconds_by_cause["offload_exposed"]
    assert back <= shown * (1 + 1e-9)
    assert shown <= back + out


def test_kept_activations_travel_there_and_back_and_hide_under_work():
    setup, machine = setup_of(LLAMA, batch=64), open_machine(cluster_of(2), KERNELS)
    home, away = (estimated(one, setup=setup) for one in (Offload.NONE, Offload.ACTIVATIONS))
    there = 4 * home.bytes_by_cause["activations"] / machine.host_bytes_per_s
    hidden = FIGURES.hidden_share.value
    shown = away.seconds_by_cause["offload_exposed"]
    assert 2 * (1 - hidden) * there * (1 - 1e-9) <= shown <= 2 * there
    assert 2 * there - shown <= hidden * home.step_seconds


def test_what_is_thrown_away_need_not_travel():
    kept, again = (
        estimated(Offload.ACTIVATIONS, Layout(data=16, recompute=level)).seconds_by_cause["offload_exposed"]
        for level in (Recompute.NONE, Recompute.FULL)
    )
    assert again < kept / 4


@pytest.mark.parametrize("offload", [Offload.OPTIMIZER, Offload.ACTIVATIONS, Offload.BOTH])
def test_an_endless_host_costs_no_time(offload):
    question = question_of(setup_of(LLAMA, batch=64), 2)
    free = dataclasses.replace(question.machine, host_bytes_per_s=1e30, host_sharing=1e-30)
    home, away = (
        evaluate(dataclasses.replace(question, machine=free), to_table([Layout(data=16, offload=one)])).step
        for one in (Offload.NONE, offload)
    )
    assert away.causes["offload_exposed"][0] == pytest.approx(0, abs=1e-12)
    assert away.step_seconds[0] <= home.step_seconds[0]


def test_a_faster_host_link_is_never_slower():
    question, steps = question_of(setup_of(LLAMA, batch=64), 2), []
    for rate in (1e9, 1e10, 1e11, 1e12):
        machine = dataclasses.replace(question.machine, host_bytes_per_s=rate)
        asked = dataclasses.replace(question, machine=machine)
        steps.append(evaluate(asked, to_table([Layout(data=16, offload=Offload.BOTH)])).step.step_seconds[0])
    assert steps == sorted(steps, reverse=True)


def test_two_transfers_under_the_same_work_wait_for_the_longer_one():
    hidden = FIGURES.hidden_share.value
    assert shown_beside(10.0, 5.0, 0.0) == pytest.approx(10 - hidden * 5)
    assert shown_beside(10.0, 5.0, 4.0) == pytest.approx(10 - hidden * 5 - 4)
    assert shown_beside(10.0, 5.0, 9.0) == 0


def test_a_host_that_is_too_small_is_a_limit_of_its_own():
    layout, cluster = Layout(data=16, micro_batch=4), cluster_of(2)
    assert estimated(Offload.ACTIVATIONS, layout, cluster=cluster).limit == ""
    assert estimated(Offload.ACTIVATIONS, layout, cluster=with_host(cluster, 64)).limit == "host memory"
    assert estimated(Offload.NONE, layout, cluster=with_host(cluster, 64)).limit != "host memory"


def test_a_search_says_that_the_host_is_too_small():
    with pytest.raises(InfeasibleError, match="host memory"):
        search(setup_of(LLAMA, batch=64), with_host(cluster_of(2), 1e-3), KERNELS,
               freedom=Freedom(offloads=(Offload.OPTIMIZER,)))  # fmt: skip


def test_a_host_of_unknown_size_sets_no_limit():
    cluster = cluster_of(2)
    unknown = dataclasses.replace(cluster, system=dataclasses.replace(cluster.system, host_memory_bytes=None))
    assert open_machine(unknown, KERNELS).host_memory_bytes == np.inf


def test_offloading_fits_where_nothing_else_does():
    setup, cluster = setup_of(named_model("LLaMA2-13B"), batch=8), cluster_of(1, "dgx-a100-320")
    found = search(setup, cluster, KERNELS, keep=1, freedom=Freedom(offloads=tuple(Offload)))[0]
    assert found.limit == ""
    assert found.memory_bytes < question_of(setup, 1, "dgx-a100-320").capacity_bytes


@pytest.mark.parametrize("offload", list(Offload))
def test_what_travels_is_drawn_in_the_timeline(offload):
    setup, cluster = setup_of(small_model(layers=16, hidden=2048, vocabulary=2048), batch=128), cluster_of(2)
    layout = Layout(data=4, pipeline=4, schedule=Schedule.ONE_F_ONE_B, offload=offload)
    found = estimate_layout(setup, cluster, layout, KERNELS)
    assert timeline(setup, cluster, found, KERNELS).step_seconds == pytest.approx(found.step_seconds, rel=0.01)


def test_what_is_assumed_of_the_host_is_told():
    assert len([said for said in estimated(Offload.BOTH).assumed if "host" in said]) == 2
