"""English and Chinese: every message a person reads passes through `tr`."""

from __future__ import annotations

import contextvars
import functools
import gettext
import locale
import os
from pathlib import Path

LANGUAGES = ("en", "zh")
LOCALE_FOLDER = Path(__file__).parent.parent / "locale"

_language: contextvars.ContextVar[str] = contextvars.ContextVar("language", default="en")


def system_language() -> str:
    """Read the language from the environment's locale: zh where it says Chinese, else en."""
    said = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if (said or locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"


def set_language(language: str) -> None:
    """Choose the language of all messages from here on."""
    _language.set(language)


def language() -> str:
    """Return the language in force."""
    return _language.get()


@functools.cache
def _messages(code: str) -> gettext.NullTranslations:
    return gettext.translation("suanli", LOCALE_FOLDER, languages=[code], fallback=code == "en")


def tr(message: str, /, **values: object) -> str:
    """Translate an English message and fill in its {named} values."""
    told = _messages(_language.get()).gettext(message)
    return told.format(**values) if values else told


def tell(text: str) -> str:
    """Translate a text of the package's own data where the catalogue knows it; a user's own text stays as it is."""
    return _messages(_language.get()).gettext(text) if text else text
