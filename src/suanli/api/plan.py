"""The main job: a scenario file in, a plan out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from suanli.domain.plan import Plan


def make_plan(path: Path | str, say: Callable[[str, float], None] = lambda message, done: None) -> Plan:
    """Read a scenario file and answer it.

    Raises InputError with every fault of the file, InfeasibleError with the limits that bind.
    """
    from importlib.metadata import version

    from suanli.catalogue.kernels import load_kernels
    from suanli.catalogue.load import catalogue
    from suanli.catalogue.scenario import load_scenario
    from suanli.planner.names import known_names
    from suanli.planner.plan import plan

    scenario = load_scenario(path, known_names())
    overlays = tuple(Path(file) for file in scenario.market.files)
    return plan(scenario, catalogue(*overlays), load_kernels(), version("suanli"), say)


def print_plan(made: Plan) -> None:
    """Tell a plan in the terminal."""
    from rich.console import Console

    from suanli.report.terminal import print_plan as tell

    tell(made, Console())


def plan_document(made: Plan) -> dict[str, object]:
    """Return a plan as one JSON document with the keys that stay."""
    from suanli.report.json_document import of_plan

    return of_plan(made)


def write_page(made: Plan, path: Path) -> None:
    """Write a plan as one HTML file that opens offline."""
    from suanli.report.html import write

    write(made, path)


def write_workbook(made: Plan, path: Path) -> None:
    """Write a plan as an Excel workbook with live formulas."""
    from suanli.report.workbook import write

    write(made, path)
