"""Traffic, engines of constant steps, and what must hold of every play."""

import numpy as np

from suanli.simulate.serving_play import Fleet, play
from suanli.simulate.serving_state import (
    MADE,
    NOBODY,
    PROMPTED,
    RUNNING,
    USED,
    WAITING,
    Rules,
    StepTimes,
    Work,
)

ONE = Fleet(routing=0, least=1, most=1, flight=1e9, start_seconds=0.0, idle_seconds=0.0, crowding=1.25)


def work(arrivals, inputs=1, outputs=1, priority=0, prompts=None, prefilled=False):
    """Make requests; numbers stand for all of them, `prompts` lists the shared blocks of each."""
    many = len(arrivals)

    def column(said):
        return np.broadcast_to(np.asarray(said, dtype=np.int64), many).copy()

    blocks = [list(one) for one in prompts] if prompts is not None else [[]] * many
    return Work(
        ready_seconds=np.asarray(arrivals, dtype=float), inputs=column(inputs), outputs=column(outputs),
        priority=column(priority), blocks=np.array([b for one in blocks for b in one], dtype=np.int64),
        first_block=np.concatenate([[0], np.cumsum([len(one) for one in blocks])]).astype(np.int64),
        prefilled=prefilled,
    )  # fmt: skip


def steady(seconds, rows, each_token=0.0):
    """Make steps that take a constant time, and some more for each token that passes."""
    return StepTimes(
        by_rows=seconds + each_token * np.arange(rows, dtype=float), by_sequences=np.zeros(rows),
        by_head=np.zeros(rows), by_decoding=np.zeros(rows), by_prompt=np.zeros(rows), state_floor_seconds=0.0,
        state_seconds=0.0, scan_tokens=1.0, decode=np.zeros((0, 28)), prefill=np.zeros((0, 28)),
        earlier=np.zeros((0, 2)), narrow=np.zeros((0, 7)), narrow_terms=np.zeros(0), slots=0.0, ranks=1.0, stages=1.0,
        context=1.0, verified=1.0, acceptance=0.0, least=np.zeros(rows),
    )  # fmt: skip


def rules(budget=64, places=8, pool=10**6, shared=1, **changes):
    told = {
        "token_budget": budget, "sequence_limit": places, "pool_blocks": pool, "block_tokens": 16,
        "shared_blocks": shared, "reserved_share": 0.0, "mixes": True, "front_seconds": 0.0, "swap_seconds": -1.0,
        "seed": 0,
    }  # fmt: skip
    return Rules(**{**told, **changes})


def check_conserved(asked, played, law):
    """Every request ends or is refused, every token is made, every block comes back or is kept for its beginning."""
    told, counts = played.told, played.replicas.counts
    done = told.finish_seconds >= 0
    assert (counts[:, RUNNING] == 0).all()
    assert (counts[:, WAITING] == 0).all()
    assert (told.left_outputs[done] == 0).all()
    assert (told.left_prompt[done] == 0).all()
    assert counts[:, MADE].sum() >= asked.outputs[done].sum()
    kept = (played.replicas.users == 0).sum(axis=1) * law.shared_blocks
    assert (played.replicas.users <= 0).all()
    assert (counts[:, USED] == kept).all()
    assert (told.first_seconds[done] >= told.admitted_seconds[done]).all()
    assert (told.admitted_seconds[done] >= asked.ready_seconds[done]).all()
    assert (told.finish_seconds[done] >= told.first_seconds[done]).all()
    if not asked.prefilled and told.preempted.sum() == 0 and done.all():
        assert counts[:, PROMPTED].sum() == (asked.inputs - told.hit_tokens).sum()
        assert counts[:, MADE].sum() == asked.outputs.sum()
    assert (told.finish_seconds[~done] == NOBODY).all()


__all__ = ["ONE", "Fleet", "check_conserved", "play", "rules", "steady", "work"]
