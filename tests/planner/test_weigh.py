"""What each system does for each workload: sizes that make sense, refusals with reasons, targets that are kept."""

import functools
import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner import sample

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.hardware import Cluster, Precision
from suanli.domain.result import Band
from suanli.domain.scenario import Reliability
from suanli.estimate.search import MEMORY_MARGIN
from suanli.estimate.training import estimate_layout
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.read import named_model
from suanli.planner.goodput import interruptions
from suanli.planner.ground import lay_ground
from suanli.planner.performance import Performance, Refusal
from suanli.planner.weigh import weigh, weigh_one
from suanli.planner.weigh_serving import median_limit
from suanli.planner.weigh_training import BAND_WIDTH_IN_DEVIATIONS, Desk, setup_of, spread_of, weigh_at

KNOWN = catalogue()
BOX, OLD = KNOWN.systems["dgx-a800-640"], KNOWN.systems["dgx-1-v100"]
TINY, SMALL, LARGE = (
    named_model("Qwen/Qwen3-1.7B"),
    named_model("Qwen/Qwen3-8B"),
    named_model("meta-llama/Llama-3.1-405B"),
)


@functools.cache
def desk(**said):
    ground = lay_ground(sample.scenario(reliability=Reliability(**said)))
    return Desk(
        kernels=load_kernels(),
        assumptions=ground.figures,
        interruptions=interruptions(ground),
        as_of=ground.scenario.as_of,
    )


def training(**changes):
    return sample.training(**({"tokens": 20e9, "global_batch": 512} | changes))


def tuning(**changes):
    return replace(sample.tuning(), **changes)


def service(**changes):
    return replace(sample.serving(), **({"ttft_seconds": 3.0, "tpot_seconds": 0.08} | changes))


def weighed(job, model=SMALL, system=BOX, **said):
    found = weigh_one(job, model, system, desk(**said))
    assert isinstance(found, Performance), found
    return found


JOBS = {"train": training(), "tune": tuning(), "serve": service()}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_what_runs_has_a_rate_a_spread_and_a_size(job):
    found = weighed(job)
    assert 0 < found.rate_per_system < math.inf
    assert 0 < found.spread_log < 1
    assert 1 <= found.least_systems <= found.systems
    assert found.most_systems is None
    assert found.parameters == parameters(SMALL)
    assert (found.training is None) == (job.id == "serve")
    assert (found.serving is None) == (job.id != "serve")


def test_a_tighter_deadline_is_weighed_at_no_fewer_systems():
    sizes = [weighed(training(deadline=f"2024-{month:02d}", tokens=200e9)).systems for month in (2, 4, 8)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]


