"""Each buying rule says what its golden program says, and none is without one."""

import os
from pathlib import Path

import pytest
from tests.procure.makers import choice, job, problem, service

from suanli.domain.procurement import Tenure
from suanli.procure.costs import lay_costs
from suanli.procure.draft import draft
from suanli.procure.program import Program, lp_text
from suanli.procure.rules import RULES

GOLDEN = Path(__file__).parents[1] / "golden" / "rules"
ELASTIC = {"late_periods_are_counted"}


def tiny():
    """Make a problem of two periods that has something for every rule."""
    choices = [
        choice("box", 2, price=100.0, lead_periods=(1, 0), lot=2, supply=(5.0, None), held=1, resale=(20.0, 30.0),
               running_cost={"power": (2.0, 2.0)}, extra_cost={"network": (10.0, 10.0)}),
        choice("cloud", 2, Tenure.RENTED_RESERVED, price=30.0, supply=(3.0, 3.0), commit_periods=2),
    ]  # fmt: skip
    demands = [
        job("train", 6.0, 1, {"box": 2.0, "cloud": 3.0}, least_systems={"box": 2}),
        service("serve", (1.0, 2.0), {"box": 4.0, "cloud": 2.0}, least_systems={"cloud": 2}),
        job("tune", 1.0, 0, {"cloud": 1.0}),
    ]
    return problem(choices, demands, 2, cash=(300.0, 700.0), site_watts=5000.0, rack_units=32.0, pue=1.25,
                   fixed_cost={"office": (7.0, 7.0)})  # fmt: skip


def by_the_hour():
    """Make a problem of one period in which services, jobs and turns meet on a pool by the hour."""
    choices = [choice("cloud", 1, Tenure.RENTED_HOUR, price=30.0, supply=(4.0,))]
    demands = [
        service("serve", (1.0,), {"cloud": 2.0}),
        service("tune", (1.0,), {"cloud": 5.0}, steady=False),
        job("train", 1.0, 0, {"cloud": 3.0}, least_systems={"cloud": 3}),
    ]
    return problem(choices, demands, 1)


BY_THE_HOUR = {"services_keep_whole_systems"}


def rows_of(name):
    made = draft(by_the_hour() if name in BY_THE_HOUR else tiny(), elastic=name in ELASTIC)
    lay_costs(made)
    columns = len(made.program.columns)
    RULES[name](made)
    named = {column for row in made.program.rows for column in row.terms}
    kept = sorted(named | set(range(columns, len(made.program.columns))))
    numbers = {old: new for new, old in enumerate(kept)}
    shown = Program(columns=[made.program.columns[old] for old in kept])
    for column in shown.columns:
        column.cost = 0.0
    for row in made.program.rows:
        shown.row(row.name, {numbers[old]: value for old, value in row.terms.items()}, low=row.low, high=row.high)
    return lp_text(shown)


def held_against(name, told):
    path = GOLDEN / f"{name}.lp"
    if os.environ.get("SUANLI_WRITE_GOLDEN"):
        path.write_text(told, "utf-8")
    assert path.read_text("utf-8") == told


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_says_what_its_golden_program_says(name):
    held_against(name, rows_of(name))


def test_costs_say_what_their_golden_program_says():
    made = draft(tiny())
    lay_costs(made)
    held_against("costs", lp_text(made.program))


def test_every_golden_program_has_its_rule():
    assert {path.stem for path in GOLDEN.glob("*.lp")} == {*RULES, "costs"}


@pytest.mark.parametrize("name", sorted({*RULES, "costs"}))
def test_a_golden_program_is_read_by_the_solver(name):
    import highspy

    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    assert solver.readModel(str(GOLDEN / f"{name}.lp")) == highspy.HighsStatus.kOk
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
