"""Kernel files: every family whole, shares possible, classes extend devices, faults named with file and entry."""

import shutil
from dataclasses import fields

import pytest

from suanli.catalogue.kernels import KERNEL_FOLDER, NOT_DEVICES, load_formats, load_kernels, optional
from suanli.catalogue.sources import FOLDER as SOURCES
from suanli.catalogue.sources import read_sources
from suanli.domain.kernel import AttentionKernel, MatmulKernel
from suanli.foundation.errors import InputError

OPS = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send"}


@pytest.fixture(scope="module")
def table():
    return load_kernels()


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "kernels"
    shutil.copytree(KERNEL_FOLDER, copy)
    return copy


def change(folder, name, old, new):
    path = folder / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def everyone(table):
    return (*table.calibrations, *table.classes)


def test_ten_devices_are_measured(table):
    assert {one.id for one in table.calibrations} == {
        "a100_sxm", "h100_sxm", "h200_sxm", "l40s", "b200_sxm", "b300_sxm", "gb200", "gb300", "rtx_pro_6000_server",
        "b60",
    }  # fmt: skip


def test_everyone_can_do_bf16_in_every_phase(table):
    for one in everyone(table):
        assert all("bf16" in families for families in (one.matmul, one.prefill, one.decode, one.backward)), one.id


def test_everyone_knows_every_collective(table):
    for one in everyone(table):
        assert set(one.collectives) == OPS, one.id
    assert set(table.scale_out) == set(table.host_collectives) == OPS


def test_shares_are_possible(table):
    for one in everyone(table):
        for families in (one.matmul, one.prefill, one.decode, one.backward):
            for name, kernel in families.items():
                assert 0 < kernel.ceiling_share <= 1, (one.id, name)
                assert 0 < kernel.memory_share <= 1, (one.id, name)
                assert 0 <= kernel.wave_softness <= 1, (one.id, name)
                assert kernel.overlap_sharpness >= 1, (one.id, name)
                assert 0 < kernel.floor_seconds < 1e-3, (one.id, name)


def test_links_are_shared_out_possibly(table):
    for one in everyone(table):
        for op, kernel in one.collectives.items():
            assert all(0 < share <= 1 for share in kernel.link_shares), (one.id, op)
            assert list(kernel.share_ranks) == sorted(kernel.share_ranks), (one.id, op)
            assert 0 < kernel.ramp_power < 1, (one.id, op)


def test_only_measured_devices_are_calibrated(table):
    assert all(one.calibrated for one in table.calibrations)
    assert not any(one.calibrated for one in table.classes)


