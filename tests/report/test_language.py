"""Every message is in the Chinese catalogue, translated, with the same values in it; its files are up to date."""

import ast
import gettext
import importlib.machinery
import importlib.util
import re
import string
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.language import LOCALE_FOLDER, language, set_language, system_language, tr

SOURCE = LOCALE_FOLDER.parent
ROOT = SOURCE.parent.parent
SAME_IN_BOTH = re.compile(r"[\W\d_]*|YAML 1\.2|logits|low <= value <= high|\{least:g\}.*")
"""Messages that a Chinese reader reads as an English one does."""


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
                yield path, node


def catalogue() -> dict[str, str]:
    with (LOCALE_FOLDER / "zh" / "LC_MESSAGES" / "suanli.mo").open("rb") as stream:
        told = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
    return {message: said for message, said in told.items() if message}


def values_in(message: str) -> list[tuple[str, str]]:
    return sorted((name, form or "") for _, name, form, _ in string.Formatter().parse(message) if name)


@pytest.fixture(scope="module")
def translate() -> ModuleType:
    pytest.importorskip("babel")
    loader = importlib.machinery.SourceFileLoader("suanli_translate", str(ROOT / "scripts" / "translate"))
    spec = importlib.util.spec_from_loader("suanli_translate", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_every_message_is_a_literal() -> None:
    loose = [f"{path.name}:{node.lineno}" for path, node in calls() if not _literal(node)]
    assert loose == []


def _literal(node: ast.Call) -> bool:
    return bool(node.args) and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)


def test_every_message_of_the_code_is_in_the_catalogue() -> None:
    known = catalogue()
    missing = {node.args[0].value for _, node in calls() if _literal(node)} - known.keys()  # type: ignore[attr-defined]
    assert missing == set(), "run scripts/translate and fill in the new entries"


def test_every_message_of_the_templates_is_in_the_catalogue() -> None:
    known = catalogue()
    templates = [path.read_text(encoding="utf-8") for path in sorted((SOURCE / "report" / "templates").glob("*.j2"))]
    found = {message for template in templates for message in re.findall(r'\btr\("([^"]+)"', template)}
    assert len(found) > 10
    assert found - known.keys() == set()


def test_every_message_is_translated() -> None:
    same = [message for message, said in catalogue().items() if said == message and not SAME_IN_BOTH.fullmatch(message)]
    assert same == []


def test_a_translation_has_the_values_of_its_message() -> None:
    wrong = [message for message, said in catalogue().items() if values_in(message) != values_in(said)]
    assert wrong == []


def test_a_translation_ends_in_the_full_stop_of_its_language() -> None:
    wrong = [
        said for message, said in catalogue().items() if message.endswith(".") and not said.endswith(("。", "..."))
    ]
    assert [said for said in wrong if "……" not in said] == []


def test_sheets_of_a_workbook_have_names_that_spreadsheets_allow() -> None:
    known = catalogue()
    for name in ("Inputs", "Orders", "Rents", "Cash", "Power", "Workloads", "Alternatives", "Sources"):
        assert not set(known[name]) & set("[]:*?/\\")
        assert len(known[name]) <= 31


def test_the_catalogue_s_files_are_up_to_date(translate: ModuleType) -> None:
    text, compiled = translate.written(translate.renewed())
    assert translate.PO.read_bytes() == text, "run scripts/translate"
    assert translate.MO.read_bytes() == compiled, "run scripts/translate"


def test_the_fields_own_terms_are_used() -> None:
    known = catalogue()
    assert known["tensor"] == "张量并行"
    assert known["pipeline"] == "流水线并行"
    assert known["memory"] == "显存"
    assert "交期" in known["order month and lead time"]


def test_messages_speak_the_language_in_force() -> None:
    assert tr("Orders") == "Orders"
    set_language("zh")
    assert language() == "zh"
    assert tr("Orders") == "订单"
    assert tr("{count} replicas", count=4) == "4 个副本"


def test_values_are_filled_in_once() -> None:
    assert tr("Source: {source}", source="{count} {0} {") == "Source: {count} {0} {"


def test_a_message_that_nobody_translated_is_said_in_english() -> None:
    set_language("zh")
    assert tr("no such message, and there never was") == "no such message, and there never was"


def test_faults_speak_chinese() -> None:
    set_language("zh")
    fault = Fault(place="a.yaml:3", found="'x'", allowed="y", hint=did_you_mean("ordrs", ["orders"]))
    assert str(fault) == "a.yaml:3：发现'x'；应为：y。 您是否想写“orders”？"


@pytest.mark.parametrize(
    ("said", "language"), [("zh_CN.UTF-8", "zh"), ("zh_TW", "zh"), ("en_GB.UTF-8", "en"), ("de_DE", "en"), ("C", "en")]
)
def test_the_locale_chooses_the_language(said: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", said)
    assert system_language() == language
