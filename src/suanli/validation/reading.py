"""How cells of published runs are read: hardware and formats by name, defaults, wiring told in words."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suanli.catalogue.find import accelerator as find_accelerator
from suanli.catalogue.find import default_system
from suanli.catalogue.load import Catalogue
from suanli.catalogue.yaml_reader import read_yaml
from suanli.domain.hardware import Accelerator, System
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr
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
    """The file that says how cells are read.

    `networks` is what kinds of network reach of InfiniBand's share, `peaks` which causes the peaks that a framework
    prints leave out.
    """

    formats: Mapping[str, Format]
    networks: Mapping[str, float]
    peaks: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, Any]
    source: str
    date: str


@functools.cache
def load_reading(path: Path = READING_FILE) -> Reading:
    """Read the file. Raises InputError where it is no YAML."""
    said = read_yaml(path).data
    return Reading(
        formats={name: Format(**one) for name, one in said["formats"].items()},
        networks={word: float(share) for word, share in said["networks"].items()},
        peaks={word: tuple(causes) for word, causes in said["peaks"].items()},
        defaults=said["defaults"],
        source=said["source"],
        date=said["date"],
    )


def _figure(value: float, unit: str, source: str, date: str) -> Figure:
    return Figure(value=value, unit=unit, low=value, high=value, kind=Kind.MEASURED, source=source, date=date)


def read_accelerator(record: Record, catalogue: Catalogue) -> Accelerator | None:
    """Find the accelerator that a row names, however it is spelled; None where it is not known."""
    try:
        return find_accelerator(record.text("accelerator"), catalogue)
    except InputError:
        return None


def _counts_nothing(found: re.Match[str] | None) -> bool:
    """Say whether one of the figures that a pattern found is 0."""
    return found is not None and any(said and said.isdecimal() and int(said) == 0 for said in found.groups())


def read_system(record: Record, accelerator: Accelerator, catalogue: Catalogue, reading: Reading) -> System:
    """Find the system of an accelerator, with the network that a row tells in words."""
    system = default_system(accelerator.id, catalogue)
    said = record.text("interconnect")
    size = NODE_SIZE.search(said)
    network = NETWORK.search(said)
    if _counts_nothing(size) or _counts_nothing(network):
        record.fault("interconnect", said, tr("a number above 0"))
        return system
    together = int(size.group(1)) if size else system.accelerators
    system = replace(system, accelerator=accelerator, accelerators=together)
    if network is None:
        return system
    ports, rate, shared, per = network.groups()
    each = float(ports or 1) * float(rate) * GIGABIT / (1 if per == "GPU" else int(shared or together))
    each *= next((share for word, share in reading.networks.items() if word in said.lower()), 1.0)
    return replace(system, scale_out_bytes_per_s=_figure(each, "B/s", reading.source, reading.date))


def read_format(record: Record, reading: Reading) -> Format:
    """Read a row's precision, the narrowest where it names several, with the scheme of scales that its notes tell.

    Raises InputError where none is known.
    """
    said, notes = record.text("precision") or reading.defaults["precision"], record.text("notes").lower()
    said = next((name for name in reading.formats if name.startswith(f"{said}-") and name in notes), said)
    if said not in reading.formats:
        spelled = [name for name in reading.formats if name in re.split(r"[^a-z0-9]+", said.lower())]
        if spelled:
            return reading.formats[spelled[-1]]
        raise InputError.single(
            place=f"{record.file}:{record.line}: precision", found=f"'{said}'", allowed=", ".join(reading.formats)
        )
    return reading.formats[said]


def unseen_causes(record: Record, reading: Reading) -> tuple[str, ...]:
    """Return the causes of memory that a row's peak leaves out: none where its framework shows the device's."""
    name = record.text("framework").lower()
    return next((causes for word, causes in reading.peaks.items() if word in name), ())


def slices_of(record: Record) -> int:
    """How many slices a TPU run spans: 1 where the row tells of none."""
    found = SLICES.search(record.text("interconnect"))
    return int(found.group(1)) if found else 1
