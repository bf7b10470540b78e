"""The engine file: every class is whole, eras lead by version and date, unknown names are refused."""

import dataclasses

import pytest

from suanli.catalogue.engines import find_engine, load_engines, version_numbers
from suanli.catalogue.kernels import load_kernels
from suanli.domain.engine import Claim
from suanli.foundation.errors import InputError

TABLE = load_engines()


@pytest.mark.parametrize("name", sorted(TABLE.profiles))
def test_every_class_has_physical_figures(name):
    profile = TABLE.profiles[name]
    assert 0.5 <= profile.kernel_slack <= 2
    assert 0 < profile.usable_share <= 1
    assert 0 <= profile.burst_share <= 1
    assert profile.reserved_share in (0.5, 1.0)
    assert isinstance(profile.claim, Claim)
    for field in dataclasses.fields(profile):
        if field.name.endswith("_seconds"):
            assert 0 <= getattr(profile, field.name) < 0.5


@pytest.mark.parametrize("era", TABLE.eras, ids=lambda era: f"{era.engine}-{era.profile}")
def test_every_era_leads_to_a_class(era):
    assert era.profile in TABLE.profiles


@pytest.mark.parametrize("name", sorted(TABLE.schemes))
def test_every_scheme_names_known_number_formats(name):
    scheme, known = TABLE.schemes[name], load_kernels().formats
    for part in (scheme.attention, scheme.dense, scheme.expert, scheme.latent_attention, scheme.head):
        assert part in known
    assert scheme.cache[""] in known


@pytest.mark.parametrize(
    ("engine", "version", "date", "expected"),
    [
        ("vllm", "0.6.3", "", "vllm_v0"),
        ("vllm", "0.11.0", "", "vllm_v1"),
        ("vllm", "v0.8.0", "", "vllm_v1"),
        ("vllm", "", "2024-10", "vllm_v0"),
        ("vllm", "", "2026-01", "vllm_v1"),
        ("vllm", "", "", "vllm_v1"),
        ("SGLang", "nightly-dev", "", "sglang"),
        ("trt-llm/vllm (not stated)", "", "", "trtllm_auto"),
        ("dynamo-trt", "0.8.1.post1", "", "trtllm_auto"),
        ("trtllm", "", "", "trtllm_auto"),
        ("trt-llm", "0.17", "", "trtllm_built"),
        ("trt-llm", "1.0", "", "trtllm"),
        ("dynamo-trt", "0.8.1.post1", "2025-09", "trtllm"),
    ],
)
def test_version_and_date_lead_to_the_era(engine, version, date, expected):
    assert find_engine(TABLE, engine, version, date).id == expected


def test_an_unknown_engine_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="vllm"):
        find_engine(TABLE, "vlm")


@pytest.mark.parametrize(
    ("said", "numbers"), [("v0.5.12-cu130", (0, 5, 12)), ("1.0.0rc3", (1, 0, 0)), ("nightly", ()), ("", ())]
)
def test_versions_are_read_by_their_leading_numbers(said, numbers):
    assert version_numbers(said) == numbers


def test_a_figure_without_its_unit_is_refused(tmp_path):
    from suanli.catalogue.engines import ENGINE_FILE

    path = tmp_path / "engines.yaml"
    path.write_text(ENGINE_FILE.read_text(encoding="utf-8").replace("host_seconds: ", "host_seconds: fast ", 1))
    with pytest.raises(InputError, match="host_seconds"):
        load_engines(path)


def test_a_missing_figure_is_named(tmp_path):
    from suanli.catalogue.engines import ENGINE_FILE

    path = tmp_path / "engines.yaml"
    path.write_text(ENGINE_FILE.read_text(encoding="utf-8").replace("    mixes: true\n", "", 1))
    with pytest.raises(InputError, match="mixes"):
        load_engines(path)
