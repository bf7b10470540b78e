"""Options of a tuning run: adapters, what is quantised, what stays as it is, how much data there is."""

from __future__ import annotations

from typing import Annotated

import typer

METHODS = "full, lora, qlora; dpo, orpo, kto, reward, ppo, grpo, distill."
MethodOption = Annotated[str, typer.Option("--method", help=METHODS)]
RankOption = Annotated[int | None, typer.Option("--lora-rank", help="Rank of the adapters.", show_default=False)]
TargetsOption = Annotated[
    str,
    typer.Option(
        "--lora-targets",
        help="Matrices with adapters: q_proj,v_proj ...; attention, mlp, experts, lm_head; all-linear (default).",
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


CardsOption = Annotated[
    int | None, typer.Option("--cards", help="Accelerators in use of one system (all).", show_default=False)
]
DataTokensOption = Annotated[
    float | None, typer.Option("--data-tokens", help="Tokens of the data set, once through.", show_default=False)
]
DataFileOption = Annotated[
    str | None, typer.Option("--data", help="The data set: a file of examples, one JSON a line.", show_default=False)
]
TokenizerOption = Annotated[
    str | None,
    typer.Option("--tokenizer", help="A tokenizer.json that counts --data; else by characters.", show_default=False),
]
EpochsOption = Annotated[float, typer.Option("--epochs", help="How often the data set is gone through.")]
PaddedFlag = Annotated[
    bool, typer.Option("--padded/--packed", help="Each example in a sequence of its own, or packed one behind another.")
]
ExampleOption = Annotated[
    float | None,
    typer.Option("--example-tokens", help="Mean tokens of an example, beside --data-tokens.", show_default=False),
]
LargestOption = Annotated[
    str | None,
    typer.Option("--largest", help="Find the largest that fits: rank, context, batch, model.", show_default=False),
]
CompareFlag = Annotated[
    bool,
    typer.Option("--compare", help="Pretraining, continued pretraining, full, LoRA, QLoRA, prompting side by side."),
]
PretrainTokensOption = Annotated[
    float | None,
    typer.Option("--pretrain-tokens", help="Tokens of pretraining in --compare (best by law).", show_default=False),
]
ContinueTokensOption = Annotated[
    float | None,
    typer.Option(
        "--continue-tokens", help="Of continued pretraining in --compare (the data once).", show_default=False
    ),
]
ShotsOption = Annotated[int, typer.Option("--shots", help="Examples in a prompt, in --compare.")]
RequestsOption = Annotated[float, typer.Option("--requests", help="Requests served with prompts, in --compare.")]
InputOption = Annotated[float, typer.Option("--input-tokens", help="Tokens of a request of its own, in --compare.")]
OutputOption = Annotated[float, typer.Option("--output-tokens", help="Tokens of an answer, in --compare.")]
