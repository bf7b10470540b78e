"""Engines' own kernels: in the place of the median engine's where they were measured, nowhere else."""

import pytest

from suanli.catalogue.find import accelerator
from suanli.catalogue.kernels import load_kernels
from suanli.domain.kernel import KernelTable
from suanli.parts.devices.open import find_calibration, open_device

KERNELS = load_kernels()
ENGINES = ("trtllm", "trtllm_auto", "vllm", "sglang")


def found(name: str, table: KernelTable):
    return find_calibration(accelerator(name), table)


def test_every_engine_that_a_class_names_has_kernels():
    from suanli.catalogue.engines import load_engines

    named = {profile.kernels for profile in load_engines().profiles.values()} - {""}
    assert named == set(KERNELS.by_engine) == set(ENGINES)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_changes_kernels_and_nothing_else(engine):
    own, median = found("H100-SXM", KERNELS.of_engine(engine)), found("H100-SXM", KERNELS)
    assert own.matmul["bf16"] != median.matmul["bf16"]
    assert set(own.matmul) >= set(median.matmul)
    assert (own.collectives, own.backward, own.element_pass) == (
        median.collectives, median.backward, median.element_pass,
    )  # fmt: skip


def test_what_an_engine_was_not_measured_on_stays_the_median_engine_s():
    """A100 decode of TensorRT-LLM is left out as flawed: faster than its memory."""
    assert (
        found("A100-SXM-80GB", KERNELS.of_engine("trtllm")).decode["bf16"]
        == (found("A100-SXM-80GB", KERNELS).decode["bf16"])
    )


@pytest.mark.parametrize(("name", "takes"), [("H100-PCIe-80GB", True), ("RTX-4090", True), ("MI300X", False)])
def test_classes_of_nvidia_run_engines_kernels_and_others_do_not(name, takes):
    own, median = (found(name, table).matmul["bf16"] for table in (KERNELS.of_engine("vllm"), KERNELS))
    assert (own != median) is takes


def test_an_unknown_engine_runs_the_median_engine_s():
    assert KERNELS.of_engine("") is KERNELS
    assert KERNELS.of_engine("lmdeploy") is KERNELS


def test_experts_in_four_bits_took_longer_before_the_quickest_kernel_was_the_default():
    """64 tokens for each of 128 experts of 2,048 x 768 on B200: CUTLASS against the quickest kernel."""
    before, since = (
        open_device(accelerator("B200-SXM"), KERNELS.of_engine(engine)) for engine in ("trtllm", "trtllm_auto")
    )
    times = [float(one.matmul_seconds(64.0, 2048.0, 1536.0, "nvfp4", 128.0)) for one in (before, since)]
    assert 1.5 < times[0] / times[1] < 4
