"""The calibration of training: classes found by name and date, units read, what lasts of a kernel's rate."""

from dataclasses import fields, replace

import pytest

from suanli.domain.software import Software, Sustained
from suanli.estimate.software import (
    find_software,
    gates_experts,
    load_training_calibration,
    software_for,
    sustained_shares,
)
from suanli.foundation.errors import InputError
from suanli.parts.architectures.read import named_model

CALIBRATION = load_training_calibration()


@pytest.mark.parametrize(
    ("name", "date", "found"),
    [
        ("Megatron-DeepSpeed", "", "eager_unfused"),
        ("Megatron-LM", "2021-04-09", "eager_unfused"),
        ("Megatron-LM", "2023-05", "eager_unfused"),
        ("Megatron-LM core", "2024-01-01", "megatron_core"),
        ("Megatron-LM", "2026-07", "megatron_graphs"),
        ("DeepSpeed", "2022-01", "eager_unfused"),
        ("DeepSpeed", "2024-01", "zero_flash"),
        ("Megatron-DeepSpeed", "2024-01", "eager_unfused"),
        ("Megatron-Bridge/Megatron-Core", "2026-02-25", "megatron_core"),
        ("Megatron-Bridge/Megatron-Core", "2026-06-15", "megatron_graphs"),
        ("NeMo Megatron 23.x", "2023-10", "megatron_core"),
        ("llm-foundry/composer (PyTorch FSDP)", "", "torch_foundry"),
        ("torchtitan", "2024-12-26", "torch_compiled"),
        ("torchtitan", "2025-06-15", "torch_compiled_loss"),
        ("MaxText", "", "xla"),
        ("torch_eager", "", "torch_eager"),
        ("InternEvo", "2024-01", "zero_flash"),
        ("Colossal-AI", "", "zero_flash"),
        ("ModelLink", "2024-06", "mindspeed"),
        ("MindSpeed-LLM", "2025-03", "mindspeed"),
    ],
)
def test_a_framework_is_found_by_a_word_of_its_name(name, date, found):
    assert find_software(CALIBRATION, name, date).id == found


@pytest.mark.parametrize("name", ["megatron", "Megatron-LM"])
def test_without_a_date_the_latest_class_is_meant(name):
    assert find_software(CALIBRATION, name).id == "megatron_graphs"


def test_no_word_of_a_framework_is_swallowed_by_an_earlier_one():
    """The first word that a name holds decides, so a word that holds an earlier one would never be met."""
    words = list(CALIBRATION.aliases)
    assert [next(word for word in words if word in name) for name in words] == words


def test_eras_are_in_order_and_of_known_classes():
    """A class changes once a date, and what it becomes changes no earlier."""
    eras = CALIBRATION.eras
    assert {one.software for one in eras} | {one.becomes for one in eras} <= set(CALIBRATION.software)
    assert {one.word for one in eras} <= {"", *CALIBRATION.aliases}
    assert [one.since for one in eras] == sorted(one.since for one in eras)


def test_a_class_that_is_like_another_differs_in_what_it_says_of_its_own():
    eager, foundry = (CALIBRATION.software[name] for name in ("torch_eager", "torch_foundry"))
    own = {"id": foundry.id, "name": foundry.name, "logit_bytes": foundry.logit_bytes}
    assert replace(eager, **own) == foundry
    assert foundry.logit_bytes < eager.logit_bytes


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
    shares = [field.name for field in fields(Software) if field.name.endswith(("_hidden", "_hidden_across"))]
    assert {"tensor_hidden", "expert_hidden", "expert_hidden_across"} <= set(shares)
    for name in (*shares, "selective_kept", "fragmentation", "sharded_master", "whole_recompute"):
        assert 0 <= getattr(one, name) <= 1, name


@pytest.mark.parametrize("software", sorted(CALIBRATION.software))
def test_no_kernel_runs_backwards(software):
    """Factors and rates divide or stretch seconds; passes and launches may be none."""
    one = CALIBRATION.software[software]
    rates = ("matmul_factor", "grouped_factor", "attention_factor", "scan_factor", "hopper_share",
             "hopper_attention_share", "blackwell_attention_share")  # fmt: skip
    assert all(getattr(one, name) > 0 for name in rates)
    assert all(getattr(one, field.name) >= 0 for field in fields(Software) if field.name not in ("id", "name"))


