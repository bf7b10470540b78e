"""Reads the plain part of YAML that the catalogue's own files are written in, many times faster than all of YAML.

Plain is: mappings by indentation of two, `key: value` on one line, where a value is a word, a number, a quoted text
without escapes, `[a, b]`, or `{key: value, ...}` of such, one level deeper too; lists of such mappings by dashes. A
test holds that every built-in file reads the same both ways. Whatever is not plain,
faults among it, goes to `yaml_reader`, which knows all of YAML and every fault.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from suanli.catalogue.yaml_reader import DEFAULT_LIMITS, Trail, YamlDocument, scalar, survey_yaml

KEY = r"[A-Za-z0-9_][\w./%*-]*|\"[^\"\\]*\""
QUOTED = r"\"[^\"\\]*\"|'[^']*'"
PLAIN = r"[^\s\[\]{},:#&*!|>'\"%@`?-](?:[^\[\]{},:#]|:(?![\s,}\]]))*|-?\.?\d[\w.+-]*"
LINE_KEY = r"[\w][\w./%*() -]*?|\"[^\"\\]*\""
LINE = re.compile(rf"( *)({LINE_KEY}):(?: +(\S.*?))? *")
ONE = re.compile(rf"(?:{QUOTED}|[^\s\[\]{{}}:#&*!|>'\"%@`?,-](?:[^:#]|:(?! )|(?<! )#)*|-?\.?\d[\w.+-]*)(?: +#.*)?")
NESTED = r"\[[^\[\]{}]*\]|\{[^\[\]{}]*\}"
PAIR = re.compile(rf" *({KEY}): *({NESTED}|{QUOTED}|{PLAIN}) *(,|$)")
DASH = re.compile(r"( *)- (\{.*)")
ITEM = re.compile(rf" *({QUOTED}|{PLAIN}) *(,|$)")
INDENT = 2


class _NotPlainError(Exception):
    """The text uses more of YAML than the plain part."""


def read_plain(path: Path) -> YamlDocument:
    """Read a YAML file the quick way where it is plain, else the whole way.

    Raises InputError where nothing can be read.
    """
    try:
        if path.stat().st_size <= DEFAULT_LIMITS.size_bytes:
            return parse_plain(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError, _NotPlainError):
        pass
    return survey_yaml(path)


def parse_plain(text: str, file: str) -> YamlDocument:
    """Parse plain YAML. Raises _NotPlainError, which `read_plain` answers by reading the whole way."""
    root: dict[str, Any] = {}
    lines: dict[Trail, int] = {}
    stack: list[tuple[Trail, Any]] = [((), root)]
    opened = True
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if dashed := DASH.fullmatch(line):
            _listed(dashed, stack, root, number, lines)
            opened = False
            continue
        found = LINE.fullmatch(line)
        depth = len(found.group(1)) // INDENT if found else -1
        if found is None or len(found.group(1)) % INDENT or depth >= len(stack) or (opened and depth != len(stack) - 1):
            raise _NotPlainError
        lines.setdefault((), number)
        del stack[depth + 1 :]
        trail, held = stack[-1]
        if isinstance(held, list):
            raise _NotPlainError
        key = _unquoted(found.group(2))
        if key in held:
            raise _NotPlainError
        here = (*trail, key)
        lines[here] = number
        said = found.group(3)
        opened = said is None or said.startswith("#")
        held[key] = {} if opened else _value(said, here, number, lines)
        if opened:
            stack.append((here, held[key]))
    if opened:
        raise _NotPlainError
    return YamlDocument(file=file, data=root, lines=lines)


def _listed(
    dashed: re.Match[str], stack: list[tuple[Trail, Any]], root: dict[str, Any], number: int, lines: dict[Trail, int]
) -> None:
    """Add a mapping to the list that a key opened; the key's empty mapping becomes the list with its first item."""
    trail, held = stack[-1]
    if not trail or len(dashed.group(1)) != INDENT * len(trail) or (held and not isinstance(held, list)):
        raise _NotPlainError
    if not held:
        held = []
        above: Any = root
        for key in trail[:-1]:
            above = above[key]
        above[trail[-1]] = held
        stack[-1] = (trail, held)
    here = (*trail, len(held))
    lines[here] = number
    held.append(_mapping(dashed.group(2), here, number, lines))


def _value(said: str, trail: Trail, number: int, lines: dict[Trail, int]) -> Any:
    if said.startswith("{"):
        return _mapping(said, trail, number, lines)
    if said.startswith("["):
        return _sequence(said, trail, number, lines)
    if not ONE.fullmatch(said):
        raise _NotPlainError
    if said[0] in "\"'":
        end = said.index(said[0], 1)
        return said[1:end]
    return scalar(said.partition(" #")[0].rstrip())


def _mapping(said: str, trail: Trail, number: int, lines: dict[Trail, int]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in _inside(said, "}", PAIR):
        name = _unquoted(key)
        if name in made:
            raise _NotPlainError
        here = (*trail, name)
        lines[here] = number
        made[name] = _value(value, here, number, lines) if value[0] in "[{" else _word(value)
    return made


def _sequence(said: str, trail: Trail, number: int, lines: dict[Trail, int]) -> list[Any]:
    made = [_word(found[0]) for found in _inside(said, "]", ITEM)]
    lines.update({(*trail, index): number for index in range(len(made))})
    return made


def _inside(said: str, end: str, pattern: re.Pattern[str]) -> list[tuple[str, ...]]:
    """Split what stands between brackets into its parts; every character must belong to one."""
    body, closed, after = said[1:].rpartition(end)
    if not closed or (after.strip() and not after.lstrip().startswith("#")):
        raise _NotPlainError
    found: list[tuple[str, ...]] = []
    start = 0
    while start < len(body):
        part = pattern.match(body, start)
        if part is None:
            raise _NotPlainError
        found.append(part.groups()[:-1])
        start = part.end()
    return found


def _word(said: str) -> Any:
    return said[1:-1] if said[0] in "\"'" else scalar(said.rstrip())


def _unquoted(key: str) -> str:
    return key[1:-1] if key.startswith('"') else key
