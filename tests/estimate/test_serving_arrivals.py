"""Open arrivals: a busier replica waits longer, even gaps wait less, more than it can hold is refused."""

import pytest
from tests.estimate.replicas import load_kernels, setup, system

from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_arrivals import estimate_arrivals
from suanli.foundation.errors import InfeasibleError


def at(rate, variation=1.0, **changes):
    return estimate_arrivals(setup(**changes), system(), ServingLayout(), rate, load_kernels(), variation)


def test_a_busier_replica_waits_longer():
    waits = [at(rate).ttft_seconds for rate in (0.5, 2.0, 8.0)]
    assert waits == sorted(waits)
    assert at(8.0).tpot_seconds > at(0.5).tpot_seconds


def test_uneven_arrivals_wait_longer_than_even_ones():
    assert at(8.0, variation=4.0).ttft_seconds > at(8.0).ttft_seconds > at(8.0, variation=0.0).ttft_seconds


def test_tokens_come_out_as_fast_as_requests_come_in():
    told = at(4.0)
    assert told.requests_per_s == 4.0
    assert told.output_tokens_per_s == pytest.approx(4.0 * 500)


def test_requests_in_flight_are_rate_times_time():
    told = at(4.0)
    assert told.concurrency == pytest.approx(4.0 * (told.ttft_seconds + 499 * told.tpot_seconds), rel=0.15)


def test_a_rate_beyond_the_replica_says_how_many_would_hold_it():
    with pytest.raises(InfeasibleError, match="replicas or more"):
        at(1e4)


def test_a_model_that_does_not_fit_is_refused():
    with pytest.raises(InfeasibleError):
        at(1.0, model="meta-llama/Llama-3.1-70B")
