"""Traffic replayed as a user asks for it: files and names, replicas, decode apart, wrong questions."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from suanli.api.replay import ReplayQuestion, replay, requests_of
from suanli.foundation.errors import InfeasibleError, InputError

ASKED = ReplayQuestion(model="LLAMA3_8B", system="dgx-h100", traffic="azure-2023-conv", requests=400, rate_per_s=4.0)


def test_every_request_is_served_and_its_times_are_in_order():
    told = replay(ASKED)
    served = told.served
    assert told.completed == told.requests == 400
    assert told.computed_tokens == told.prompt_tokens
    assert (served.queue_seconds <= served.ttft_seconds).all()
    assert (served.ttft_seconds <= served.finish_seconds).all()
    later = requests_of(ASKED).output_tokens - 1
    spent = served.ttft_seconds + np.nan_to_num(served.tpot_seconds) * later
    assert served.finish_seconds == pytest.approx(spent)
    assert told.ttft.p50 <= told.ttft.p90 <= told.ttft.p99


def test_more_requests_a_second_wait_longer_and_more_replicas_less():
    quiet, busy = replay(ASKED), replay(replace(ASKED, rate_per_s=12.0))
    assert busy.tpot.p50 > quiet.tpot.p50
    spread = replay(replace(ASKED, rate_per_s=12.0, replicas=4))
    assert spread.finish.p50 < busy.finish.p50
    assert spread.replica_seconds > 2 * busy.replica_seconds


def test_targets_count_who_was_served_well():
    told = replay(replace(ASKED, ttft_limit_seconds=0.15, tpot_limit_seconds=0.02))
    served = told.served
    met = (served.ttft_seconds <= 0.15) & (np.isnan(served.tpot_seconds) | (served.tpot_seconds <= 0.02))
    assert told.good_share == pytest.approx(met.mean())
    assert told.goodput_per_s == pytest.approx(met.sum() / told.span_seconds)


def test_talks_find_their_beginnings_in_the_cache_and_prefix_routing_finds_more():
    asked = replace(ASKED, traffic="sharegpt", turns=5.0, system_tokens=512, replicas=4, rate_per_s=8.0, requests=1500)
    spread, kept = (replay(replace(asked, routing=routing)) for routing in ("round-robin", "prefix"))
    assert 0.2 < spread.hit_share < kept.hit_share < 1
    assert kept.computed_tokens < spread.computed_tokens


def test_decode_apart_makes_the_same_tokens_and_prompts_hold_nobody_up():
    asked = replace(ASKED, rate_per_s=8.0)
    apart, together = replay(replace(asked, decode_replicas=1)), replay(replace(asked, replicas=2))
    assert apart.completed == together.completed
    assert apart.output_tokens == together.output_tokens
    assert apart.itl.p99 < together.itl.p99


def test_replicas_come_as_requests_do():
    grows = replace(ASKED, rate_per_s=30.0, most_replicas=4, flight=20.0, start_seconds=5.0)
    told = replay(grows)
    assert told.replicas == 4
    assert len(set(told.served.replica.tolist())) > 1
    assert told.replica_seconds < replay(replace(grows, replicas=4)).replica_seconds


def test_a_file_is_replayed_at_its_own_pace(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,100,5\n1,100,5\n7,100,5\n", encoding="utf-8")
    told = replay(replace(ASKED, traffic=str(path), requests=None, rate_per_s=None))
    assert told.requests == 3
    assert list(told.served.arrival_seconds) == [0, 1, 7]


def test_a_client_that_keeps_few_on_their_way_waits_less_than_one_that_keeps_many():
    few, many = (replay(replace(ASKED, rate_per_s=None, concurrency=flight)) for flight in (2, 32))
    assert few.ttft.p50 < many.ttft.p50
    assert few.tpot.p50 < many.tpot.p50
    assert few.output_tokens_per_s < many.output_tokens_per_s
    assert few.samples[:, 1:3].sum(axis=1).max() <= 2


def test_a_smaller_budget_spreads_prompts_over_more_steps():
    wide, narrow = replay(replace(ASKED, token_budget=8192)), replay(replace(ASKED, token_budget=256))
    assert narrow.steps > wide.steps
    assert narrow.itl.p99 < wide.itl.p99
    assert replay(replace(ASKED, sequence_limit=1)).queue.p50 > wide.queue.p50


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"concurrency": 4, "replicas": 2}, "one replica"),
        ({"concurrency": 0, "token_budget": 0, "gap_variation": 0.0}, "3 fault"),
        ({"traffic": "azure-2023"}, "azure-2023-conv"),
        ({"replicas": 0, "routing": "nearest"}, "2 fault"),
        ({"rate_per_s": float("nan")}, "--rate"),
        ({"turns": 0.5}, "--turns"),
    ],
)
def test_wrong_questions_are_refused_with_what_is_allowed(changes, said):
    with pytest.raises(InputError) as refused:
        replay(replace(ASKED, **changes))
    assert said in f"{len(refused.value.faults)} fault: {refused.value}"


def test_a_model_that_leaves_no_room_for_a_cache_is_infeasible_with_what_would_free_it():
    with pytest.raises(InfeasibleError, match="no room for a cache") as refused:
        replay(replace(ASKED, model="LLaMA2-70B"))
    assert "--tp" in refused.value.relief


@pytest.mark.parametrize("rate", [1.0, 4.0, 8.0])
def test_means_under_open_arrivals_are_those_of_the_closed_form(rate):
    """Two ways of one step model: played and in closed form, at a third of capacity and below."""
    from suanli.api.model import find_model
    from suanli.catalogue.find import system
    from suanli.catalogue.kernels import load_kernels
    from suanli.domain.workload import ServingLayout, ServingSetup
    from suanli.estimate.serving_arrivals import estimate_arrivals

    played = replay(replace(ASKED, requests=4000, rate_per_s=rate))
    setup = ServingSetup(model=find_model(ASKED.model), input_tokens=1155, output_tokens=211, kv_format="auto")
    closed = estimate_arrivals(setup, system(ASKED.system), ServingLayout(), rate, load_kernels())
    assert played.ttft.mean == pytest.approx(closed.ttft_seconds, rel=0.1)
    assert played.tpot.mean == pytest.approx(closed.tpot_seconds, rel=0.1)
