"""Options of a tuning run: adapters, what is quantised, what stays as it is, how much data there is."""

from __future__ import annotations

from typing import Annotated

import typer

MethodOption = Annotated[str, typer.Option("--method", help="full, lora or qlora.")]
RankOption = Annotated[int | None, typer.Option("--lora-rank", help="Rank of the adapters.", show_default=False)]
TargetsOption = Annotated[
    str,
    typer.Option(
        "--lora-targets",
        help="Matrices with adapters, by commas: q_proj, experts, lm_head ...; attention, mlp, all-linear (all-linear).",
        show_default=False,
    ),
]
DoraFlag = Annotated[bool, typer.Option("--dora", help="Adapters with magnitudes (DoRA).")]
ExpertAdaptersOption = Annotated[
    str | None,
    typer.Option("--expert-adapters", help="Adapters of experts: each (its own), shared.", show_default=False),
]
QuantisationOption = Annotated[
    str | None,
    typer.Option("--quantisation", help="Frozen weights under qlora: nf4, nf4-dq (nf4-dq).", show_default=False),
]
FreezeLayersOption = Annotated[
    int | None, typer.Option("--freeze-layers", help="First layers that stay as they are.", show_default=False)
]
FreezeEmbeddingsFlag = Annotated[bool, typer.Option("--freeze-embeddings", help="Leave the token table as it is.")]
HeadOnlyFlag = Annotated[bool, typer.Option("--head-only", help="Train the head alone.")]


def words(said: str) -> tuple[str, ...]:
    """Split words at commas; blanks around them do not count."""
    return tuple(word.strip() for word in said.split(",") if word.strip())
