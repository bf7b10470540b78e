"""What a serving search judges, as columns: replicas that do both, and pools that prefill and decode apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from suanli.equations import batching
from suanli.estimate.serving_apart import (
    decode_step_seconds,
    prefill_seconds,
    prefills_per_s,
    prompt_wait_seconds,
    send_seconds,
)
from suanli.estimate.serving_search import flight_grid
from suanli.estimate.serving_steady import LEAST, MOST_FLIGHT, steady_state
from suanli.estimate.serving_units import Unit
from suanli.foundation.equation import FloatArray, Real

IntColumn = NDArray[np.int64]
NONE = -1
"""Stands for no unit: replicas that do both have none that only prefills."""
POINTS_PER_DOUBLING = 16
"""How many concurrencies are judged between one number and its double: steps of 4 % in what latency targets cost."""
WAIT_ROUNDS = 4
"""Rounds of the fixed point between requests in flight and their wait for a prefill; it contracts fast."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Settings that were judged, one a row.

    `prefill` and `unit` number the kinds of replica (`prefill` NONE where the same replicas do both), `prefills` and
    `replicas` how many of each stand; `flight` is requests in flight on one replica (in decode, where apart).
    `requests_per_s` is what all replicas do at most; `accelerators` and `systems` is what they occupy.
    """

    prefill: IntColumn
    unit: IntColumn
    flight: FloatArray
    prefills: FloatArray
    replicas: FloatArray
    ttft_seconds: FloatArray
    tpot_seconds: FloatArray
    requests_per_s: FloatArray
    accelerators: FloatArray
    systems: FloatArray

    def __len__(self) -> int:
        """Return how many settings there are."""
        return len(self.unit)

    def where(self, chosen: NDArray[np.bool_] | IntColumn) -> Columns:
        """Return some of the rows."""
        return Columns(**{field.name: getattr(self, field.name)[chosen] for field in fields(Columns)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large a fleet may be: a rate that it must hold with a share of capacity free, or accelerators to fill.

    `accelerators` is the most there are (None: as many as the rate asks for). Without a rate they are filled.
    """

    accelerators: int | None
    rate_per_s: float | None
    headroom: float

    def room(self, unit: Unit) -> int:
        """Return how many accelerators a fleet of a unit may have: those there are, or those of the unit's system."""
        if self.accelerators is not None:
            return self.accelerators
        system = unit.system.accelerators
        return max(system, -(-unit.accelerators // system) * system)


def joined(parts: Sequence[Columns]) -> Columns:
    """Put the rows of several tables into one."""
    return Columns(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Columns)}
    )


