"""The commands of `suanli`, each in a module of its own."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="suanli",
    help="What would it take to train, fine-tune and serve our models? 算力：训练、微调与推理需要什么。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line."""
    app()


from suanli.cli import (  # noqa: E402  each module adds its own command to the app above
    catalogue as catalogue,
    finetune as finetune,
    init as init,
    model as model,
    plan as plan,
    market as market,
    serve as serve,
    train as train,
    validate as validate,
)
