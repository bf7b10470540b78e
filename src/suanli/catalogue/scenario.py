"""Scenario files: read whole, checked whole, every fault named with its line at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from suanli.catalogue.scenario_builder import build_scenario, known_currencies
from suanli.catalogue.scenario_checks import cross_findings
from suanli.catalogue.scenario_facts import KnownNames
from suanli.catalogue.scenario_shape import Finding, read_shape
from suanli.catalogue.yaml_reader import Trail, YamlDocument, YamlLimits, survey_yaml
from suanli.domain.scenario import Scenario
from suanli.foundation.errors import Fault, InputError

SCENARIO_LIMITS = YamlLimits(size_bytes=1_000_000, nodes=20_000)
"""A scenario of a thousand workloads has some ten thousand nodes and a quarter of a megabyte; more is refused."""
NOTHING_CHECKED = KnownNames()


def load_scenario(path: Path | str, known: KnownNames = NOTHING_CHECKED) -> Scenario:
    """Read and check a scenario file; `known` holds the names it may use.

    Raises InputError with every fault of the file, in order of line.
    """
    path = Path(path)
    document = survey_yaml(path, SCENARIO_LIMITS)
    data: Any = document.data
    own, exchange = (data.get("currency"), data.get("exchange")) if isinstance(data, dict) else (None, None)
    currencies = known_currencies(own, exchange)
    entry, of_shape = read_shape(data, currencies)
    of_parts, of_files = cross_findings(data, path.parent, known, currencies)
    faults = (*_in_order(document, (*of_shape, *of_parts)), *of_files)
    if faults or entry is None:
        raise InputError(faults)
    return build_scenario(entry, path)


def _in_order(document: YamlDocument, findings: Iterable[Finding]) -> tuple[Fault, ...]:
    """Put faults in order of line; of two about one part, the first one found tells it."""
    numbered = [(_line_said(fault.place), fault) for fault in document.faults]
    told: set[Trail] = set()
    for finding in findings:
        if finding.trail in told:
            continue
        told.add(finding.trail)
        place = document.place(finding.trail)
        fault = Fault(place=place, found=finding.found, allowed=finding.allowed, hint=finding.hint)
        numbered.append((document.line(finding.trail), fault))
    return tuple(fault for _, fault in sorted(numbered, key=lambda pair: pair[0]))


def _line_said(place: str) -> int:
    """Read the line out of a place: 12 of 'a.yaml:12: b'."""
    words = [word for word in place.split(":") if word.strip().isdigit()]
    return int(words[0]) if words else 0
