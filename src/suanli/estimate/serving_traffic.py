"""Traffic through replicas, step by step: one pool that prefills and decodes, or a pool of its own for each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.traffic import ROUTINGS, Fleet, IntArray, Quantiles, Requests, Served, Targets, TrafficResult
from suanli.estimate.serving_apart import send_seconds
from suanli.estimate.serving_memory import BLOCK_TOKENS, sequence_cache_bytes
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_tables import rules_of, step_times
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr
from suanli.simulate import serving_closed, serving_play
from suanli.simulate import serving_state as state
from suanli.simulate.serving_play import Played
from suanli.simulate.serving_state import GAP_LEAST_SECONDS, GAPS_A_LOG, Rules, Work


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Replicas of one kind that share traffic.

    `swap_seconds` brings a block of a preempted request to the host or back (None: it is computed anew). `seed` draws
    which drafted tokens are accepted.
    """

    replica: Replica
    fleet: Fleet
    swap_seconds: float | None = None
    seed: int = 0


def work_of(requests: Requests, delay_seconds: float) -> Work:
    """Write requests as compiled code takes them: blocks numbered from 0, ready when the server has read them."""
    known, numbers = np.unique(requests.block_ids, return_inverse=True)
    return Work(
        ready_seconds=requests.arrival_seconds + delay_seconds,
        inputs=requests.input_tokens,
        outputs=requests.output_tokens,
        priority=requests.priority,
        blocks=numbers.astype(np.int64) if len(known) else np.zeros(0, dtype=np.int64),
        first_block=requests.block_offsets,
        prefilled=False,
    )


def play_pool(pool: Pool, work: Work, rules: Rules) -> Played:
    """Play requests through one pool."""
    fleet = pool.fleet
    if fleet.routing not in ROUTINGS:
        raise InputError.single(
            place=tr("routing"), found=f"'{fleet.routing}'", allowed=", ".join(ROUTINGS),
            hint=did_you_mean(fleet.routing, ROUTINGS),
        )  # fmt: skip
    spread = serving_play.Fleet(
        routing=ROUTINGS.index(fleet.routing),
        least=fleet.least,
        most=max(fleet.most, fleet.least),
        flight=fleet.flight or float(rules.sequence_limit),
        start_seconds=fleet.start_seconds,
        idle_seconds=fleet.idle_seconds,
        crowding=fleet.crowding,
    )
    return serving_play.play(work, step_times(pool.replica), rules, spread)


def play_traffic(pool: Pool, requests: Requests, targets: Targets) -> TrafficResult:
    """Play requests through one pool of replicas that prefill and decode.

    Raises InputError where a routing is not known, InfeasibleError where the cache holds nothing.
    """
    requests, told_beside = _shared(pool, requests)
    rules = _rules(pool, requests)
    work = work_of(requests, pool.replica.engine.request_seconds)
    played = play_pool(pool, work, rules)
    told = played.told
    served = _served(requests, told.admitted_seconds, told.first_seconds, told.finish_seconds, played)
    return _told(_result(requests, served, [(pool, rules, played)], targets), told_beside)


def play_in_flight(pool: Pool, requests: Requests, flight: int, targets: Targets) -> TrafficResult:
    """Play requests of a client that keeps `flight` on their way at most, through one replica of a pool.

    Arrivals are the earliest times at which each may be sent; latencies count from when it was. Raises as
    `play_traffic` does.
    """
    rules, delay = _rules(pool, requests), pool.replica.engine.request_seconds
    played, sent = serving_closed.play_in_flight(work_of(requests, 0.0), step_times(pool.replica), rules, flight, delay)
    told, client = played.told, replace(requests, arrival_seconds=sent)
    served = _served(client, told.admitted_seconds, told.first_seconds, told.finish_seconds, played)
    return _result(client, served, [(pool, rules, played)], targets)


