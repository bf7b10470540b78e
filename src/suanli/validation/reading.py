"""How cells of published runs are read: names of hardware and formats, defaults, wiring told in words."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suanli.catalogue.load import Catalogue
from suanli.catalogue.yaml_reader import read_yaml
from suanli.domain.hardware import Accelerator, System
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.units import to_si
from suanli.validation.rows import Record

READING_FILE = Path(__file__).parent.parent / "data" / "calibration" / "training.yaml"
NETWORK = re.compile(r"(?:(\d+)\s*x\s*)?(\d+)\s*G(?:b/s)?\b[^,;]*?\bper\s+(?:(\d+)-GPU\s+)?(node|GPU)")
NODE_SIZE = re.compile(r"(\d+)-GPU nodes?")
SLICES = re.compile(r"(\d+) slice\(s\)")
GIGABIT = 10**9 / 2**3


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """What a precision in words means: the matmuls' number format, the peak it runs at, the frozen weights' format."""

    number_format: str
    precision: str
    frozen: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The file that says how cells are read."""

    accelerators: Mapping[str, str]
    variants: Mapping[str, Mapping[str, str]]
    systems: Mapping[str, str]
    formats: Mapping[str, Format]
    defaults: Mapping[str, Any]
    source: str
    date: str


@functools.cache
def load_reading(path: Path = READING_FILE) -> Reading:
    """Read the file. Raises InputError where it is no YAML."""
    said = read_yaml(path).data
    return Reading(
        accelerators=said["accelerators"],
        variants=said["variants"],
        systems=said["systems"],
        formats={name: Format(**one) for name, one in said["formats"].items()},
        defaults=said["defaults"],
        source=said["source"],
        date=said["date"],
    )


def _figure(value: float, unit: str, source: str, date: str) -> Figure:
    return Figure(value=value, unit=unit, low=value, high=value, kind=Kind.MEASURED, source=source, date=date)


def read_accelerator(record: Record, catalogue: Catalogue, reading: Reading) -> Accelerator | None:
    """Find the accelerator that a row names, by the tables' names or by a catalogue id; None where it is not known."""
    name = record.text("accelerator")
    known = catalogue.accelerators.get(reading.accelerators.get(name, name))
    if known is None or name not in reading.variants:
        return known
    other = reading.variants[name]
    return replace(
        known,
        memory_bytes=_figure(_si(other["memory"], "B"), "B", reading.source, reading.date),
        memory_bytes_per_s=_figure(_si(other["memory_bandwidth"], "B/s"), "B/s", reading.source, reading.date),
    )


def _si(said: str, unit: str) -> float:
    number, word = said.split(maxsplit=1)
    return to_si(float(number), word, unit, READING_FILE.name)


def read_system(record: Record, accelerator: Accelerator, catalogue: Catalogue, reading: Reading) -> System | None:
    """Find the system of an accelerator, with the network that a row tells in words; None where none is known."""
    system = catalogue.systems.get(reading.systems.get(accelerator.id, ""))
    if system is None:
        fitting = [one for one in catalogue.systems.values() if one.accelerator.id == accelerator.id]
        system = fitting[0] if fitting else None
    if system is None:
        return None
    said = record.text("interconnect")
    size = NODE_SIZE.search(said)
    together = int(size.group(1)) if size else system.accelerators
    system = replace(system, accelerator=accelerator, accelerators=together)
    network = NETWORK.search(said)
    if network is None:
        return system
    ports, rate, shared, per = network.groups()
    each = float(ports or 1) * float(rate) * GIGABIT / (1 if per == "GPU" else int(shared or together))
    return replace(system, scale_out_bytes_per_s=_figure(each, "B/s", reading.source, reading.date))


def read_format(record: Record, reading: Reading) -> Format:
    """Read a row's precision. Raises InputError where it is not known."""
    said = record.text("precision") or reading.defaults["precision"]
    if said not in reading.formats:
        raise InputError.single(
            place=f"{record.file}:{record.line}: precision", found=f"'{said}'", allowed=", ".join(reading.formats)
        )
    return reading.formats[said]


def slices_of(record: Record) -> int:
    """How many slices a TPU run spans: 1 where the row tells of none."""
    found = SLICES.search(record.text("interconnect"))
    return int(found.group(1)) if found else 1
