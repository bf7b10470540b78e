"""Speculative decoding: what drafts cost and yield, how sure the gain is, and when they stop paying."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import DEEPSEEK, LLAMA, LLAMA_70B, replica

from suanli.catalogue.serving_choices import load_serving_figures
from suanli.domain.serving import DraftKind
from suanli.domain.workload import ServingLayout
from suanli.equations.batching import accepted_per_step
from suanli.estimate.serving_bands import serving_band
from suanli.estimate.serving_gain import speculation_gain, without_drafts
from suanli.estimate.serving_memory import fixed_bytes, sequence_cache_bytes
from suanli.estimate.serving_steady import demand_of, speculation, steady_state
from suanli.estimate.serving_step import StepLoad, step_causes, step_seconds
from suanli.foundation.errors import InputError
from suanli.parts.architectures.read import named_model

SMALL = named_model("meta-llama/Llama-3.2-1B")
KINDS = (DraftKind.EAGLE, DraftKind.EAGLE3, DraftKind.MEDUSA, DraftKind.NGRAM, DraftKind.MODEL)
STEP = StepLoad(decoding=16.0, context=1000.0, verified=4.0)


def drafting(kind=DraftKind.EAGLE3, drafts=3.0, model=LLAMA, accelerator="H100-SXM", layout=None, **changes):
    own = SMALL if kind is DraftKind.MODEL else None
    return replica(
        model, accelerator, layout, drafting=kind, draft_tokens=drafts, draft_model=own, **changes
    )  # fmt: skip


def causes(one, load=STEP):
    return {name: float(spent) for name, spent in step_causes(one, load).items()}


def test_drafts_are_a_cause_of_their_own_and_leave_the_others_alone():
    one = drafting()
    with_drafts, plain = causes(one), causes(without_drafts(one))
    assert with_drafts.pop("draft") > 0
    assert with_drafts.keys() == plain.keys()
    assert all(with_drafts[name] == pytest.approx(plain[name]) for name in plain if name != "engine")


def test_a_setup_that_names_nobody_is_left_as_it_was():
    one = replica(draft_tokens=3.0)
    assert one.draft is None
    assert "draft" not in causes(one)


@pytest.mark.parametrize("kind", KINDS)
def test_more_drafts_never_cost_less(kind):
    spent = [causes(drafting(kind, drafts))["draft"] for drafts in (1.0, 2.0, 4.0)]
    assert spent == sorted(spent)


def test_a_lookup_costs_the_host_alone():
    figures = load_serving_figures().drafts[DraftKind.NGRAM]
    told = causes(drafting(DraftKind.NGRAM))["draft"]
    assert told == pytest.approx(figures.host_seconds.value + 16 * figures.sequence_seconds.value)


def test_a_draft_model_costs_its_own_steps():
    """Three passes of a model of a billion, the first of which reads all tokens that are verified."""
    one = drafting(DraftKind.MODEL)
    own = replica(SMALL)
    alone = float(step_seconds(own, StepLoad(decoding=16.0, context=1000.0)))
    assert 2.5 * alone < causes(one)["draft"] < 5 * alone


def test_weights_and_cache_of_a_drafter_take_memory():
    one, plain = drafting(DraftKind.MODEL), replica()
    assert fixed_bytes(one)["draft"] == pytest.approx(fixed_bytes(replica(SMALL))["weights"])
    more = sequence_cache_bytes(one, 1000.0) - sequence_cache_bytes(plain, 1000.0)
    assert more == pytest.approx(sequence_cache_bytes(replica(SMALL), 1000.0))
    assert demand_of(one).resident < demand_of(plain).resident


def test_heads_of_medusa_keep_nothing_of_a_sequence():
    assert sequence_cache_bytes(drafting(DraftKind.MEDUSA), 1000.0) == sequence_cache_bytes(replica(), 1000.0)


def test_layers_of_the_model_are_kept_in_its_own_format():
    one = drafting(DraftKind.MTP, 2.0, DEEPSEEK, "H200-SXM", ServingLayout(tensor=8), weight_format="fp8")
    assert one.draft.replica.scheme.name == "fp8"
    assert 0.5 < fixed_bytes(one)["draft"] / (fixed_bytes(one)["weights"] / 61) < 2.5


def test_a_measured_acceptance_stands_in_for_the_figure_and_has_no_range():
    one = drafting(acceptance=0.5)
    assert speculation(one)[1] == pytest.approx(1.875)
    assert one.draft.acceptance_low == one.draft.acceptance_high == 0.5


@pytest.mark.parametrize("quantity", ["tpot_seconds", "output_tokens_per_s"])
def test_the_range_of_acceptance_widens_the_band(quantity):
    wide, told = drafting(), drafting(acceptance=0.7)
    known, sure = serving_band(wide, quantity, 1.0), serving_band(told, quantity, 1.0)
    assert known.low < sure.low
    assert known.high > sure.high


def test_the_first_token_and_memory_do_not_feel_it():
    wide, told = drafting(), drafting(acceptance=0.7)
    for quantity in ("ttft_seconds", "memory_bytes"):
        assert serving_band(wide, quantity, 1.0) == serving_band(told, quantity, 1.0)


@settings(max_examples=15, deadline=None)
@given(chance=st.floats(0.0, 0.9), more=st.floats(0.0, 0.09), flight=st.floats(1, 300))
def test_a_likelier_acceptance_never_slows(chance, more, flight):
    one = drafting()
    rates = [
        float(steady_state(dataclasses.replace(one, draft=dataclasses.replace(one.draft, acceptance=told)), flight)
              .requests_per_s[0])
        for told in (chance, chance + more)
    ]  # fmt: skip
    assert rates[1] >= rates[0] * 0.99  # a chunk that grows by a tile costs a step of kernels: up to 1 %


def test_drafts_that_nobody_accepts_only_cost():
    gain = speculation_gain(drafting(acceptance=0.0), 8.0)
    assert gain.gain < 1
    assert gain.pays_until_concurrency == 0


def test_the_gain_is_the_rate_over_that_without_drafts():
    one = drafting()
    told = speculation_gain(one, 8.0)
    rates = [float(steady_state(which, 8.0).requests_per_s[0]) for which in (one, without_drafts(one))]
    assert told.gain == pytest.approx(rates[0] / rates[1])
    assert told.gain_low < told.gain < told.gain_high
    assert told.tokens_per_step == pytest.approx(float(accepted_per_step(0.7, 3.0)))


def test_drafts_pay_less_the_more_is_in_flight_and_stop_where_it_says():
    """Long drafts over a compute-bound load: beyond the break-even the rate is lower, before it is higher."""
    one = drafting(DraftKind.EAGLE3, 7.0, engine_version="0.10.0", acceptance=0.5)
    told = speculation_gain(one, 4.0)
    assert 1 < told.pays_until_concurrency < 400
    flights = np.asarray([0.6, 1.6]) * told.pays_until_concurrency
    rates = [steady_state(which, flights).requests_per_s for which in (one, without_drafts(one))]
    before, after = rates[0] / rates[1]
    assert before > 1 > after


def test_nobody_drafts_nothing_is_gained():
    assert speculation_gain(replica(), 8.0) is None


def test_an_engine_admits_fewer_while_it_drafts_unless_told():
    """SGLang's 48 requests, shared by the ranks whose attention is data parallel."""
    spread = ServingLayout(attention_data=8, expert=8)
    asked = {"weight_format": "fp8", "engine": "sglang"}
    one = drafting(DraftKind.MTP, 2.0, DEEPSEEK, "H200-SXM", spread, **asked)
    assert demand_of(one).resident == 48
    assert demand_of(without_drafts(one)).resident > 48
    told = drafting(DraftKind.MTP, 2.0, DEEPSEEK, "H200-SXM", spread, sequence_limit=64.0, **asked)
    assert demand_of(told).resident == 8 * 64


