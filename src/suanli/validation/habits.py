"""What a source's own page says of all its rows of serving runs: requests queued, data-parallel attention, memory."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from suanli.catalogue.engines import version_numbers
from suanli.catalogue.yaml_reader import read_yaml

HABIT_FILE = Path(__file__).parent.parent / "data" / "calibration" / "source_habits.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Habit:
    """How a source ran what it does not say row by row, from an engine's version on.

    `runs_of` is its name in tables of runs, `source` the page that says so. `requests` is how many requests an offline
    run queued, by "prompt/answer" in tokens; `spreads_mixtures` says that models of experts ran with data-parallel
    attention, `usable_share` what share of memory the engine was given.
    """

    runs_of: str = ""
    source: str = ""
    from_version: str = ""
    date: str = ""
    kind: str = ""
    spreads_mixtures: bool = False
    usable_share: float | None = None
    requests: Mapping[str, float] = field(default_factory=dict)

    def requests_of(self, inputs: float, outputs: float, absent: float) -> float:
        """Return how many requests a run of these lengths queued; `absent` where the page does not say."""
        return self.requests.get(f"{inputs:.0f}/{outputs:.0f}", absent)


@functools.cache
def load_habits(path: Path = HABIT_FILE) -> tuple[Habit, ...]:
    """Read the file of habits."""
    return tuple(Habit(**one) for one in read_yaml(path).data["habits"])


def habit_of(runs_of: str, version: str) -> Habit:
    """Return the habit of a source of runs at an engine's version: the latest that begins before it, or none."""
    told = version_numbers(version)
    known = [one for one in load_habits() if one.runs_of == runs_of and version_numbers(one.from_version) <= told]
    return max(known, key=lambda one: version_numbers(one.from_version), default=Habit())
