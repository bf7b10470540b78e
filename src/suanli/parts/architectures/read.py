"""From a config.json, a file or a known name to a Model. Raw JSON only: no code that comes with a model is ever run."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from suanli.domain.model import Model
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr
from suanli.parts.architectures import blocks
from suanli.parts.architectures.compose import build_model
from suanli.parts.architectures.families import Family, find_family, table
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.normalise import PREPARERS
from suanli.parts.architectures.quantisation import read_quantisation

TEXT_SECTIONS = ("text_config", "language_config", "llm_config", "thinker_config")
"""Keys under which a multimodal config keeps its language part."""

INHERITED_KEYS = ("tie_word_embeddings", "torch_dtype", "dtype")
"""Keys that a language part takes from the whole where it says nothing itself."""

QUANTISATION_FILE = "hf_quant_config.json"


def language_part(config: Mapping[str, Any], place: str) -> tuple[Mapping[str, Any], str]:
    """Return the part of a config that describes the language model, and its place."""
    for section in TEXT_SECTIONS:
        part = config.get(section)
        if not isinstance(part, Mapping):
            continue
        inner, inner_place = language_part(part, f"{place}:{section}")
        kept = {key: config[key] for key in INHERITED_KEYS if key in config and inner.get(key) is None}
        if inner.get("model_type") is None and isinstance(config.get("model_type"), str):
            kept["model_type"] = f"{config['model_type']}_text"
        return {**inner, **kept}, inner_place
    return config, place


def fields_of(config: Mapping[str, Any], family: Family, place: str) -> Fields:
    """Return a config's fields under the family's names and defaults."""
    common: Mapping[str, tuple[str, ...]] = table()["aliases"]
    aliases = {**common, **family.keys}
    return Fields(
        config,
        place=place,
        aliases=aliases,
        defaults=family.defaults,
        largest=table()["limits"]["largest_count"],
    )


def read_model(
    config: Mapping[str, object],
    name: str,
    quantisation: Mapping[str, object] | None = None,
    place: str = "config.json",
) -> Model:
    """Read a model from the mapping that a config.json holds; `quantisation` is a separate file's, where there is one.

    Raises InputError with every fault at once, and where the model_type is not known.
    """
    part, part_place = language_part(config, place)
    blocks.load()
    family = find_family(part.get("model_type"), f"{part_place}:model_type")
    prepared = PREPARERS[family.prepare](part) if family.prepare else part
    fields = fields_of(prepared, family, part_place)
    if part is not config:
        fields.notes.append(tr("Only the language part is counted; towers for images, video and sound are left out."))
    model = build_model(fields, family, name)
    inside = part.get("quantization_config") or config.get("quantization_config")
    found = read_quantisation(quantisation, inside, name_of_expert_format(config, part), fields, model)
    fields.raise_faults()
    return replace(model, quantisation=found, notes=notes_of(fields, family))


def notes_of(fields: Fields, family: Family) -> tuple[str, ...]:
    """Return what a reader must know of the count: what was left out, and what no published code confirms."""
    told = [*fields.notes, family.note, *(text for key, text in family.key_notes.items() if fields.says(key))]
    return tuple(note for note in told if note)


def name_of_expert_format(config: Mapping[str, Any], part: Mapping[str, Any]) -> str | None:
    """Return the format that a config names for its experts alone (DeepSeek V4's `expert_dtype`), or None."""
    said = part.get("expert_dtype", config.get("expert_dtype"))
    return said if isinstance(said, str) else None


def _too_deep(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for item in layer
            for inner in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
        if not layer:
            return False
    return True


def load_json(path: Path) -> dict[str, Any]:
    """Read one JSON mapping from a file. Raises InputError where it is missing, too large, too deep or no mapping."""
    limits = table()["limits"]
    try:
        size = path.stat().st_size
        if size > limits["largest_file_bytes"]:
            raise InputError.single(
                place=str(path),
                found=tr("{bytes} bytes", bytes=size),
                allowed=tr("at most {bytes} bytes", bytes=limits["largest_file_bytes"]),
            )
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError.single(
            place=str(path), found=error.strerror or str(error), allowed=tr("a file that can be read")
        ) from error
    except RecursionError as error:
        raise _nested(path, limits) from error
    except ValueError as error:
        raise InputError.single(place=str(path), found=str(error), allowed=tr("valid JSON in UTF-8")) from error
    if not isinstance(value, dict):
        raise InputError.single(place=str(path), found=type(value).__name__, allowed=tr("a JSON mapping"))
    if _too_deep(value, limits["deepest_levels"]):
        raise _nested(path, limits)
    return value


def _nested(path: Path, limits: Mapping[str, int]) -> InputError:
    return InputError.single(
        place=str(path),
        found=tr("values nested too deep"),
        allowed=tr("at most {levels} levels", levels=limits["deepest_levels"]),
    )


def quantisation_beside(path: Path) -> Mapping[str, object] | None:
    """Return modelopt's own quantisation file that lies beside a config, or None."""
    prefix = path.name.removesuffix("config.json")
    beside = path.with_name(prefix + QUANTISATION_FILE)
    return load_json(beside) if path.name.endswith("config.json") and beside.is_file() else None


def read_model_file(path: str | Path) -> Model:
    """Read a model from a config.json (or a folder that holds one), with the quantisation file beside it.

    Raises InputError with every fault at once.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "config.json"
    config = load_json(file)
    name = file.parent.name if file.name == "config.json" else file.stem.removesuffix("_config")
    return read_model(config, name or str(file), quantisation_beside(file), place=file.name)


@functools.cache
def _packaged() -> Mapping[str, dict[str, Any]]:
    """Every packaged model by its name: the facts of data/models/*.json."""
    known: dict[str, dict[str, Any]] = {}
    for entry in sorted(files("suanli").joinpath("data/models").iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".json"):
            known.update(json.loads(entry.read_text(encoding="utf-8"))["models"])
    return known


def known_models() -> tuple[str, ...]:
    """Return the names of all packaged models."""
    return tuple(sorted(_packaged(), key=str.lower))


@functools.cache
def _by_lower_name() -> Mapping[str, str]:
    """Lower-case name, short name and other names to the packaged name; a short name that two share is left out."""
    exact: dict[str, str] = {}
    short: dict[str, set[str]] = {}
    for name, facts in _packaged().items():
        for other in (name, *facts.get("names", ())):
            exact[other.lower()] = name
            short.setdefault(other.rsplit("/", 1)[-1].lower(), set()).add(name)
    return {key: next(iter(owners)) for key, owners in short.items() if len(owners) == 1} | exact


def find_name(name: str) -> str | None:
    """Return the packaged name that a name means, whatever its case, or None."""
    return _by_lower_name().get(name.strip().lower())


@functools.cache
def named_model(name: str) -> Model:
    """Return a packaged model by name ('Qwen/Qwen3-32B'), whatever its case. Raises InputError where none is known."""
    found = find_name(name)
    if found is None:
        raise InputError.single(
            place=tr("model"),
            found=tr("unknown model '{name}'", name=name),
            allowed=tr(
                "a path to a config.json, or one of the {count} packaged models (suanli model --list)",
                count=len(known_models()),
            ),
            hint=did_you_mean(name.lower(), _by_lower_name()),
        )
    return read_model(_packaged()[found]["config"], found, place=found)


def source_of(name: str) -> str | None:
    """Return the source key of a packaged model's facts, or None where the name is not packaged."""
    found = find_name(name)
    return None if found is None else str(_packaged()[found]["source"])
