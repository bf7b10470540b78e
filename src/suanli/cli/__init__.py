"""Floor 8: the command line. Each command is a module that adds itself to the app; it imports the api only."""

from types import ModuleType

from suanli.cli.app import ORDER, load, main

__all__ = ["COMMANDS", "main"]


def __getattr__(name: str) -> tuple[ModuleType, ...]:
    """Return `COMMANDS`, the modules of all commands; being imported is what registers them."""
    if name == "COMMANDS":
        return tuple(load(command) for command in ORDER)
    raise AttributeError(name)
