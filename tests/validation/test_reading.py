"""Hardware, wiring and formats of published runs, told in words."""

import pytest
from tests.validation.runs import DENSE, write

from suanli.catalogue.load import catalogue
from suanli.foundation.errors import InputError
from suanli.validation.reading import load_reading, read_accelerator, read_format, read_system, slices_of
from suanli.validation.rows import read_records

GIGABIT = 1e9 / 8


def record(tmp_path, **cells):
    return read_records(write(tmp_path / "runs.csv", {**DENSE, **cells}))[0]


def system(tmp_path, **cells):
    row = record(tmp_path, **cells)
    return read_system(row, read_accelerator(row, catalogue()), catalogue(), load_reading())


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("A100-80GB-SXM", "nv-a100-80-sxm"),
        ("A100", "nv-a100-80-sxm"),
        ("GB300", "nv-gb300"),
        ("Ascend-910B (Atlas 900 A2 PODc)", "ascend-910b3"),
        ("TPU-v5e", "tpu-v5e"),
        ("nv-h100-sxm", "nv-h100-sxm"),
    ],
)
def test_accelerators_are_found_by_the_tables_names_and_by_id(tmp_path, said, found):
    assert read_accelerator(record(tmp_path, accelerator=said), catalogue()).id == found


def test_an_unknown_accelerator_is_none(tmp_path):
    assert read_accelerator(record(tmp_path, accelerator="Abacus-9"), catalogue()) is None


def test_a_variant_has_a_memory_of_its_own(tmp_path):
    found = read_accelerator(record(tmp_path, accelerator="H100-96GB-HBM2e-500W"), catalogue())
    assert found.memory_bytes.value == 96e9
    assert found.memory_bytes_per_s.value < 3.0e12


@pytest.mark.parametrize(
    ("said", "gigabits"),
    [
        ("1600 Gb/s RoCE per 8-GPU node", 200),
        ("4x100 Gb/s RoCE per 8-GPU node", 50),
        ("Jean Zay: NVLink in node, 4x100 Gb/s Omni-Path per 8-GPU node", 10),
        ("800 Gb/s per node, NVLink in node (150 GB/s in their configs)", 100),
        ("8x200G RoCE per node", 200),
        ("DGX A100 (Selene), 8x200 Gb/s HDR IB per node, fat tree", 200),
        ("Grand Teton, 400 Gb/s RDMA per GPU", 400),
        ("400 Gb/s CX-7 per GPU", 400),
    ],
)
def test_the_network_is_read_for_each_accelerator(tmp_path, said, gigabits):
    assert system(tmp_path, interconnect=said).scale_out_bytes_per_s.value == pytest.approx(gigabits * GIGABIT)


def test_words_without_a_figure_leave_the_usual_network(tmp_path):
    usual = system(tmp_path, interconnect="")
    assert system(tmp_path, interconnect="DGX A100, HDR IB") == usual


def test_the_size_of_a_node_is_read(tmp_path):
    assert system(tmp_path, interconnect="Jean Zay 4-GPU nodes, 2 nodes, Omni-Path").accelerators == 4


def test_slices_are_counted(tmp_path):
    assert slices_of(record(tmp_path, interconnect="ICI 2D torus 256/slice; 16 slice(s) over DCN")) == 16
    assert slices_of(record(tmp_path)) == 1


def test_formats_are_read(tmp_path):
    assert read_format(record(tmp_path, precision="mxfp8"), load_reading()).number_format == "mxfp8"
    assert read_format(record(tmp_path, precision="bf16/nf4-dq"), load_reading()).frozen == "nf4-dq"
    assert read_format(record(tmp_path, precision=""), load_reading()).number_format == "bf16"


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(InputError, match="int3"):
        read_format(record(tmp_path, precision="int3"), load_reading())
