"""Pieces of a layer and the registers of their makers: a new kind of block is one file that adds itself here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from suanli.domain.model import Core, Matrix
from suanli.foundation.registry import Registry
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.fields import Fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """One layer's place in a model: its index, which mixer and feed-forward stand there, and what is special there.

    `own` holds counts that this layer alone has, under their canonical names.
    """

    index: int
    mixer: str
    feed: str
    windowed: bool = False
    word: str = ""
    reuses_keys: bool = False
    own: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Part of a layer: matrices, vector parameters, and a core where it mixes tokens."""

    matrices: tuple[Matrix, ...] = ()
    vectors: int = 0
    core: Core | None = None
    experts: int = 0
    experts_per_token: int = 0
    gated: bool = True


Maker = Callable[[Fields, Family, Spot], Piece]

MIXERS: Registry[Maker] = Registry("mixer")
FEEDS: Registry[Maker] = Registry("feed-forward")
EXTRAS: Registry[Maker] = Registry("addition to a layer")
OUTERS: Registry[Callable[[Fields, Family], Piece]] = Registry("addition outside the layers")
PATTERNS: Registry[Callable[[Fields, Family, int], list[Spot]]] = Registry("layer pattern")
