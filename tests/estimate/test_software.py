"""The calibration of training: classes found by name and date, units read, what lasts of a kernel's rate."""

import pytest

from suanli.domain.software import Sustained
from suanli.estimate.software import find_software, load_training_calibration, sustained_shares
from suanli.foundation.errors import InputError

CALIBRATION = load_training_calibration()


@pytest.mark.parametrize(
    ("name", "date", "found"),
    [
        ("Megatron-DeepSpeed", "", "eager_unfused"),
        ("Megatron-LM", "2021-04-09", "eager_unfused"),
        ("Megatron-Bridge/Megatron-Core", "2026-02-25", "megatron_core"),
        ("Megatron-Bridge/Megatron-Core", "2026-06-15", "megatron_graphs"),
        ("NeMo Megatron 23.x", "2023-10", "megatron_core"),
        ("llm-foundry/composer (PyTorch FSDP)", "", "torch_eager"),
        ("torchtitan", "", "torch_compiled"),
        ("MaxText", "", "xla"),
        ("torch_eager", "", "torch_eager"),
    ],
)
def test_a_framework_is_found_by_a_word_of_its_name(name, date, found):
    assert find_software(CALIBRATION, name, date).id == found


def test_without_a_date_the_latest_class_is_meant():
    assert find_software(CALIBRATION, "megatron").id == "megatron_graphs"


def test_an_unknown_framework_is_refused_by_name():
    with pytest.raises(InputError, match="megatrom"):
        find_software(CALIBRATION, "megatrom")


def test_bytes_and_seconds_are_read_as_si():
    eager = CALIBRATION.software["eager_unfused"]
    assert 1e-6 < eager.launch_seconds < 1e-4
    assert eager.reserved_bytes > 2**30


@pytest.mark.parametrize("software", sorted(CALIBRATION.software))
def test_shares_are_shares(software):
    one = CALIBRATION.software[software]
    for name in ("gradient_hidden", "gather_hidden", "tensor_hidden", "context_hidden", "expert_hidden",
                 "pipeline_hidden", "selective_kept", "fragmentation"):  # fmt: skip
        assert 0 <= getattr(one, name) <= 1, name


def test_bands_hold_the_estimate():
    for low, high in CALIBRATION.bands.values():
        assert 0 < low < 1 < high


def test_what_is_not_listed_keeps_its_whole_rate():
    assert sustained_shares(CALIBRATION, "amd-mi300x") == Sustained()
    assert sustained_shares(CALIBRATION, "tpu-v5e") != Sustained()


def test_a_file_with_a_hole_is_refused(tmp_path):
    broken = tmp_path / "frameworks.yaml"
    broken.write_text("software:\n  one:\n    name: One\n    pass_factor: 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="expert_pass_factor"):
        load_training_calibration(broken)


def test_a_figure_that_is_no_number_is_refused(tmp_path):
    broken = tmp_path / "frameworks.yaml"
    broken.write_text("software:\n  one:\n    name: One\n    pass_factor: many\n", encoding="utf-8")
    with pytest.raises(InputError, match="many"):
        load_training_calibration(broken)
