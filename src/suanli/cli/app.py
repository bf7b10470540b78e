"""The app that commands add themselves to, and the order in which help lists them."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperGroup

ORDER = ("plan", "init", "model", "train", "finetune", "serve", "capacity", "traffic", "replay", "simulate", "scaling",
         "validate", "calibrate", "catalogue", "market")  # fmt: skip
"""From the main job to the parts of it; a command that is not named here comes last."""


class InOrderOfUse(TyperGroup):
    """Lists commands as a newcomer meets them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names of all commands, those of `ORDER` first."""
        del ctx
        return sorted(self.commands, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


app = typer.Typer(
    name="suanli",
    cls=InOrderOfUse,
    help="What would it take to train, fine-tune and serve our models? 算力：训练、微调与推理需要什么。",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; a terminal that cannot show a letter is shown a question mark in its place."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
