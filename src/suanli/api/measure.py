"""Measuring this machine: its kernels timed through PyTorch, fitted, and written as a profile for `--system`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suanli.domain.machine import FamilyErrors, MeasuredMachine, Measurement
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

__all__ = ["FamilyErrors", "Measured", "MeasuredMachine", "Measurement", "Share", "measure"]
Say = Callable[[str, float, float], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A figure that was measured beside what the product's datasheet prints."""

    name: str
    measured: float
    printed: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What was measured: the machine as a profile has it, links and floors beside it, and where it was written.

    `product` is the catalogue's id of the same product, empty where none is known; `shares` hold its datasheet against
    what was measured.
    """

    machine: MeasuredMachine
    product: str
    shares: tuple[Share, ...]
    launch_seconds: float
    floor_seconds: float
    memory_bytes_per_s: float
    host_to_device_bytes_per_s: float | None
    device_to_host_bytes_per_s: float | None
    disk_write_bytes_per_s: float
    disk_read_bytes_per_s: float
    samples: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    written: str = ""


def measure(
    out: str | Path = "",
    *,
    quick: bool = False,
    device: str = "",
    dtypes: Sequence[str] = (),
    collectives: bool = False,
    force: bool = False,
    command: str = "suanli measure",
    say: Say = lambda message, done, left: None,
) -> Measured:
    """Time this machine's kernels and, with `out`, write the profile that every command takes as its `--system`.

    Raises InputError where torch or scipy is not installed, the device or a number format is not here, or the file is
    there already and `force` is not given.
    """
    from importlib.metadata import version

    from suanli.catalogue.profile import read_profile
    from suanli.measure.bench import Asked, as_document
    from suanli.measure.bench import measure as timed
    from suanli.measure.profile import make_profile, profile_text, write_profile
    from suanli.measure.rules import load_rules

    path = Path(out) if str(out) else None
    _check(path, force)
    rules = load_rules(quick)
    folder = path.absolute().parent if path is not None else Path()
    asked = Asked(device=device, dtypes=tuple(dtypes), quick=quick, collectives=collectives, folder=folder)
    found = timed(asked, say, rules)
    say(tr("fits"), 1.0, 0.0)
    profile = make_profile(found, rules.fit)
    text = profile_text(profile, command, version("suanli"))
    machine = read_profile(text, path.name if path is not None else "measured.yaml")
    if path is not None:
        write_profile(path, text)
    shares = []
    if profile.product is not None:
        printed = {one.value: peak.value for one, peak in profile.product.peak_flop_per_s.items()}
        shares = [
            Share(name=name, measured=rate, printed=printed[name])
            for name, rate in found.peak_flop_per_s.items()
            if name in printed
        ]
        if profile.product.memory_bytes_per_s is not None:
            shares.append(Share(name="memory_bandwidth", measured=found.memory_bytes_per_s,
                                printed=profile.product.memory_bytes_per_s.value))  # fmt: skip
    return Measured(
        machine=machine,
        product="" if profile.product is None else profile.product.id,
        shares=tuple(shares),
        launch_seconds=found.launch_seconds,
        floor_seconds=found.floor_seconds,
        memory_bytes_per_s=found.memory_bytes_per_s,
        host_to_device_bytes_per_s=None if found.host is None else found.host.down_bytes_per_s,
        device_to_host_bytes_per_s=None if found.host is None else found.host.up_bytes_per_s,
        disk_write_bytes_per_s=found.disk.write_bytes_per_s,
        disk_read_bytes_per_s=found.disk.read_bytes_per_s,
        samples=tuple(as_document(found)),
        written="" if path is None else str(path),
    )


def _check(path: Path | None, force: bool) -> None:
    """Raise InputError where the profile cannot be written, before anything is timed."""
    if path is None:
        return
    place = "--out"
    if path.suffix not in (".yaml", ".yml"):
        raise InputError.single(place=place, found=f"'{path}'", allowed=tr("a name that ends in .yaml"))
    if path.exists() and not force:
        allowed = tr("another name, or --force to write over it")
        raise InputError.single(place=place, found=tr("{file}, which is there already", file=path), allowed=allowed)
    if not path.absolute().parent.is_dir():
        allowed = tr("a file in a folder that is there")
        raise InputError.single(place=place, found=tr("no such folder: {folder}", folder=path.parent), allowed=allowed)
