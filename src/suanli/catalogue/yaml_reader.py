"""Reads YAML that a stranger may have written: plain data with the line of every part, and nothing that can grow.

Refused: files over a size, anchors and aliases (370 bytes of them unfold to gigabytes), tags, keys given twice, nesting
too deep, too many nodes, more than one document. Numbers are finite; `.nan`, `.inf` and `1e999` stay text, so
that whoever wants a number says what was found.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

Trail = tuple[str | int, ...]
"""The way from the root of a document to one of its parts: keys and indices."""

INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
WORDS: Mapping[str, object] = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlLimits:
    """How much a document may hold: ten megabytes, 64 levels, a million nodes, unless a caller allows less."""

    size_bytes: int = 10_000_000
    depth: int = 64
    nodes: int = 1_000_000


DEFAULT_LIMITS = YamlLimits()


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlDocument:
    """Plain data (mappings, lists, text, numbers, true, false, None), its lines, and faults that left it readable."""

    file: str
    data: Any
    lines: Mapping[Trail, int]
    faults: tuple[Fault, ...] = ()

    def line(self, trail: Trail) -> int:
        """Return the line of a part, or of the nearest part around it where it is missing."""
        while trail and trail not in self.lines:
            trail = trail[:-1]
        return self.lines.get(trail, 1)

    def place(self, trail: Trail) -> str:
        """Say where a part stands: file.yaml:12: workloads[0].tokens."""
        said = trail_text(trail)
        return f"{self.file}:{self.line(trail)}" + (f": {said}" if said else "")


def trail_text(trail: Trail) -> str:
    """Write a trail the way people read it: workloads[0].tokens."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in trail).lstrip(".")


def read_yaml(path: Path, limits: YamlLimits = DEFAULT_LIMITS) -> YamlDocument:
    """Read a YAML file of one document.

    Raises InputError with every fault of the file's form.
    """
    document = survey_yaml(path, limits)
    if document.faults:
        raise InputError(document.faults)
    return document


def survey_yaml(path: Path, limits: YamlLimits = DEFAULT_LIMITS) -> YamlDocument:
    """Read a YAML file, keeping the faults that leave the rest readable, so that others can be named beside them.

    Raises InputError where nothing can be read.
    """
    return parse_yaml(_text_of(path, limits.size_bytes), str(path), limits)


def parse_yaml(text: str, file: str, limits: YamlLimits = DEFAULT_LIMITS) -> YamlDocument:
    """Parse the text of a YAML document; `file` is the name that faults give.

    Raises InputError where the text is no YAML, or is more than the limits allow.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    builder = _Builder(file=file, limits=limits)
    try:
        builder.take(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise _refusal(f"{file}:{line}", _first_words(error.problem or error.context), tr("YAML 1.2")) from error
    except YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise _refusal(f"{file}:{line}", _first_words(str(error)), tr("YAML 1.2 in UTF-8")) from error
    return YamlDocument(file=file, data=builder.root, lines=builder.lines, faults=tuple(builder.faults))


def _first_words(said: str | None) -> str:
    return (said or "?").splitlines()[0].removeprefix("found ")


def _refusal(place: str, found: str, allowed: str, hint: str = "") -> InputError:
    return InputError.single(place=place, found=found, allowed=allowed, hint=hint)


def _text_of(path: Path, most_bytes: int) -> str:
    allowed = tr("a YAML file in UTF-8 of at most {most} bytes", most=most_bytes)
    if not path.is_file():
        raise _refusal(str(path), tr("a folder") if path.is_dir() else tr("no such file"), allowed)
    try:
        size_bytes = path.stat().st_size
        if size_bytes > most_bytes:
            raise _refusal(str(path), tr("{size} bytes", size=size_bytes), allowed)
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(
            str(path), tr("bytes that are not UTF-8, from byte {start}", start=error.start), allowed
        ) from error
    except OSError as error:
        raise _refusal(str(path), error.strerror or type(error).__name__, allowed) from error


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled; `key` waits for its value, `key_line` is where it stands."""

    trail: Trail
    held: dict[str, Any] | list[Any]
    key: str | None = None
    key_line: int = 0
    waiting: bool = False


