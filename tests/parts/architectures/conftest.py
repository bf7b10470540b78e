"""Small configs and the transformers oracle that the tests of architectures share."""

import copy
import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 160,
    "vocab_size": 320,
    "max_position_embeddings": 128,
}

ALIASES = {
    "kimi_k2": "deepseek_v3",
    "deepseek_ref": "deepseek_v4",
    "minimax_m3": "minimax_m3_vl_text",
    "minimax_m3_vl": "minimax_m3_vl_text",
    "mimo": "qwen2",
    "step3p7": "step3p5",
}


def _text_config(config: Mapping[str, Any]) -> dict[str, Any]:
    whole = copy.deepcopy(dict(config))
    text = whole.get("text_config") or whole
    if text is not whole and whole.get("tie_word_embeddings") is not None:
        text.setdefault("tie_word_embeddings", whole["tie_word_embeddings"])
    text.pop("quantization_config", None)
    text.pop("auto_map", None)
    model_type = text.get("model_type") or whole["model_type"]
    text["model_type"] = ALIASES.get(model_type, model_type)
    return text


def _bare_stack(config: Any) -> Any:
    """Build the language stack of a multimodal family, which transformers registers under no auto class."""
    import importlib

    module = importlib.import_module(type(config).__module__.replace(".configuration_", ".modeling_"))
    name = type(config).__name__.removesuffix("Config")
    return getattr(module, name + "Model")(config)


def _instantiate(config: Any) -> tuple[Any, int]:
    """Build on the meta device; where only the bare stack is known, the head is added by its own size."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        try:
            model, head = AutoModelForCausalLM.from_config(config), 0
        except ValueError:
            model = _bare_stack(config)
            head = 0 if getattr(config, "tie_word_embeddings", False) else config.hidden_size * config.vocab_size
    return model, head


@pytest.fixture(scope="session")
def oracle() -> Callable[[Mapping[str, Any]], int | None]:
    """Count by transformers on the meta device; None where it does not know the family."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    def count(config: Mapping[str, Any]) -> int | None:
        text = _text_config(config)
        if text["model_type"] not in CONFIG_MAPPING or text.get("hidden_act") == "situ":
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = CONFIG_MAPPING[text["model_type"]].from_dict(text)
            made = made.text_config if hasattr(made, "text_config") else made
            model, head = _instantiate(made)
        return head + sum(parameter.numel() for parameter in model.parameters())

    return count


@pytest.fixture(scope="session")
def saved() -> Callable[..., dict[str, Any]]:
    """Return what transformers would save as config.json for a family's default config with some keys set."""
    pytest.importorskip("transformers")
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    def save(model_type: str, **keys: Any) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return json.loads(json.dumps(CONFIG_MAPPING[model_type](**keys).to_dict(), default=str))

    return save


@pytest.fixture
def small() -> dict[str, Any]:
    """Return the sizes of a small dense decoder."""
    return dict(SMALL)
