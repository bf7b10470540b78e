"""Why a fleet wins a search, what binds it, and where nothing keeps the targets: which limit, and what would."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from suanli.api.words import pools_in_words, short_layout_in_words
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from suanli.api.serving_fleet import Found

MILLI = 1000


def why_of(found: Found, row: int) -> tuple[str, ...]:
    """Say in sentences why a row wins: what binds it, what the other arrangement reaches, what the next ones do."""
    said = (_binding(found, row), _other_arrangement(found, row), _next_kind(found, row), *_other_systems(found, row))
    return tuple(one for one in said if one)


def _binding(found: Found, row: int) -> str:
    from suanli.estimate.serving_choice import Bound, bound_of

    columns, limits = found.judged.columns, found.limits
    bound, flight = bound_of(columns, row, limits), f"{columns.flight[row]:,.0f}"
    if bound is Bound.TPOT:
        limit = f"{_ms(limits.tpot_seconds)} ms"
        return tr(
            "Time per token binds: more than {flight} in flight on a replica break {limit}.", flight=flight, limit=limit
        )
    if bound is Bound.TTFT:
        limit = f"{_ms(limits.ttft_seconds)} ms"
        return tr(
            "The first token binds: more than {flight} in flight on a replica break {limit}.",
            flight=flight,
            limit=limit,
        )
    if bound is Bound.WHOLE:
        return tr("No latency limit binds: at {flight} in flight whole replicas go together best.", flight=flight)
    return tr(
        "No latency limit binds: a replica's cache and engine admit no more than {flight} in flight.", flight=flight
    )


def _other_arrangement(found: Found, row: int) -> str:
    """Say what the best fleet of the other arrangement reaches, on the same system if it can, and why it is behind."""
    import numpy as np

    from suanli.estimate.serving_choice import best_of_mode
    from suanli.estimate.serving_columns import NONE

    columns = found.judged.columns
    apart = bool(columns.prefill[row] != NONE)
    here = [unit.system.id == found.judged.units[columns.unit[row]].system.id for unit in found.judged.units]
    same = found.order[np.array(here)[columns.unit[found.order]]]
    other = best_of_mode(columns, same, not apart)
    other = best_of_mode(columns, found.order, not apart) if other is None else other
    if other is None:
        judged = bool(((columns.prefill != NONE) == (not apart)).any())
        if not judged:
            return ""
        return (
            tr("Only prefill and decode apart keep both limits: no replica that does both keeps them.")
            if apart
            else tr("Prefill and decode apart keep the limits at no size that was allowed.")
        )
    more = _more(found, row, other)
    if more == NO_MORE:
        return tr("Whether prefill and decode are together or apart makes no difference at this size of fleet.")
    return _apart_wins(found, row, other, more) if apart else _together_wins(found, other, more)


NO_MORE = f"{0:.1%}"
"""How a difference that is none is told."""


def _apart_wins(found: Found, row: int, other: int, more: str) -> str:
    from suanli.api.serving_money import input_share_of

    columns, units = found.judged.columns, found.judged.units
    unit = units[columns.unit[other]]
    share = input_share_of(None, 0, unit, 1, float(columns.flight[other]))
    return tr(
        "Prefill and decode apart win by {more}: together, prompts take {share} of each step, so that {few} in flight"
        " already take {slow} ms a token; apart, a decode replica holds {many} at {fast} ms.",
        more=more, share=f"{share:.0%}", few=f"{columns.flight[other]:,.0f}",
        slow=f"{columns.tpot_seconds[other] * MILLI:,.1f}", many=f"{columns.flight[row]:,.0f}",
        fast=f"{columns.tpot_seconds[row] * MILLI:,.1f}",
    )  # fmt: skip


def _together_wins(found: Found, other: int, more: str) -> str:
    return tr(
        "Replicas that do both win by {more}: apart, {fleet} is the best match of whole replicas, and one pool waits"
        " while the other works.",
        more=more, fleet=fleet_words(found, other),
    )  # fmt: skip


def _next_kind(found: Found, row: int) -> str:
    from suanli.estimate.serving_choice import next_kind

    columns, units = found.judged.columns, found.judged.units
    other = next_kind(columns, found.order, found.bad, row)
    if other is None or units[columns.unit[other]].system.id != units[columns.unit[row]].system.id:
        return ""
    return tr(
        "The next kind of fleet, {fleet}, is {more} behind.",
        fleet=fleet_words(found, other),
        more=_more(found, row, other),
    )


def _other_systems(found: Found, row: int) -> list[str]:
    from suanli.estimate.serving_choice import best_of_systems

    columns, units = found.judged.columns, found.judged.units
    best = best_of_systems(columns, found.order, units)
    said = [
        tr("The best on {system}, {fleet}, is {more} behind.", system=system, fleet=fleet_words(found, other),
           more=_more(found, row, other))
        for system, other in best.items()
        if system != units[columns.unit[row]].system.id
    ]  # fmt: skip
    missed = {unit.system.id for unit in units} - set(best)
    return said + [tr("No setting on {system} keeps the limits.", system=system) for system in sorted(missed)]


def _more(found: Found, row: int, other: int) -> str:
    return f"{found.bad[other] / found.bad[row] - 1:.1%}"


def fleet_words(found: Found, row: int) -> str:
    """Say a judged fleet in a few words: how many replicas of which layout, on which system, in which format."""
    from suanli.api.serving_fleet import pools_of

    unit = found.judged.units[found.judged.columns.unit[row]]
    return f"{unit.system.id} {unit.replica.scheme.name} {pools_in_words(*pools_of(found, row))}"


def refused(found: Found, allowed: NDArray[np.bool_]) -> InfeasibleError:
    """Say which limit keeps every setting out, and the nearest that could be kept."""
    if not len(found.judged.columns):
        return _nothing_fits(found)
    if allowed.any():
        systems = ", ".join(dict.fromkeys(unit.system.id for unit in found.judged.units))
        return InfeasibleError(
            limit=tr("No price is known for {systems}.", systems=systems),
            relief=tr("Ask for throughput, another --hold, --region or --as-of, or another system."),
        )
    return _too_slow(found)


def _nothing_fits(found: Found) -> InfeasibleError:
    if not found.judged.shortfalls:
        return InfeasibleError(
            limit=tr("No fleet of at most {count} accelerators holds the rate.", count=found.size.accelerators),
            relief=tr("Allow more --accelerators, a lower --rate or less --headroom."),
        )
    least = min(found.judged.shortfalls, key=lambda one: one.short_bytes)
    return InfeasibleError(
        limit=tr(
            "No layout on {system} fits: short of memory by {bytes} bytes on each accelerator.",
            system=least.system.name or least.system.id, bytes=round(least.short_bytes),
        ),
        relief=tr("Use more accelerators for one replica, a smaller weight or cache format, or shorter requests."),
    )  # fmt: skip


def _too_slow(found: Found) -> InfeasibleError:
    """Name the limit that binds and the nearest targets that could be kept."""
    from suanli.estimate.serving_choice import nearest

    columns, limits = found.judged.columns, found.limits
    near = nearest(columns, limits)
    unit = found.judged.units[columns.unit[near.row]]
    if near.least_tpot_seconds > limits.tpot_seconds:
        limit = tr("Time per token binds: {limit} ms are asked, {least} ms are the least of all settings.",
                   limit=_ms(limits.tpot_seconds), least=_ms(near.least_tpot_seconds))  # fmt: skip
    elif near.least_ttft_seconds > limits.ttft_seconds:
        limit = tr("The first token binds: {limit} ms are asked, {least} ms are the least of all settings.",
                   limit=_ms(limits.ttft_seconds), least=_ms(near.least_ttft_seconds))  # fmt: skip
    else:
        limit = tr(
            "Both limits bind together: beside {tpot} ms a token the first takes {first} ms at least, beside {ttft} ms"
            " for the first a token takes {later} ms.",
            tpot=_ms(limits.tpot_seconds), first=_ms(near.ttft_beside_seconds), ttft=_ms(limits.ttft_seconds),
            later=_ms(near.tpot_beside_seconds),
        )  # fmt: skip
    relief = tr(
        "Nearest that can be kept: --ttft {ttft}ms --tpot {tpot}ms ({system}, {layout}); or faster accelerators, more"
        " of them, or a smaller weight format.",
        ttft=_up(columns.ttft_seconds[near.row]), tpot=_up(columns.tpot_seconds[near.row], 1), system=unit.system.id,
        layout=short_layout_in_words(unit.replica.layout),
    )  # fmt: skip
    return InfeasibleError(limit=limit, relief=relief)


def _ms(seconds: float) -> str:
    return f"{seconds * MILLI:,.3g}" if seconds * MILLI < MILLI else f"{seconds * MILLI:,.0f}"


def _up(seconds: float, digits: int = 0) -> str:
    """Write milliseconds rounded up, so that what is written can be kept."""
    scale = 10**digits
    return f"{math.ceil(seconds * MILLI * scale) / scale:.{digits}f}"
