"""A result file of a load generator, told by what it holds: JSON, lines of JSON, YAML or a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suanli.catalogue.yaml_reader import read_yaml
from suanli.domain.measured import MeasuredRun
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr
from suanli.validation.results.aiperf import is_aiperf, is_aiperf_table, read_aiperf, table_document
from suanli.validation.results.bench_serving import is_sglang, is_vllm, read_sglang, read_vllm
from suanli.validation.results.cells import Cells
from suanli.validation.results.guidellm import is_guidellm, read_guidellm

MOST_BYTES = 2**30
YAML_SUFFIXES = (".yaml", ".yml")
KNOWN = "vLLM bench serve, SGLang bench_serving, GuideLLM, AIPerf, GenAI-Perf"


def is_result(path: Path) -> bool:
    """Say whether a file may be a result: JSON, YAML, or a table of AIPerf; anything else is a table of runs."""
    if path.suffix.lower() in (".json", ".jsonl", *YAML_SUFFIXES):
        return True
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as opened:
            first = opened.readline()
    except OSError:
        return False
    return first.lstrip().startswith("{") or is_aiperf_table(first)


def read_results(path: Path) -> list[MeasuredRun]:
    """Read every run of a result file.

    Raises InputError where the file cannot be read, is of no known tool, or has wrong or contradictory cells, with all
    of them at once.
    """
    faults: list[Fault] = []
    documents = _documents(path)
    runs: list[MeasuredRun] = []
    for number, document in enumerate(documents, start=1):
        several = len(documents) > 1
        place = f"{path.name}:{number}" if several else path.name
        runs += _runs(
            Cells(place=place, cells=document, faults=faults), f"{path.stem}:{number}" if several else path.stem
        )
    if faults:
        raise InputError(faults)
    return runs


def _runs(cells: Cells, name: str) -> list[MeasuredRun]:
    document = cells.cells
    if is_guidellm(document):
        return read_guidellm(cells, name)
    if is_sglang(document):
        return [read_sglang(cells, name)]
    if is_vllm(document):
        return [read_vllm(cells, name)]
    if is_aiperf(document):
        return [read_aiperf(cells, name)]
    said = ", ".join(list(map(str, document))[:8])
    cells.faults.append(
        Fault(
            place=cells.place, found=tr("keys {keys}", keys=said or "-"), allowed=tr("a result of {tools}", tools=KNOWN)
        )
    )
    return []


def _documents(path: Path) -> list[Mapping[str, Any]]:
    """Read the objects of a file. Raises InputError where it is not what its name or its first letter says."""
    allowed = tr("a result of {tools}", tools=KNOWN)
    if path.suffix.lower() in YAML_SUFFIXES:
        data = read_yaml(path).data
        return [data]
    try:
        if path.stat().st_size > MOST_BYTES:
            most = tr("at most {most} bytes", most=MOST_BYTES)
            raise InputError.single(place=str(path), found=tr("{size} bytes", size=path.stat().st_size), allowed=most)
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.single(place=str(path), found=str(error), allowed=allowed) from error
    if is_aiperf_table(text):
        return [table_document(text)]
    try:
        whole = [json.loads(text)]
    except ValueError:
        whole = _lines(text, path, allowed)
    flat = [one for part in whole for one in (part if isinstance(part, list) else [part])]
    if not flat or not all(isinstance(one, Mapping) for one in flat):
        raise InputError.single(place=path.name, found=tr("no object of JSON"), allowed=allowed)
    return flat


def _lines(text: str, path: Path, allowed: str) -> list[Any]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise InputError.single(place=f"{path.name}:{number}", found=str(error), allowed=allowed) from error
    return found
