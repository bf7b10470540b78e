"""Files of one run, each told by what it holds; every fault at once, and what nobody knows is refused with the list."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from suanli.catalogue.yaml_reader import read_yaml
from suanli.domain.training_log import DeviceUse
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr
from suanli.validation.logs.configs import KNOWN as CONFIGS
from suanli.validation.logs.console import ConsoleReader
from suanli.validation.logs.dcgm import DcgmReader
from suanli.validation.logs.deepspeed import DeepSpeedReader
from suanli.validation.logs.found import Found
from suanli.validation.logs.lines import lines_of
from suanli.validation.logs.megatron import MegatronReader
from suanli.validation.logs.merge import RunLog, merged
from suanli.validation.logs.smi import SmiReader
from suanli.validation.logs.state_files import is_log_line, is_state, is_sums, read_log_lines, read_state, read_sums
from suanli.validation.logs.torchtitan import TorchtitanReader

KNOWN = (
    "Megatron-LM, torchtitan, DeepSpeed, "
    "Hugging Face Trainer (console, trainer_state.json, all_results.json, arguments), "
    "LLaMA-Factory (console, trainer_log.jsonl, YAML), Axolotl (console, YAML), "
    "nvidia-smi (csv with its heading, dmon, table), "
    "DCGM (dcgmi dmon, dcgm-exporter)"
)
MOST_DOCUMENT = 2**28
YAML_SUFFIXES = (".yaml", ".yml")
FEW = 2**3
"""Lines of JSON that are looked at to tell what a file is."""
TABLE_WORDS = ("id,", ",id,", ",accelerator")
OFTEN = 2**8
HEADING_BYTES = 2**14
LineReader = MegatronReader | TorchtitanReader | DeepSpeedReader | ConsoleReader
ARCHIVE = b"PK\x03\x04"


def is_log(path: Path) -> bool:
    """Say whether a file is a log of training or an export of devices, by what it holds."""
    try:
        if path.suffix.lower() in YAML_SUFFIXES:
            return any(knows(_yaml(path)) for _, knows, _ in CONFIGS)
        text = _json_text(path)
        if text is not None:
            return any(_kind_of(one) for _, one in _documents(text, path, FEW) if isinstance(one, Mapping))
        return not _is_table(path) and bool(_text_finds(path, OFTEN))
    except InputError:
        return False


def is_text(path: Path) -> bool:
    """Say whether a file is text that is neither a table nor JSON: a log, even where none of its lines is known."""
    try:
        if path.suffix.lower() in (".csv", ".json", ".jsonl", *YAML_SUFFIXES) or _json_text(path) is not None:
            return False
    except InputError:
        return False
    return path.is_file() and not _is_table(path)


def read_logs(paths: Sequence[Path]) -> RunLog:
    """Read all files of one run.

    Raises InputError with every fault of every file: what cannot be read, what nobody knows, what contradicts.
    """
    faults: list[Fault] = []
    found: list[Found] = []
    devices: list[DeviceUse] = []
    for path in paths:
        try:
            one, used = _read(path)
        except InputError as error:
            faults += error.faults
            continue
        found += one
        devices += used
        faults += [fault for each in one for fault in each.faults]
    if faults:
        raise InputError(faults)
    return merged(found, tuple(devices))


def _read(path: Path) -> tuple[list[Found], tuple[DeviceUse, ...]]:
    if path.suffix.lower() in YAML_SUFFIXES:
        return [_configured(path)], ()
    text = _json_text(path)
    if text is not None:
        return [_stated(text, path)], ()
    if is_archive(path):
        raise _archive(path)
    found = _text_finds(path)
    if not found:
        why = tr("no line that any of these tools writes")
        raise InputError.single(place=path.name, found=why, allowed=tr("a log or an export of: {tools}", tools=KNOWN))
    exports = [one for one in found if not isinstance(one, Found)]
    logs = [one if isinstance(one, Found) else one.found for one in found]
    return logs, tuple(use for one in exports for use in one.tallies.told())


def _text_finds(path: Path, often: int = 0) -> list[Found | SmiReader | DcgmReader]:
    """Read a text with every reader of lines at once; return what those found that know it.

    With `often` it is looked after so many lines whether one of them knows the file, and no more is read.
    """
    readers: list[LineReader] = [
        kind(path.name) for kind in (MegatronReader, TorchtitanReader, DeepSpeedReader, ConsoleReader)
    ]
    devices = (SmiReader(path.name), DcgmReader(path.name))
    for count, line in enumerate(lines_of(path), start=1):
        for one in readers:
            one.feed(line)
        for other in devices:
            other.feed(line)
        if often and count % often == 0 and _any_knows(readers, devices):
            break
    devices[1].close()
    logs = [found for found in (one.close() for one in readers) if found.anything]
    return [*logs, *(one for one in devices if one.tallies.by_name)]


def _any_knows(readers: Sequence[LineReader], devices: Sequence[SmiReader | DcgmReader]) -> bool:
    return any(one.found.anything for one in readers) or any(one.tallies.by_name for one in devices)


def is_archive(path: Path) -> bool:
    """Say whether a file is an archive, as torch saves arguments in."""
    with path.open("rb") as opened:
        return opened.read(len(ARCHIVE)) == ARCHIVE


def _archive(path: Path) -> InputError:
    hint = tr("Arguments saved by torch run code when they are read: write them as JSON, json.dumps(args.to_dict()).")
    return InputError.single(place=path.name, found=tr("an archive of torch"), allowed=KNOWN, hint=hint)


def _is_table(path: Path) -> bool:
    """Say whether a file is a table of runs: its heading has the columns of one."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as opened:
            first = opened.readline(HEADING_BYTES).replace(" ", "").lower()
    except OSError:
        return False
    return any(first.startswith(word) or word in first for word in TABLE_WORDS)


