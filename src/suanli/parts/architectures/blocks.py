"""Load every family of blocks, so that its makers stand in the registers."""

from __future__ import annotations

import functools
import importlib

MODULES = ("attention", "feedforward", "gemma", "hybrids", "latent", "patterns", "recurrent", "sparse")
"""The files of blocks; a new kind of block adds its own here."""


@functools.cache
def load() -> None:
    """Import every module of blocks once."""
    for module in MODULES:
        importlib.import_module(f"suanli.parts.architectures.{module}")
