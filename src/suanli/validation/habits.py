"""What a source's own page says of all its rows of serving runs: requests queued, data-parallel attention, memory."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suanli.catalogue.engines import version_numbers
from suanli.catalogue.yaml_reader import read_yaml

HABIT_FILE = Path(__file__).parent.parent / "data" / "calibration" / "source_habits.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Habit:
    """How a source ran what it does not say row by row.

    `requests` is how many requests an offline run queued, by "prompt/answer" in tokens; `spreads_mixtures` says that
    models of experts ran with data-parallel attention, `usable_share` what share of memory the engine was given,
    `overlap` that steps were scheduled ahead, `alike` that all answers are equally long, `grants_places` that an engine
    was given as many places as requests are in flight, `receive_steps` after how many steps a scheduler looked for new
    requests, by the least number in flight. `length_share` is what lengths are on average of those that a row names.
    """

    spreads_mixtures: bool = False
    overlap: bool | None = None
    alike: bool = False
    grants_places: bool = False
    receive_steps: Mapping[str, float] = field(default_factory=dict)
    length_share: float = 1.0
    usable_share: float | None = None
    requests: Mapping[str, float] = field(default_factory=dict)

    def requests_of(self, inputs: float, outputs: float, absent: float) -> float:
        """Return how many requests a run of these lengths queued; `absent` where the page does not say."""
        return self.requests.get(f"{inputs:.0f}/{outputs:.0f}", absent)

    def receive_steps_of(self, concurrency: float) -> float | None:
        """Return after how many steps a scheduler looked for new requests; None where the page does not say."""
        known = [int(least) for least in self.receive_steps if int(least) <= concurrency]
        return self.receive_steps[str(max(known))] if known else None


@functools.cache
def load_habits(path: Path = HABIT_FILE) -> tuple[Mapping[str, Any], ...]:
    """Read the file of habits, each entry with the source of runs and the engine's version that it begins with."""
    return tuple(read_yaml(path).data["habits"])


def habit_of(runs_of: str, version: str, engine: str = "", notes: str = "", accelerator: str = "") -> Habit:
    """Return the habit of a source of runs at an engine's version: what its entries say so far, a later one last.

    An entry may be of one engine alone, of rows whose notes hold a text, or of some accelerators.
    """
    told = version_numbers(version)
    known = [
        one
        for one in load_habits()
        if one["runs_of"] == runs_of
        and version_numbers(one["from_version"]) <= told
        and one.get("engine", engine) == engine
        and one.get("notes", "") in notes
        and accelerator in one.get("accelerators", [accelerator])
    ]
    said: dict[str, Any] = {}
    for one in sorted(known, key=lambda one: version_numbers(one["from_version"])):
        said |= one["habit"]
    return Habit(**said)
