"""Options of an engine that `serve`, `replay` and `capacity` share: drafts, adapters, settings, shared positions."""

from __future__ import annotations

from typing import Annotated

import typer

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
