"""A fit finds what was planted, by samples of which half are held out."""

import numpy as np
import pytest

from suanli.catalogue.kernels import load_formats
from suanli.domain.kernel import MatmulKernel, PassKernel
from suanli.foundation.errors import InputError
from suanli.measure.cases import Sample
from suanli.measure.families import Fitter, Peaks
from suanli.measure.fit import fit_collective
from suanli.measure.rules import load_rules
from suanli.parts.devices.electronic import Engine, time_matmul, time_pass
from suanli.parts.devices.fabric import PASSES, time_tier

RULES = load_rules().fit
PEAKS = Peaks(flop_per_s={"fp32": 2e11}, memory_bytes_per_s=8e10, compute_units=2.0)
PLANTED = MatmulKernel(
    ceiling_share=0.9, memory_share=0.4, tile_rows=32.0, least_tile_rows=4.0, tile_columns=64.0, wave_softness=0.3,
    inner_ramp=20.0, overlap_sharpness=1.5, floor_seconds=4e-6, root_step_seconds=2e-8, dressing_bytes=0.0,
    packing_bytes=6.0,
)  # fmt: skip


def matmul_samples(noise=0.0):
    chance = np.random.default_rng(0)
    engine = Engine(peak_flop_per_s=2e11, memory_bytes_per_s=8e10, compute_units=2.0)
    for rows in (1, 2, 8, 16, 64, 256, 1024):
        for inner in (256, 768, 2048, 4096):
            for columns in (512, 1536, 4096):
                shape = {"rows": float(rows), "inner": float(inner), "columns": float(columns), "groups": 1.0}
                seconds = float(time_matmul(PLANTED, engine, load_formats()["fp32"], *shape.values()))
                seconds *= float(np.exp(noise * chance.standard_normal()))
                yield Sample(group="matmul", family="fp32", shape=shape, seconds=seconds, spread=0.0, readings=5)


def fitter(device_class="cpu"):
    return Fitter(peaks=PEAKS, formats=load_formats(), device_class=device_class, rules=RULES)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_planted_matmul_family_is_found(noise):
    samples = list(matmul_samples(noise))
    np.random.default_rng(1).shuffle(samples)
    fit = fitter().matmuls(samples)["fp32"]
    assert fit.rows == len(samples)
    assert fit.median_error < 0.03 + noise
    assert fit.kernel.ceiling_share == pytest.approx(0.9, rel=0.1)
    # what packing and reading a weight take together is seen in the times, not how they share it
    moved = (4.0 + PLANTED.packing_bytes) / PLANTED.memory_share
    assert (4.0 + fit.kernel.packing_bytes) / fit.kernel.memory_share == pytest.approx(moved, rel=0.2)


def test_without_packing_one_row_and_many_cannot_both_be_met():
    samples = list(matmul_samples())
    assert fitter("gpu").matmuls(samples)["fp32"].p90_error > 2 * fitter().matmuls(samples)["fp32"].p90_error


def test_too_few_samples_are_no_family():
    assert fitter().matmuls(list(matmul_samples())[: RULES.least_rows - 1]) == {}


def test_passes_of_too_few_sizes_are_refused():
    with pytest.raises(InputError, match="too few samples"):
        fitter().passes([])


def pass_samples(kernel):
    for size in (2e4, 1e5, 4e5, 1e6, 4e6, 1.2e7, 2.4e7, 4e7, 5.6e7, 8e7, 1.2e8, 2e8, 4e8, 8e8):
        seconds = float(time_pass(kernel, PEAKS.memory_bytes_per_s, size))
        yield Sample(group="element_pass", family="element_pass", shape={"bytes": size}, seconds=seconds, spread=0.0,
                     readings=5)  # fmt: skip


def test_passes_with_a_cache_are_found_to_have_one():
    planted = PassKernel(memory_share=0.2, floor_seconds=2e-6, cache_bytes=5.6e7, cache_share=1.5)
    fit = fitter().passes(list(pass_samples(planted)))
    assert fit.kernel.cache_bytes == pytest.approx(5.6e7)
    assert fit.kernel.cache_share == pytest.approx(1.5, rel=0.05)
    assert fit.kernel.memory_share == pytest.approx(0.2, rel=0.05)
    assert fit.median_error < 0.02


def test_passes_of_one_share_have_no_cache():
    fit = fitter().passes(list(pass_samples(PassKernel(memory_share=0.6, floor_seconds=3e-6))))
    assert fit.kernel.cache_bytes == 0
    assert fit.kernel.floor_seconds == pytest.approx(3e-6, rel=0.05)


def test_the_longest_plain_step_tells_the_optimizers_share():
    def step(family, size, seconds):
        return Sample(group="optimizer", family=family, shape={"bytes": size}, seconds=seconds, spread=0, readings=5)

    samples = [step("plain", 1e6, 1.0), step("plain", 8e9, 1.0), step("fused", 9e9, 1.0)]
    assert fitter().optimizer_share(samples) == pytest.approx(0.1)
    assert fitter().optimizer_share([]) is None


def test_a_planted_collective_is_found():
    sizes = np.array([1e4, 1e5, 1e6, 1e7, 1e8, 1e9] * 2)
    ranks = np.array([2.0] * 6 + [8.0] * 6)
    planted = fit_collective("", "all_reduce", PASSES["all_reduce"], ranks, sizes, sizes / 1e11 + 1e-5, 4e11, 0.1)
    seconds = time_tier(planted.kernel, PASSES["all_reduce"], sizes, ranks, 4e11)
    again = fit_collective("", "all_reduce", PASSES["all_reduce"], ranks, sizes, seconds, 4e11, 0.1)
    assert again.median_error < 0.01
    assert again.kernel.share_ranks == (2.0, 8.0)
