"""The sample plan as fixtures; the languages are put back after each test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from suanli.domain.plan import Plan
from suanli.foundation.language import set_language


def load_sample() -> ModuleType:
    """Load sample.py, which lies beside this file and belongs to no package."""
    name = "suanli_report_sample"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("sample.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def plan() -> Plan:
    return load_sample().sample_plan()


@pytest.fixture(scope="session")
def hostile_plan() -> Callable[[str], Plan]:
    return load_sample().hostile_plan


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("en")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "hostile_name" in metafunc.fixturenames:
        metafunc.parametrize("hostile_name", load_sample().HOSTILE_NAMES, ids=ascii)