def systems_needed(replicas: Real, each: Real, per_system: Real) -> Real:
    """Systems that so many replicas of `each` accelerators occupy: several in a system, or several systems for one."""
    inside = np.maximum(per_system // each, 1.0)
    spanned = np.ceil(each / per_system)
    return np.ceil(replicas / inside) * spanned


def systems_of_both(prefills: Real, first: Real, decodes: Real, second: Real, per_system: Real) -> Real:
    """Systems of two pools: side by side in the same systems where both sizes divide one, else each in its own."""
    apart = systems_needed(prefills, first, per_system) + systems_needed(decodes, second, per_system)
    shared = np.ceil((prefills * first + decodes * second) / per_system)
    fits = (np.mod(per_system, first) == 0) & (np.mod(per_system, second) == 0)
    return np.where(fits, shared, apart)


def together_columns(units: Sequence[Unit], size: Size) -> Columns:
    """Judge replicas that prefill and decode, at every concurrency of a grid."""
    return joined([_together(number, unit, size) for number, unit in enumerate(units)])


def _together(number: int, unit: Unit, size: Size) -> Columns:
    steady = steady_state(unit.replica, flight_grid(min(unit.demand.resident, MOST_FLIGHT), POINTS_PER_DOUBLING))
    each, rate = unit.accelerators, steady.requests_per_s
    if size.rate_per_s is None:
        replicas = np.full(len(rate), float(size.room(unit) // each))
    else:
        replicas = np.asarray(np.maximum(batching.replicas_needed(size.rate_per_s, rate, size.headroom), 1.0))
    whole = np.full(len(rate), number, dtype=np.int64)
    found = Columns(
        prefill=np.full(len(rate), NONE, dtype=np.int64),
        unit=whole,
        flight=steady.concurrency,
        prefills=np.zeros(len(rate)),
        replicas=replicas,
        ttft_seconds=steady.ttft_seconds,
        tpot_seconds=steady.tpot_seconds,
        requests_per_s=rate * replicas,
        accelerators=replicas * each,
        systems=np.asarray(systems_needed(replicas, float(each), float(unit.system.accelerators))),
    )
    return found.where(_within(found, size))


def _within(found: Columns, size: Size) -> NDArray[np.bool_]:
    some = (found.replicas >= 1) & (found.requests_per_s > 0)
    return some if size.accelerators is None else some & (found.accelerators <= size.accelerators)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decodes:
    """Columns over decode replicas: their unit, sequences in decode, seconds of a step, steps and outputs a request."""

    unit: IntColumn
    flight: FloatArray
    step: FloatArray
    steps: FloatArray
    outputs: FloatArray
    accelerators: FloatArray

    @property
    def rate(self) -> FloatArray:
        """Requests per second of one replica."""
        return np.asarray(batching.requests_per_s(self.flight, self.steps * self.step))


def apart_columns(units: Sequence[Unit], size: Size) -> Columns:
    """Judge pools apart: every kind of prefill replica with every kind of decode replica at every concurrency.

    Prefill replicas are as many as the decode replicas' rate asks for, so that neither pool waits for the other.
    All units are of one system, weight format and cache format, since caches are sent as they are.
    """
    decodes = _decodes(units)
    return joined([_apart(number, units, decodes, size) for number in range(len(units))])


def _decodes(units: Sequence[Unit]) -> _Decodes:
    grids = [flight_grid(min(unit.demand.resident, MOST_FLIGHT), POINTS_PER_DOUBLING) for unit in units]
    steps = [decode_step_seconds(unit.replica, unit.demand, flight) for unit, flight in zip(units, grids, strict=True)]
    sizes = [len(flight) for flight in grids]

    def spread(values: Sequence[float]) -> FloatArray:
        return np.repeat(np.asarray(values, dtype=float), sizes)

    return _Decodes(
        unit=np.repeat(np.arange(len(units), dtype=np.int64), sizes),
        flight=np.concatenate(grids),
        step=np.concatenate(steps),
        steps=spread([unit.demand.steps for unit in units]),
        outputs=spread([max(unit.replica.setup.outputs_after_first, LEAST) for unit in units]),
        accelerators=spread([unit.accelerators for unit in units]),
    )


def _apart(number: int, units: Sequence[Unit], decodes: _Decodes, size: Size) -> Columns:
    """Judge one kind of prefill replica with all decode replicas."""
    first = units[number]
    service = prefill_seconds(first.replica, first.demand)
    each = float(prefills_per_s(first.replica, service, 1.0))
    sends = np.array([float(send_seconds(first.replica, unit.replica, first.demand.inputs)) for unit in units])
    if size.rate_per_s is None:
        replicas = _filling(decodes, each, first.accelerators, size.room(first))
        prefills = np.ceil(replicas * decodes.rate / each)
    else:
        replicas = np.asarray(np.maximum(batching.replicas_needed(size.rate_per_s, decodes.rate, size.headroom), 1.0))
        prefills = np.asarray(np.maximum(batching.replicas_needed(size.rate_per_s, each, size.headroom), 1.0))
        prefills = prefills * np.ones(len(replicas))
    rate = np.asarray(batching.paired_rate_per_s(replicas * decodes.rate, prefills * each))
    ttft = _first_seconds(first, service, sends[decodes.unit], decodes, replicas, prefills, rate)
    per_system = float(first.system.accelerators)
    found = Columns(
        prefill=np.full(len(rate), number, dtype=np.int64),
        unit=decodes.unit,
        flight=decodes.flight,
        prefills=prefills,
        replicas=replicas,
        ttft_seconds=ttft,
        tpot_seconds=decodes.steps * decodes.step / decodes.outputs,
        requests_per_s=rate,
        accelerators=prefills * first.accelerators + replicas * decodes.accelerators,
        systems=np.asarray(
            systems_of_both(prefills, float(first.accelerators), replicas, decodes.accelerators, per_system)
        ),
    )
    return found.where(_within(found, size))


def _filling(decodes: _Decodes, prefill_rate: float, prefill_accelerators: int, room: int) -> FloatArray:
    """Return the most decode replicas that fit beside the prefill replicas that they ask for."""
    each = decodes.accelerators + prefill_accelerators * decodes.rate / prefill_rate
    replicas = np.floor(room / each)
    while True:
        asked = np.ceil(replicas * decodes.rate / prefill_rate) * prefill_accelerators
        over = (replicas > 0) & (asked + replicas * decodes.accelerators > room)
        if not over.any():
            return replicas
        replicas = np.where(over, replicas - 1, replicas)


def _first_seconds(
    first: Unit, service: float, send: FloatArray, decodes: _Decodes, replicas: FloatArray, prefills: FloatArray,
    rate: FloatArray,
) -> FloatArray:  # fmt: skip
    """Time to the first token where decode is the slower pool: a prompt's wait, prefill, way, and half a step."""
    alone = first.replica.engine.request_seconds + service + send + decodes.step / 2
    some = np.maximum(prefills, 1.0)
    ttft = alone
    for _ in range(WAIT_ROUNDS):
        flight = replicas * decodes.flight + rate * ttft
        ttft = alone + prompt_wait_seconds(first.replica, service, some, flight)
    return np.asarray(ttft)


def replica_rates(columns: Columns, units: Sequence[Unit], row: int) -> tuple[float, float | None]:
    """Return the rate of one replica of a setting, and that of one prefill replica where pools are apart."""
    unit, first = units[columns.unit[row]], int(columns.prefill[row])
    if first == NONE:
        return float(columns.requests_per_s[row] / columns.replicas[row]), None
    step = decode_step_seconds(unit.replica, unit.demand, columns.flight[row])
    prefill = units[first]
    service = prefill_seconds(prefill.replica, prefill.demand)
    return (
        float(batching.requests_per_s(float(columns.flight[row]), unit.demand.steps * float(step))),
        float(prefills_per_s(prefill.replica, service, 1.0)),
    )
