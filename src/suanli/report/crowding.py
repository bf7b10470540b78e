"""Words beside the points of a chart, left out where they would lie on others; the tip and the table still say them."""

from __future__ import annotations

from typing import Any

WIDTH_LETTERS, HEIGHT_LINES = 46.0, 14.0
"""How many letters go across the chart and how many lines down it, at the size it has on a wide page."""
GAP_LETTERS = 1.5
"""Room between a point and its words."""
Box = tuple[float, float, float, float]


def place_words(rows: list[dict[str, Any]]) -> None:
    """Give each row its words `right` or `left` of its point, or nowhere; the chosen row first.

    A row has `month` (a day as text), `cost`, `name` and `chosen`.
    """
    across = _shares([float(_month_number(str(row["month"]))) for row in rows])
    down = _shares([float(row["cost"]) for row in rows])
    taken: list[Box] = [_point(x * WIDTH_LETTERS, y * HEIGHT_LINES) for x, y in zip(across, down, strict=True)]
    order = sorted(range(len(rows)), key=lambda index: not rows[index]["chosen"])
    for row in rows:
        row["right"], row["left"] = "", ""
    for index in order:
        x, y = across[index] * WIDTH_LETTERS, down[index] * HEIGHT_LINES
        _place(rows[index], x, y, taken)


def _place(row: dict[str, Any], x: float, y: float, taken: list[Box]) -> None:
    """Take the first side of a point where its words fit and lie on nothing."""
    length = sum(2.0 if ord(letter) > 0x2E80 else 1.0 for letter in row["name"])
    sides = {
        "right": (x + GAP_LETTERS, y, x + GAP_LETTERS + length, y + 1),
        "left": (x - GAP_LETTERS - length, y, x - GAP_LETTERS, y + 1),
    }
    for side, box in sides.items():
        inside = box[0] >= -GAP_LETTERS and box[2] <= WIDTH_LETTERS + GAP_LETTERS
        if inside and not any(_meet(box, other) for other in taken):
            row[side] = row["name"]
            taken.append(box)
            return


def _point(x: float, y: float) -> Box:
    return (x - 1 / 2, y + 1 / 4, x + 1 / 2, y + 1 / 2)


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _shares(values: list[float]) -> list[float]:
    """Scale values to the range 0 to 1; equal ones all lie in the middle."""
    if not values:
        return []
    low, span = min(values), max(values) - min(values)
    return [(value - low) / span if span else 1 / 2 for value in values]


def _month_number(day: str) -> int:
    """Count months: year x 12 + month."""
    year, month = day.split("-")[:2]
    return 12 * int(year) + int(month)
