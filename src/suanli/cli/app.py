"""The app that commands add themselves to, and the order in which help lists them."""

from __future__ import annotations

import gc
import importlib
import sys
from io import TextIOWrapper
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

GARBAGE_OBJECTS = 50_000
"""New objects between two searches for garbage: the catalogue alone makes as many, and none of them is garbage."""
ORDER = ("plan", "init", "model", "train", "finetune", "serve", "capacity", "traffic", "replay", "simulate", "scaling",
         "validate", "calibrate", "measure", "check", "catalogue", "market")  # fmt: skip
"""From the main job to the parts of it; a command that is not named here comes last."""


def load(command: str) -> ModuleType:
    """Import the module of a command, which adds itself to the app."""
    return importlib.import_module(f"suanli.cli.{command}")


class InOrderOfUse(TyperGroup):
    """Lists commands as a newcomer meets them, and imports only the module of the one that is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names of all commands, those of `ORDER` first."""
        del ctx
        self._take([name for name in ORDER if name not in self.commands])
        return sorted(self.commands, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, its module imported now where it was not yet."""
        if cmd_name in ORDER and cmd_name not in self.commands:
            self._take([cmd_name])
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is asked for; a word that is none is held against the names of all."""
        if args and args[0] not in ORDER:
            self.list_commands(ctx)
        return super().resolve_command(ctx, args)

    def _take(self, names: list[str]) -> None:
        for name in names:
            load(name)
        if names:
            self.commands.update(get_group(app).commands)


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


@app.callback()
def together() -> None:
    """Make the app a group of commands, however many of them are imported."""


def main() -> None:
    """Run the command line; a terminal that cannot show a letter is shown a question mark in its place."""
    gc.set_threshold(GARBAGE_OBJECTS)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