def _yaml(path: Path) -> Mapping[str, Any]:
    told = read_yaml(path).data
    return told if isinstance(told, Mapping) else {}


def _configured(path: Path) -> Found:
    """Read a configuration. Raises InputError where it is of no known tool."""
    document = read_yaml(path)
    found = Found(file=path.name)
    for tool, knows, read in CONFIGS:
        if knows(document.data):
            found.tool = tool
            for name, value in read(document.data).items():
                found.say(name, value, 0)
            return found
    said = ", ".join(list(map(str, document.data))[:FEW])
    raise InputError.single(place=path.name, found=tr("keys {keys}", keys=said or "-"), allowed=KNOWN)


def _json_text(path: Path) -> str | None:
    """Return the text of a file that begins as JSON does; None where it does not.

    Raises InputError where it is too long to be one of the known documents.
    """
    try:
        with path.open("rb") as opened:
            head = opened.read(2**10).lstrip(b"\xef\xbb\xbf \t\r\n")
            if not head.startswith((b"{", b"[{")) or head.startswith(b"{'"):
                return None
        if path.stat().st_size > MOST_DOCUMENT:
            most = tr("at most {most} bytes", most=MOST_DOCUMENT)
            raise InputError.single(place=path.name, found=tr("{size} bytes", size=path.stat().st_size), allowed=most)
        return path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError.single(place=str(path), found=str(error), allowed=tr("a file that can be read")) from error


def _documents(text: str, path: Path, most: float = math.inf) -> list[tuple[int, Any]]:
    """Read the objects of a text with their lines: one, or one a line; None for a later line that was garbled.

    Raises InputError with the line of what is no JSON.
    """
    try:
        return [(0, json.loads(text))]
    except ValueError as error:
        whole_fault = error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    told: list[tuple[int, Any]] = []
    for number, line in lines:
        try:
            told.append((number, json.loads(line)))
        except ValueError:
            if told:
                told.append((number, None))
                continue
            at = getattr(whole_fault, "lineno", number)
            found = tr("no JSON: {why}", why=str(whole_fault))
            raise InputError.single(place=f"{path.name}:{at}", found=found, allowed=KNOWN) from whole_fault
        if len(told) >= most:
            break
    return told


def _kind_of(document: Mapping[str, Any]) -> bool:
    return (
        is_state(document)
        or is_log_line(document)
        or is_sums(document)
        or any(knows(document) for _, knows, _ in CONFIGS)
    )


def _stated(text: str, path: Path) -> Found:
    """Read a JSON file. Raises InputError where it is of no known tool."""
    found = Found(file=path.name)
    documents = _documents(text, path)
    first = documents[0][1]
    if not isinstance(first, Mapping) or not _kind_of(first):
        said = ", ".join(list(map(str, first))[:FEW]) if isinstance(first, Mapping) else str(first)[:FEW]
        raise InputError.single(place=path.name, found=tr("keys {keys}", keys=said or "-"), allowed=KNOWN)
    if is_state(first):
        read_state(first, found)
    elif is_log_line(first):
        read_log_lines(documents, found)
    elif is_sums(first):
        read_sums(first, found)
    else:
        tool, _, read = next(one for one in CONFIGS if one[1](first))
        found.tool = tool
        found.say_all(read(first), 0)
    return found


def names_of(paths: Iterable[Path]) -> str:
    """Name the files of a run in a few words."""
    return ", ".join(path.name for path in paths)