@dataclass(slots=True)
class _Builder:
    """Turns parse events into plain data without recursion, counting as it goes."""

    file: str
    limits: YamlLimits
    root: Any = None
    lines: dict[Trail, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    documents: int = 0
    nodes: int = 0

    def take(self, events: Iterator[Any]) -> None:
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                self.count_document(event)
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                self.stack.pop()
            elif kind in ("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"):
                self.count_node(event)
                self.take_node(event, kind)
        if not self.documents:
            raise _refusal(f"{self.file}:1", tr("an empty file"), tr("a YAML document"))

    def count_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            place = f"{self.file}:{event.start_mark.line + 1}"
            raise _refusal(place, tr("a second document"), tr("one document in a file"))

    def count_node(self, event: Any) -> None:
        self.nodes += 1
        place = f"{self.file}:{event.start_mark.line + 1}"
        if self.nodes > self.limits.nodes:
            raise _refusal(place, tr("more than {most} nodes", most=self.limits.nodes), tr("fewer nodes"))
        if len(self.stack) > self.limits.depth:
            raise _refusal(place, tr("nesting deeper than {most} levels", most=self.limits.depth), tr("less nesting"))

    def take_node(self, event: Any, kind: str) -> None:
        line = event.start_mark.line + 1
        inside = self.stack[-1] if self.stack else None
        if inside is not None and isinstance(inside.held, dict) and not inside.waiting:
            self.take_key(inside, event, kind, line)
            return
        trail = self.trail_of_next(inside)
        self.lines.setdefault(trail, inside.key_line if inside and isinstance(inside.held, dict) else line)
        self.refuse_growth(event, kind, trail, line)
        value: Any = None
        if kind == "ScalarEvent":
            value = scalar(event.value) if event.implicit[0] and event.style is None else event.value
        elif kind != "AliasEvent":
            value = {} if kind == "MappingStartEvent" else []
        self.put(inside, value)
        if isinstance(value, (dict, list)):
            self.stack.append(_Open(trail, value))

    def take_key(self, inside: _Open, event: Any, kind: str, line: int) -> None:
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            raise _refusal(f"{self.file}:{line}", tr("a mapping or list used as a key"), tr("a word as a key"))
        inside.key = "" if kind == "AliasEvent" else str(event.value)
        inside.key_line = line
        inside.waiting = True
        assert isinstance(inside.held, dict)
        trail = (*inside.trail, inside.key)
        self.refuse_growth(event, kind, trail, line)
        if inside.key in inside.held:
            first = self.lines.get(trail, line)
            self.fault(line, trail, tr("key '{key}' a second time", key=inside.key), tr("each key once"),
                       tr("It stands at line {line} already.", line=first))  # fmt: skip

    def trail_of_next(self, inside: _Open | None) -> Trail:
        if inside is None:
            return ()
        if isinstance(inside.held, list):
            return (*inside.trail, len(inside.held))
        return (*inside.trail, inside.key or "")

    def put(self, inside: _Open | None, value: Any) -> None:
        if inside is None:
            self.root = value
        elif isinstance(inside.held, list):
            inside.held.append(value)
        else:
            inside.held.setdefault(inside.key or "", value)
            inside.waiting = False

    def refuse_growth(self, event: Any, kind: str, trail: Trail, line: int) -> None:
        if kind == "AliasEvent":
            self.fault(line, trail, f"'*{event.anchor}'", tr("no aliases"), tr("Write the value out."))
        elif event.anchor is not None:
            self.fault(line, trail, f"'&{event.anchor}'", tr("no anchors"), tr("Write the value out where it is used."))
        if getattr(event, "tag", None) is not None and str(event.tag) != "!":
            self.fault(line, trail, tr("tag '{tag}'", tag=event.tag), tr("no tags"), tr("Remove the tag."))

    def fault(self, line: int, trail: Trail, found: str, allowed: str, hint: str) -> None:
        place = f"{self.file}:{line}" + (f": {trail_text(trail)}" if trail else "")
        self.faults.append(Fault(place=place, found=found, allowed=allowed, hint=hint))


def scalar(text: str) -> object:
    """Read a plain scalar: nothing, true, false, a finite number, else text."""
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    if DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
