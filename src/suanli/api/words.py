"""How the names in answers are said in the language in force."""

from __future__ import annotations

from collections.abc import Sequence

from suanli.domain.layout import Layout
from suanli.domain.plan import Assumed
from suanli.foundation.language import tell, tr


def name_in_words(name: str) -> str:
    """Say a stable name of an answer, such as the cause of a part of the time."""
    from suanli.report.words import word

    return word(name)


def assumed_in_words(assumed: Sequence[Assumed]) -> list[str]:
    """Say assumed figures, one a line."""
    from suanli.report.words import readable

    return [
        tr(
            "Assumed: {name} = {value:,.6g} {unit}",
            name=tell(readable(one.name)),
            value=one.figure.value,
            unit="" if one.figure.unit == "1" else one.figure.unit,
        ).rstrip()
        for one in assumed
    ]


def settings_in_words(layout: Layout) -> list[str]:
    """Say what a training layout shards and what it computes again."""
    from suanli.report.layouts import shared_and_recomputed

    return shared_and_recomputed(layout)