def test_scheduling_ahead_stops_while_drafts_are_open_in_older_versions():
    old, new = (drafting(engine_version=version) for version in ("0.11.0", "0.14.1"))
    assert (old.hides_host, new.hides_host) == (False, True)
    assert old.draft.plain_engine == new.draft.plain_engine
    assert new.draft.plain_hides_host
    assert not old.draft.plain_hides_host
    assert drafting(engine="sglang", engine_version="0.5.0").draft.plain_hides_host


def test_a_drafter_that_does_not_split_is_whole_on_every_accelerator():
    odd = named_model("Qwen/Qwen2.5-0.5B")
    one = replica(
        LLAMA_70B, layout=ServingLayout(tensor=8), drafting=DraftKind.MODEL, draft_tokens=3.0, draft_model=odd
    )
    assert one.draft.replica.layout.tensor == 1
    assert any("whole on every accelerator" in told for told in one.assumed)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"drafting": DraftKind.MTP}, "no such layers"),
        ({"acceptance": 1.0}, "0 to below 1"),
        ({"drafts": 1.5}, "whole"),
    ],
)
def test_drafts_that_cannot_be_are_refused(changes, said):
    told = {"kind": changes.pop("drafting", DraftKind.EAGLE3), **changes}
    with pytest.raises(InputError, match=said):
        drafting(**told)


def test_every_chance_has_a_range_with_a_source():
    for figures in load_serving_figures().drafts.values():
        chance = figures.acceptance
        assert 0 < chance.low < chance.value < chance.high < 1
        assert chance.source
        assert math.isfinite(figures.host_seconds.value)
