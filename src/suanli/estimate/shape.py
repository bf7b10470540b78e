"""A model that is only a number of parameters yet, given the shape of a dense model of Llama 3's kind."""

from __future__ import annotations

import math

from suanli.catalogue.assumptions import assumption
from suanli.domain.model import Model
from suanli.domain.scaling import Shape
from suanli.parts.architectures.count import layers, parameters
from suanli.parts.architectures.read import read_model

FIGURES = ("width_per_layer", "feed_forward_per_width", "head_dim", "kv_heads", "vocabulary")
ATTENTION_MATRICES = 2
"""Queries and output are of the model's width; keys and values of that of the shared heads."""
MLP_MATRICES = 1 + 2
TENSOR_SPLIT = 8
"""Heads come in multiples of a node's eight, so that a layer can be shared out in a node, where there are as many."""


def layer_parameters(width: float, feed_per_width: float, kv_width: float) -> float:
    """Count the parameters of one layer's matrices."""
    return ATTENTION_MATRICES * width * (width + kv_width) + MLP_MATRICES * feed_per_width * width**2


def width_of(wanted: float, value: dict[str, float]) -> float:
    """Solve for the width at which layers in the usual proportion, with both tables, have so many parameters."""
    low, high = 1.0, math.sqrt(wanted)
    for _ in range(int(value["head_dim"])):
        middle = (low + high) / 2
        kv_width = min(value["kv_heads"] * value["head_dim"], middle)
        one = layer_parameters(middle, value["feed_forward_per_width"], kv_width)
        held = middle / value["width_per_layer"] * one + 2 * value["vocabulary"] * middle
        low, high = (middle, high) if held < wanted else (low, middle)
    return low


def model_of_size(wanted: float) -> Model:
    """Shape a model of about so many parameters: depth and width in the proportion of Llama 3, whole heads."""
    value = {name: assumption(f"shape.{name}").value for name in FIGURES}
    head_dim, kv_heads = int(value["head_dim"]), int(value["kv_heads"])
    heads = max(1, round(width_of(wanted, value) / head_dim))
    if heads > TENSOR_SPLIT:
        heads = TENSOR_SPLIT * round(heads / TENSOR_SPLIT)
    kv_heads = math.gcd(heads, kv_heads)
    width = heads * head_dim
    one = layer_parameters(width, value["feed_forward_per_width"], kv_heads * head_dim)
    depth = max(1, round((wanted - 2 * value["vocabulary"] * width) / one / 2)) * 2
    config = {
        "model_type": "llama",
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": int(width * value["feed_forward_per_width"]),
        "vocab_size": int(value["vocabulary"]),
    }
    return read_model(config, f"dense-{wanted / 1e9:.3g}B")


def shape_of(model: Model) -> Shape:
    """Tell a shaped model's numbers."""
    core = model.runs[0].layer.core
    return Shape(parameters=float(parameters(model)), layers=layers(model.runs), hidden=model.hidden, heads=core.heads)
