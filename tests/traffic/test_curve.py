"""Rates by the hour: of a table, of a trace, of a swinging day; wrong lines are told all at once."""

import numpy as np
import pytest

from suanli.foundation.errors import InputError
from suanli.traffic.curve import at_mean, read_curve, swinging
from suanli.traffic.draw import Lengths, Mix
from suanli.traffic.generate import generate


def write(path, text):
    path.write_text(text)
    return path


def test_a_table_is_read_row_by_row(tmp_path):
    path = write(tmp_path / "a.csv", "day, requests_per_s\nmonday, 2.5\nmonday, 0\n")
    assert read_curve(path).tolist() == [2.5, 0.0]


def test_a_trace_is_counted_by_full_hours(tmp_path):
    rows = [f"{second},10,10" for second in (0, 1800, 3600, 3700, 3800, 7200, 9000)]
    path = write(tmp_path / "t.csv", "\n".join(["arrival_s,input_tokens,output_tokens", *rows]) + "\n")
    assert (read_curve(path) * 3600).tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("requests_per_s\n-1\nmany\nnan\n", 3),
        ("requests_per_s\n0\n", 1),
        ("requests_per_s\n", 1),
        ("hour,rate\n0,1\n", 1),
        ("arrival_s,input_tokens,output_tokens\n0,1,1\n60,1,1\n", 1),
        ("", 1),
        ("requests_per_s\n" + "1\n" * 9000, 1),
    ],
)
def test_what_is_wrong_is_told(tmp_path, text, faults):
    with pytest.raises(InputError) as told:
        read_curve(write(tmp_path / "wrong.csv", text))
    assert len(told.value.faults) == faults


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError):
        read_curve(tmp_path / "none.csv")


def test_a_swinging_day_keeps_its_mean_and_is_what_traffic_does():
    rates = swinging(5.0, 0.6)
    assert rates.mean() == pytest.approx(5.0)
    assert rates.max() / rates.min() == pytest.approx(1.6 / 0.4, rel=0.03)
    plain = Lengths(mean=1.0, variation=0.0, most=1)
    made = generate(Mix(rate_per_s=5.0, inputs=plain, outputs=plain, daily_swing=0.6), 432_000, 0)
    counted = np.bincount((made.arrival_seconds // 3600).astype(int), minlength=24)[:24] / 3600
    assert counted[:23] == pytest.approx(rates[:23], rel=0.06)


def test_hours_are_brought_to_a_mean():
    assert at_mean(np.array([1.0, 3.0]), 10.0).tolist() == [5.0, 15.0]