@pytest.mark.parametrize("software", sorted(CALIBRATION.software))
def test_traffic_between_nodes_hides_no_better_than_inside_them(software):
    one = CALIBRATION.software[software]
    assert one.expert_hidden_across <= one.expert_hidden


def test_only_compilers_that_shard_fully_compute_whole_layers_again():
    found = {name for name, one in CALIBRATION.software.items() if one.whole_recompute}
    assert found
    assert all(CALIBRATION.software[name].sharded_master for name in found)


def test_bands_hold_the_estimate():
    for low, high in CALIBRATION.bands.values():
        assert 0 < low < 1 < high


def test_what_is_not_listed_keeps_its_whole_rate():
    assert sustained_shares(CALIBRATION, "abacus") == Sustained(matmul=1, narrow=1, attention=1)
    assert sustained_shares(CALIBRATION, "tpu-v5e") != Sustained()


def test_the_first_pattern_that_fits_an_accelerator_wins():
    narrow, wide = Sustained(matmul=0.5), Sustained(matmul=0.9)
    special = replace(CALIBRATION, sustained={"nv-h100-96*": narrow, "nv-h100*": wide})
    assert sustained_shares(special, "nv-h100-96-hbm2e") is narrow
    assert sustained_shares(special, "nv-h100-80-sxm") is wide
    swallowed = replace(CALIBRATION, sustained={"nv-h100*": wide, "nv-h100-96*": narrow})
    assert sustained_shares(swallowed, "nv-h100-96-hbm2e") is wide


def test_no_pattern_of_the_calibration_is_swallowed_by_an_earlier_one():
    """A later pattern that an earlier one covers would never be read."""
    for pattern, shares in CALIBRATION.sustained.items():
        assert sustained_shares(CALIBRATION, pattern.replace("*", "")) is shares, pattern


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


@pytest.mark.parametrize(
    ("model", "form", "chip", "found"),
    [
        ("Qwen/Qwen3-30B-A3B", "mxfp8", "nv-gb200-185", "megatron_graphs"),
        ("Qwen/Qwen3-30B-A3B", "mxfp8", "nv-b300-288", "megatron_graphs"),
        ("Qwen/Qwen3-30B-A3B", "bf16", "nv-gb200-185", "megatron_core"),
        ("Qwen/Qwen3-30B-A3B", "mxfp8", "nv-h100-80-sxm", "megatron_core"),
        ("nvidia-nemotron-3-super-120b-a12b", "mxfp8", "nv-gb200-185", "megatron_core"),
        ("LLaMA2-70B", "mxfp8", "nv-gb200-185", "megatron_core"),
    ],
)
def test_a_class_stands_only_where_its_kernels_exist(model, form, chip, found):
    """Gate, product and cast of experts are one kernel for MXFP8 on Blackwell; all else runs as it did before."""
    newest = CALIBRATION.software["megatron_graphs"]
    assert software_for(CALIBRATION, newest, named_model(model), form, chip).id == found


def test_a_class_without_a_reach_stands_everywhere():
    plain = CALIBRATION.software["torch_eager"]
    assert software_for(CALIBRATION, plain, named_model("LLaMA2-70B"), "bf16", "ascend-910b") is plain


def test_what_a_class_falls_back_to_is_known():
    assert {one.elsewhere for one in CALIBRATION.reach.values()} | set(CALIBRATION.reach) <= set(CALIBRATION.software)


@pytest.mark.parametrize(
    ("name", "gated"),
    [("Qwen/Qwen3-30B-A3B", True), ("nvidia-nemotron-3-super-120b-a12b", False), ("LLaMA2-7B", False)],
)
def test_gated_experts_have_twice_as_many_columns_in_as_rows_out(name, gated):
    assert gates_experts(named_model(name)) is gated
