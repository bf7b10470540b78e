"""How a machine is timed: spans of time, when a reading is good enough, which shapes are drawn. Read from the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from suanli.catalogue.section import Section, open_section

RULES = Path(__file__).parent.parent / "data" / "measure.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Seconds for everything, for one run of a kernel and for all readings of one; how many cases a family has."""

    total_seconds: float
    case_seconds: float
    case_most_seconds: float
    matmuls: int
    attentions: int
    passes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadingRules:
    """When one reading is long enough, when readings agree, when they are steady, and which of them are outliers."""

    least_seconds: float
    least_count: int
    most_count: int
    most_repeats: int
    warm_count: int
    agree_share: float
    steady_share: float
    outlier_sigmas: float
    noisy_share: float
    busy_load: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Shapes:
    """What shapes are drawn from, and how large single buffers are."""

    widths: tuple[int, ...]
    rows: tuple[int, ...]
    groups: tuple[int, ...]
    peak_widths: tuple[int, ...]
    heads: tuple[int, ...]
    queries_per_kv_head: tuple[int, ...]
    head_dims: tuple[int, ...]
    lengths: tuple[int, ...]
    sequences: tuple[int, ...]
    pass_bytes: tuple[int, ...]
    optimizer_parameters: tuple[int, ...]
    message_bytes: tuple[int, ...]
    memory_share: float
    rotated_bytes: int
    bandwidth_bytes: int
    host_bytes: int
    disk_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Where the search for a figure starts, and the bounds that it keeps."""

    start: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FitRules:
    """How families are fitted: least rows, the hold of a start, rounds, loss; searches of figures, choices of tiles."""

    least_rows: int
    hold: float
    most_rounds: int
    loss_scale: float
    pass_error: float
    figures: Mapping[str, Search]
    tiles: Mapping[str, tuple[Mapping[str, float], ...]]

    def tiles_of(self, family: str, device_class: str) -> tuple[Mapping[str, float], ...]:
        """Return the choices of tiles of a family: those of a class of devices where it has its own."""
        return self.tiles.get(f"{family}_{device_class}", self.tiles[family])


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Everything that says how a machine is timed, and how its kernels are fitted."""

    span: Span
    reading: ReadingRules
    shapes: Shapes
    fit: FitRules


def _figures(section: Section, noun: type[Span] | type[ReadingRules]) -> dict[str, float]:
    whole = {one.name for one in fields(noun) if one.type == "int"}
    told = {one.name: float(section.said[one.name]) for one in fields(noun)}
    return {name: int(value) if name in whole else value for name, value in told.items()}


def _shapes(said: Mapping[str, object]) -> Shapes:
    return Shapes(**{
        name: tuple(int(one) for one in value) if isinstance(value, (list, tuple)) else value
        for name, value in said.items()
    })  # type: ignore[arg-type]  # fmt: skip


def _fit(section: Section) -> FitRules:
    return FitRules(
        least_rows=int(section.number("least_rows")),
        hold=section.number("hold"),
        most_rounds=int(section.number("most_rounds")),
        loss_scale=section.number("loss_scale"),
        pass_error=section.number("pass_error"),
        figures={
            name: Search(**one.figures(("start", "low", "high"))) for name, one in section.within("figures").items()
        },
        tiles={
            name: tuple({extent: float(size) for extent, size in one.items()} for one in choices)
            for name, choices in section.at("tiles").said.items()
        },
    )


def load_rules(quick: bool = False, path: Path | None = None) -> Rules:
    """Read the rules, of the quick span or the full one. Raises InputError where the file is at fault."""
    section = open_section(path or RULES)
    return Rules(
        span=Span(**_figures(section.at("spans").at("quick" if quick else "full"), Span)),  # type: ignore[arg-type]
        reading=ReadingRules(**_figures(section.at("reading"), ReadingRules)),  # type: ignore[arg-type]
        shapes=_shapes(section.at("shapes").said),
        fit=_fit(section.at("fit")),
    )
