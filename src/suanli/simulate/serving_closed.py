"""Plays requests of a client that keeps no more than so many on their way: the next is sent when one ends."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import FloatArray
from suanli.simulate.compiled import entry
from suanli.simulate.serving_play import Played, empty_replicas, empty_watch, requested
from suanli.simulate.serving_queue import push
from suanli.simulate.serving_state import RUNNING, WAITING, Replicas, Requested, Rules, StepTimes, Watch, Work
from suanli.simulate.serving_step import advance, run_alone, take_step
from suanli.simulate.uncounted import uncounted


@entry
def play_closed(
    work: Work, times: StepTimes, rules: Rules, replicas: Replicas, told: Requested, watch: Watch, flight: int,
    delay_seconds: float,
) -> None:  # fmt: skip
    """Play requests through replica 0. `work.ready_seconds` holds when each may be sent at the earliest.

    It is overwritten by when each reached the scheduler: sent as soon as it may be and fewer than `flight` are on their
    way, and `delay_seconds` later there.
    """
    work, times, told, watch = uncounted(work), uncounted(times), uncounted(told), uncounted(watch)
    replicas = uncounted(replicas)
    many, sent, pushed = len(work.ready_seconds), 0, 0
    while pushed < many:
        in_server = replicas.counts[0, RUNNING] + replicas.counts[0, WAITING]
        while sent < many and sent - pushed + in_server < flight:
            work.ready_seconds[sent] = max(work.ready_seconds[sent], replicas.now[0]) + delay_seconds
            sent += 1
        comes = work.ready_seconds[pushed] if pushed < sent else np.inf
        if in_server > 0 and replicas.now[0] < comes:
            if run_alone(work, times, rules, replicas, told, watch, 0, comes) == 0:
                take_step(work, times, rules, replicas, told, watch, 0)
        else:
            replicas.now[0] = max(replicas.now[0], comes)
            told.replica[pushed] = 0
            push(work, replicas, told, 0, pushed)
            pushed += 1
    advance(work, times, rules, replicas, told, watch, 0, np.inf)


def play_in_flight(
    work: Work, times: StepTimes, rules: Rules, flight: int, delay_seconds: float
) -> tuple[Played, FloatArray]:
    """Play requests through one replica, `flight` on their way at most; also return when each was sent.

    The replica begins empty; the same input plays the same way.
    """
    own = work._replace(ready_seconds=work.ready_seconds.copy())
    told = requested(own)
    blocks = int(own.blocks.max()) + 1 if len(own.blocks) else 0
    replicas = empty_replicas(rules, 1, blocks)
    watch = empty_watch(float(own.ready_seconds[-1]) if len(own.ready_seconds) else 0.0)
    play_closed(own, times, rules, replicas, told, watch, flight, delay_seconds)
    stood = float(replicas.now[0] - own.ready_seconds[0]) if len(own.ready_seconds) else 0.0
    played = Played(told=told, replicas=replicas, watch=watch, replica_seconds=stood)
    return played, own.ready_seconds - delay_seconds
