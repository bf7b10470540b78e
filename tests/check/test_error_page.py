"""The page of errors on one machine is of the profile that is carried and of the model as it stands."""

import re
from pathlib import Path

import pytest

from suanli.api.model import find_model
from suanli.catalogue.profile import resolve
from suanli.check.plan import PROCESSOR, held_out, planned
from suanli.estimate.checked import predict

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "check-errors.md"
PROFILE = ROOT / "examples" / "profiles" / "epyc-2-threads.yaml"
ROW = re.compile(
    r"\| (?P<name>\w+ [^|]*?)(?P<apart> \*)? \| [\d.,]+ ms \| (?P<ms>[\d.,]+) \((?P<low>[\d.,]+)–(?P<high>[\d.,]+)\)"
)
MILLI = 1000


def rows():
    return [found for line in PAGE.read_text("utf-8").splitlines() if (found := ROW.match(line))]


def test_every_case_stands_on_the_page_as_it_is_predicted_today():
    cases = planned(PROCESSOR, find_model)
    told = rows()
    assert len(told) == len(cases)
    system, kernels = resolve(str(PROFILE))
    apart = held_out(cases)
    for case, row in zip(cases, told, strict=True):
        found = predict(case, system, kernels)
        assert row["name"] == case.name.replace(case.model.name, case.model.name.rsplit("/", 1)[-1])
        assert (row["apart"] is not None) is (case.name in apart)
        for word, seconds in (
            ("ms", found.seconds), ("low", found.seconds_band.low), ("high", found.seconds_band.high),
        ):  # fmt: skip
            assert float(row[word].replace(",", "")) == pytest.approx(seconds * MILLI, abs=0.06)
