"""What a workload of a scenario must hold: dates in order, a model that is there, fields that belong together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from suanli.catalogue.quantity import shown
from suanli.catalogue.scenario_facts import (
    Facts,
    check_inside,
    check_name,
    check_order,
    check_systems,
    entries,
    is_file,
    month_of,
    section,
    whole,
)
from suanli.catalogue.scenario_shape import LAYERS
from suanli.catalogue.yaml_reader import Trail
from suanli.foundation.language import tr

ADAPTER_KEYS = ("targets", "dora", "expert_adapters")
"""What a fine-tune says of its adapters beside their rank."""
LARGEST_CONFIG_BYTES = 10_000_000
"""A config.json is some kilobytes; ten megabytes are refused unread."""


def check_workloads(facts: Facts) -> None:
    """Check that each workload holds together, and that no two share an id."""
    seen: dict[str, int] = {}
    for index, entry in entries(facts.data, "workloads"):
        trail: Trail = ("workloads", index)
        name = entry.get("id")
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            found = tr("id '{name}' a second time", name=shown(name))
            facts.tell((*trail, "id"), found, tr("an id of its own"))
        check_dates(facts, trail, entry)
        check_model(facts, (*trail, "model"), entry.get("model"))
        check_systems(facts, (*trail, "systems"), entry.get("systems"))
        check_names(facts, trail, entry)
        least, most = whole(entry.get("least_systems")), whole(entry.get("most_systems"))
        if least and most and most < least:
            facts.tell((*trail, "most_systems"), str(most), tr("at least least_systems, {least}", least=least))
        if entry.get("layer") == "finetune":
            check_tuning(facts, trail, entry)
        if entry.get("layer") == "serve":
            check_requests(facts, trail, section(entry, "requests"), "requests" in entry)


def check_dates(facts: Facts, trail: Trail, entry: dict[str, Any]) -> None:
    """Check that a workload's months lie inside the plan, and in order."""
    if entry.get("layer") not in LAYERS:
        return
    for name in ("start", "deadline", "end"):
        check_inside(facts, (*trail, name), month_of(entry.get(name)))
    check_order(facts, trail, entry, "start", "deadline")
    check_order(facts, trail, entry, "start", "end")


def check_names(facts: Facts, trail: Trail, entry: dict[str, Any]) -> None:
    """Check that frameworks, engines and number formats are known."""
    known = facts.known
    for name, names, what in (
        ("framework", known.frameworks, tr("framework")),
        ("engine", known.engines, tr("engine")),
        ("weight_format", known.number_formats, tr("number format")),
        ("kv_format", known.number_formats, tr("number format")),
    ):
        check_name(facts, (*trail, name), entry.get(name), names, what)
    if entry.get("systems") == "none":
        facts.tell((*trail, "systems"), "none", tr("any, or a list of system ids"))


def is_path(model: str) -> bool:
    """Say whether a model is told as a path rather than by its name."""
    return model.endswith(".json") or model.startswith((".", "/"))


def check_model(facts: Facts, trail: Trail, model: object) -> None:
    """Check that a model's file is there and holds a JSON mapping, or that a model's name is known."""
    if not isinstance(model, str) or not model:
        return
    if not is_path(model):
        check_name(facts, trail, model, facts.known.models, tr("model"))
        return
    path = facts.folder / model
    allowed = tr("a config.json that exists, as a path from the scenario's folder")
    if not is_file(path):
        facts.tell(trail, tr("no file '{name}'", name=shown(model)), allowed)
    elif path.stat().st_size > LARGEST_CONFIG_BYTES or not is_json_mapping(path):
        facts.tell(trail, tr("'{name}', which holds no JSON mapping", name=shown(model)), allowed)


def is_json_mapping(path: Path) -> bool:
    """Say whether a file holds a JSON mapping."""
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError, RecursionError):
        return False


def check_tuning(facts: Facts, trail: Trail, entry: dict[str, Any]) -> None:
    """Check that adapters have a rank, and that a full fine-tune has none."""
    method = entry.get("method")
    if method in ("lora", "qlora") and "rank" not in entry:
        facts.tell((*trail, "rank"), tr("no '{name}'", name="rank"), tr("the rank of the adapters, such as 16"))
    if method == "full" and "rank" in entry:
        facts.tell((*trail, "rank"), tr("a rank with method full"), tr("lora or qlora, or no such line"))
    for name in ADAPTER_KEYS:
        if method == "full" and name in entry:
            found = tr("'{name}' with method full", name=name)
            facts.tell((*trail, name), found, tr("lora or qlora, or no such line"))
    if method in ("lora", "qlora") and "freeze_embeddings" in entry:
        found = tr("'{name}' with method {method}", name="freeze_embeddings", method=method)
        facts.tell((*trail, "freeze_embeddings"), found, tr("full, or no such line"))
    targets = entry.get("targets")
    for index, word in enumerate(targets if isinstance(targets, list) else ()):
        check_name(facts, (*trail, "targets", index), word, facts.known.targets, tr("matrix"))
    check_name(facts, (*trail, "optimizer"), entry.get("optimizer"), facts.known.optimizers, tr("optimizer"))


def check_requests(facts: Facts, trail: Trail, requests: dict[str, Any], given: bool) -> None:
    """Check that requests are told by a start or by month, with months inside the plan, in order."""
    trail = (*trail, "requests")
    if given and ("start" in requests) == ("by_month" in requests):
        found = tr("both start and by_month") if "start" in requests else tr("neither start nor by_month")
        facts.tell(trail, found, tr("one of them"))
    for name in ("growth", "at_most"):
        if "by_month" in requests and name in requests:
            facts.tell((*trail, name), tr("'{name}' beside by_month", name=name), tr("start, or no such line"))
    before = ""
    for index, step in entries(requests, "by_month"):
        month = month_of(step.get("month"))
        check_inside(facts, (*trail, "by_month", index, "month"), month)
        if month and before and month <= before:
            facts.tell((*trail, "by_month", index, "month"), f"'{month}'", tr("a month after {before}", before=before))
        before = month or before
