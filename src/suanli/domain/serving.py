"""What a serving engine may be asked for beside a model: adapters, drafts, settings that change what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from suanli.foundation.figure import Figure


class DraftKind(StrEnum):
    """Where drafted tokens come from."""

    MTP = "mtp"
    EAGLE = "eagle"
    EAGLE3 = "eagle3"
    MEDUSA = "medusa"
    NGRAM = "ngram"
    MODEL = "model"


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapters:
    """Low-rank adapters of one base model: how many traffic asks for, their rank, which matrices they change.

    `count` adapters are asked for evenly. `slots` of them stand in device memory and may share a step, each with room
    for `most_rank`; None leaves both to the engine. `targets` are names of matrices or groups of them.
    """

    count: int
    rank: int
    targets: tuple[str, ...] = ("all",)
    slots: int | None = None
    most_rank: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftFigures:
    """One kind of drafts: the chance that a drafted token is accepted, how many are usual, what each pass costs a host.

    `host_seconds` is of each pass of the drafter, `sequence_seconds` of each sequence that it drafts for.
    """

    kind: DraftKind
    name: str
    acceptance: Figure
    tokens: Figure
    host_seconds: Figure
    sequence_seconds: Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterFigures:
    """How kernels of low-rank adapters run, and what an engine keeps for them.

    The kernels reach `ceiling_share` and `memory_share` of the peaks and take `floor_seconds` at least; a step waits
    for `step_seconds` of bookkeeping. `slots` is how many adapters share a step where nobody says,
    `slack` the time of both over that of later engines, by class. An adapter that is
    not there comes over the host's link, of which `link_share` is reached. Ranks are kept in room for one of `ranks`.
    """

    ceiling_share: Figure
    memory_share: Figure
    floor_seconds: Figure
    overlap_sharpness: Figure
    step_seconds: Figure
    slots: Figure
    link_share: Figure
    slack: Mapping[str, Figure]
    ranks: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Since:
    """From which version and date on an engine can do something ("" for always)."""

    version: str = ""
    date: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineTraits:
    """What classes of engines can do, and what settings cost that are not the default ones.

    `launch_seconds` is of one kernel launch without a captured graph, by class. `overlaps` says since when a class
    schedules a step while the last one runs by default. `windows` and `state_prefixes` say since when an engine frees
    what a window has left behind, and since when its prefix cache holds recurrent states. `draft_sequences` is how many
    requests a class admits at most while it drafts, `draft_overlaps` since when it schedules ahead although drafts are
    open.
    """

    launch_seconds: Mapping[str, Figure]
    overlaps: Mapping[str, Since]
    windows: Mapping[str, Since]
    state_prefixes: Mapping[str, Since]
    draft_sequences: Mapping[str, Figure]
    draft_overlaps: Mapping[str, Since]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingFigures:
    """Everything of serving that stands beside the fitted classes of engines."""

    drafts: Mapping[DraftKind, DraftFigures]
    eagle_vocabulary: Figure
    eagle_widening: Figure
    adapters: AdapterFigures
    traits: EngineTraits
