"""What is published about scenario files, made from their schema: the JSON Schema for editors, the page for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from suanli.catalogue.scenario_builder import default_figures
from suanli.catalogue.scenario_schema import ScenarioEntry

JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
SECTIONS = {
    "ScenarioEntry": "The file",
    "BudgetEntry": "budget",
    "BudgetLimit": "budget.by[]",
    "SiteEntry": "site",
    "StaffEntry": "staff",
    "CostsEntry": "costs",
    "FleetEntry": "fleet[]",
    "MarketEntry": "market",
    "QuoteEntry": "market.quotes[]",
    "GoodputEntry": "goodput",
    "TrainingEntry": "workloads[] of layer pretrain and continue",
    "TuningEntry": "workloads[] of layer finetune",
    "ServingEntry": "workloads[] of layer serve",
    "RequestsEntry": "workloads[].requests",
    "RateStep": "workloads[].requests.by_month[]",
}
"""The sections of the page, in the order in which a reader meets them."""

INTRODUCTION = """# Scenario files

<!-- Made by scripts/write-scenario-reference from the schema; do not edit. -->

A scenario is one YAML file: what is asked, what one has, what one may spend, as of which date. `suanli init` writes a
commented one; [scenario.schema.json](scenario.schema.json) gives editors completion. The five files of `examples/` show
whole ones.

**Quantities** are text with a unit, as people write them: `2.0 M CNY`, `200 万元`, `200 kW`, `0.65 CNY/kWh`, `8 %`,
`13 weeks`, `100 B tokens`, `2 per s`, `50 ms`. Scale words are k, M, B, T (thousand to trillion) and 千, 万, 亿. A bare
number stands only where the field counts things or is a share. **Months** are `YYYY-MM`. **Money** may be in CNY, USD,
EUR or JPY; another currency than the scenario's own needs a line under `exchange`. A fraction of a year is twelve equal
months.

**Refused**, each with its line, all at once: unknown keys and names, keys given twice, anchors, aliases and tags, empty
values, numbers that are not finite, digits that are not 0-9, thousands separators, units that do not fit, dates that
the calendar lacks or the plan does not reach, files that are missing, scenarios over a megabyte.
"""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of scenario files."""
    made = ScenarioEntry.model_json_schema()
    return {"$schema": JSON_SCHEMA_DIALECT, **made, "title": "Suanli scenario"}


def schema_text() -> str:
    """Return the JSON Schema as the text that is published."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def page_text() -> str:
    """Return the reference page of scenario files, in Markdown."""
    made = schema()
    parts = [INTRODUCTION]
    for name, heading in SECTIONS.items():
        section = made if name == "ScenarioEntry" else made["$defs"][name]
        about = " ".join(section.get("description", "").split())
        rows = "\n".join(_rows(section, made["$defs"]))
        parts.append(
            f"## {heading}\n\n{about}\n\n| field | value | needed | meaning |\n| --- | --- | --- | --- |\n{rows}\n"
        )
    return "\n".join((*parts, _defaults()))


def _defaults() -> str:
    """Say what is assumed where a file is silent."""
    rows = "\n".join(
        f"| `{name}` | {figure.value:g} | {figure.low:g} to {figure.high:g} | {figure.note} |"
        for name, figure in default_figures().items()
    )
    return f"## What the reader assumes\n\n| field | value | range | about |\n| --- | --- | --- | --- |\n{rows}\n"


def _rows(section: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    needed = section.get("required", ())
    for name, field in section["properties"].items():
        meaning = " ".join(_meaning(field, definitions).split())
        said = "yes" if name in needed else _default(field)
        yield f"| `{name}` | {_kind(field, definitions)} | {said} | {meaning} |"


def _meaning(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    about = field.get("description") or _resolved(field, definitions).get("description", "")
    return str(about)


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, [], {}) or isinstance(default, dict) else f"`{json.dumps(default)}`"


def _resolved(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to a definition, past the choice of giving nothing."""
    for choice in field.get("anyOf", (field,)):
        if "$ref" in choice:
            found: dict[str, Any] = definitions[choice["$ref"].rsplit("/", 1)[-1]]
            return found
    return {}


def _kind(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Say in a word what a field holds: its choices, an example, or its type."""
    target = _resolved(field, definitions)
    if target:
        return _choices(target) or "section"
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    kinds = [choice for choice in field.get("anyOf", (field,)) if choice.get("type") != "null"]
    examples = [example for choice in (*kinds, field) for example in choice.get("examples", ())]
    if examples:
        return " or ".join(f"`{example}`" for example in dict.fromkeys(examples))
    words = [_choices(choice) or {"array": "list", "object": "mapping", "integer": "whole number", "string": "text",
             "boolean": "`true`, `false`"}.get(str(choice.get("type")), "") for choice in _flat(kinds)]  # fmt: skip
    return " or ".join(dict.fromkeys(word for word in words if word))


def _flat(kinds: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for kind in kinds:
        yield from kind.get("anyOf", (kind,))


def _choices(kind: dict[str, Any]) -> str:
    return ", ".join(f"`{word}`" for word in kind.get("enum", ()))
