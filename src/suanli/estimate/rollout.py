"""A rollout: the answers of one step played through replicas of a serving engine, to the end of the last one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from suanli.catalogue.posttraining import load_post_figures
from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.model import Model
from suanli.domain.posttraining import Answers, Generated, Rollout
from suanli.domain.result import Band
from suanli.domain.serving import Adapters
from suanli.domain.traffic import IntArray
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.equations.posttraining import answer_length, log_spread
from suanli.estimate.serving_bands import serving_band
from suanli.estimate.serving_memory import (
    BLOCK_TOKENS,
    cache_pool_bytes,
    fixed_bytes,
    short_bytes,
    visible_memory_bytes,
)
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_search import legal_layouts, nothing_fits
from suanli.estimate.serving_tables import rules_of, step_times
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr
from suanli.simulate import serving_play
from suanli.simulate.serving_state import Rules, Work

HALVINGS = 60
"""Steps in which the median that gives a mean is found: more than a float can tell apart."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, without their whole parts, fall evenly: an order without drift, the same every time."""
NINE_OF_TEN = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Accelerators that generate: of which system, how many, and what each keeps for others meanwhile."""

    system: System
    accelerators: int
    resident_bytes: float = 0.0


def answer_lengths(answers: Answers) -> IntArray:
    """List the lengths of all answers of a step, the longest first.

    They are the middle quantiles of a log-normal that is cut off at the longest, with the mean that was told.
    """
    count, mean, longest = answers.samples, answers.answer_tokens, answers.longest_tokens
    levels, normal = (np.arange(count)[::-1] + 1 / 2) / count, NormalDist()
    deviates = np.array([normal.inv_cdf(level) for level in levels.tolist()])
    sigma = float(log_spread(answers.spread))
    low, high = 0.0, longest * math.exp(sigma * float(deviates[0]))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float(np.mean(answer_length(middle, sigma, deviates, longest))) < mean:
            low = middle
        else:
            high = middle
    exact = np.asarray(answer_length(high, sigma, deviates, longest))
    return np.maximum(np.round(exact), 1).astype(np.int64)


def dealt(lengths: IntArray, replicas: int) -> IntArray:
    """Return what the fullest of so many replicas gets of lengths in descending order: every so-manieth of them."""
    return lengths[::replicas]


def mixed(lengths: IntArray) -> IntArray:
    """Put lengths in an order that does not tell long from short."""
    return lengths[np.argsort((np.arange(len(lengths)) * GOLDEN) % 1.0, kind="stable")]


def work_of(answers: Answers, lengths: IntArray, shares_prefixes: bool) -> Work:
    """Write requests that are all there at once; answers to one prompt stand together and share its cache."""
    count = len(lengths)
    prompt = max(round(answers.prompt_tokens), 1)
    each = prompt // BLOCK_TOKENS if shares_prefixes and answers.group > 1 else 0
    prompts = np.arange(count) // answers.group
    blocks = (prompts[:, None] * each + np.arange(each)[None, :]).reshape(-1)
    return Work(
        ready_seconds=np.zeros(count),
        inputs=np.full(count, prompt, dtype=np.int64),
        outputs=mixed(lengths),
        priority=np.zeros(count, dtype=np.int64),
        blocks=blocks.astype(np.int64),
        first_block=(np.arange(count + 1) * each).astype(np.int64),
        prefilled=False,
    )


def serving_setup(model: Model, answers: Answers, rollout: Rollout, adapter_rank: int) -> ServingSetup:
    """Say what the engine serves: the tuned model, with the adapter beside it where only that is trained."""
    return ServingSetup(
        model=model,
        input_tokens=max(answers.prompt_tokens, 1.0),
        output_tokens=max(answers.answer_tokens, 1.0),
        engine=rollout.engine,
        engine_date=rollout.engine_date,
        weight_format=rollout.weight_format,
        kv_format="auto",
        usable_share=rollout.memory_share,
        adapters=Adapters(count=1, rank=adapter_rank) if adapter_rank else None,
    )


def opened(setup: ServingSetup, pool: Pool, layout: ServingLayout, kernels: KernelTable) -> Replica:
    """Open a replica as a rollout runs it: asked in its own process, beside what others keep on the device."""
    replica = open_replica(setup, pool.system, layout, kernels)
    share = replica.engine.usable_share
    if setup.usable_share is None:
        share = max(share - pool.resident_bytes / visible_memory_bytes(replica), 0.0)
    engine = replace(replica.engine, front_seconds=0.0, request_seconds=0.0, usable_share=share)
    return replace(replica, engine=engine)


def layouts_for(model: Model, pool: Pool, rollout: Rollout) -> Iterator[ServingLayout]:
    """Yield the layouts of a replica to try: the one told, else those within a system, and beyond it after them."""
    if rollout.tensor is not None:
        if pool.accelerators % rollout.tensor == 0:
            yield ServingLayout(tensor=rollout.tensor, expert=rollout.expert or 1)
        return
    known = [one for one in legal_layouts(model, pool.accelerators) if pool.accelerators % one.accelerators == 0]
    yield from sorted((one for one in known if one.pipeline == 1), key=lambda one: one.accelerators)


def rolled_out(
    model: Model, answers: Answers, rollout: Rollout, pool: Pool, kernels: KernelTable, adapter_rank: int = 0
) -> tuple[Generated, Replica]:
    """Generate the answers of a step in the layout told, or in the fastest one.

    Answers that are used some steps later are generated beside those of the steps between: as many steps run at once,
    and each takes its part of the time that all of them take.

    Raises InfeasibleError where the model or an answer fits nowhere, InputError where the layout is not possible.
    """
    setup = serving_setup(model, answers, rollout, adapter_rank)
    best: tuple[Generated, Replica] | None = None
    refused: InfeasibleError | None = None
    for layout in layouts_for(model, pool, rollout):
        if best is not None and layout.accelerators > max(pool.system.accelerators, 1):
            break
        replica = opened(setup, pool, layout, kernels)
        try:
            found = played(replica, answers, rollout, pool.accelerators // layout.accelerators)
        except InfeasibleError as error:
            refused = error
            continue
        if best is None or found.seconds < best[0].seconds:
            best = found, replica
    if best is None:
        raise refused or nothing_fits(tr("no layout of the engine divides the accelerators"))
    return best


def played(replica: Replica, answers: Answers, rollout: Rollout, replicas: int) -> Generated:
    """Play the fullest of so many replicas. Raises InfeasibleError where it cannot hold the longest answer."""
    at_once, slack = rollout.batches, load_post_figures().rollout_slack.value
    together = replace(answers, prompts=answers.prompts * at_once)
    lengths = answer_lengths(together)
    longest = replace(replica, setup=replace(replica.setup, output_tokens=float(lengths[0])))
    if (short := short_bytes(longest)) > 0:
        raise nothing_fits(tr("memory: short of {bytes} bytes on each accelerator", bytes=round(short)))
    mine = dealt(lengths, max(replicas, 1))
    work = work_of(together, mine, replica.shares_prefixes)
    rules = rules_of(replica, BLOCK_TOKENS if len(work.blocks) else 0)
    ended, preempted = _ends(replica, work, rules)
    whole, nine = slack * float(ended.max()), slack * float(np.quantile(ended, NINE_OF_TEN))
    rate = float(lengths.sum()) / whole
    band = serving_band(replica, "output_tokens_per_s", rate)
    held = {**fixed_bytes(replica), "cache": max(cache_pool_bytes(replica), 0.0)}
    seconds = whole / at_once
    return Generated(
        seconds=seconds,
        tail_seconds=(whole - nine) / at_once,
        layout=replica.layout,
        replicas=replicas,
        requests=len(mine),
        longest_tokens=float(lengths[0]),
        output_tokens_per_s=rate,
        preempted=preempted,
        memory_bytes=sum(held.values()),
        bytes_by_cause=held,
        band=Band(low=seconds * rate / band.high, high=seconds * rate / band.low),
        assumed=replica.assumed,
    )


def _ends(replica: Replica, work: Work, rules: Rules) -> tuple[FloatArray, int]:
    """Play requests through one replica: when each ends, and how often one had to make room."""
    fleet = serving_play.Fleet(
        routing=serving_play.ROUND_ROBIN, least=1, most=1, flight=float(rules.sequence_limit), start_seconds=0.0,
        idle_seconds=0.0, crowding=1.0,
    )  # fmt: skip
    told = serving_play.play(work, step_times(replica), rules, fleet).told
    if (told.finish_seconds < 0).any():
        raise nothing_fits(tr("the cache holds no answer of the longest kind"))
    return told.finish_seconds, int(told.preempted.sum())