def test_classes_are_less_sure_than_measured_devices(table):
    worst_measured = sorted(one.spread_log for one in table.calibrations)[len(table.calibrations) // 2]
    assert all(one.spread_log > worst_measured for one in table.classes)


def test_names_and_claims_are_made_once(table):
    claimed = [pattern for one in everyone(table) for pattern in one.accelerators]
    assert len(claimed) == len(set(claimed))
    assert len({one.id for one in everyone(table)}) == len(everyone(table))


def test_backward_is_slower_than_forward(table):
    for one in everyone(table):
        for name, kernel in one.backward.items():
            assert kernel.ceiling_share < one.prefill[name].ceiling_share or kernel.ceiling_share == 1


def test_every_source_is_known(table):
    known, _ = read_sources(sorted(SOURCES.glob("*.yaml")))
    assert {one.source for one in everyone(table)} <= set(known)


def test_files_are_small():
    assert all(path.stat().st_size < 10_000 for path in KERNEL_FOLDER.glob("*.yaml"))


def test_formats_name_families_and_bytes():
    formats = load_formats()
    assert formats["bf16"].weight_bytes == 2
    assert formats["nvfp4"].weight_bytes == pytest.approx(0.5 + 1 / 16)
    assert formats["mxfp8"].weight_bytes == pytest.approx(1 + 1 / 32)
    assert all(form.families[-1] == "bf16" for form in formats.values())
    assert all(0 < form.weight_bytes <= 4 for form in formats.values())


def test_a_class_scales_what_it_extends(folder):
    plain = {one.id: one for one in load_kernels(folder).calibrations}["a100_sxm"]
    ascend = {one.id: one for one in load_kernels(folder).classes}["ascend"]
    assert ascend.matmul["bf16"].ceiling_share == pytest.approx(0.8 * plain.matmul["bf16"].ceiling_share)
    assert ascend.matmul["bf16"].floor_seconds == pytest.approx(2 * plain.matmul["bf16"].floor_seconds)
    assert ascend.matmul["bf16"].tile_rows == plain.matmul["bf16"].tile_rows


def test_a_class_may_have_collectives_of_its_own(table):
    volta = next(one for one in table.classes if one.id == "volta")
    assert volta.collectives["all_reduce"].link_shares[0] < 0.2 < volta.collectives["send"].link_shares[0]


def test_read_files_are_kept(folder):
    assert load_kernels(folder) is load_kernels(folder)


# -------------------------------------------------------------------------------------------------------------- faults


def test_a_missing_figure_is_named(folder):
    change(folder, "h100_sxm.yaml", "ceiling_share: ", "ceilling_share: ")
    with pytest.raises(InputError, match="ceilling_share") as told:
        load_kernels(folder)
    assert "h100_sxm.yaml: matmul: bf16" in str(told.value)
    assert "Did you mean 'ceiling_share'" in str(told.value)


def test_a_wrong_unit_is_named(folder):
    text = (folder / "a100_sxm.yaml").read_text("utf-8")
    (folder / "a100_sxm.yaml").write_text(text.replace(" us", " GB", 1), "utf-8")
    with pytest.raises(InputError, match=r"a100_sxm.yaml.*unit 'GB'"):
        load_kernels(folder)


def test_a_time_without_a_unit_is_refused(folder):
    text = (folder / "a100_sxm.yaml").read_text("utf-8")
    (folder / "a100_sxm.yaml").write_text(text.replace(" us", "", 1), "utf-8")
    with pytest.raises(InputError, match="a unit of s"):
        load_kernels(folder)


def test_text_for_a_number_is_refused(folder):
    change(folder, "h100_sxm.yaml", "default_units: 132", "default_units: many")
    with pytest.raises(InputError, match="'many'"):
        load_kernels(folder)


def test_a_class_that_extends_nothing_known_is_named(folder):
    change(folder, "classes.yaml", "extends: h100_sxm", "extends: h100_smx")
    with pytest.raises(InputError, match="Did you mean 'h100_sxm'"):
        load_kernels(folder)


def test_a_scale_left_out_is_named(folder):
    change(folder, "classes.yaml", ", link_share: 1}", "}")
    with pytest.raises(InputError, match="no 'link_share'"):
        load_kernels(folder)


def test_a_collective_without_shares_is_named(folder):
    path = folder / "network.yaml"
    lines = path.read_text("utf-8").splitlines()
    cut = [line.split(", link_share_")[0] + "}" if line.startswith("  send:") else line for line in lines]
    path.write_text("\n".join(cut) + "\n", "utf-8")
    with pytest.raises(InputError, match="no share of the link"):
        load_kernels(folder)


def test_a_list_for_a_mapping_is_refused(folder):
    change(folder, "attention.yaml", "backward_scale:", "backward_scales:")
    with pytest.raises(InputError, match="no 'backward_scale'"):
        load_kernels(folder)


def test_a_file_of_nothing_but_text_is_refused(folder):
    (folder / "formats.yaml").write_text("just text\n", "utf-8")
    with pytest.raises(InputError, match="mapping"):
        load_formats(folder)


def test_what_is_no_device_is_not_read_as_one(table):
    assert not {one.id for one in table.calibrations} & {name.removesuffix(".yaml") for name in NOT_DEVICES}


def test_a_kernel_has_as_many_figures_as_its_noun(folder):
    line = next(one for one in (folder / "h100_sxm.yaml").read_text("utf-8").splitlines() if one.startswith("  bf16:"))
    assert line.count(":") - 1 == len(fields(MatmulKernel)) - len(optional(MatmulKernel))
    assert len(fields(AttentionKernel)) == 10
