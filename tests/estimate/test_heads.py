"""The head by hand: once for the next token and once for each predicted beyond, its columns split by tensor ranks."""

import dataclasses

import pytest
from tests.estimate.jobs import KERNELS, cluster_of, setup_of, small_model

from suanli.domain.layout import Layout
from suanli.domain.model import LayerRun
from suanli.estimate.operators import Bench, head_seconds, heads_of, layer_count
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import to_table
from suanli.estimate.training import estimate_layout

PLAIN = small_model(layers=8, hidden=2048, vocabulary=64000)


def predicting(ahead):
    """Return the model with so many layers for tokens beyond the next."""
    run = LayerRun(layer=PLAIN.runs[0].layer, count=ahead)
    return dataclasses.replace(PLAIN, draft_runs=(run,))


def estimated(model, layout=None):
    return estimate_layout(setup_of(model), cluster_of(2), layout or Layout(data=16), KERNELS)


def timed(model, tensor):
    setup, machine = setup_of(model), open_machine(cluster_of(2), KERNELS)
    table = to_table([Layout(data=16 // tensor, tensor=tensor)])
    bench = Bench(setup=setup, job=job_of(setup, machine), device=machine.device, fabric=machine.fabric, table=table)
    return head_seconds(bench)


@pytest.mark.parametrize("ahead", [1, 2])
def test_every_token_beyond_the_next_is_a_layer_and_a_head_more(ahead):
    model = predicting(ahead)
    assert (layer_count(model), heads_of(model)) == (8 + ahead, 1 + ahead)
    plain, more = estimated(PLAIN).seconds_by_cause, estimated(model).seconds_by_cause
    assert more["head"] == pytest.approx((1 + ahead) * plain["head"])
    for cause in ("matmul", "attention"):
        assert more[cause] == pytest.approx((8 + ahead) / 8 * plain[cause])


@pytest.mark.parametrize("tensor", [2, 4, 8])
def test_tensor_ranks_share_the_vocabulary_out(tensor):
    """Products are of the same tokens over fewer columns, the loss passes over fewer logits."""
    device, whole, split = open_machine(cluster_of(2), KERNELS).device, timed(PLAIN, 1), timed(PLAIN, tensor)
    assert split["head_forward"] == pytest.approx(device.matmul_seconds(2048.0, 2048.0, 64000.0 / tensor, "bf16"))
    assert split["head_pass"] == pytest.approx(device.pass_seconds(2048.0 * 64000 / tensor * 2 * 8))
    assert all((split[cause] < whole[cause]).all() for cause in whole)


def test_logits_are_shared_out_by_tensor_ranks_only():
    wide = small_model(layers=2, vocabulary=256000)
    one, split, staged = (
        estimated(wide, layout).bytes_by_cause["logits"]
        for layout in (Layout(data=16), Layout(data=4, tensor=4), Layout(data=8, pipeline=2))
    )
    assert split == pytest.approx(one / 4)
    assert staged == one
