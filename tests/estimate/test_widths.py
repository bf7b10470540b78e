"""Training in 32 bits: everything that 16 bits halve is twice as wide, and weights are their own master copy."""

from dataclasses import replace

import pytest
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, setup_of

from suanli.domain.hardware import Precision
from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.tuning import LowRank
from suanli.domain.workload import TuningMethod
from suanli.estimate.precision import element_bytes, wide_format
from suanli.estimate.software import in_width
from suanli.estimate.training import estimate_layout
from suanli.parts.architectures.count import parameters

WHOLE = Layout(micro_batch=1, recompute=Recompute.NONE, sharding=Sharding.NONE)


def told(form, framework, **fields):
    setup = setup_of(
        sequence=512, batch=1, precision=Precision(form), number_format=form, framework=framework, **fields
    )
    return setup, estimate_layout(setup, cluster_of(), WHOLE, KERNELS, accelerators=1)


@pytest.mark.parametrize("framework", sorted(CALIBRATION.software))
def test_activations_are_twice_as_wide_and_states_sixteen_bytes(framework):
    setup, wide = told("fp32", framework)
    _, narrow = told("bf16", framework)
    count = parameters(setup.model)
    assert wide.bytes_by_cause["weights"] == pytest.approx(4 * count)
    assert wide.bytes_by_cause["optimizer"] <= 8 * count * (1 + 1e-9)
    software = in_width(CALIBRATION.software[framework], setup)
    assert software.gradient_bytes >= 4
    if software.eager_kept == 0:
        assert wide.bytes_by_cause["activations"] == pytest.approx(2 * narrow.bytes_by_cause["activations"])


def test_a_pure_loop_keeps_all_in_the_type_of_its_weights():
    for form, width in (("fp32", 4), ("bf16", 2)):
        setup, estimate = told(form, "torch_plain")
        count = parameters(setup.model)
        assert estimate.bytes_by_cause["weights"] == pytest.approx(width * count)
        assert estimate.bytes_by_cause["optimizer"] == pytest.approx(2 * width * count)
        summed = 2 * setup.model.tied_head * setup.model.vocabulary * setup.model.hidden
        assert estimate.bytes_by_cause["gradients"] == pytest.approx(width * (count + summed), rel=1e-4)
        assert estimate.bytes_by_cause["activations"] == 0, "gradients outweigh what one short sequence keeps"


def test_a_long_sequence_is_fullest_at_its_loss_where_no_gradient_is_yet():
    setup = setup_of(sequence=16384, batch=1, precision=Precision.FP32, number_format="fp32", framework="torch_plain")
    one = estimate_layout(setup, cluster_of(), WHOLE, KERNELS, accelerators=1)
    assert one.bytes_by_cause["gradients"] == 0
    assert one.bytes_by_cause["logits"] == pytest.approx(3 * 4 * 16384 * setup.model.vocabulary)
    setup = setup_of(sequence=16384, batch=2, precision=Precision.FP32, number_format="fp32", framework="torch_plain")
    more = estimate_layout(setup, cluster_of(), WHOLE, KERNELS, accelerators=1)
    assert more.bytes_by_cause["gradients"] == pytest.approx(4 * parameters(setup.model)), "those of the first stand"
    assert more.bytes_by_cause["activations"] == one.bytes_by_cause["activations"]


def test_adapters_of_a_pure_loop_have_the_type_of_its_weights():
    setup = setup_of(framework="torch_plain", tuning=TuningMethod.LORA, adapters=LowRank(rank=8))
    told = in_width(CALIBRATION.software["torch_plain"], setup)
    wide = in_width(CALIBRATION.software["torch_plain"], replace(setup, number_format="fp32"))
    assert (told.gradient_bytes, told.optimizer_bytes) == (2, 4)
    assert (wide.gradient_bytes, wide.optimizer_bytes) == (4, 8)


@pytest.mark.parametrize(
    ("form", "width", "wide"), [("fp32", 4, "fp32"), ("tf32", 4, "tf32"), ("bf16", 2, "bf16"), ("nvfp4", 2, "bf16")]
)
def test_what_no_recipe_narrows(form, width, wide):
    assert element_bytes(form) == width
    assert wide_format(form) == wide
