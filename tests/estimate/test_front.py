"""The Pareto front: nobody on it is beaten, and whoever is off it is beaten by somebody on it."""

from hypothesis import given
from hypothesis import strategies as st

from suanli.estimate.front import on_front

value = st.none() | st.integers(0, 4).map(float)
rows = st.lists(st.tuples(value, value, value), max_size=12)


def most(row):
    return tuple(float("inf") if value is None else value for value in row)


def beats(one, other):
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


@given(options=rows)
def test_off_the_front_is_what_somebody_beats(options):
    told, all_rows = on_front(options), [most(row) for row in options]
    assert told == [not any(beats(other, one) for other in all_rows) for one in all_rows]


@given(options=rows.filter(bool))
def test_a_front_is_never_empty_and_beats_all_others(options):
    told, all_rows = on_front(options), [most(row) for row in options]
    front = [row for row, chosen in zip(all_rows, told, strict=True) if chosen]
    assert front
    assert all(any(beats(best, row) for best in front) for row, on in zip(all_rows, told, strict=True) if not on)


def test_equal_options_are_both_on_the_front():
    assert on_front([(1.0, 2.0), (1.0, 2.0)]) == [True, True]
