"""What can go wrong, and what the reader is told: the exception tree of Suanli.

SuanliError
  InputError        the input is at fault; carries every fault found; exit code 2
  InfeasibleError   no answer exists; carries the limit that binds and what would free it; exit code 3
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from suanli.foundation.language import tr

EXIT_DONE = 0
EXIT_INPUT = 2
EXIT_INFEASIBLE = 3


class SuanliError(Exception):
    """Root of every error that Suanli raises on purpose."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing wrong in the input: where it stands, what was found, what is allowed."""

    place: str
    found: str
    allowed: str
    hint: str = ""

    def __str__(self) -> str:
        words = {"place": self.place, "found": self.found, "allowed": self.allowed}
        said = tr("{place}: found {found}; allowed: {allowed}.", **words)
        return f"{said} {self.hint}" if self.hint else said


class InputError(SuanliError):
    """The input is at fault; every fault found is listed at once."""

    exit_code = EXIT_INPUT

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def single(cls, *, place: str, found: object, allowed: str, hint: str = "") -> InputError:
        """Make an error of a single fault."""
        return cls([Fault(place=place, found=str(found), allowed=allowed, hint=hint)])


class InfeasibleError(SuanliError):
    """No answer satisfies the limits; names the limit that binds and what would free it."""

    exit_code = EXIT_INFEASIBLE

    def __init__(self, *, limit: str, relief: str) -> None:
        self.limit = limit
        self.relief = relief
        super().__init__(f"{limit} {relief}".strip())


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Suggest the known word nearest to what was found, or nothing where none is near."""
    near = difflib.get_close_matches(found, list(known), n=1)
    return tr("Did you mean '{near}'?", near=near[0]) if near else ""