def play_apart(prefill: Pool, decode: Pool, requests: Requests, targets: Targets) -> TrafficResult:
    """Play requests through replicas that prefill, send their caches, and through others that decode.

    The first token comes from the prefill. Raises InputError as `play_traffic` does.
    """
    requests, told_beside = _shared(prefill, requests)
    first_rules, then_rules = _rules(prefill, requests), _rules(decode, requests)
    work = work_of(requests, prefill.replica.engine.request_seconds)
    ones = np.ones(len(requests), dtype=np.int64)
    first = play_pool(prefill, work._replace(outputs=ones), first_rules)
    told = first.told
    goes_on = np.flatnonzero((told.first_seconds >= 0) & (requests.output_tokens > 1))
    arrives = told.first_seconds[goes_on] + send_seconds(
        prefill.replica, decode.replica, requests.input_tokens[goes_on].astype(float)
    )
    order = goes_on[np.argsort(arrives, kind="stable")]
    later = work._replace(
        ready_seconds=np.sort(arrives, kind="stable"), inputs=work.inputs[order], outputs=work.outputs[order] - 1,
        priority=work.priority[order], blocks=np.zeros(0, dtype=np.int64),
        first_block=np.zeros(len(order) + 1, dtype=np.int64), prefilled=True,
    )  # fmt: skip
    then = play_pool(decode, later, then_rules)
    finish = told.finish_seconds.copy()
    finish[order] = then.told.finish_seconds
    served = _served(requests, told.admitted_seconds, told.first_seconds, finish, first)
    preempted = served.preempted.copy()
    preempted[order] += then.told.preempted
    found = _result(
        requests,
        replace(served, preempted=preempted),
        [(prefill, first_rules, first), (decode, then_rules, then)],
        targets,
    )
    return _told(found, told_beside)


def _shared(pool: Pool, requests: Requests) -> tuple[Requests, tuple[str, ...]]:
    """Return requests without shared beginnings where the engine cannot keep what they leave, and what to say of it."""
    if pool.replica.shares_prefixes or len(requests.block_ids) == 0:
        return requests, ()
    alone = replace(
        requests, block_ids=np.zeros(0, dtype=np.int64), block_offsets=np.zeros(len(requests) + 1, dtype=np.int64)
    )
    return alone, (tr("no prefix cache: the engine keeps no states of recurrent layers with prefixes"),)


def _told(result: TrafficResult, more: tuple[str, ...]) -> TrafficResult:
    return replace(result, assumed=(*result.assumed, *more))


def swap_block_seconds(replica: Replica) -> float:
    """Seconds that one block of the cache takes over the host's link, its parts on all ranks side by side.

    Raises InputError where the rate of the link is not known.
    """
    rate = replica.device.accelerator.host_bytes_per_s
    if rate is None:
        raise InputError.single(
            place="--swap", found=tr("no rate of the host's link"), allowed=tr("an accelerator whose link is known")
        )
    mean = max(replica.setup.input_tokens + replica.setup.output_tokens, 1.0)
    return float(sequence_cache_bytes(replica, mean)) / mean * BLOCK_TOKENS / rate.value


def _rules(pool: Pool, requests: Requests) -> Rules:
    mean = replace(
        pool.replica,
        setup=replace(
            pool.replica.setup,
            input_tokens=float(np.mean(requests.input_tokens)),
            output_tokens=float(np.mean(requests.output_tokens)),
        ),
    )
    swap = -1.0 if pool.swap_seconds is None else pool.swap_seconds
    return rules_of(mean, requests.block_tokens, swap, pool.seed)


def _served(requests: Requests, admitted: FloatArray, first: FloatArray, finish: FloatArray, played: Played) -> Served:
    """Count times from arrival; what never happened is not a number."""
    arrival = requests.arrival_seconds

    def since(seconds: FloatArray) -> FloatArray:
        return np.where(seconds >= 0, seconds - arrival, np.nan)

    later = requests.output_tokens - 1
    spent = np.where(later > 0, (finish - first) / np.maximum(later, 1), np.nan)
    done = (finish >= 0) & (first >= 0)
    return Served(
        arrival_seconds=arrival,
        queue_seconds=since(admitted),
        ttft_seconds=np.where(done, since(first), np.nan),
        tpot_seconds=np.where(done, spent, np.nan),
        finish_seconds=np.where(done, since(finish), np.nan),
        replica=played.told.replica,
        hit_tokens=played.told.hit_tokens,
        preempted=played.told.preempted,
    )


