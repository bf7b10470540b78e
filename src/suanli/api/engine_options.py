"""What may be asked of an engine beside model and layout: drafts, adapters, settings, ranks that share positions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suanli.api.model import find_model
from suanli.domain.model import Model
from suanli.domain.serving import Adapters, DraftKind
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 2**20
"""The most adapters, ranks and slots that may be asked for."""
COUNTS = {
    "loras": "--loras", "lora_rank": "--lora-rank", "lora_slots": "--lora-slots", "lora_most_rank": "--lora-max-rank",
    "context": "--cp", "decode_context": "--dcp", "feed_forward": "--ffn-dp",
}  # fmt: skip
"""Whole numbers from 1, and what people call them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """What is asked of an engine, as people write it.

    `draft` is a kind of drafts or a model that drafts ("": the model's own layers where it has some and drafts are
    asked for, else EAGLE-3), `acceptance` its measured chance of acceptance. `loras` adapters of `lora_rank` change
    `lora_targets` (names with commas); `lora_slots` of them share a step, with room for `lora_most_rank`. `eager`
    launches kernels one by one, `overlap` schedules ahead (None: as the engine does). `context` ranks share out
    prompts, `decode_context` tensor ranks the cache, `feed_forward` data ranks one dense feed-forward.
    """

    draft: str = ""
    acceptance: float | None = None
    loras: int | None = None
    lora_rank: int = 16
    lora_targets: str = "all"
    lora_slots: int | None = None
    lora_most_rank: int | None = None
    eager: bool = False
    overlap: bool | None = None
    context: int | None = None
    decode_context: int | None = None
    feed_forward: int | None = None

    @property
    def asks_for_layout(self) -> bool:
        """Whether a degree is given, so that nothing is searched for."""
        return any(degree is not None for degree in (self.context, self.decode_context, self.feed_forward))


def option_faults(options: EngineOptions) -> Iterator[Fault]:
    """Yield every number that is out of range."""
    for name, place in COUNTS.items():
        value = getattr(options, name)
        if value is not None and not (1 <= value <= MOST and value == int(value)):
            yield Fault(place=place, found=str(value), allowed=tr("a number from 1 to {most}", most=MOST))
    if options.acceptance is not None and not 0 <= options.acceptance < 1:
        yield Fault(place="--acceptance", found=str(options.acceptance), allowed=tr("from 0 to below 1"))


def with_options(setup: ServingSetup, options: EngineOptions) -> ServingSetup:
    """Put what is asked of an engine into a setup. Raises InputError where a drafter is not known."""
    adapters = None
    if options.loras is not None:
        adapters = Adapters(
            count=options.loras, rank=options.lora_rank, slots=options.lora_slots, most_rank=options.lora_most_rank,
            targets=tuple(word.strip() for word in options.lora_targets.split(",") if word.strip()),
        )  # fmt: skip
    told = replace(setup, adapters=adapters, eager=options.eager, overlap=options.overlap)
    return _drafting(told, options)


def spread(layout: ServingLayout, options: EngineOptions) -> ServingLayout:
    """Put the ranks that share positions or a feed-forward into a layout."""
    return replace(
        layout, context=options.context or 1, decode_context=options.decode_context or 1,
        feed_forward=options.feed_forward or 1,
    )  # fmt: skip


def _drafting(setup: ServingSetup, options: EngineOptions) -> ServingSetup:
    """Say who drafts, and how many tokens where nobody says: as many as is usual for the kind."""
    from suanli.catalogue.serving_choices import load_serving_figures

    if not options.draft and setup.draft_tokens <= 0:
        if options.acceptance is not None:
            raise InputError.single(
                place="--acceptance", found=tr("no drafts to accept"), allowed=tr("beside --draft or --draft-tokens")
            )
        return setup
    kind, own = _who(options.draft, setup.model)
    usual = load_serving_figures().drafts[kind].tokens.value
    return replace(
        setup, drafting=kind, draft_model=own, acceptance=options.acceptance, draft_tokens=setup.draft_tokens or usual
    )


def _who(said: str, model: Model) -> tuple[DraftKind, Model | None]:
    """Return the kind of drafts that a word names, with the model that drafts where it names one."""
    kinds = [kind.value for kind in DraftKind if kind is not DraftKind.MODEL]
    if not said:
        return (DraftKind.MTP if model.draft_runs else DraftKind.EAGLE3), None
    if said.lower() in kinds:
        return DraftKind(said.lower()), None
    try:
        return DraftKind.MODEL, find_model(said)
    except InputError as error:
        raise InputError.single(
            place="--draft", found=f"'{said}'", hint=did_you_mean(said.lower(), kinds),
            allowed=", ".join([*kinds, tr("a config.json, its folder, or a packaged model's name")]),
        ) from error  # fmt: skip
