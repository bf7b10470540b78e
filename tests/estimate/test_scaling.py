"""Each law gives what its paper says; the band spans the laws that count; serving shifts work from size to text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.catalogue.scaling_laws import FILE, find_law, read_scaling_laws, scaling_laws
from suanli.estimate import scaling
from suanli.estimate.shape import model_of_size, shape_of
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Kind

GOPHER, LLAMA = 5.76e23, 3.8e25
PRINTED = {
    "hoffmann_1": (GOPHER, 67e9, 1.433e12),
    "hoffmann_2": (GOPHER, 63e9, 1.524e12),
    "hoffmann_3": (GOPHER, 40.3e9, 2.38e12),
    "hoffmann_3_rounded": (GOPHER, 32.2e9, 2.98e12),
    "besiroglu_2024": (GOPHER, 72.2e9, 1.329e12),
    "refit_240": (GOPHER, 73.2e9, 1.311e12),
    "llama_3": (LLAMA, 402e9, 16.55e12),
}
"""Budget, parameters, tokens."""

SCALED = ["besiroglu_2024", "refit_240", "hoffmann_3"]
BUDGETS = st.floats(18, 27).map(lambda power: 10**power)


def test_the_file_has_no_fault():
    assert read_scaling_laws(FILE)[1] == []
    assert scaling_laws().default in scaling_laws().laws


@pytest.mark.parametrize("name", PRINTED)
def test_a_law_gives_what_its_source_prints(name):
    flop, parameters, tokens = PRINTED[name]
    split = scaling.split_of(find_law(name, "--law"), flop)
    assert split.parameters == pytest.approx(parameters, rel=0.05 if name == "llama_3" else 3e-3)
    assert split.tokens == pytest.approx(tokens, rel=3e-3)


@pytest.mark.parametrize(
    ("name", "of_parameters", "of_tokens"),
    [
        ("hoffmann_1", 0.50, 0.50),
        ("hoffmann_2", 0.49, 0.51),
        ("hoffmann_3", 0.46, 0.54),
        ("deepseek_2024", 0.5243, 0.4757),
    ],
)
def test_sizes_and_texts_grow_with_the_budget_as_their_source_prints(name, of_parameters, of_tokens):
    law = find_law(name, "--law")
    small, large = (scaling.split_of(law, flop) for flop in (1e22, 1e24))
    assert math.log(large.parameters / small.parameters, 100) == pytest.approx(of_parameters, abs=0.005)
    assert math.log(large.tokens / small.tokens, 100) == pytest.approx(of_tokens, abs=0.005)


def test_llama_3s_factor_as_printed_is_over_rounded():
    split = scaling.split_of(find_law("llama_3_rounded", "--law"), LLAMA)
    assert split.tokens == pytest.approx(1.05e13, rel=0.01)
    assert not split.in_band


def test_every_constant_says_its_range_and_where_it_is_from_memory():
    known = scaling_laws()
    for figures in (*(law.figures for law in known.laws.values()), known.batch):
        for name, figure in figures.items():
            assert figure.range_given, name
            assert figure.low <= figure.value <= figure.high
            assert figure.low < figure.high or figure.note == "by definition"
    of_papers = [
        figure for law in known.laws.values() for figure in law.figures.values() if "points" not in figure.source
    ]
    assert all("recalled" in figure.note or figure.note == "by definition" for figure in of_papers)
    assert {figure.kind for figure in of_papers} == {Kind.ESTIMATE}


def test_deepseeks_batch_and_learning_rate_are_what_its_laws_print():
    """0.2920 C^0.3271 tokens and 0.3118 C^-0.1250 at 1e24 FLOP."""
    batch = scaling.batch_of(1.96, 1e24, 4096, 8)
    assert batch.best_tokens == pytest.approx(0.2920 * 1e24**0.3271)
    assert batch.best_learning_rate == pytest.approx(3.118e-4)
    assert batch.critical_low_tokens < batch.critical_tokens < batch.critical_high_tokens


def test_deepseeks_two_powers_are_one_budget():
    """FLOP a token 0.1715 C^0.5243 and tokens 5.8316 C^0.4757, as printed."""
    split = scaling.split_of(find_law("deepseek_2024", "--law"), 1e24)
    assert 6 * split.parameters == pytest.approx(0.1715 * 1e24**0.5243, rel=1e-3)
    assert split.tokens == pytest.approx(5.8316 * 1e24**0.4757)


@given(BUDGETS)
def test_every_split_spends_the_budget(flop):
    for split in scaling.all_splits(flop):
        assert 6 * split.parameters * split.tokens == pytest.approx(flop)


@given(BUDGETS, st.floats(1.1, 100))
def test_more_budget_is_never_a_smaller_model_nor_a_worse_loss(flop, more):
    for few, many in zip(scaling.all_splits(flop), scaling.all_splits(flop * more), strict=True):
        assert many.parameters > few.parameters
        assert many.tokens > few.tokens
        assert many.loss_nats_per_token is None or many.loss_nats_per_token < few.loss_nats_per_token


def test_the_band_spans_the_laws_that_count():
    splits = scaling.all_splits(1e24)
    band = scaling.band_over(splits)
    counted = [split.parameters for split in splits if split.in_band]
    assert (band["parameters"].low, band["parameters"].high) == (min(counted), max(counted))
    left_out = {split.law for split in splits if not split.in_band}
    assert left_out == {"kaplan_2020", "hoffmann_3_rounded", "refit_245", "llama_3_rounded"}


def test_a_side_that_is_fixed_stays_as_it_is():
    law = find_law("", "--law")
    assert scaling.split_of(law, 6e22, parameters=1e10).tokens == pytest.approx(1e12)
    assert scaling.split_of(law, 6e22, tokens=1e12).parameters == pytest.approx(1e10)


@pytest.mark.parametrize("name", SCALED)
@given(flop=BUDGETS, power=st.floats(9, 16))
def test_serving_makes_models_smaller_at_the_same_loss(name, flop, power):
    law = find_law(name, "--law")
    before = scaling.split_of(law, flop)
    after, serving = scaling.served(law, before, 10**power)
    assert after.parameters <= before.parameters * 1.01
    assert scaling.loss_of(law, after.parameters, after.tokens) == pytest.approx(before.loss_nats_per_token, rel=1e-6)
    assert serving.total_flop == pytest.approx(after.parameters * (6 * after.tokens + 2 * 10**power))
    assert -1e-6 <= serving.saved_share < 1


def test_serving_needs_a_law_that_tells_a_loss():
    law = find_law("llama_3", "--law")
    with pytest.raises(InputError, match="llama_3"):
        scaling.served(law, scaling.split_of(law, 1e24), 1e12)


def test_an_unknown_law_is_told_the_nearest():
    with pytest.raises(InputError, match="hoffmann_1"):
        find_law("hofmann_1", "--law")


@pytest.mark.parametrize("accelerators", [1, 8, 16, 72, 384])
def test_a_batch_is_within_the_critical_one_and_can_be_shared_out(accelerators):
    batch = scaling.batch_of(1.96, 1e24, 4096, accelerators)
    odd = accelerators // (accelerators & -accelerators)
    sequences = round(batch.batch_tokens / 4096)
    assert batch.critical_tokens / 2 < batch.batch_tokens <= batch.critical_tokens
    assert sequences % odd == 0
    assert (sequences // odd).bit_count() == 1


@given(st.floats(8, 12.5).map(lambda power: 10**power))
def test_a_shaped_model_has_about_its_parameters(wanted):
    shape = shape_of(model_of_size(wanted))
    assert shape.parameters == pytest.approx(wanted, rel=0.15)
    assert shape.hidden == 128 * shape.heads


def test_eight_billion_parameters_take_llama_3s_own_shape():
    shape = shape_of(model_of_size(8.03e9))
    assert (shape.layers, shape.hidden, shape.heads) == (32, 4096, 32)
    assert shape.parameters == 8030261248
