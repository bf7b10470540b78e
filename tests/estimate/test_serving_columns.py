"""What a serving search judges: every setting as the closed forms tell it, fleets that fit, pools matched by rate."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import LLAMA, LLAMA_70B, MIXTURE, load_kernels, setup, system

from suanli.domain.workload import ServingLayout
from suanli.estimate.front import front_of_two, on_front
from suanli.estimate.serving_apart import Apart, apart_run, prefill_seconds
from suanli.estimate.serving_choice import (
    Bound,
    Limits,
    Objective,
    badness,
    best_of_mode,
    bound_of,
    front_rows,
    nearest,
    one_of_each,
    ranked,
    within,
)
from suanli.estimate.serving_columns import (
    NONE,
    Size,
    apart_columns,
    replica_rates,
    systems_needed,
    systems_of_both,
    together_columns,
)
from suanli.estimate.serving_judged import judge
from suanli.estimate.serving_steady import steady_state
from suanli.estimate.serving_units import Shortfall, layouts_of, open_units
from suanli.parts.architectures.read import named_model

LIMITS = Limits(ttft_seconds=1.0, tpot_seconds=0.02)
FILL = Size(accelerators=16, rate_per_s=None, headroom=0.2)
HOLD = Size(accelerators=None, rate_per_s=30.0, headroom=0.2)


def units(model=LLAMA_70B, box="H200-SXM", accelerators=16, **changes):
    asked = setup(model, **{"input_tokens": 4000.0, "output_tokens": 500.0, **changes})
    return open_units([asked], system(box), load_kernels(), accelerators)


@pytest.fixture(scope="module")
def opened():
    return units(LLAMA)


def test_every_unit_holds_a_request_and_stays_within_the_accelerators(opened):
    assert all(unit.demand.resident >= 1 and unit.accelerators <= 16 for unit in opened)


def test_a_model_that_fits_no_system_says_by_how_much():
    found = units("deepseek-ai/DeepSeek-R1", "RTX-4090", accelerators=8)
    assert isinstance(found, Shortfall)
    assert found.short_bytes > 0


def test_a_model_too_large_for_one_system_spans_several():
    found = open_units([setup("deepseek-ai/DeepSeek-R1", weight_format="bf16")], system(), load_kernels(), None)
    assert {unit.accelerators for unit in found} <= {16, 32}


def test_layouts_are_told_once():
    for model in (LLAMA, MIXTURE):
        found = list(layouts_of(named_model(model), system(), load_kernels(), 16))
        assert len(found) == len(set(found))


def test_mixtures_split_attention_by_data_over_tensor_groups():
    found = list(layouts_of(named_model(MIXTURE), system(), load_kernels(), 8))
    assert ServingLayout(tensor=2, attention_data=4, expert=8) in found
    assert not any(layout.attention_data > 1 for layout in layouts_of(named_model(LLAMA), system(), load_kernels(), 8))


def test_together_is_the_steady_state_of_each_setting(opened):
    found = together_columns(opened, FILL)
    for row in range(0, len(found), 97):
        steady = steady_state(opened[found.unit[row]].replica, found.flight[row])
        assert found.ttft_seconds[row] == pytest.approx(steady.ttft_seconds[0])
        assert found.tpot_seconds[row] == pytest.approx(steady.tpot_seconds[0])
        assert found.requests_per_s[row] == pytest.approx(found.replicas[row] * steady.requests_per_s[0])


def test_accelerators_are_filled_and_never_more(opened):
    for found in (together_columns(opened, FILL), apart_columns(opened, FILL)):
        assert len(found)
        assert (found.accelerators <= 16).all()
    together = together_columns(opened, FILL)
    each = np.array([unit.accelerators for unit in opened])[together.unit]
    assert (together.replicas == 16 // each).all()


def test_apart_is_rate_matching_by_hand(opened):
    found = apart_columns(opened, FILL)
    for row in range(0, len(found), 211):
        first, unit = opened[found.prefill[row]], opened[found.unit[row]]
        decode_rate, prefill_rate = replica_rates(found, opened, row)
        ranks = first.replica.layout.attention_data
        assert prefill_rate == pytest.approx(ranks / prefill_seconds(first.replica, first.demand))
        assert found.prefills[row] == math.ceil(found.replicas[row] * decode_rate / prefill_rate)
        assert found.requests_per_s[row] == pytest.approx(
            min(found.replicas[row] * decode_rate, found.prefills[row] * prefill_rate)
        )
        more = found.replicas[row] + 1
        prefills = math.ceil(more * decode_rate / prefill_rate)
        assert more * unit.accelerators + prefills * first.accelerators > 16


def test_apart_agrees_with_the_run_of_so_many_requests_in_flight(opened):
    found = apart_columns(opened, FILL)
    for row in range(0, len(found), 301):
        pair = Apart(
            prefill=opened[found.prefill[row]].replica, prefills=int(found.prefills[row]),
            decode=opened[found.unit[row]].replica, decodes=int(found.replicas[row]),
        )  # fmt: skip
        flight = found.replicas[row] * found.flight[row] + found.requests_per_s[row] * found.ttft_seconds[row]
        run = apart_run(pair, flight)
        assert run.requests_per_s == pytest.approx(found.requests_per_s[row], rel=0.02)
        assert run.tpot_seconds == pytest.approx(found.tpot_seconds[row], rel=0.02)
        assert run.ttft_seconds == pytest.approx(found.ttft_seconds[row], rel=0.02)


def test_the_best_fleet_is_that_of_brute_force_over_all_sizes(opened):
    """Every number of prefill and decode replicas that fits is tried in plain loops; none does more."""
    found = apart_columns(opened, FILL)
    allowed = within(found, LIMITS)
    most = 0.0
    for number, (first, unit) in enumerate(itertools.product(opened, opened)):
        prefill, decode = divmod(number, len(opened))
        rows = np.flatnonzero((found.unit == decode) & (found.prefill == prefill) & (found.tpot_seconds <= 0.02))
        for row in rows.tolist():
            decode_rate, prefill_rate = replica_rates(found, opened, row)
            for replicas in range(1, 16 // unit.accelerators + 1):
                left = (16 - replicas * unit.accelerators) // first.accelerators
                if left >= math.ceil(replicas * decode_rate / prefill_rate) and allowed[row]:
                    most = max(most, replicas * decode_rate)
    assert most > 0
    assert float(np.where(allowed, found.requests_per_s, 0).max()) == pytest.approx(most)


@pytest.mark.parametrize("size", [FILL, HOLD])
@pytest.mark.parametrize("objective", list(Objective))
def test_the_first_row_is_the_least_bad_within_the_limits(opened, size, objective):
    for found in (together_columns(opened, size), apart_columns(opened, size)):
        bad = badness(found, size, objective, 1000.0 * found.systems)
        allowed = within(found, LIMITS)
        order = ranked(found, bad, allowed)
        assert set(order.tolist()) == set(np.flatnonzero(allowed).tolist())
        assert bad[order[0]] == bad[allowed].min()
        assert (np.diff(bad[order]) >= -1e-9 * bad[order][:-1]).all()


def test_a_rate_is_held_with_its_headroom(opened):
    for found in (together_columns(opened, HOLD), apart_columns(opened, HOLD)):
        assert (found.requests_per_s * (1 - HOLD.headroom) >= HOLD.rate_per_s * (1 - 1e-9)).all()


def test_of_each_kind_only_the_best_is_kept(opened):
    found = apart_columns(opened, FILL)
    order = ranked(found, badness(found, FILL, Objective.THROUGHPUT, found.systems), within(found, LIMITS))
    kept = one_of_each(found, order, 6)
    kinds = [(found.prefill[row], found.unit[row]) for row in kept]
    assert len(kinds) == len(set(kinds)) == 6
    assert kept[0] == order[0]
    assert best_of_mode(found, order, apart=False) is None
    assert best_of_mode(found, order, apart=True) == order[0]


def test_the_limit_that_binds_is_broken_by_the_next_in_flight(opened):
    found = together_columns(opened, FILL)
    limits = Limits(tpot_seconds=0.02)
    order = ranked(found, badness(found, FILL, Objective.THROUGHPUT, found.systems), within(found, limits))
    assert bound_of(found, int(order[0]), limits) is Bound.TPOT
    assert bound_of(found, int(order[0]), Limits()) in (Bound.PLACES, Bound.WHOLE)


def test_the_nearest_limits_can_be_kept(opened):
    found = together_columns(opened, FILL)
    near = nearest(found, Limits(ttft_seconds=1e-6, tpot_seconds=1e-6))
    kept = Limits(ttft_seconds=found.ttft_seconds[near.row], tpot_seconds=found.tpot_seconds[near.row])
    assert within(found, kept).any()
    assert math.isinf(near.ttft_beside_seconds)
    assert near.least_tpot_seconds == found.tpot_seconds.min()


def test_the_front_is_not_beaten(opened):
    found = together_columns(opened, FILL)
    speed, rate = 1 / found.tpot_seconds, found.requests_per_s * 500 / found.accelerators
    rows = front_rows(found, opened)
    assert (np.diff(speed[rows]) < 0).all()
    assert (np.diff(rate[rows]) > 0).all()
    for row in rows.tolist():
        assert not ((speed > speed[row]) & (rate >= rate[row])).any()
        assert not ((speed >= speed[row]) & (rate > rate[row])).any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_the_sorted_front_is_the_front_of_all_pairs(pairs):
    first, second = (np.array([pair[at] for pair in pairs], dtype=float) for at in (0, 1))
    kept = {pairs[row] for row in front_of_two(first, second).tolist()}
    slow = on_front([(-one, -other) for one, other in pairs])
    assert kept == {pair for pair, front in zip(pairs, slow, strict=True) if front}


@pytest.mark.parametrize(
    ("replicas", "each", "per_system", "needed"),
    [(3, 4, 8, 2), (4, 8, 8, 4), (2, 16, 8, 4), (5, 3, 8, 3), (1, 1, 8, 1)],
)
def test_replicas_are_packed_into_whole_systems(replicas, each, per_system, needed):
    assert systems_needed(replicas, each, per_system) == needed


def test_pools_share_systems_where_their_sizes_divide_one():
    assert systems_of_both(4, 1, 1, 4, 8) == 1
    assert systems_of_both(2, 3, 1, 4, 8) == 2


def test_formats_that_come_to_the_same_are_judged_once():
    asked = [[setup("deepseek-ai/DeepSeek-R1", weight_format=name)] for name in ("fp8", "fp8_block")]
    one, two = (judge(asked[:many], [system("H200-SXM")], load_kernels(), FILL) for many in (1, 2))
    names = {unit.replica.scheme.name for unit in two.units}
    assert len(two.units) == len(one.units) * len(names)


def test_limits_of_the_engine_are_judged_each():
    asked = [setup(LLAMA, token_budget=budget) for budget in (2048.0, 8192.0)]
    found = judge([asked], [system()], load_kernels(), FILL, "together")
    assert {unit.replica.engine.token_budget for unit in found.units} == {2048.0, 8192.0}
    assert (found.columns.prefill == NONE).all()


def test_a_smaller_space_is_never_better():
    def best(*groups):
        found = judge(groups, [system("H200-SXM")], load_kernels(), FILL)
        return float(np.where(within(found.columns, LIMITS), found.columns.requests_per_s, 0).max())

    wide, narrow = [setup(LLAMA)], [setup(LLAMA, weight_format="fp8")]
    assert best(wide, narrow) >= max(best(wide), best(narrow))
