"""Traffic read, generated or scaled: what it is like, and a file of it in our own form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.domain.traffic import LengthStatistics, Requests, TrafficStatistics
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.traffic.draw import Mix

__all__ = [
    "LengthStatistics",
    "TrafficQuestion",
    "TrafficStatistics",
    "describe_traffic",
    "make_traffic",
    "open_traffic",
]

REQUESTS = 10_000
"""How many requests are generated where nobody says how many."""
MOST = 2**40


@dataclass(frozen=True, kw_only=True, slots=True)
class TrafficQuestion:
    """What traffic is asked for, as people write it.

    `traffic` is a file of requests or the name of a mix; with `like` requests are generated that are like the file's.
    What is generated may have other gaps, days, talks, tools than its mix (None leaves them). A trace, read or
    generated, is scaled as `traffic.scale.Scaling` says; `rate_per_s` brings it to a rate.
    """

    traffic: str
    requests: int | None = None
    seed: int = 0
    like: bool = False
    gap_variation: float | None = None
    daily_swing: float | None = None
    turns: float | None = None
    think_seconds: float | None = None
    system_tokens: int | None = None
    tools: int | None = None
    tool_tokens: int | None = None
    from_seconds: float | None = None
    until_seconds: float | None = None
    thin_to_per_s: float | None = None
    copies: int = 1
    stretch: float = 1.0
    input_factor: float = 1.0
    output_factor: float = 1.0
    rate_per_s: float | None = None


GENERATED = ("gap_variation", "daily_swing", "turns", "think_seconds", "system_tokens", "tools", "tool_tokens")
ABOVE_NOTHING = ("gap_variation", "thin_to_per_s", "stretch", "input_factor", "output_factor", "rate_per_s")
FROM_ONE = ("requests", "turns", "copies")
FROM_NOTHING = (
    "seed", "think_seconds", "system_tokens", "tools", "tool_tokens", "from_seconds", "until_seconds",
)  # fmt: skip
OPTIONS = {
    "think_seconds": "--think-time", "from_seconds": "--from", "until_seconds": "--until", "thin_to_per_s": "--thin-to",
    "rate_per_s": "--rate",
}  # fmt: skip
"""What people call a field of a question, where it is not its own name."""


def describe_traffic(question: TrafficQuestion) -> TrafficStatistics:
    """Describe traffic, read as a stream. Raises InputError with every fault of the question, or of the file."""
    from suanli.traffic.describe import describe

    return describe(open_traffic(question))


def make_traffic(question: TrafficQuestion, path: Path) -> int:
    """Write traffic to a file in our own form, as a stream; return how many requests.

    Raises InputError with every fault of the question or of the file that is read, or where nothing can be written.
    """
    from suanli.traffic.write import write_traffic

    if Path(question.traffic).exists() and path.exists() and path.samefile(question.traffic):
        raise InputError.single(place="--out", found=str(path), allowed=tr("another file than the one that is read"))
    return write_traffic(open_traffic(question), path)


def open_traffic(question: TrafficQuestion) -> Iterator[Requests]:
    """Yield the requests that are asked for, in chunks.

    Raises InputError with every fault of the question, where the traffic is neither file nor name, or a file has
    wrong lines.
    """
    from suanli.traffic.scale import Scaling, scaled

    path = _check(question)
    opened = _read(question, path) if path is not None and not question.like else _generated(question, path)
    told = {field.name: getattr(question, field.name) for field in fields(Scaling)}
    if path is None or question.like:
        told["rate_per_s"] = None
    return scaled(opened, Scaling(**told), question.seed)


def _read(question: TrafficQuestion, path: Path) -> Callable[[], Iterable[Requests]]:
    from suanli.traffic.read import limited, read_traffic

    return lambda: limited(read_traffic(path), question.requests)


def _generated(question: TrafficQuestion, path: Path | None) -> Callable[[], Iterable[Requests]]:
    from suanli.traffic.fit import fitted_mix
    from suanli.traffic.generate import generate
    from suanli.traffic.named import named_traffic
    from suanli.traffic.read import read_traffic

    mix: Mix = named_traffic()[question.traffic] if path is None else fitted_mix(read_traffic(path))
    changes = {name: getattr(question, name) for name in (*GENERATED, "rate_per_s")}
    mix = replace(mix, **{name: value for name, value in changes.items() if value is not None})
    if question.daily_swing is not None:
        mix = replace(mix, daily_curve=())
    made = generate(mix, question.requests or REQUESTS, question.seed)
    return lambda: [made]


def _check(question: TrafficQuestion) -> Path | None:
    """Return the file that is asked for, None for a name. Raises InputError with everything that is wrong."""
    from suanli.traffic.named import named_traffic

    faults, known = number_faults(question), named_traffic()
    named, path = question.traffic in known, Path(question.traffic)
    if not named and not path.is_file():
        allowed = tr("a file of requests, or {names}", names=", ".join(known))
        hint = did_you_mean(question.traffic, known)
        faults.append(Fault(place="--traffic", found=f"'{question.traffic}'", allowed=allowed, hint=hint))
    elif not named and not question.like:
        said = [option_of(name) for name in GENERATED if getattr(question, name) is not None]
        allowed = tr("the name of traffic, or a file with --like: what a file tells stays")
        faults += [Fault(place=place, found=question.traffic, allowed=allowed) for place in said]
    if named and question.like:
        faults.append(Fault(place="--like", found=question.traffic, allowed=tr("a file of requests")))
    if faults:
        raise InputError(faults)
    return None if named else path


def option_of(name: str) -> str:
    """Return what people call a field of a question."""
    return OPTIONS.get(name, f"--{name.replace('_', '-')}")


def number_faults(question: TrafficQuestion) -> list[Fault]:
    """List the numbers of a question that are out of range."""
    faults = []
    for names, least, most, allowed in (
        (FROM_ONE, 1.0, MOST, tr("a number from 1 to {most}", most=MOST)),
        (ABOVE_NOTHING, math.ulp(0.0), MOST, tr("above 0, at most {most}", most=MOST)),
        (FROM_NOTHING, 0.0, MOST, tr("a number from 0 to {most}", most=MOST)),
        (("daily_swing",), 0.0, 1.0, tr("a number from 0 to {most}", most=1)),
    ):
        for name in names:
            value = getattr(question, name)
            if value is not None and not least <= value <= most:
                faults.append(Fault(place=option_of(name), found=f"{value:g}", allowed=allowed))
    first, last = question.from_seconds, question.until_seconds
    if first is not None and last is not None and first >= last:
        faults.append(
            Fault(place="--until", found=f"{last:g} s", allowed=tr("later than --from, {time} s", time=first))
        )
    return faults
