"""What a model is: parameters, operations, cache, state and weight bytes, from a config.json or a known name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.foundation.errors import Fault, InputError

if TYPE_CHECKING:
    from suanli.domain.model import Model


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLayer:
    """One kind of layer: how many there are and what one of them holds."""

    name: str
    count: int
    parameters: int
    cached_elements_per_token: float
    state_elements: int
    window_tokens: int | None
    experts: int
    experts_per_token: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAnswer:
    """What a model is, in SI; `forward_flop` counts all (query, key) pairs, `causal_forward_flop` what the mask leaves.

    `weight_bytes` is the checkpoint as its own quantisation stores it, `kv_bytes_per_token` in `kv_format`.
    """

    name: str
    family: str
    hidden: int
    vocabulary: int
    layers: int
    max_positions: int | None
    dtype: str
    quantisation: str | None
    parameters: int
    active_parameters: int
    draft_parameters: int
    parameters_by_role: dict[str, int]
    sequence_tokens: int
    batch: int
    forward_flop: float
    causal_forward_flop: float
    kv_format: str
    kv_bytes_per_token: float
    kv_bytes_per_sequence: float
    state_bytes_per_sequence: float
    weight_bytes: float
    weight_bytes_by_format: dict[str, float]
    layer_kinds: tuple[ModelLayer, ...]
    notes: tuple[str, ...]
    source: str | None


WEIGHT_FORMATS = ("bf16", "fp8", "int4", "nvfp4")
"""The formats in which an answer tells the weights beside the checkpoint's own."""

DEFAULT_SEQUENCE_TOKENS = 2**12
DEFAULT_BATCH = 1
MOST_TOKENS = 2**30
"""The square of it, over which attention works, is still counted exactly."""
CONFIG_NAME = "config.json"


def find_model(text: str) -> Model:
    """Return the model of a path (a config.json or a folder that holds one), else of a packaged name.

    Raises InputError where neither fits, or where the config is at fault.
    """
    from suanli.parts.architectures.read import find_name, named_model, read_model_file

    if is_config(text):
        return read_model_file(text)
    looks_like_path = Path(text).suffix == ".json" or _is(text, Path.exists)
    return read_model_file(text) if looks_like_path and find_name(text) is None else named_model(text)


def is_config(text: str) -> bool:
    """Say whether a text is the path of a file, or of a folder that holds a config.json."""
    return _is(text, Path.is_file) or _is(text, lambda path: (path / CONFIG_NAME).is_file())


def _is(text: str, what: Callable[[Path], bool]) -> bool:
    """Ask something of a path; nothing is true of an empty one, nor of one that no file system takes."""
    try:
        return bool(text.strip()) and what(Path(text))
    except OSError:
        return False


def _check(seq_len: int, batch: int) -> None:
    allowed = f"a whole number from 1 to {MOST_TOKENS}"
    faults = [
        Fault(place=place, found=str(value), allowed=allowed)
        for place, value in (("--seq-len", seq_len), ("--batch", batch))
        if not 1 <= value <= MOST_TOKENS
    ]
    if faults:
        raise InputError(faults)


def _layers(model: Model) -> tuple[ModelLayer, ...]:
    from suanli.parts.architectures.count import layer_parameters

    return tuple(
        ModelLayer(
            name=run.layer.name,
            count=run.count,
            parameters=layer_parameters(run.layer),
            cached_elements_per_token=float(run.layer.core.cached_elements),
            state_elements=run.layer.core.state_elements,
            window_tokens=run.layer.core.window,
            experts=run.layer.experts,
            experts_per_token=run.layer.experts_per_token,
        )
        for run in model.runs
    )


def describe_model(
    text: str, seq_len: int = DEFAULT_SEQUENCE_TOKENS, batch: int = DEFAULT_BATCH, kv_format: str | None = None
) -> ModelAnswer:
    """Tell what a model is. `kv_format` None takes the cache format that the checkpoint names, else bf16."""
    from suanli.parts.architectures import count
    from suanli.parts.architectures.read import source_of

    _check(seq_len, batch)
    model = find_model(text)
    quantisation = model.quantisation
    cache = kv_format or (quantisation.kv_format if quantisation else None) or "bf16"
    return ModelAnswer(
        name=model.name,
        family=model.family,
        hidden=model.hidden,
        vocabulary=model.vocabulary,
        layers=count.layers(model.runs),
        max_positions=model.max_positions,
        dtype=model.dtype,
        quantisation=quantisation.method if quantisation else None,
        parameters=count.parameters(model),
        active_parameters=count.active_parameters(model),
        draft_parameters=count.draft_parameters(model),
        parameters_by_role=roles(model),
        sequence_tokens=seq_len,
        batch=batch,
        forward_flop=count.forward_flop(model, seq_len, batch),
        causal_forward_flop=count.forward_flop(model, seq_len, batch, causal=True),
        kv_format=cache,
        kv_bytes_per_token=count.kv_bytes_per_token(model, cache),
        kv_bytes_per_sequence=count.kv_bytes_per_sequence(model, seq_len, cache),
        state_bytes_per_sequence=count.state_bytes_per_sequence(model, cache),
        weight_bytes=count.weight_bytes(model),
        weight_bytes_by_format={name: count.weight_bytes(model, name) for name in WEIGHT_FORMATS},
        layer_kinds=_layers(model),
        notes=model.notes,
        source=None if is_config(text) else source_of(text),
    )


def roles(model: Model) -> dict[str, int]:
    """Count parameters by role, norms and other vectors under `vectors`; the values sum to the whole."""
    from suanli.parts.architectures import count

    found = {role.value: number for role, number in count.parameters_by_role(model).items() if number}
    return found | {"vectors": count.vector_parameters(model)}


def list_models() -> tuple[str, ...]:
    """Return the names of all packaged models."""
    from suanli.parts.architectures.read import known_models

    return known_models()
