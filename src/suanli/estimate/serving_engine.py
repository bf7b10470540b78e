"""Which engine serves on a chip: the one asked for where it runs, the chip's own software where nothing else does."""

from __future__ import annotations

from suanli.catalogue.engines import find_engine
from suanli.domain.chip import ChipKind
from suanli.domain.engine import EngineProfile, EngineTable
from suanli.domain.hardware import Accelerator
from suanli.domain.workload import ServingSetup
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

USUAL = "vllm"
"""The engine of a question that names none."""


def engine_of(
    setup: ServingSetup, accelerator: Accelerator, chip: ChipKind | None, table: EngineTable
) -> tuple[EngineProfile, tuple[str, ...]]:
    """Return the class of a setup's engine on an accelerator, and what had to be assumed of it.

    A special-purpose chip runs its own software alone; a question's usual engine stands for it there.
    Raises InputError naming what runs where something else is asked for.
    """
    if chip is None:
        return find_engine(table, setup.engine, setup.engine_version, setup.engine_date, accelerator.id), ()
    own = table.profiles[chip.engine]
    asked = setup.engine.strip().lower().split(" ")[0]
    if asked in (*chip.engines, chip.engine):
        return own, ()
    if asked != USUAL:
        raise InputError.single(
            place=tr("engine"),
            found=tr("'{engine}' on {accelerator}", engine=setup.engine, accelerator=accelerator.id),
            allowed=", ".join(chip.engines),
            hint=did_you_mean(asked, chip.engines),
        )
    return own, (tr("{engine}, since vLLM does not run on {accelerator}", engine=own.name, accelerator=accelerator.id),)
