"""Products are found by what people call them; nothing is guessed where two would fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.catalogue import find
from suanli.catalogue.load import catalogue
from suanli.domain.hardware import Topology
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Kind

KNOWN = catalogue()
SPELLINGS = {
    "H100-80GB-SXM": "nv-h100-sxm", "H100-SXM": "nv-h100-sxm", "H100-PCIe-80GB": "nv-h100-pcie", "h100": "nv-h100-sxm",
    "H100-96GB-HBM2e-500W": "nv-h100-96-hbm2e", "A100": "nv-a100-80-sxm", "A100-80GB-SXM": "nv-a100-80-sxm",
    "A100-SXM-80GB": "nv-a100-80-sxm", "A100-80GB (Ampere)": "nv-a100-80-sxm", "A100-40GB-SXM": "nv-a100-40-sxm",
    "A100-SXM-40GB": "nv-a100-40-sxm", "A100-PCIe-80GB": "nv-a100-80-pcie", "A800-80GB": "nv-a800-80-sxm",
    "V100-32GB-SXM2": "nv-v100-sxm2-32", "H200-141GB-SXM": "nv-h200-sxm", "H200-SXM": "nv-h200-sxm",
    "H20-96GB": "nv-h20", "GH200": "nv-gh200-96", "B200": "nv-b200-sxm", "B200-180GB": "nv-b200-sxm",
    "B200-SXM": "nv-b200-sxm", "B300": "nv-b300-sxm", "B300-SXM": "nv-b300-sxm", "GB200": "nv-gb200",
    "GB300": "nv-gb300", "L40S": "nv-l40s", "RTX-4090": "nv-rtx4090", "RTX-4080": "nv-rtx4080",
    "RTX-4070Ti": "nv-rtx4070ti", "RTX-3090": "nv-rtx3090", "RTX-3080-10GB": "nv-rtx3080", "RTX-A6000": "nv-a6000",
    "RTX-6000-Ada": "nv-rtx6000-ada", "RTX-5000-Ada": "nv-rtx5000-ada", "RTX-4000-Ada": "nv-rtx4000-ada",
    "RTX-PRO-6000": "nv-rtxpro6000", "MI250": "amd-mi250", "MI300X": "amd-mi300x", "MI325X": "amd-mi325x",
    "Gaudi2": "intel-gaudi2", "Intel-Max-1550": "intel-max1550", "TPU-v4": "tpu-v4", "TPU-v5e": "tpu-v5e",
    "TPU-v5p": "tpu-v5p", "TPU-v7": "tpu-v7", "SN40L": "sambanova-sn40l", "Ascend-910B": "ascend-910b3",
    "Ascend-910B (Atlas 900 A2 PODc)": "ascend-910b3", "昇腾910B": "ascend-910b3", "M1-Max-32c": "apple-m1-max-32",
    "M2-Ultra-76c": "apple-m2-ultra-76", "M3-Max-40c": "apple-m3-max-40",
}  # fmt: skip
"""Every spelling of the published tables of training and serving runs, and a few more."""


@pytest.mark.parametrize(("text", "name"), SPELLINGS.items())
def test_a_spelling_of_the_published_runs_finds_its_accelerator(text, name):
    assert find.accelerator(text).id == name


@pytest.mark.parametrize("name", sorted(KNOWN.accelerators))
def test_an_id_and_a_whole_name_find_themselves(name):
    item = KNOWN.accelerators[name]
    assert find.accelerator(name) is item
    assert find.accelerator(item.name) is item


@pytest.mark.parametrize("name", sorted(KNOWN.systems))
def test_a_systems_id_finds_itself(name):
    assert find.system(name) is KNOWN.systems[name]


@given(st.sampled_from(sorted(SPELLINGS)), st.sampled_from(["-", " ", "_", ""]))
def test_case_and_dashes_do_not_count_in_an_alias(text, between):
    spelled = text.upper().replace("-", between) if text in {"A100", "B200-180GB", "A800-80GB", "H20-96GB"} else text
    assert find.accelerator(spelled).id == SPELLINGS[text]


@pytest.mark.parametrize("text", ["H900", "foo", "", "NVIDIA", "GeForce", "A100 A800", "Ascend-999"])
def test_an_unknown_or_doubtful_name_is_refused(text):
    with pytest.raises(InputError, match="unknown accelerator"):
        find.accelerator(text)


def test_the_nearest_name_is_offered():
    with pytest.raises(InputError, match=r"nv-a800-80-sxm|nv-a800-80-pcie"):
        find.accelerator("nv-a800-80-sxn")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("8x A800 box", "dgx-a800-640"),
        ("A800 box", "dgx-a800-640"),
        ("8 x A800", "dgx-a800-640"),
        ("DGX H100", "dgx-h100"),
        ("H100 node", "dgx-h100"),
        ("8x H100", "dgx-h100"),
        ("GB200", "gb200-nvl72"),
        ("CloudMatrix 384", "cloudmatrix-384"),
        ("p5.48xlarge", "aws-p5"),
        ("L40S server", "host8-nv-l40s"),
        ("host8-nv-l40s", "host8-nv-l40s"),
    ],
)
def test_a_box_is_found_by_what_people_call_it(text, name):
    assert find.system(text).id == name


def test_a_box_of_another_size_is_refused():
    with pytest.raises(InputError, match="16 accelerators"):
        find.system("16x H100")


@pytest.mark.parametrize("name", sorted(KNOWN.accelerators))
def test_every_accelerator_has_a_box(name):
    box = find.default_system(name)
    assert box.accelerator.id == name
    assert box.accelerators >= 1
    assert box.link.domain >= 1


@pytest.mark.parametrize("name", ["nv-rtx3080", "amd-mi250", "apple-m2-ultra-76", "nv-h100-pcie"])
def test_a_box_that_nobody_lists_is_marked_as_assumed(name):
    box = find.default_system(name)
    assert box.id.startswith("host")
    assert box.notes.startswith("Assumed")
    assert box.confidence == "estimate"
    if box.power_watts is not None:
        assert box.power_watts.kind is Kind.ASSUMPTION
        assert box.power_watts.value > box.accelerators * box.accelerator.power_watts.value


def test_a_borrowed_box_keeps_its_own_accelerators_link():
    box = find.default_system("nv-h100-96-hbm2e")
    assert box.link.topology is Topology.SWITCHED
    assert box.scale_out_bytes_per_s == KNOWN.systems["dgx-h100"].scale_out_bytes_per_s
    assert box.power_watts.value == pytest.approx(10200 - 8 * 700 + 8 * 500)


def test_a_listed_box_is_preferred_to_a_cloud_and_a_maker_to_a_guess():
    assert find.default_system("nv-h100-sxm").id == "dgx-h100"
    assert find.default_system("nv-a800-80-sxm").id == "dgx-a800-640"
    assert find.default_system("aws-trn2").id == "aws-trn2"


def test_siblings_are_mutual():
    for name in KNOWN.accelerators:
        for other in find.siblings_of(name):
            assert name in find.siblings_of(other)
            assert name != other
