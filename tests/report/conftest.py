"""The sample plan as fixtures; the languages are put back after each test."""

from __future__ import annotations

import gettext
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from suanli.domain.plan import Plan
from suanli.foundation import language as spoken
from suanli.foundation.language import set_language


def load_beside(file: str) -> ModuleType:
    """Load a module that lies beside this file and belongs to no package."""
    name = f"suanli_report_{file}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{file}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def plan() -> Plan:
    return load_beside("sample").sample_plan()


@pytest.fixture(scope="session")
def hostile_plan() -> Callable[[str], Plan]:
    return load_beside("sample").hostile_plan


@pytest.fixture(scope="session")
def pages() -> ModuleType:
    return load_beside("pages")


@pytest.fixture(scope="session")
def any_plan() -> ModuleType:
    return load_beside("plans")


@pytest.fixture
def pseudo_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speak a language that puts every translated message in marks, so that what was not translated stands out."""

    class Marked(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return f"⟦{message}⟧"

    monkeypatch.setattr(spoken, "_messages", lambda code: Marked())


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("en")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "hostile_name" in metafunc.fixturenames:
        metafunc.parametrize("hostile_name", load_beside("sample").HOSTILE_NAMES, ids=ascii)
