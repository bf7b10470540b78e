"""Floor 8: the command line. Each command is a module that adds itself to the app; it imports the api only."""

from suanli.cli import (
    calibrate,
    capacity,
    catalogue,
    finetune,
    init,
    market,
    model,
    plan,
    replay,
    scaling,
    serve,
    simulate,
    traffic,
    train,
    validate,
)
from suanli.cli.app import main

COMMANDS = (
    plan,
    init,
    model,
    train,
    finetune,
    serve,
    capacity,
    traffic,
    replay,
    simulate,
    scaling,
    validate,
    calibrate,
    catalogue,
    market,
)
"""The modules of the commands; being imported is what registers them."""

__all__ = ["COMMANDS", "main"]
