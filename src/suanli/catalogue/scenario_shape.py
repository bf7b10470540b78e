"""Holds a scenario's data against the schema, and tells every fault of shape in the reader's words."""

from __future__ import annotations

import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from suanli.catalogue.quantity import shown
from suanli.catalogue.scenario_fields import FAULT
from suanli.catalogue.scenario_schema import WORKLOAD_ENTRIES, ScenarioEntry
from suanli.catalogue.yaml_reader import Trail
from suanli.foundation.errors import did_you_mean
from suanli.foundation.language import tr

LAYERS = tuple(WORKLOAD_ENTRIES)
WORKLOADS = "workloads"
KEY_STEP = "[key]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A fault and the trail of the part it is in."""

    trail: Trail
    found: str
    allowed: str
    hint: str = ""


def read_shape(data: object, currencies: Collection[str]) -> tuple[ScenarioEntry | None, tuple[Finding, ...]]:
    """Hold data against the schema: the scenario's entry, or None and every fault."""
    try:
        return ScenarioEntry.model_validate(data, context=currencies), ()
    except ValidationError as error:
        return None, tuple(_finding(each) for each in error.errors(include_url=False))


def _finding(error: Any) -> Finding:
    """Turn one error of pydantic into words."""
    trail = plain_trail(error["loc"])
    context = error.get("ctx", {})
    if error["type"] == FAULT:
        return Finding(trail=trail, found=context["found"], allowed=context["allowed"], hint=context["hint"])
    if error["type"] == "missing":
        name = str(trail[-1])
        return Finding(trail=trail, found=tr("no '{name}'", name=name), allowed=_description(trail))
    if error["type"] == "extra_forbidden":
        name, known = str(trail[-1]), tuple(_fields(trail[:-1]))
        found = tr("unknown key '{name}'", name=shown(name))
        return Finding(trail=trail, found=found, allowed=", ".join(known), hint=did_you_mean(name, known))
    if error["type"].startswith("union_tag"):
        layer = shown(error["input"].get("layer")) if isinstance(error["input"], dict) else shown(error["input"])
        found, hint = tr("layer '{layer}'", layer=layer), did_you_mean(layer, LAYERS)
        trail = (*trail, "layer") if isinstance(error["input"], dict) else trail
        return Finding(trail=trail, found=found, allowed=", ".join(LAYERS), hint=hint)
    return _plain_finding(trail, error, context)


def _plain_finding(trail: Trail, error: Any, context: Mapping[str, Any]) -> Finding:
    kind = error["type"]
    found = f"'{shown(error['input'])}'" if isinstance(error["input"], str) else shown(error["input"])
    if "expected" in context:
        expected = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        hint = did_you_mean(shown(error["input"]), expected.split(", "))
        return Finding(trail=trail, found=found, allowed=expected, hint=hint)
    allowed: Callable[[], str] | None = {
        "int_type": lambda: tr("a whole number without a unit"),
        "bool_type": lambda: tr("true or false"),
        "string_type": lambda: tr("text"),
        "list_type": lambda: tr("a list"),
        "dict_type": lambda: tr("a mapping of keys to values"),
        "model_type": lambda: tr("a mapping of keys to values"),
        "model_attributes_type": lambda: tr("a mapping of keys to values"),
        "greater_than_equal": lambda: tr("at least {bound}", bound=context["ge"]),
        "less_than_equal": lambda: tr("at most {bound}", bound=context["le"]),
        "string_too_short": lambda: tr("text that is not empty"),
        "string_too_long": lambda: tr("at most {most} characters", most=context["max_length"]),
        "too_short": lambda: tr("at least {least} of them", least=context["min_length"]),
        "too_long": lambda: tr("at most {most} of them", most=context["max_length"]),
    }.get(kind)
    if kind in ("too_short", "too_long"):
        found = tr("{count} of them", count=context["actual_length"])
    return Finding(trail=trail, found=found, allowed=allowed() if allowed else str(error["msg"]))


def plain_trail(steps: tuple[str | int, ...]) -> Trail:
    """Drop what pydantic adds to a trail: the layer of a workload, the mark of a key."""
    kept = [step for step in steps if step != KEY_STEP]
    if len(kept) > 2 and kept[0] == WORKLOADS and kept[2] in LAYERS:
        del kept[2]
    return tuple(kept)


def _fields(trail: Trail) -> Mapping[str, Any]:
    """Return the fields of the section that a trail leads to; of workloads, those of all layers."""
    if trail[:1] == (WORKLOADS,):
        merged = {name: field for entry in WORKLOAD_ENTRIES.values() for name, field in entry.model_fields.items()}
        return _below(merged, trail[1:])
    return _below(ScenarioEntry.model_fields, trail)


def _below(fields: Mapping[str, Any], trail: Trail) -> Mapping[str, Any]:
    for step in trail:
        if isinstance(step, int):
            continue
        section = _section(fields[step].annotation) if step in fields else None
        fields = section.model_fields if section else {}
    return fields


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, (_section(part) for part in typing.get_args(annotation))), None)


def _description(trail: Trail) -> str:
    field = _fields(trail[:-1])[str(trail[-1])]
    return tr("a value is needed: {meaning}", meaning=" ".join((field.description or "").split()).rstrip("."))