def quantiles(values: FloatArray) -> Quantiles:
    """Sum up values; those that are not numbers are left out."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return Quantiles(mean=0.0, p50=0.0, p90=0.0, p95=0.0, p99=0.0)
    p50, p90, p95, p99 = np.quantile(known, (0.5, 0.9, 0.95, 0.99)).tolist()
    return Quantiles(mean=float(known.mean()), p50=p50, p90=p90, p95=p95, p99=p99)


def gap_quantiles(gaps: IntArray) -> Quantiles:
    """Sum up gaps between tokens that were counted by their log."""
    total = int(gaps.sum())
    if total == 0:
        return Quantiles(mean=0.0, p50=0.0, p90=0.0, p95=0.0, p99=0.0)
    seconds = GAP_LEAST_SECONDS * np.exp((np.arange(len(gaps)) + 1 / 2) / GAPS_A_LOG)
    reached = np.cumsum(gaps) / total
    p50, p90, p95, p99 = (float(seconds[np.searchsorted(reached, share)]) for share in (0.5, 0.9, 0.95, 0.99))
    return Quantiles(mean=float((seconds * gaps).sum() / total), p50=p50, p90=p90, p95=p95, p99=p99)


def good(served: Served, targets: Targets) -> FloatArray:
    """Say which requests met every target: 1, else 0; an answer of one token has no time between tokens to miss."""
    met = ~np.isnan(served.finish_seconds)
    if targets.ttft_seconds is not None:
        met &= served.ttft_seconds <= targets.ttft_seconds
    if targets.tpot_seconds is not None:
        met &= np.isnan(served.tpot_seconds) | (served.tpot_seconds <= targets.tpot_seconds)
    return met.astype(float)


def _result(
    requests: Requests, served: Served, pools: list[tuple[Pool, Rules, Played]], targets: Targets
) -> TrafficResult:
    """Sum up what became of requests and how full the pools were; samples are of the last pool."""
    last = pools[-1]
    completed = int(np.count_nonzero(~np.isnan(served.finish_seconds)))
    ended = float(np.nanmax(served.arrival_seconds + served.finish_seconds)) if completed else 0.0
    span = max(ended - float(served.arrival_seconds[0]), np.finfo(float).tiny) if len(requests) else 1.0
    counts = [played.replicas.counts.sum(axis=0) for _, _, played in pools]
    computed = sum(int(count[state.PROMPTED]) for count in counts)
    prompts = int(requests.input_tokens.sum())
    stood = sum(played.replica_seconds for _, _, played in pools)
    busy = sum(float(played.replicas.busy_seconds.sum()) for _, _, played in pools)
    met = good(served, targets)
    rows = last[2].watch.samples[: int(last[2].watch.sampling[2])].copy()
    rows[:, 3] /= last[1].pool_blocks * max(last[0].fleet.most, last[0].fleet.least)
    made = int(requests.output_tokens[~np.isnan(served.finish_seconds)].sum())
    return TrafficResult(
        requests=len(requests),
        completed=completed,
        refused=len(requests) - completed,
        preempted=int(served.preempted.sum()),
        span_seconds=span,
        prompt_tokens=prompts,
        computed_tokens=computed,
        output_tokens=made,
        hit_share=float(served.hit_tokens.sum() / max(prompts, 1)),
        ttft=quantiles(served.ttft_seconds),
        tpot=quantiles(served.tpot_seconds),
        itl=gap_quantiles(last[2].watch.gaps),
        finish=quantiles(served.finish_seconds),
        queue=quantiles(served.queue_seconds),
        requests_per_s=completed / span,
        output_tokens_per_s=made / span,
        good_share=float(met.mean()) if len(met) else 0.0,
        goodput_per_s=float(met.sum() / span),
        busy_share=busy / stood if stood > 0 else 0.0,
        replica_seconds=stood,
        replicas=sum(max(pool.fleet.most, pool.fleet.least) for pool, _, _ in pools),
        steps=sum(int(count[state.DECODES] + count[state.PREFILLS]) for count in counts),
        samples=rows,
        served=served,
        assumed=last[0].replica.assumed,
    )
