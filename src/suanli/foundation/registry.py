"""Registers of plug-ins: a name stands for one thing, and a name taken twice is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

Member = TypeVar("Member")


class Registry(Mapping[str, Member]):
    """A mapping of names to members that refuses a second member of the same name."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._members: dict[str, Member] = {}

    def add(self, name: str, member: Member) -> Member:
        """Register a member under a name. Raises ValueError where the name is taken."""
        if name in self._members:
            raise ValueError(f"{self.what} '{name}' is registered twice")
        self._members[name] = member
        return member

    def remove(self, name: str) -> None:
        """Take a member out, so that what a test registered does not outlive it."""
        del self._members[name]

    def find(self, name: str, place: str) -> Member:
        """Return the member of a name that a user gave. Raises InputError naming the nearest known one."""
        if name not in self._members:
            raise InputError.single(
                place=place,
                found=tr("unknown {what} '{name}'", what=self.what, name=name),
                allowed=", ".join(sorted(self._members)),
                hint=did_you_mean(name, self._members),
            )
        return self._members[name]

    def __getitem__(self, name: str) -> Member:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
