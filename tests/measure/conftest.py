"""Measurements on stand-ins for devices, by rules small enough for a test."""

import pytest
from tests.measure.fake_torch import FakeTorch
from tests.measure.few import small_rules_file

from suanli.measure import backends, rules


@pytest.fixture
def fake(monkeypatch, tmp_path_factory):
    """Return what puts a stand-in in the place of PyTorch."""

    def put(kind="cuda", **said):
        torch = FakeTorch(kind, **said)
        monkeypatch.setattr(rules, "RULES", small_rules_file(tmp_path_factory.mktemp("rules")))
        monkeypatch.setattr("suanli.measure.bench.torch_module", lambda: torch)
        monkeypatch.setattr(backends, "torch_module", lambda: torch)
        return torch

    return put
