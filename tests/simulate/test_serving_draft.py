"""Accepted drafts by chance: the mean of the closed form, the same for a seed, every token made once."""

import numpy as np
import pytest
from tests.simulate.traffic import ONE, check_conserved, rules, steady, work

pytest.importorskip("numba")

import numba

from suanli.equations.batching import accepted_per_step
from suanli.simulate.serving_draft import uniform
from suanli.simulate.serving_play import play
from suanli.simulate.serving_state import DECODES

STEP = 0.01


@numba.njit
def drawn_at(seed, request, place):
    return uniform(seed, request, place)


def drafting(drafts, chance, rows=4096):
    return steady(STEP, rows)._replace(verified=1.0 + drafts, acceptance=chance)


def test_numbers_drawn_are_even_between_nothing_and_one():
    drawn = np.asarray([drawn_at(7, request, place) for request in range(200) for place in range(200)])
    assert drawn.min() > 0
    assert drawn.max() <= 1
    assert drawn.mean() == pytest.approx(0.5, abs=0.005)
    assert drawn.var() == pytest.approx(1 / 12, rel=0.02)


def test_neighbours_share_nothing():
    one, next_place, next_request = (
        np.asarray([drawn_at(0, request + more, place + far) for request in range(100) for place in range(100)])
        for more, far in ((0, 0), (0, 1), (1, 0))
    )
    assert abs(np.corrcoef(one, next_place)[0, 1]) < 0.03
    assert abs(np.corrcoef(one, next_request)[0, 1]) < 0.03


@pytest.mark.parametrize(("drafts", "chance"), [(1, 0.5), (3, 0.7), (7, 0.9), (4, 0.0)])
def test_a_step_yields_the_closed_form_s_mean(drafts, chance):
    """One request of 20,000 tokens; its steps are known, and the first token is the prompt's."""
    played = play(work([0.0], inputs=1, outputs=20_001), drafting(drafts, chance), rules(budget=4096), ONE)
    steps = played.replicas.counts[0, DECODES]
    assert 20_000 / steps == pytest.approx(float(accepted_per_step(chance, float(drafts))), rel=0.02)


def test_every_token_is_made_once_and_every_block_comes_back():
    asked = work(np.linspace(0, 1, 60), inputs=40, outputs=[1, 2, 3, 50, 97, 200] * 10)
    law = rules(budget=256, places=16, pool=400)
    check_conserved(asked, play(asked, drafting(5, 0.8), law, ONE), law)


@pytest.mark.parametrize("swap", [-1.0, 0.001])
def test_a_full_cache_preempts_and_ends_all_the_same(swap):
    asked = work([0.0] * 4, inputs=16, outputs=48)
    law = rules(budget=256, pool=14, swap_seconds=swap)
    played = play(asked, drafting(3, 0.7), law, ONE)
    check_conserved(asked, played, law)
    assert played.told.preempted.sum() > 0


def test_the_same_seed_plays_the_same_and_another_otherwise():
    asked = work(np.linspace(0, 1, 40), inputs=20, outputs=60)
    ends = [play(asked, drafting(3, 0.7), rules(budget=256, seed=seed), ONE).told.finish_seconds for seed in (5, 5, 6)]
    assert ends[0].tobytes() == ends[1].tobytes()
    assert ends[0].tobytes() != ends[2].tobytes()


def test_drafts_fill_the_budget():
    """Sixteen sequences of four tokens each fill a step of sixty-four; of plain ones all sixty-four fit."""
    asked = work([0.0] * 64, inputs=1, outputs=100)
    told = [
        play(asked, times, rules(budget=64, places=64), ONE).told.finish_seconds.max()
        for times in (steady(STEP, 4096), drafting(3, 0.0))
    ]
    assert told[1] > 3 * told[0]


def test_without_drafts_no_chance_is_drawn():
    asked = work(np.linspace(0, 1, 40), inputs=20, outputs=60)
    one, other = (play(asked, steady(STEP, 4096), rules(seed=seed), ONE).told for seed in (1, 2))
    assert one.finish_seconds.tobytes() == other.finish_seconds.tobytes()