def test_more_tokens_are_weighed_at_no_fewer_systems():
    sizes = [weighed(training(tokens=tokens)).systems for tokens in (1e9, 1e11, 1e12)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(("least", "most"), [(4, None), (None, 2), (3, 8)])
def test_sizes_stay_within_what_was_said(least, most):
    found = weighed(training(tokens=500e9, least_systems=least, most_systems=most))
    assert found.systems >= (least or 1)
    assert found.systems <= (most or math.inf)
    assert found.least_systems >= (least or 1)
    assert found.most_systems == most


def test_a_model_that_one_system_does_not_hold_needs_several():
    found = weighed(training(tokens=1e9), LARGE)
    assert found.least_systems > 1
    assert found.training.layout.accelerators == found.systems * BOX.accelerators


def test_goodput_slows_training_by_its_share_alone():
    job = training()
    whole, half = weighed(job, training_goodput=1.0), weighed(job, training_goodput=0.5)
    assert half.rate_per_system == pytest.approx(whole.rate_per_system / 2)
    assert (half.systems, half.training) == (whole.systems, whole.training)
    assert weighed(tuning(), training_goodput=0.5) == weighed(tuning(), training_goodput=1.0)
    assert weighed(service(), training_goodput=0.5) == weighed(service(), training_goodput=1.0)


def test_a_run_that_failures_never_let_end_is_refused():
    plain = desk()
    often = replace(plain.interruptions, values={**plain.interruptions.values, "failures.middle": 1.0})
    found = weigh_one(training(), SMALL, BOX, replace(plain, interruptions=often))
    assert isinstance(found, Refusal)
    assert "never ends" in found.reason


def test_the_rate_is_the_estimates_own_shared_out():
    found = weighed(training(), training_goodput=1.0)
    assert found.rate_per_system * found.systems == pytest.approx(found.training.tokens_per_s)


def test_a_format_that_a_chip_has_not_is_refused_by_name():
    found = weigh_one(training(precision=Precision.FP8), SMALL, BOX, desk())
    assert isinstance(found, Refusal)
    assert (found.workload_id, found.system_id) == ("train", BOX.id)
    assert "fp8" in found.reason
    assert BOX.name in found.reason


def test_a_chip_without_bf16_trains_in_fp16():
    assert Precision.BF16 not in OLD.accelerator.peak_flop_per_s
    assert isinstance(weigh_one(training(tokens=1e9), SMALL, OLD, desk()), Performance | Refusal)


def test_a_model_that_fits_nowhere_is_refused_with_the_memory():
    found = weigh_one(training(tokens=1e6, most_systems=1), LARGE, OLD, desk())
    assert isinstance(found, Refusal)
    assert "memory" in found.reason


def test_a_target_that_nothing_meets_is_refused_with_the_nearest():
    found = weigh_one(service(tpot_seconds=1e-6), SMALL, BOX, desk())
    assert isinstance(found, Refusal)
    assert "closest" in found.reason


def test_a_looser_target_never_serves_fewer():
    rates = [weighed(service(tpot_seconds=limit)).rate_per_system for limit in (0.03, 0.05, 0.08, 0.2)]
    assert all(later >= earlier * (1 - 1e-9) for earlier, later in itertools.pairwise(rates))


def test_a_higher_percentile_never_serves_more():
    rates = [weighed(service(percentile=share, tpot_seconds=0.04)).rate_per_system for share in (0.5, 0.9, 0.99)]
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in itertools.pairwise(rates))


def test_longer_answers_are_fewer_requests():
    rates = [weighed(service(output_tokens=tokens)).rate_per_system for tokens in (100.0, 300.0, 900.0)]
    assert rates == sorted(rates, reverse=True)


def test_a_model_too_large_for_a_box_is_served_by_several():
    found = weighed(service(ttft_seconds=None, tpot_seconds=None), LARGE)
    assert found.serving.layout.accelerators > BOX.accelerators
    assert found.least_systems * BOX.accelerators >= found.serving.layout.accelerators


@given(limit=st.floats(1e-3, 1e3), share=st.floats(0.5, 0.999))
def test_the_median_is_held_below_the_target_of_a_percentile(limit, share):
    for deviation in ("planning.ttft_deviation", "planning.tpot_deviation"):
        assert 0 < median_limit(limit, share, desk().assumptions[deviation].value) <= limit
    assert median_limit(limit, 0.5, desk().assumptions[deviation].value) == pytest.approx(limit)


def test_no_target_is_no_limit():
    assert median_limit(None, 0.99, 0.5) == math.inf


@given(middle=st.floats(1e-6, 1e6), spread=st.floats(1e-3, 2.0))
def test_a_spread_is_read_off_the_band_it_makes(middle, spread):
    half = spread * BAND_WIDTH_IN_DEVIATIONS / 2
    band = Band(low=middle * math.exp(-half), high=middle * math.exp(half))
    assert spread_of(band) == pytest.approx(spread, rel=1e-9)


@pytest.mark.parametrize("sequence", [512, 2048, 8192, 131072])
def test_an_open_batch_is_a_power_of_two_of_about_so_many_tokens(sequence):
    setup = setup_of(training(global_batch=None, sequence_tokens=sequence), SMALL, desk())
    assert setup.global_batch & (setup.global_batch - 1) == 0
    tokens = desk().assumptions["planning.pretrain_batch_tokens"].value
    assert tokens / math.sqrt(2) <= setup.global_batch * sequence * (1 + 1e-9)
    assert setup.global_batch * sequence <= max(tokens * math.sqrt(2), sequence) * (1 + 1e-9)


def test_a_batch_that_was_said_is_taken():
    assert setup_of(training(global_batch=48), SMALL, desk()).global_batch == 48


def test_a_job_read_again_at_its_own_size_is_the_same():
    found = weighed(training())
    again = weigh_at(training(), SMALL, BOX, found.systems, found.least_systems, desk())
    assert again.rate_per_system == pytest.approx(found.rate_per_system)


