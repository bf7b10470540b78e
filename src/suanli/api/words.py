"""How the names in answers are said in the language in force."""

from __future__ import annotations

from suanli.domain.layout import Layout


def name_in_words(name: str) -> str:
    """Say a stable name of an answer, such as the cause of a part of the time."""
    from suanli.report.words import word

    return word(name)


def settings_in_words(layout: Layout) -> list[str]:
    """Say what a training layout shards, computes again, how its stages take turns, and what lives on the host."""
    from suanli.report.layouts import settings_words

    return settings_words(layout)
