"""Strict reading of a config.json: every key is checked, and every fault is kept until all can be told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from suanli.foundation.errors import Fault, InputError

Rule = bool | int | str | Mapping[str, Any]
"""A flag or a count of a family: a value, 'key' (false where absent), 'key=true', or when / then / otherwise."""


def _shown(value: object) -> str:
    said = repr(value)
    return said if len(said) <= LONGEST_SHOWN else said[: LONGEST_SHOWN // 2] + "..."


LONGEST_SHOWN = 64
"""How much of a wrong value a fault repeats (characters; a matter of layout, no figure of the field)."""


class Fields:
    """A config's keys, read under canonical names: alias, then the family's default; faults are collected."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        place: str,
        aliases: Mapping[str, Sequence[str]],
        defaults: Mapping[str, Any],
        largest: int,
        faults: list[Fault] | None = None,
    ) -> None:
        self.config = config
        self.place = place
        self.aliases = aliases
        self.defaults = defaults
        self.largest = largest
        self.faults: list[Fault] = [] if faults is None else faults
        self.notes: list[str] = []

    def key(self, name: str) -> str:
        """Return the key under which a canonical name stands in this config."""
        for candidate in (name, *self.aliases.get(name, ())):
            if self.config.get(candidate) is not None:
                return candidate
        return name

    def value(self, name: str) -> Any:
        """Return what the config says under a name, else the family's default, else None."""
        found = self.config.get(self.key(name))
        return self.defaults.get(name) if found is None else found

    def says(self, name: str) -> bool:
        """Tell whether the config or the family's defaults say anything under a name."""
        return self.value(name) is not None

    def fault(self, name: str, found: object, allowed: str, hint: str = "") -> None:
        """Keep a fault, once."""
        fault = Fault(place=f"{self.place}:{self.key(name)}", found=_shown(found), allowed=allowed, hint=hint)
        if fault not in self.faults:
            self.faults.append(fault)

    def clean(self, *names: str) -> bool:
        """Tell whether no fault stands under any of these names."""
        places = {fault.place for fault in self.faults}
        return not any(f"{self.place}:{key}" in places for name in names for key in (name, self.key(name)))

    def missing(self, name: str, allowed: str) -> None:
        """Keep the fault of a key that is needed and not there."""
        others = self.aliases.get(name, ())
        hint = f"The same may stand under: {', '.join(others)}." if others else ""
        fault = Fault(place=f"{self.place}:{name}", found="nothing", allowed=allowed, hint=hint)
        if fault not in self.faults:
            self.faults.append(fault)

    def count(self, name: str, default: int | None = None, *, least: int = 1, most: int | None = None) -> int:
        """Read a whole number in [least, largest]; a fault is kept and `least` returned where it is none."""
        value = self.value(name)
        if value is None:
            if default is None:
                self.missing(name, f"a whole number from {least} to {self.largest}")
            return least if default is None else default
        return self.checked(name, value, least, most)

    def checked(self, name: str, value: object, least: int = 1, most: int | None = None) -> int:
        """Check one whole number that stands under a name."""
        most = self.largest if most is None else most
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(whole, bool) or not isinstance(whole, int) or not least <= whole <= most:
            self.fault(name, value, f"a whole number from {least} to {most}")
            return least
        return whole

    def number(self, name: str, default: float | None = None) -> float:
        """Read a finite positive number; a fault is kept and 1 returned where it is none."""
        value = self.value(name)
        if value is None:
            if default is None:
                self.missing(name, "a positive number")
            return 1.0 if default is None else default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= self.largest:
            self.fault(name, value, f"a positive number up to {self.largest}")
            return 1.0
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Read true or false."""
        value = self.value(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fault(name, value, "true or false")
            return default
        return value

    def words(self, name: str, allowed: Iterable[str] | None = None) -> list[str] | None:
        """Read a list of words, or None where there is none."""
        value = self.value(name)
        if value is None:
            return None
        known = None if allowed is None else set(allowed)
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            self.fault(name, value, "a list of words")
            return []
        for word in value:
            if known is not None and word not in known:
                self.fault(name, word, ", ".join(sorted(known)))
        return list(value)

    def counts(self, name: str) -> list[int] | None:
        """Read a list of whole numbers from 0, or None where there is none."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, list):
            self.fault(name, value, "a list of whole numbers")
            return []
        return [self.checked(name, item, 0) for item in value]

    def section(self, name: str) -> Fields:
        """Return the fields of a mapping inside the config; faults go to the same list."""
        value = self.config.get(name)
        if value is not None and not isinstance(value, Mapping):
            self.fault(name, value, "a mapping")
        return Fields(
            value if isinstance(value, Mapping) else {},
            place=f"{self.place}:{name}",
            aliases=self.aliases,
            defaults=self.defaults,
            largest=self.largest,
            faults=self.faults,
        )

    def rule(self, rule: Rule) -> int:
        """Read a family's rule in this config: a flag as 0 or 1, a count as itself."""
        if isinstance(rule, Mapping):
            chosen = rule["then"] if self.rule(rule["when"]) else rule["otherwise"]
            return self.rule(chosen)
        if isinstance(rule, str):
            name, _, default = rule.partition("=")
            return int(self.flag(name, default == "true"))
        return int(rule)

    def raise_faults(self) -> None:
        """Raise InputError with every fault that was kept, where there is one."""
        if self.faults:
            raise InputError(self.faults)
