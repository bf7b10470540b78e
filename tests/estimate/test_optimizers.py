"""Optimizers by hand: bytes of a parameter, bytes moved, Muon's products; AdamW is what software is calibrated with."""

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, setup_of, small_model, with_links

from suanli.domain.layout import Layout, Sharding
from suanli.domain.workload import TuningMethod
from suanli.estimate.finetuning import estimate_tuning
from suanli.estimate.optimizers import beyond_adamw_moved, find_optimizer, load_choices, makes_orthogonal, moment_bytes
from suanli.estimate.step import open_machine
from suanli.estimate.training import estimate_layout
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.read import named_model

LLAMA = named_model("LLaMA2-7B")
MEGATRON = CALIBRATION.software["megatron_core"]
MOMENTS = {"adamw": 8, "adamw-8bit": 2.03125, "lion": 4, "sgd": 4}
ALL = sorted(load_choices().optimizers)


def estimated(optimizer, layout=None, model=LLAMA, **fields):
    setup = setup_of(model, batch=64, optimizer=optimizer, **fields)
    return estimate_layout(setup, cluster_of(2), layout or Layout(data=16), KERNELS)


@pytest.mark.parametrize("optimizer", MOMENTS)
def test_state_is_the_master_copy_and_the_moments(optimizer):
    found = estimated(optimizer, Layout(data=16, sharding=Sharding.NONE))
    master = MEGATRON.optimizer_bytes - 8
    assert found.bytes_by_cause["optimizer"] == pytest.approx(parameters(LLAMA) * (master + MOMENTS[optimizer]))


def test_state_is_shared_out_under_any_optimizer():
    for optimizer in (name for name in ALL if not find_optimizer(name).paged):
        whole, parted = (
            estimated(optimizer, Layout(data=16, sharding=stage)).bytes_by_cause["optimizer"]
            for stage in (Sharding.NONE, Sharding.OPTIMIZER)
        )
        assert parted == pytest.approx(whole / 16), optimizer


def test_muon_keeps_one_moment_of_matrices_and_two_of_tables():
    tables = 2 * LLAMA.hidden * LLAMA.vocabulary + LLAMA.final_vector_parameters
    whole = parameters(LLAMA)
    found = estimated("muon", Layout(data=16, sharding=Sharding.NONE))
    assert found.bytes_by_cause["optimizer"] == pytest.approx(8 * (whole - tables) + 12 * tables)


def test_adafactor_keeps_rows_and_columns():
    model = small_model(layers=1, hidden=1024, heads=8, vocabulary=32000)
    shapes = [(1024, 3072), (1024, 1024), (1024, 4096), (4096, 1024)]
    kept = 4 * sum(one + other for one, other in shapes) / sum(one * other for one, other in shapes)
    matrices, tables = moment_bytes(setup_of(model, optimizer="adafactor"))
    assert matrices == pytest.approx(kept)
    assert tables == pytest.approx(4 * (32000 + 1024) / (32000 * 1024))
    assert matrices < 0.01 > tables


def test_a_matrix_of_experts_counts_once_for_each_expert():
    dense, routed = (moment_bytes(setup_of(model, optimizer="adafactor"))[0] for model in
                     (small_model(), small_model(experts=64, active=2)))  # fmt: skip
    assert routed == pytest.approx(4 * (1024 + 4096) / (1024 * 4096), rel=0.02)
    assert routed < dense


@pytest.mark.parametrize("optimizer", ALL)
def test_no_optimizer_keeps_more_than_adamw(optimizer):
    assert max(moment_bytes(setup_of(LLAMA, optimizer=optimizer))) <= 8
    plain, found = (estimated(one) for one in ("adamw", optimizer))
    assert found.memory_bytes <= plain.memory_bytes
    same = plain.bytes_by_cause.keys() - {"optimizer"}
    assert all(found.bytes_by_cause[cause] == plain.bytes_by_cause[cause] for cause in same)


@pytest.mark.parametrize(("optimizer", "bytes_less"), [
    ("adamw", 0), ("adamw-8bit", 2 * (8 - 2.03125)), ("lion", 8), ("sgd", 8)])  # fmt: skip
