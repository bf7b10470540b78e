"""Failures of big jobs: how often, how often to save, what share of time makes progress, when a job is done."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="s", source="kokolis2024")
def cluster_mtbf_seconds(nodes: Real, failures_per_s: Real) -> Real:
    """Mean time between interruptions of a job that stops when any of its nodes fails.

    MTBF = 1 / (nodes x failures of one node per second)

    nodes: pure number; failures_per_s: 1/s, of one node. Holds where nodes fail on their own, at a steady rate.
    Source: kokolis2024.

    >>> cluster_mtbf_seconds(100.0, 1e-6)
    10000.0
    """
    return 1 / (nodes * failures_per_s)


@equation(unit="s", source="kokolis2024")
def pessimistic_mtbf_seconds(mtbf_seconds: Real, factor: Real) -> Real:
    """Mean time between interruptions of a large job that meets more than the faults of its nodes.

    pessimistic MTBF = MTBF / factor

    mtbf_seconds: s, from the rate of the nodes; factor: pure number from 1 up, how much oftener large jobs stop than
    their nodes fail. Source: kokolis2024.

    >>> pessimistic_mtbf_seconds(8000.0, 4.0)
    2000.0
    """
    return mtbf_seconds / factor


@equation(unit="s", source="young1974")
def young_interval_seconds(write_seconds: Real, mtbf_seconds: Real) -> Real:
    """Time of work between two checkpoints that wastes least, to first order.

    interval = sqrt(2 write MTBF)

    write_seconds: s, during which work stands still; mtbf_seconds: s. Holds where the write is far shorter than the
    MTBF. Source: young1974.

    >>> float(young_interval_seconds(50.0, 10000.0))
    1000.0
    """
    return np.sqrt(2 * write_seconds * mtbf_seconds)


@equation(unit="s", source="daly2006")
def checkpoint_interval_seconds(write_seconds: Real, mtbf_seconds: Real) -> Real:
    """Time of work between two checkpoints that wastes least, to higher order.

    With x = write / (2 MTBF): interval = sqrt(2 write MTBF) (1 + sqrt(x) / 3 + x / 9) - write where x < 1, else MTBF;
    3 and 9 come of the series of the exact optimum, which solves e^((interval + write) / MTBF) (1 - interval / MTBF) =
    1.

    write_seconds: s, during which work stands still; mtbf_seconds: s. Source: daly2006.

    >>> round(float(checkpoint_interval_seconds(50.0, 10000.0)), 1)
    966.9
    """
    share = write_seconds / (2 * mtbf_seconds)
    series = 1 + np.sqrt(share) / 3 + share / 9
    return np.where(share < 1, np.sqrt(2 * write_seconds * mtbf_seconds) * series - write_seconds, mtbf_seconds)


@equation(unit="1", source="daly2006")
def goodput(interval_seconds: Real, write_seconds: Real, restart_seconds: Real, mtbf_seconds: Real) -> Real:
    """Share of time that makes progress which is kept, under failures that come at random at a steady rate.

    With x = (interval + write) / MTBF: goodput = interval / (interval + write) x / (e^x - 1) e^(-restart / MTBF)

    The three factors are: time not spent on checkpoints; work not lost since the last of them; restarts, which may
    fail too. Exact for exponential times between failures.

    interval_seconds: s of work between checkpoints; write_seconds: s of one checkpoint; restart_seconds: s from a
    failure to work again; mtbf_seconds: s. Source: daly2006.

    >>> round(float(goodput(967.0, 50.0, 300.0, 10000.0)), 3)
    0.877
    """
    cycle = (interval_seconds + write_seconds) / mtbf_seconds
    kept = cycle / np.expm1(cycle)
    return interval_seconds / (interval_seconds + write_seconds) * kept * np.exp(-restart_seconds / mtbf_seconds)


@equation(unit="s", source="daly2006")
def lost_seconds(interval_seconds: Real, write_seconds: Real, restart_seconds: Real) -> Real:
    """Root mean square of the time that one failure costs: the restart, and work since the last checkpoint.

    lost = sqrt(restart^2 + restart cycle + cycle^2 / 3), cycle = interval + write

    A failure strikes at any point of a cycle alike, so the work lost is uniform, with mean cycle / 2 and mean square
    cycle^2 / 3. Holds where failures are far apart against a cycle. Source: daly2006.

    >>> round(float(lost_seconds(900.0, 0.0, 0.0)), 3)
    519.615
    """
    cycle = interval_seconds + write_seconds
    return np.sqrt(restart_seconds**2 + restart_seconds * cycle + cycle**2 / 3)


@equation(unit="s", source="ross2014")
def finish_seconds(
    work_seconds: Real, progress_share: Real, failure_seconds: Real, mtbf_seconds: Real, deviations: Real
) -> Real:
    """Quantile of the time that a job takes when failures strike at random.

    finish = mean + deviations x failure cost x sqrt(mean / MTBF), mean = work / progress share

    Failures come as a Poisson process, so their number over the mean time has that number as its variance, and their
    sum is near to normal from about ten of them on; below that the tail is a little longer than told.

    work_seconds: s without any waste; progress_share: pure number, goodput; failure_seconds: s, root mean square cost
    of one; mtbf_seconds: s; deviations: pure number, of the normal quantile asked for (0 for P50). Source: ross2014.

    >>> float(finish_seconds(90000.0, 0.9, 1000.0, 10000.0, 0.0))
    100000.0
    """
    mean_seconds = work_seconds / progress_share
    return mean_seconds + deviations * failure_seconds * np.sqrt(mean_seconds / mtbf_seconds)


@equation(unit="s", source="rajbhandari2020")
def save_seconds(saved_bytes: Real, writers: Real, writer_bytes_per_s: Real, fixed_seconds: Real) -> Real:
    """Time to save the state of a job by all its writers together.

    save = fixed + state / (writers x rate)

    saved_bytes: B, of the whole job; writers: pure number, accelerators that copy or nodes that write;
    writer_bytes_per_s: B/s of one of them; fixed_seconds: s, whatever the size. Holds where the state is shared out
    evenly. Source: rajbhandari2020.

    >>> save_seconds(1000.0, 4.0, 50.0, 3.0)
    8.0
    """
    return fixed_seconds + saved_bytes / (writers * writer_bytes_per_s)


@equation(unit="1", source="arxiv_2402_15627")
def slow_node_slowdown(nodes: Real, slow_share: Real, slowdown: Real, unnoticed_share: Real) -> Real:
    """How much longer a job takes because some of its nodes run slow without failing.

    slowdown of the job = unnoticed x slowdown x (1 - (1 - slow)^nodes)

    All nodes wait for the slowest, so one slow node is as bad as many. nodes: pure number; slow_share: pure number,
    share of nodes that are slow; slowdown: pure number, by how much one is; unnoticed_share: pure number, share of the
    time before it is sent away. Source: arxiv_2402_15627.

    >>> round(float(slow_node_slowdown(2.0, 0.5, 0.1, 0.2)), 6)
    0.015
    """
    return unnoticed_share * slowdown * (1 - (1 - slow_share) ** nodes)


@equation(unit="1", source="erlang1917")
def one_more_place(blocked_share: Real, offered: Real, places: Real) -> Real:
    """Share of time that a system of so many places is full, from the share of one with a place less.

    full(places) = offered full(places - 1) / (places + offered full(places - 1)), full(0) = 1

    A job with s spares stands still while s + 1 nodes are in repair, and meets no failure then: Erlang's loss system of
    s + 1 places, whatever the repair's distribution. blocked_share: pure number, of the smaller system; offered: pure
    number, failures in the time of one repair; places: pure number. Source: erlang1917.

    >>> one_more_place(1.0, 1.0, 1.0)
    0.5
    """
    return offered * blocked_share / (places + offered * blocked_share)


@equation(unit="1", source="erlang1917")
def waited_per_full_second(offered: Real, spares: Real) -> Real:
    """Seconds that a job waits for repairs, for each second that it runs with every spare node in use.

    waited = offered / (spares + 1): the failures in that second, each waiting for the first of spares + 1 repairs

    offered: pure number, failures in the time of one repair; spares: pure number. Times the share of time that the
    spares are all in use it is the odds of standing still in Erlang's system of one place more. Holds for repairs of
    exponential length. Source: erlang1917.

    >>> waited_per_full_second(6.0, 2.0)
    2.0
    """
    return offered / (spares + 1)


@equation(unit="1", source="takacs1962")
def passage_transform(offered: Real, in_repair: Real, delayed_share: Real, frequency: Real) -> Real:
    """Laplace transform of the time until one node more is in repair, of the time until one fewer became so many.

    passage(n) = offered / (frequency + offered + n delayed), delayed = 1 - passage(n - 1)

    Either the next failure comes first, or one of n repairs, after which the way up is gone twice. Times are counted in
    repairs. offered: pure number, failures in the time of one repair; in_repair: pure number n; delayed_share: pure
    number, 1 - passage(n - 1), any with n = 0; frequency: pure number, of the transform. Holds for repairs of
    exponential length. Source: takacs1962.

    >>> passage_transform(2.0, 1.0, 0.5, 0.5)
    0.6666666666666666
    """
    return offered / (frequency + offered + in_repair * delayed_share)


@equation(unit="1", source="daly2006")
def restarting_share(restart_seconds: Real, mtbf_seconds: Real) -> Real:
    """Share of time that goes into restarts, which may fail themselves.

    share = 1 - e^(-restart / MTBF)

    restart_seconds: s from a failure to work again; mtbf_seconds: s. Exact for exponential times between failures: the
    time not in a restart is the last factor of goodput. Source: daly2006.

    >>> round(float(restarting_share(600.0, 10000.0)), 4)
    0.0582
    """
    return -np.expm1(-restart_seconds / mtbf_seconds)
