"""How the names in answers are said in the language in force."""

from __future__ import annotations

from collections.abc import Sequence

from suanli.domain.layout import Layout
from suanli.domain.plan import Assumed
from suanli.domain.serving_plan import PoolPlan
from suanli.domain.workload import ServingLayout
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr


def seconds_said(said: str, place: str) -> float | None:
    """Read a time with its unit, None where nothing was said. Raises InputError on anything else."""
    from suanli.catalogue.figures import in_si

    text = said.strip()
    if not text:
        return None
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzµ ")
    try:
        value = float(number)
    except ValueError:
        raise InputError.single(place=place, found=f"'{said}'", allowed=tr("a time such as 2s or 50ms")) from None
    return in_si(value, text[len(number) :].strip() or "s", "s", place)


def name_in_words(name: str) -> str:
    """Say a stable name of an answer, such as the cause of a part of the time."""
    from suanli.report.words import word

    return word(name)


def count_in_words(value: float) -> str:
    """Say a large count as people do: 95.9 B, or 959 亿 in Chinese."""
    from suanli.report.numbers import count

    return count(value)


def assumed_in_words(assumed: Sequence[Assumed]) -> list[str]:
    """Say assumed figures, one a line."""
    from suanli.report.words import word

    return [
        tr(
            "Assumed: {name} = {value:,.6g} {unit}",
            name=word(one.name),
            value=one.figure.value,
            unit="" if one.figure.unit == "1" else one.figure.unit,
        ).rstrip()
        for one in assumed
    ]


def settings_in_words(layout: Layout) -> list[str]:
    """Say what a training layout shards, computes again, how its stages take turns, and what lives on the host."""
    from suanli.report.layouts import settings_words

    return settings_words(layout)


def layout_in_words(layout: Layout) -> str:
    """Say a layout in a few words: degrees above 1, micro-batch, sharding, recomputation."""
    degrees = (
        ("dp", layout.data),
        ("tp", layout.tensor),
        ("pp", layout.pipeline),
        ("vp", layout.interleave),
        ("cp", layout.context),
        ("ep", layout.expert),
    )
    said = [f"{name}{degree}" for name, degree in degrees if degree > 1] + [f"mbs{layout.micro_batch}"]
    return ", ".join([" ".join(said), *settings_in_words(layout)])


def serving_layout_in_words(layout: ServingLayout) -> str:
    """Say a serving layout in a few words: degrees above 1."""
    degrees = (
        (tr("tensor"), layout.tensor), (tr("pipeline"), layout.pipeline), (tr("expert"), layout.expert),
        (tr("attention data"), layout.attention_data), (tr("context"), layout.context),
        (tr("context of decoding"), layout.decode_context), (tr("shared feed-forward"), layout.feed_forward),
    )  # fmt: skip
    return ", ".join(f"{name} {degree}" for name, degree in degrees if degree > 1) or tr("one accelerator")


def pools_in_words(prefill: PoolPlan | None, decode: PoolPlan) -> str:
    """Say the replicas of a fleet: how many of which layout, those that prefill first where they are apart."""
    from suanli.report.layouts import pools_words

    return pools_words(prefill, decode)


def short_layout_in_words(layout: ServingLayout) -> str:
    """Say a serving layout by its degrees above 1 in short, tensor always: tp4 pp2."""
    from suanli.report.layouts import short_words

    return short_words(layout)


def tenure_in_words(tenure: str) -> str:
    """Say how systems are held."""
    words = {"reserved": tr("reserved for a term"), "month": tr("rented by the month"), "buy": tr("bought")}
    return words[tenure]
