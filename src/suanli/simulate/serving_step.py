"""One step of an engine after the other, in compiled code: who takes part, how long it takes, what comes of it."""

from __future__ import annotations

import math

import numpy as np

from suanli.simulate.compiled import fast
from suanli.simulate.serving_cache import claim, release, room, whole_blocks
from suanli.simulate.serving_draft import accepted_tokens
from suanli.simulate.serving_queue import pop, push
from suanli.simulate.serving_state import (
    DECODES,
    GAP_LEAST_SECONDS,
    GAPS_A_LOG,
    MADE,
    NOBODY,
    PREEMPTED,
    PREFILLS,
    PROMPTED,
    REFUSED,
    RUNNING,
    SAMPLES,
    USED,
    WAITING,
    Replicas,
    Requested,
    Rules,
    StepTimes,
    Watch,
    Work,
)
from suanli.simulate.serving_time import Batch, decode_attention_seconds, flat_seconds, step_seconds


@fast
def blocks_of(work: Work, rules: Rules, one: int, tokens: int) -> int:
    """Count the blocks of its own that so many cached tokens of a request need beside the shared ones."""
    own = tokens - whole_blocks(work, rules, one) * rules.shared_blocks * rules.block_tokens
    return max((own + rules.block_tokens - 1) // rules.block_tokens, 0)


@fast
def preempt(work: Work, rules: Rules, replicas: Replicas, told: Requested, at: int) -> int:
    """Send the request that was let in last back to the queue; return how many blocks go to the host."""
    one = replicas.running[at, replicas.counts[at, RUNNING] - 1]
    replicas.counts[at, RUNNING] -= 1
    replicas.counts[at, PREEMPTED] += 1
    told.preempted[one] += 1
    away = told.private[one]
    release(work, rules, replicas, told, at, one)
    push(work, replicas, told, at, one)
    if rules.swap_seconds < 0 or told.left_prompt[one] > 0:
        told.left_prompt[one] += told.cached[one]
        told.cached[one] = 0
        return 0
    told.swapped[one] = away
    return int(away)


@fast
def keeps_room(
    work: Work, times: StepTimes, rules: Rules, replicas: Replicas, told: Requested, at: int, place: int
) -> tuple[bool, int]:
    """Take the blocks that the next tokens of a running request need, preempting from the end where there are none.

    Says whether the request still runs, and how many blocks went to the host.
    """
    one, away = replicas.running[at, place], 0
    needed = blocks_of(work, rules, one, told.cached[one] + int(times.verified)) - told.private[one]
    while not room(rules, replicas, at, needed):
        last = replicas.counts[at, RUNNING] - 1
        if last == 0:
            refuse(work, rules, replicas, told, at)
            return False, away
        away += preempt(work, rules, replicas, told, at)
        if last == place:
            return False, away
    told.private[one] += needed
    told.holds[one] += needed * rules.block_tokens
    replicas.counts[at, USED] += needed
    return True, away


@fast
def refuse(work: Work, rules: Rules, replicas: Replicas, told: Requested, at: int) -> None:
    """Turn away the only running request, which the whole cache cannot hold."""
    release(work, rules, replicas, told, at, replicas.running[at, 0])
    replicas.counts[at, RUNNING] = 0
    replicas.counts[at, REFUSED] += 1


@fast
def has_prompts(replicas: Replicas, told: Requested, at: int) -> bool:
    """Say whether a running request has prompt tokens to compute."""
    left = 0
    for place in range(replicas.counts[at, RUNNING]):
        left += told.left_prompt[replicas.running[at, place]]
    return left > 0


@fast
def plan_running(
    work: Work, times: StepTimes, rules: Rules, replicas: Replicas, told: Requested, at: int, decodes: bool
) -> tuple[Batch, int]:
    """Let running requests take part, in order of admission; return the batch and what is left of the budget."""
    stages, verified = int(times.stages), int(times.verified)
    budget, decoding, cached, prompts, tokens, keys, away, place = rules.token_budget * stages, 0, 0, 0, 0, 0, 0, 0
    while place < replicas.counts[at, RUNNING]:
        one = replicas.running[at, place]
        told.chunk[one] = 0
        if told.left_prompt[one] > 0:
            chunk = min(told.left_prompt[one], budget)
            told.chunk[one] = chunk
            if chunk > 0:
                budget -= chunk
                prompts, tokens, keys = prompts + 1, tokens + chunk, keys + told.cached[one] + chunk
        elif decodes and budget > 0:
            if told.cached[one] + verified > told.holds[one]:
                stays, gone = keeps_room(work, times, rules, replicas, told, at, place)
                away += gone
                if not stays:
                    continue
            told.chunk[one] = 1
            budget -= verified
            decoding, cached = decoding + 1, cached + told.cached[one]
        place += 1
    return Batch(decoding, cached, prompts, tokens, keys, 0, away), budget


@fast
def let_in(
    work: Work,
    times: StepTimes,
    rules: Rules,
    replicas: Replicas,
    told: Requested,
    at: int,
    batch: Batch,
    budget: int,
    decodes: bool,
) -> Batch:
    """Admit waiting requests while budget, places and cache last."""
    decoding, cached, prompts, tokens, keys, came, away = batch
    shared, verified = rules.shared_blocks * rules.block_tokens, int(times.verified)
    while replicas.counts[at, WAITING] > 0 and budget > 0 and replicas.counts[at, RUNNING] < rules.sequence_limit:
        one = replicas.queue[at]
        fresh = told.left_prompt[one] > 0
        total = told.left_prompt[one] if fresh else told.cached[one] + verified
        reserved = math.ceil(rules.reserved_share * told.left_outputs[one])
        found = claim(work, rules, replicas, told, at, one, blocks_of(work, rules, one, total + reserved))
        if found == NOBODY:
            if replicas.counts[at, RUNNING] > 0:
                break
            pop(work, replicas, told, at)
            replicas.counts[at, REFUSED] += 1
            continue
        pop(work, replicas, told, at)
        replicas.running[at, replicas.counts[at, RUNNING]] = one
        replicas.counts[at, RUNNING] += 1
        came += 1
        if told.admitted_seconds[one] < 0:
            told.admitted_seconds[one] = replicas.now[at]
        told.chunk[one] = 0
        if fresh:
            hit = min(found * shared, total - 1)
            told.hit_tokens[one] += hit
            told.cached[one], told.left_prompt[one] = hit, total - hit
            chunk = min(total - hit, budget)
            told.chunk[one] = chunk
            budget -= chunk
            prompts, tokens, keys = prompts + 1, tokens + chunk, keys + hit + chunk
        else:
            away, told.swapped[one] = away + told.swapped[one], 0
            if decodes:
                told.chunk[one] = 1
                budget -= verified
                decoding, cached = decoding + 1, cached + told.cached[one]
    return Batch(decoding, cached, prompts, tokens, keys, came, away)


@fast
def note_gap(watch: Watch, seconds: float, tokens: int) -> None:
    """Count tokens that came so long after the one before."""
    place = int((math.log(max(seconds, GAP_LEAST_SECONDS)) - math.log(GAP_LEAST_SECONDS)) * GAPS_A_LOG)
    watch.gaps[min(place, len(watch.gaps) - 1)] += tokens


@fast
def finish_step(
    work: Work,
    times: StepTimes,
    rules: Rules,
    replicas: Replicas,
    told: Requested,
    watch: Watch,
    at: int,
    seconds: float,
) -> None:
    """Let the step's time pass and give every request what it made; those that are done leave.

    Tokens that follow the last step's own are counted together: their gap is this step.
    """
    began = replicas.now[at]
    now = began + seconds
    replicas.now[at] = now
    kept, steady, decoded = 0, 0, False
    for place in range(replicas.counts[at, RUNNING]):
        one = replicas.running[at, place]
        chunk, tokens = told.chunk[one], 0
        if told.left_prompt[one] > 0:
            told.left_prompt[one] -= chunk
            told.cached[one] += chunk
            replicas.counts[at, PROMPTED] += chunk
            tokens = 1 if told.left_prompt[one] == 0 else 0
        elif chunk > 0:
            decoded, tokens = True, min(accepted_tokens(times, rules, told, one), told.left_outputs[one])
            told.cached[one] += tokens
        if tokens > 0:
            replicas.counts[at, MADE] += tokens
            told.left_outputs[one] -= tokens
            if told.first_seconds[one] < 0:
                told.first_seconds[one] = now
            elif told.last_seconds[one] == began:
                steady += 1
            else:
                note_gap(watch, now - told.last_seconds[one], 1)
            told.last_seconds[one] = now
        if told.left_outputs[one] == 0:
            told.finish_seconds[one] = now
            release(work, rules, replicas, told, at, one)
        else:
            replicas.running[at, kept] = one
            kept += 1
    replicas.counts[at, RUNNING] = kept
    replicas.counts[at, DECODES] += 1 if decoded else 0
    replicas.counts[at, PREFILLS] += 0 if decoded else 1
    if steady > 0:
        note_gap(watch, seconds, steady)


@fast
def sample(replicas: Replicas, watch: Watch, now: float) -> None:
    """Note how full the replicas are."""
    rows = int(watch.sampling[2])
    if rows == SAMPLES:
        for row in range(SAMPLES // 2):
            for column in range(watch.samples.shape[1]):
                watch.samples[row, column] = watch.samples[2 * row, column]
        rows = SAMPLES // 2
        watch.sampling[1] *= 2
    watch.samples[rows, 0] = now
    for column, what in ((1, RUNNING), (2, WAITING), (3, USED)):
        watch.samples[rows, column] = 0.0
        for at in range(len(replicas.now)):
            watch.samples[rows, column] += replicas.counts[at, what]
    watch.sampling[0], watch.sampling[2] = now + watch.sampling[1], rows + 1


@fast
def take_step(
    work: Work, times: StepTimes, rules: Rules, replicas: Replicas, told: Requested, watch: Watch, at: int
) -> None:
    """Schedule one step of a replica, let its time pass, and give out what it made."""
    decodes = rules.mixes or not has_prompts(replicas, told, at)
    before = replicas.counts[at, PREEMPTED]
    batch, budget = plan_running(work, times, rules, replicas, told, at, decodes)
    if replicas.counts[at, PREEMPTED] == before:
        if not rules.mixes and batch.decoding > 0 and replicas.counts[at, WAITING] > 0:
            whole = rules.token_budget * int(times.stages)
            alone = let_in(work, times, rules, replicas, told, at, Batch(0, 0, 0, 0, 0, 0, 0), whole, False)
            batch = alone if alone.prompts > 0 else batch
            if alone.prompts > 0:
                rest(replicas, told, at)
        elif replicas.counts[at, WAITING] > 0:
            batch = let_in(work, times, rules, replicas, told, at, batch, budget, decodes)
    seconds = step_seconds(times, batch) + batch.let_in * rules.front_seconds
    seconds += batch.swap_blocks * max(rules.swap_seconds, 0.0)
    if batch.decoding + batch.prompts == 0:
        replicas.now[at] += batch.swap_blocks * max(rules.swap_seconds, 0.0)
        return
    replicas.busy_seconds[at] += seconds
    finish_step(work, times, rules, replicas, told, watch, at, seconds)
    if replicas.now[at] >= watch.sampling[0]:
        sample(replicas, watch, replicas.now[at])


@fast
def rest(replicas: Replicas, told: Requested, at: int) -> None:
    """Let decoding requests sit out a step that prompts have to themselves."""
    for place in range(replicas.counts[at, RUNNING]):
        one = replicas.running[at, place]
        if told.left_prompt[one] == 0:
            told.chunk[one] = 0


@fast
def steps_alone(
    work: Work, times: StepTimes, rules: Rules, replicas: Replicas, told: Requested, at: int
) -> tuple[int, int]:
    """Count the steps that the running requests decode with nothing else to do, and the tokens they have cached.

    None where one of them is a prompt, sat out the last step, or where the cache would not hold what the steps add.
    """
    running, least, cached, blocks = replicas.counts[at, RUNNING], np.iinfo(np.int64).max, 0, 0
    alone = times.verified == 1.0 and (replicas.counts[at, WAITING] == 0 or running == rules.sequence_limit)
    if not alone or running * int(times.verified) > rules.token_budget * int(times.stages):
        return 0, 0
    for place in range(running):
        one = replicas.running[at, place]
        if told.left_prompt[one] > 0 or told.last_seconds[one] != replicas.now[at]:
            return 0, 0
        least = min(least, told.left_outputs[one] - 1)
        cached += told.cached[one]
    if running == 0 or least <= 1:
        return 0, 0
    for place in range(running):
        one = replicas.running[at, place]
        more = told.cached[one] + least - told.holds[one]
        blocks += (more + rules.block_tokens - 1) // rules.block_tokens if more > 0 else 0
    return (least, cached) if room(rules, replicas, at, blocks) else (0, 0)


@fast
def run_alone(
    work: Work, times: StepTimes, rules: Rules, replicas: Replicas, told: Requested, watch: Watch, at: int, until: float
) -> int:
    """Take the steps that running requests decode alone, each at its own time; return how many were taken."""
    most, cached = steps_alone(work, times, rules, replicas, told, at)
    if most == 0:
        return 0
    running, done, now = replicas.counts[at, RUNNING], 0, replicas.now[at]
    flat, sampled = flat_seconds(times, Batch(running, cached, 0, 0, 0, 0, 0)), watch.sampling[0]
    least = times.least[math.ceil(running / times.stages)]
    while done < most and now < until:
        seconds = max(flat + decode_attention_seconds(times, float(running), float(cached)), least)
        now += seconds
        cached += running
        done += 1
        note_gap(watch, seconds, running)
        if now >= sampled:
            sample(replicas, watch, now)
            sampled = watch.sampling[0]
    replicas.busy_seconds[at] += now - replicas.now[at]
    replicas.now[at] = now
    replicas.counts[at, DECODES] += done
    replicas.counts[at, MADE] += done * running
    for place in range(running):
        one = replicas.running[at, place]
        told.cached[one] += done
        told.left_outputs[one] -= done
        told.last_seconds[one] = now
        if told.cached[one] > told.holds[one]:
            more = blocks_of(work, rules, one, told.cached[one]) - told.private[one]
            told.private[one] += more
            told.holds[one] += more * rules.block_tokens
            replicas.counts[at, USED] += more
    return done


@fast
def advance(
    work: Work, times: StepTimes, rules: Rules, replicas: Replicas, told: Requested, watch: Watch, at: int, until: float
) -> None:
    """Let a replica work until a time, or until it has nothing to do."""
    while replicas.now[at] < until and replicas.counts[at, RUNNING] + replicas.counts[at, WAITING] > 0:
        if run_alone(work, times, rules, replicas, told, watch, at, until) == 0:
            take_step(work, times, rules, replicas, told, watch, at)
