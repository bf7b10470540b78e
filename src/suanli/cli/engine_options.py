"""Options of an engine that `serve`, `replay` and `capacity` share: drafts, adapters, settings, shared positions.

A command that is wrapped in `takes_engine_options` has an argument `options`; on the command line each of them stands
in its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from suanli.api.engine_options import EngineOptions

DraftTokensOption = Annotated[int, typer.Option("--draft-tokens", help="Tokens that a speculative step drafts.")]
DraftOption = Annotated[
    str, typer.Option("--draft", help="Who drafts: mtp, eagle, eagle3, medusa, ngram, or a model's config or name.")
]
AcceptanceOption = Annotated[
    float | None,
    typer.Option("--acceptance", help="Chance that a drafted token is accepted, where measured.", show_default=False),
]
LorasOption = Annotated[int | None, typer.Option("--loras", help="Adapters that requests ask for.", show_default=False)]
LoraRankOption = Annotated[int, typer.Option("--lora-rank", help="Rank of the adapters.")]
LoraTargetsOption = Annotated[
    str, typer.Option("--lora-targets", help="What they change: all, attention, mlp, experts, q_proj,v_proj ...")
]
LoraSlotsOption = Annotated[
    int | None, typer.Option("--lora-slots", help="Adapters that may share a step (max-loras).", show_default=False)
]
LoraMaxRankOption = Annotated[
    int | None, typer.Option("--lora-max-rank", help="Rank that every slot has room for.", show_default=False)
]
EagerFlag = Annotated[bool, typer.Option("--eager", help="Launch kernels one by one, without captured graphs.")]
OverlapFlag = Annotated[
    bool | None,
    typer.Option("--overlap/--no-overlap", help="Schedule the next step ahead, or after.", show_default=False),
]
ContextOption = Annotated[
    int | None, typer.Option("--cp", help="Ranks that share out a prompt's tokens.", show_default=False)
]
DecodeContextOption = Annotated[
    int | None, typer.Option("--dcp", help="Tensor ranks that share out the cache by positions.", show_default=False)
]
FeedForwardOption = Annotated[
    int | None, typer.Option("--ffn-dp", help="Data ranks that share one dense feed-forward.", show_default=False)
]
OPTIONS = "options"
"""The argument of a command in whose place the options of an engine stand."""
USUAL = EngineOptions()
"""What is asked where nobody says anything."""
Command = Callable[..., None]


def joined(
    draft: DraftOption = "",
    acceptance: AcceptanceOption = None,
    loras: LorasOption = None,
    lora_rank: LoraRankOption = 16,
    lora_targets: LoraTargetsOption = "all",
    lora_slots: LoraSlotsOption = None,
    lora_max_rank: LoraMaxRankOption = None,
    eager: EagerFlag = False,
    overlap: OverlapFlag = None,
    cp: ContextOption = None,
    dcp: DecodeContextOption = None,
    ffn_dp: FeedForwardOption = None,
) -> EngineOptions:
    """Join what was said on the command line into the options of an engine."""
    return EngineOptions(
        draft=draft, acceptance=acceptance, loras=loras, lora_rank=lora_rank, lora_targets=lora_targets,
        lora_slots=lora_slots, lora_most_rank=lora_max_rank, eager=eager, overlap=overlap, context=cp,
        decode_context=dcp, feed_forward=ffn_dp,
    )  # fmt: skip


def takes_engine_options(without: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Give a command the options of an engine, but for some by name, in the place of its argument `options`."""

    def wrap(command: Command) -> Command:
        shared = [
            one for name, one in inspect.signature(joined, eval_str=True).parameters.items() if name not in without
        ]
        own = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def run(**said: Any) -> None:
            options = joined(**{one.name: said.pop(one.name) for one in shared})
            command(**{OPTIONS: options}, **said)

        shown = (shared if name == OPTIONS else [one] for name, one in own.parameters.items())
        told = own.replace(parameters=[one for places in shown for one in places])
        setattr(run, "__signature__", told)  # noqa: B010
        return run

    return wrap