def test_more_systems_do_more_in_all_though_less_each():
    job = training(tokens=100e9)
    sizes = [weigh_at(job, SMALL, BOX, systems, 1, desk()) for systems in (1, 4, 16)]
    whole = [one.rate_per_system * one.systems for one in sizes]
    assert whole == sorted(whole)


def test_boxes_in_company_do_less_each_where_one_has_memory_enough():
    """States of a small model leave room in one box already, so company only brings traffic and stragglers."""
    sizes = [weigh_at(training(tokens=100e9), TINY, BOX, systems, 1, desk()) for systems in (1, 2, 4, 8, 16)]
    each = [one.rate_per_system for one in sizes]
    assert each == sorted(each, reverse=True)


def test_boxes_do_more_each_in_company_only_by_a_layout_that_fewer_could_not_hold():
    """Sharded over more ranks states leave room for larger micro-batches and less splitting; nothing else helps."""
    job = training(tokens=100e9)
    sizes = [weigh_at(job, SMALL, BOX, systems, 1, desk()) for systems in (1, 2, 4, 8, 16)]
    for fewer, more in itertools.pairwise(sizes):
        layout = more.training.layout
        alone = replace(layout, data=layout.data * fewer.systems // more.systems)
        setup, cluster = setup_of(job, SMALL, desk()), Cluster(system=BOX, nodes=int(fewer.systems))
        held = estimate_layout(setup, cluster, alone, load_kernels(), memory_margin=MEMORY_MARGIN)
        assert more.rate_per_system <= fewer.rate_per_system or held.limit == "memory"


def test_a_size_that_no_layout_fits_is_told_as_none():
    assert weigh_at(training(), LARGE, OLD, 1, 1, desk()) is None


def test_only_the_systems_that_a_job_names_are_weighed():
    scenario = sample.scenario(workloads=(training(systems=(BOX.id,)), tuning()))
    models = {"train": SMALL, "tune": SMALL}
    found = weigh(scenario, models, [BOX, KNOWN.systems["dgx-h800"]], desk())
    assert set(found.performances) == {("train", BOX.id), ("tune", BOX.id), ("tune", "dgx-h800")}
    assert found.refusals == ()


def test_every_pair_is_either_weighed_or_refused():
    systems = [BOX, OLD, KNOWN.systems["atlas-800t-a2"]]
    scenario = sample.scenario(workloads=(training(precision=Precision.FP8), tuning(), service()))
    found = weigh(scenario, dict.fromkeys(("train", "tune", "serve"), SMALL), systems, desk())
    refused = {(refusal.workload_id, refusal.system_id) for refusal in found.refusals}
    assert len(refused) + len(found.performances) == 9
    assert not refused & set(found.performances)
    assert all(refusal.reason for refusal in found.refusals)


def test_a_model_that_needs_more_than_was_allowed_is_refused_and_not_grown_beyond_it():
    found = weigh_one(training(tokens=1e9, most_systems=4), LARGE, BOX, desk())
    assert isinstance(found, Refusal)
    assert "nodes would hold it" in found.reason


def test_a_bound_between_two_doublings_is_tried_itself():
    least = weighed(training(tokens=1e9), LARGE).systems
    found = weigh_one(training(tokens=1e9, most_systems=least + 1), LARGE, BOX, desk())
    assert isinstance(found, Performance)
    assert found.systems <= least + 1


def test_a_model_over_hundreds_of_chips_is_served_by_racks_together():
    told = weigh_one(
        service(weight_format="int8"), named_model("meta-llama/Llama-2-70b-hf"), KNOWN.systems["groq-rack"], desk()
    )
    assert isinstance(told, Performance)
    assert told.least_systems == told.systems >= 5, "seventy gigabytes in racks of sixteen"


def test_an_engine_that_does_not_run_on_a_chip_is_a_refusal_not_an_end_of_the_plan():
    told = weigh_one(service(engine="sglang", weight_format="int8"), SMALL, KNOWN.systems["groq-rack"], desk())
    assert isinstance(told, Refusal)
    assert "sglang" in told.reason


def test_what_only_serves_is_refused_to_training_jobs():
    told = weigh_one(training(), TINY, KNOWN.systems["groq-rack"], desk())
    assert isinstance(told, Refusal)
    assert "only serves" in told.reason
