"""Number formats: how many bytes one number takes, scales included."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files

from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

BITS_PER_BYTE = 8
"""A byte is eight bits, by definition."""


@functools.cache
def format_bits() -> Mapping[str, float]:
    """Return the bits of every known format, under each of its names."""
    text = files("suanli").joinpath("data/models/formats.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["bits"]
    return {name: float(row["bits"]) for key, row in rows.items() for name in (key, *row["names"])}


@functools.cache
def format_bytes(name: str) -> float:
    """Return the bytes of one number in a format. Raises InputError where the format is not known."""
    known = format_bits()
    bits = known.get(name.strip().lower())
    if bits is None:
        raise InputError.single(
            place=tr("number format"),
            found=repr(name),
            allowed=", ".join(sorted(known)),
            hint=did_you_mean(name.lower(), known),
        )
    return bits / BITS_PER_BYTE
