"""Two languages: what is not translated stands in English, values are filled in, and nobody's choice leaks."""

import contextvars
import gettext
import re
import string
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.foundation.language import LANGUAGES, LOCALE_FOLDER, language, set_language, system_language, tr

CHINESE = gettext.translation("suanli", LOCALE_FOLDER, languages=["zh"])
CATALOGUE = {key: told for key, told in CHINESE._catalog.items() if isinstance(key, str) and key}


@pytest.fixture(autouse=True)
def _own_language():
    before = language()
    yield
    set_language(before)


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", LANGUAGES)
def test_an_unknown_message_is_told_as_it_stands(code):
    set_language(code)
    assert tr("No such message stands in any list.") == "No such message stands in any list."


@pytest.mark.parametrize("code", LANGUAGES)
@given(name=st.text(max_size=20), count=st.integers())
def test_values_are_filled_in_whatever_they_hold(code, name, count):
    set_language(code)
    assert tr("{name} has {count}", name=name, count=count) == f"{name} has {count}"


def test_braces_in_a_value_are_left_alone():
    assert tr("found {found}", found="{allowed}") == "found {allowed}"


def test_a_message_without_values_is_no_format():
    assert tr("100 % of {this}") == "100 % of {this}"


def test_a_language_is_chosen_for_ones_own_thread_alone():
    set_language("zh")
    heard = []
    thread = threading.Thread(target=lambda: heard.append(language()))
    thread.start()
    thread.join()
    assert heard == ["en"]
    assert contextvars.copy_context().run(language) == "zh"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("zh_CN.UTF-8", "zh"), ("zh_TW", "zh"), ("ZH", "zh"), ("Chinese_China.936", "zh"), ("en_US.UTF-8", "en"),
        ("de_DE", "en"), ("C", "en"), ("POSIX", "en"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["LC_ALL", "LC_MESSAGES", "LANG"])
def test_the_locale_says_the_language(said, code, name, monkeypatch):
    for other in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, said)
    assert system_language() == code


def test_the_stronger_word_of_the_locale_counts(monkeypatch):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    assert system_language() == "en"


def test_the_chinese_list_is_long():
    assert len(CATALOGUE) > 300


@pytest.mark.parametrize("key", sorted(CATALOGUE))
def test_a_translation_fills_in_the_same_values(key):
    assert fields(CATALOGUE[key]) == fields(key)
    assert CATALOGUE[key].strip()


def test_most_translations_are_chinese():
    told = [text for text in CATALOGUE.values() if re.search(r"[\u4e00-\u9fff]", text)]
    assert len(told) > 0.9 * len(CATALOGUE)
