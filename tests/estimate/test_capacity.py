"""Experts with a capacity: each works on so many times its even share, padded or dropped."""

import pytest
from tests.estimate.jobs import KERNELS, cluster_of, setup_of, small_model

from suanli.domain.layout import Layout
from suanli.domain.model import Role
from suanli.estimate.operators import Bench, matrix_shape, routed_bytes
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import to_table
from suanli.estimate.training import estimate_layout, training_flop
from suanli.parts.axes.axis import AXES

MODEL = small_model(experts=16, active=2, hidden=2048)
LAYER = MODEL.runs[0].layer


def bench(capacity, **fields):
    setup, machine = setup_of(MODEL, capacity=capacity), open_machine(cluster_of(2), KERNELS)
    return Bench(setup=setup, job=job_of(setup, machine), device=machine.device, fabric=machine.fabric,
                 table=to_table([Layout(data=16, expert=8, **fields)]))  # fmt: skip


def estimated(capacity, **fields):
    return estimate_layout(setup_of(MODEL, capacity=capacity, **fields), cluster_of(2), Layout(data=16, expert=8),
                           KERNELS)  # fmt: skip


@pytest.mark.parametrize("capacity", [0.5, 1.0, 1.25, 2.0])
def test_an_expert_works_on_capacity_times_its_even_share(capacity):
    for matrix in LAYER.matrices:
        rows = matrix_shape(bench(capacity), matrix)[0]
        even = matrix_shape(bench(None), matrix)[0]
        experts = matrix.role in (Role.EXPERT_IN, Role.EXPERT_OUT)
        assert rows == pytest.approx((capacity if experts else 1) * even)
        if experts:
            assert even == pytest.approx(2048 * 8 * 2 / 16)


@pytest.mark.parametrize("capacity", [0.5, 1.25, 2.0])
def test_what_travels_and_is_permuted_grows_with_the_capacity(capacity):
    one, other = bench(None), bench(capacity)
    for way in (0, 1):
        assert routed_bytes(other, LAYER)[way] == pytest.approx(capacity * routed_bytes(one, LAYER)[way])
    sent = [AXES["expert"].transfers(asked.job, LAYER, asked.table, False)[0].message_bytes for asked in (one, other)]
    assert sent[1] == pytest.approx(capacity * sent[0])


def test_a_capacity_of_one_is_forced_balance():
    even, forced = estimated(1.0), estimated(None, balanced_experts=True)
    assert even.seconds_by_cause == forced.seconds_by_cause
    assert even.bytes_by_cause == forced.bytes_by_cause


def test_nobody_waits_for_a_busy_expert_that_drops_what_is_too_much():
    assert estimated(None).seconds_by_cause["expert_imbalance"] > 0
    assert estimated(1.25).seconds_by_cause["expert_imbalance"] == 0


def test_padding_takes_time_and_memory_and_dropping_saves_both():
    found = [estimated(capacity) for capacity in (0.5, 1.0, 1.5, 2.0)]
    for told in ([one.step_seconds for one in found], [one.memory_bytes for one in found]):
        assert told == sorted(told)
        assert len(set(told)) == len(told)


def test_padding_is_no_work_of_the_model():
    assert training_flop(setup_of(MODEL, capacity=2.0)) == training_flop(setup_of(MODEL))
    assert estimated(2.0).mfu < estimated(1.0).mfu


def test_a_dense_model_has_no_capacity():
    plain, other = (
        estimate_layout(setup_of(capacity=capacity), cluster_of(2), Layout(data=16), KERNELS)
        for capacity in (None, 2.0)
    )
    assert plain.step_seconds == other.step_seconds
    assert plain.memory_bytes == other.memory_bytes