def test_every_byte_of_state_is_read_and_written(optimizer, bytes_less):
    assert beyond_adamw_moved(setup_of(LLAMA, optimizer=optimizer), 1.0, 0.0) == -bytes_less
    plain, found = (estimated(one).seconds_by_cause["optimizer"] for one in ("adamw", optimizer))
    assert found / plain == pytest.approx(1 - bytes_less / MEGATRON.optimizer_moved_bytes)


def test_adafactor_reads_its_gradient_once_more():
    moved = beyond_adamw_moved(setup_of(LLAMA, optimizer="adafactor"), 1.0, 0.0)
    assert moved == pytest.approx(-16 + 8, abs=0.02)


def test_muon_multiplies_every_matrix_once_a_step():
    """Five iterations of 4 n^2 m + 2 n^3 operations, over 16 ranks, at between half and all of the peak."""
    shapes = [(4096, 4096)] * 4 + [(4096, 11008)] * 3
    flop = 32 * 5 * sum(4 * side**2 * other + 2 * side**3 for side, other in shapes) / 16
    peak = 312e12
    plain, found = (estimated(one).seconds_by_cause["optimizer"] for one in ("lion", "muon"))
    assert flop / peak < found - plain < 2 * flop / peak


def test_muon_costs_a_few_percent_of_a_step_and_less_of_a_longer_one():
    shares = []
    for batch in (64, 256):
        setup = setup_of(LLAMA, batch=batch, optimizer="muon", sequence=4096)
        found = estimate_layout(setup, cluster_of(2), Layout(data=16), KERNELS)
        shares.append(found.seconds_by_cause["optimizer"] / found.step_seconds)
    assert shares[0] > shares[1]
    assert 0.005 < shares[1] < 0.05


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_more_ranks_that_hold_a_matrix_never_multiply_longer(degree):
    one, more = (
        estimated("muon", Layout(data=16 // tensor, tensor=tensor, sharding=Sharding.NONE)).seconds_by_cause[
            "optimizer"
        ]
        for tensor in (1, degree)
    )
    assert more == pytest.approx(one / degree, rel=0.1)


def test_tensor_ranks_bring_whole_matrices_together_twice_a_step():
    """An eighth of 16-bit matrices to their owners and back, over links of which halving the rate doubles the time."""
    setup, layout = setup_of(LLAMA, batch=64, optimizer="muon"), Layout(data=2, tensor=8, sharding=Sharding.NONE)
    spent = [
        estimate_layout(setup, with_links(cluster_of(2), inside=share), layout, KERNELS).seconds_by_cause["optimizer"]
        for share in (1.0, 0.5, 0.25)
    ]
    more = [later - sooner for sooner, later in pairwise(spent)]
    assert more[0] > 0
    assert more[1] == pytest.approx(2 * more[0], rel=0.05)


def test_experts_are_made_orthogonal_where_they_live():
    model = small_model(experts=16, active=2)
    held = [
        estimated("muon", Layout(data=16, expert=expert, sharding=Sharding.NONE), model).seconds_by_cause["optimizer"]
        for expert in (1, 4, 16)
    ]
    assert held == sorted(held, reverse=True)
    assert held[0] > 2 * held[1]


def test_adapters_are_never_made_orthogonal():
    setup = setup_of(LLAMA, batch=64, optimizer="muon")
    assert makes_orthogonal(setup)
    assert not makes_orthogonal(replace(setup, tuning=TuningMethod.LORA))
    found = estimate_tuning(setup, TuningMethod.LORA, cluster_of(2), Layout(data=16), KERNELS)
    assert found.seconds_by_cause["optimizer"] < 1e-3


def test_an_optimizer_that_nobody_knows_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'muon'"):
        find_optimizer("moun")
    with pytest.raises(InputError, match="adamw-8bit"):
        estimated("adam8")


def test_every_optimizer_has_a_name_a_source_and_a_range():
    for name, one in load_choices().optimizers.items():
        assert one.id == name
        assert one.name
        for figure in (one.matrix_moments, one.table_moments, one.more_moved):
            assert figure.low <= figure.value <= figure.high
            assert figure.source
    assert open_machine(cluster_of(1), KERNELS).host_bytes_per_s > 0
