"""Relief for a layout over its memory: changes on the same degrees that fit, none where it fits."""

from dataclasses import replace

from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, setup_of, small_model

from suanli.api.train import TrainingQuestion, train_told
from suanli.domain.layout import Layout, Offload, Recompute
from suanli.estimate.relief import changed, layouts_that_fit
from suanli.estimate.training import estimate_layout

SETUP = setup_of(small_model(layers=40, hidden=5120, heads=40), batch=64, sequence=4096)
WIDE = Layout(data=2, tensor=8, micro_batch=32, recompute=Recompute.NONE)


def test_every_relief_fits_keeps_the_degrees_and_is_named_once():
    cluster = cluster_of(2)
    assert estimate_layout(SETUP, cluster, WIDE, KERNELS).limit == "memory"
    told = layouts_that_fit(SETUP, cluster, WIDE, KERNELS, CALIBRATION)
    assert told
    assert len({one.layout for one in told}) == len(told)
    assert [one.step_seconds for one in told] == sorted(one.step_seconds for one in told)
    for one in told:
        assert one == estimate_layout(SETUP, cluster, one.layout, KERNELS)
        assert not one.limit
        degrees = ("data", "tensor", "pipeline", "context", "expert", "interleave")
        assert all(getattr(one.layout, name) == getattr(WIDE, name) for name in degrees)


def test_a_layout_that_holds_least_has_itself_left():
    least = list(changed(WIDE))[-2]
    assert {replace(one, recompute=Recompute.FULL, offload=Offload.NONE) for one in changed(least)} == {least}


def test_what_lives_on_the_host_comes_back_first():
    assert next(changed(replace(WIDE, offload=Offload.BOTH))) == WIDE


def test_a_layout_that_fits_asks_for_no_relief():
    question = TrainingQuestion(model="LLaMA2-7B", system="dgx-a100-640", tensor=2, recompute="full")
    assert train_told(question).relief == ()


def test_a_layout_that_does_not_fit_is_answered_with_relief():
    question = TrainingQuestion(model="LLaMA2-7B", system="dgx-a100-640", tensor=2, micro_batch=64)
    found = train_told(question)
    assert found.estimates[0].limit == "memory"
    assert found.fitting == 0
    assert found.short_bytes > 0
    assert found.relief[0].limit == ""
