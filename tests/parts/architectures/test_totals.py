"""Exact totals: every packaged model by its family's own formula, every family by what transformers counts, frozen.

`tests/golden/models/families.json` holds, for each family and each changed config, the keys that matter and the number
of parameters that transformers builds from them on the meta device; the oracle extra counts them anew.
`packaged.json` holds the facts of each packaged model. Both are compared to the last parameter.
"""

import json
from pathlib import Path

import pytest
from tests.parts.architectures.closed_forms import RULES, sizes, tables, text_part

from suanli.domain.model import CoreKind
from suanli.parts.architectures.count import (
    active_parameters,
    draft_parameters,
    kv_bytes_per_token,
    layers,
    parameters,
    state_bytes_per_sequence,
    weight_bytes,
)
from suanli.parts.architectures.families import families
from suanli.parts.architectures.read import _packaged, known_models, named_model, read_model

GOLDEN = Path(__file__).parents[2] / "golden" / "models"
FAMILIES = json.loads((GOLDEN / "families.json").read_text(encoding="utf-8"))
PACKAGED = json.loads((GOLDEN / "packaged.json").read_text(encoding="utf-8"))
NAMES = known_models()


def told(row):
    return " ".join([row["model_type"], *row["changed"]])


def config_of(name):
    return text_part(_packaged()[name]["config"])


def test_every_packaged_model_is_frozen_and_no_other():
    assert set(PACKAGED) == set(NAMES)


def test_every_packaged_family_has_a_formula_and_no_formula_is_idle():
    assert {named_model(name).family for name in NAMES} == set(RULES)


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_model_has_its_familys_formulas_total(name):
    model = named_model(name)
    assert RULES[model.family](config_of(name)) == parameters(model)


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_model_is_what_it_was(name):
    model, frozen = named_model(name), PACKAGED[name]
    assert {
        "family": model.family,
        "parameters": parameters(model),
        "active": active_parameters(model),
        "draft": draft_parameters(model),
        "cache_bytes_per_token": kv_bytes_per_token(model),
        "state_bytes": state_bytes_per_sequence(model),
        "checkpoint_bytes": weight_bytes(model),
    } == {key: value for key, value in frozen.items() if key != "counted_by"}


@pytest.mark.parametrize("row", FAMILIES, ids=told)
def test_a_family_counts_what_transformers_built(row):
    assert parameters(read_model(row["config"], "m")) == row["parameters"]


@pytest.mark.oracle
@pytest.mark.parametrize("row", FAMILIES, ids=told)
def test_transformers_still_builds_what_was_frozen(row, oracle):
    assert oracle(row["config"]) == row["parameters"]


def test_the_frozen_rows_cover_every_family_that_transformers_knows():
    frozen = {row["model_type"] for row in FAMILIES}
    held = {name for name, family in families().items() if family.oracle == "transformers" and name in frozen}
    assert held == frozen
    assert len(frozen) >= 80


def test_most_packaged_models_were_counted_by_transformers_itself():
    counted = [frozen["counted_by"] for frozen in PACKAGED.values()]
    assert set(counted) == {"transformers", "rule"}
    assert counted.count("transformers") >= 0.8 * len(counted)


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_as_many_as_the_config_says(name):
    config, model = config_of(name), named_model(name)
    pattern = config.get("hybrid_override_pattern")
    assert layers(model.runs) == (len(pattern) if pattern else sizes(config)[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_token_table_is_vocabulary_by_width(name):
    model = named_model(name)
    positions = model.embedding_parameters - model.vocabulary * (model.embedding_width or model.hidden)
    learned = model.family in {"gpt2", "opt"}
    assert (positions > 0) == learned
    assert positions % model.hidden == 0


LLAMA_KIN = [name for name in NAMES if RULES[named_model(name).family].__name__ in {"llama", "qwen2", "qwen3"}]


@pytest.mark.parametrize("name", LLAMA_KIN)
def test_layers_and_tables_share_the_whole_between_them(name):
    model, config = named_model(name), config_of(name)
    inner = parameters(model) - tables(config) - model.hidden
    assert inner % layers(model.runs) == 0
    assert inner > 0


BILLIONS = {
    "Qwen/Qwen3-0.6B": 0.6,
    "Qwen/Qwen3-1.7B": 1.7,
    "Qwen/Qwen3-4B": 4.0,
    "Qwen/Qwen3-8B": 8.2,
    "Qwen/Qwen3-14B": 14.8,
    "Qwen/Qwen3-30B-A3B": 30.5,
    "Qwen/Qwen3-Coder-480B-A35B-Instruct": 480.2,
    "google/gemma-2-9b": 9.24,
    "google/gemma-2-27b": 27.2,
    "microsoft/phi-2": 2.78,
    "EleutherAI/gpt-neox-20b": 20.55,
    "EleutherAI/gpt-j-6b": 6.05,
    "tiiuae/falcon-7b": 6.92,
    "tiiuae/falcon-40b": 41.3,
    "tiiuae/falcon-180B": 178.5,
    "facebook/opt-175b": 175,
    "openai/gpt-oss-20b": 20.9,
    "MiniMaxAI/MiniMax-M2.5": 228.7,
    "moonshotai/Kimi-K2-Instruct": 1026,
    "zai-org/GLM-4.5": 352.8,
    "zai-org/GLM-4.5-Air": 106.9,
    "xai-org/grok-1": 314,
}
"""What model cards and papers print, rounded as they round."""


@pytest.mark.parametrize(("name", "billions"), BILLIONS.items())
def test_printed_sizes_are_met_within_their_rounding(name, billions):
    assert parameters(named_model(name)) / 1e9 == pytest.approx(billions, rel=0.015)


@pytest.mark.parametrize("name", NAMES)
def test_a_cache_by_the_papers_rule(name):
    """2 * layers with attention * key heads * head width numbers, or the latent and its rotary key."""
    model, config = named_model(name), config_of(name)
    attending = sum(run.count for run in model.runs if run.layer.core.kind is CoreKind.SOFTMAX)
    if any(run.layer.core.kind is CoreKind.LATENT for run in model.runs):
        index = config["index_head_dim"] if config.get("index_topk") else 0
        each = config["kv_lora_rank"] + config["qk_rope_head_dim"] + index
        assert kv_bytes_per_token(model) == 2 * layers(model.runs) * each
    elif model.family != "deepseek_v4":
        core = next(run.layer.core for run in model.runs if run.layer.core.kind is CoreKind.SOFTMAX)
        assert kv_bytes_per_token(model) == 2 * attending * 2 * core.kv_heads * core.qk_head_dim
