"""Floor 7: the command line. It imports the api only."""

from suanli.cli.app import main

__all__ = ["main"]
