"""Words beside points never lie on each other, and the chosen point's words come first."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from suanli.report import crowding

MONTHS = st.builds("{}-{:02d}-01".format, st.integers(2023, 2027), st.integers(1, 12))
NAMES = st.text(alphabet="abcdefghij 推荐方案", min_size=1, max_size=28)
POINTS = st.lists(st.tuples(MONTHS, st.floats(1e5, 1e9), NAMES), max_size=12)


def placed(points: list[tuple[str, float, str]], chosen: int = 0) -> list[dict[str, Any]]:
    rows = [
        {"month": month, "cost": cost, "name": name, "chosen": index == chosen}
        for index, (month, cost, name) in enumerate(points)
    ]
    crowding.place_words(rows)
    return rows


def boxes(rows: list[dict[str, Any]]) -> list[tuple[float, float, float, float]]:
    """Compute anew where the words lie, from the rows alone."""
    months = [12 * int(row["month"][:4]) + int(row["month"][5:7]) for row in rows]
    across = share([float(month) for month in months])
    down = share([row["cost"] for row in rows])
    made = []
    for row, x_share, y_share in zip(rows, across, down, strict=True):
        x, y = x_share * crowding.WIDTH_LETTERS, y_share * crowding.HEIGHT_LINES
        length = sum(2.0 if ord(letter) > 0x2E80 else 1.0 for letter in row["name"])
        if row["right"]:
            made.append((x + crowding.GAP_LETTERS, y, x + crowding.GAP_LETTERS + length, y + 1))
        if row["left"]:
            made.append((x - crowding.GAP_LETTERS - length, y, x - crowding.GAP_LETTERS, y + 1))
    return made


def share(values: list[float]) -> list[float]:
    if not values:
        return []
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


@given(POINTS)
def test_no_two_words_lie_on_each_other(points: list[tuple[str, float, str]]) -> None:
    lying = boxes(placed(points))
    for index, one in enumerate(lying):
        for other in lying[index + 1 :]:
            assert not (one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3])


@given(POINTS)
def test_words_stand_on_one_side_or_nowhere(points: list[tuple[str, float, str]]) -> None:
    for row in placed(points):
        assert (row["right"], row["left"]) in {(row["name"], ""), ("", row["name"]), ("", "")}


@given(POINTS)
def test_words_stay_within_the_chart(points: list[tuple[str, float, str]]) -> None:
    for left, _, right, _ in boxes(placed(points)):
        assert left >= -crowding.GAP_LETTERS
        assert right <= crowding.WIDTH_LETTERS + crowding.GAP_LETTERS


@given(st.tuples(MONTHS, st.floats(1e5, 1e9), st.text(alphabet="abc", min_size=1, max_size=20)))
def test_a_point_alone_always_has_its_words(point: tuple[str, float, str]) -> None:
    row = placed([point])[0]
    assert row["right"] or row["left"]


@given(POINTS)
def test_placing_words_moves_no_point(points: list[tuple[str, float, str]]) -> None:
    rows = placed(points)
    assert [(row["month"], row["cost"], row["name"]) for row in rows] == points
