"""The free figures: each has a holder, a meaning, bounds that hold it, and one value whoever holds it."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.calibrate.made import FREE, KNOWN

from suanli.api.calibrate import holder_of as told_holder
from suanli.calibrate.apply import value_of
from suanli.calibrate.figures import FREE_FILE, check_holders, holder_of, load_free
from suanli.calibrate.reference import page_text
from suanli.foundation.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "free-figures.md"
FIGURES = pytest.mark.parametrize("figure", FREE.figures, ids=lambda one: f"{one.name}-{holder_of(one)}")


def test_every_holder_is_known():
    check_holders(FREE.figures, KNOWN)


@FIGURES
def test_a_figure_starts_inside_its_bounds_and_says_what_it_means(figure):
    assert figure.low <= figure.start <= figure.high
    assert 0 < figure.width < figure.high - figure.low
    assert figure.meaning
    assert not (figure.software and figure.hardware)


@FIGURES
def test_the_shipped_value_is_the_same_for_every_holder(figure):
    for name in (figure.name, *figure.also):
        for holder in figure.software:
            assert value_of(KNOWN, replace(figure, name=name, software=(holder,))) == value_of(KNOWN, figure)
        for holder in figure.hardware:
            assert value_of(KNOWN, replace(figure, name=name, hardware=(holder,))) == value_of(KNOWN, figure)


@FIGURES
def test_the_shipped_value_is_inside_its_bounds(figure):
    assert figure.low <= value_of(KNOWN, figure) <= figure.high


def test_no_holder_has_a_figure_twice():
    held = [
        (name, holder)
        for one in FREE.figures
        for name in (one.name, *one.also)
        for holder in (*one.software, *one.hardware, *(() if one.software or one.hardware else ("cluster",)))
    ]
    assert len(held) == len(set(held))


def test_the_api_names_holders_alike():
    assert [holder_of(one) for one in FREE.figures] == [told_holder(one) for one in FREE.figures]


def test_unknown_holders_and_figures_are_named_at_once():
    first = FREE.figures[0]
    wrong = (
        replace(first, software=("megatron_coer",)),
        replace(first, name="pass_facto"),
        replace(first, name="rope"),
    )
    with pytest.raises(InputError) as caught:
        check_holders(wrong, KNOWN)
    assert len(caught.value.faults) == 3
    assert "megatron_core" in str(caught.value)


def test_a_figure_without_a_meaning_is_refused(tmp_path):
    file = tmp_path / "free.yaml"
    file.write_text(FREE_FILE.read_text("utf-8").replace("figure: scan_factor,", "figure: scan_facto,"), "utf-8")
    with pytest.raises(InputError, match="scan_factor"):
        load_free(file)


def test_the_page_of_the_manual_is_up_to_date():
    assert PAGE.read_text("utf-8") == page_text(), "run scripts/write-free-figures"
