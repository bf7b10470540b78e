"""Charts carry their own data, whole, and the grammar's own compiler takes them."""

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suanli.domain.plan import Assignment, Plan
from suanli.foundation.language import set_language
from suanli.report import charts, crowding, gantt, grammar, scaling
from suanli.report.html import FOLDER

COMPILE = """
const vega = globalThis.vega = require(process.argv[1] + '/vega.min.js');
const Module = require('module');
const resolve = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  return name === 'vega' ? process.argv[1] + '/vega.min.js' : resolve.call(this, name, ...rest);
};
const vegaLite = require(process.argv[1] + '/vega-lite.min.js');
const specs = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const warned = [];
const logger = { level() { return this; }, error(...m) { warned.push(m.join(' ')); return this; },
  warn(...m) { warned.push(m.join(' ')); return this; }, info() { return this; }, debug() { return this; } };
(async () => {
  const drawn = {};
  for (const [key, spec] of Object.entries(specs)) {
    const compiled = vegaLite.compile({ ...spec, width: 640 }, { logger }).spec;
    drawn[key] = await new vega.View(vega.parse(compiled), { renderer: 'none' }).toSVG();
  }
  process.stdout.write(JSON.stringify({ drawn, warned }));
})();
"""


def draw(plan: Plan) -> tuple[dict[str, str], list[str]]:
    """Draw all charts with the vendored library, and hear what it warns of."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js on this machine")
    specs = json.dumps({chart.key: chart.spec for chart in charts.of_plan(plan)})
    command = [node, "-e", COMPILE, str(FOLDER / "vendor")]
    done = subprocess.run(command, input=specs, capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(done.stdout)
    return told["drawn"], told["warned"]


def values(chart: grammar.Chart) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = chart.spec["data"]["values"]
    return rows


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def test_every_chart_is_drawn_without_a_warning(plan: Plan) -> None:
    drawn, warned = draw(plan)
    assert warned == []
    assert set(drawn) == {chart.key for chart in charts.of_plan(plan)}
    assert all(svg.startswith("<svg") for svg in drawn.values())
    assert not [key for key, svg in drawn.items() if "NaN" in svg or "undefined" in svg]


def test_charts_of_hostile_names_are_drawn_and_escaped(hostile_plan: Callable[[str], Plan]) -> None:
    drawn, _ = draw(hostile_plan("<script>alert(1)</script>\"'];x"))
    assert not [key for key, svg in drawn.items() if "<script" in svg]


def test_every_plan_chart_and_two_for_each_workload_are_there(plan: Plan) -> None:
    keys = {chart.key for chart in charts.of_plan(plan)}
    assert {"cash", "spent", "holdings", "running", "alternatives", "pareto", "power"} <= keys
    for index in range(len(plan.recommended.workloads)):
        assert {f"seconds-{index}", f"bytes-{index}"} <= keys


def test_no_chart_asks_for_data_from_elsewhere(plan: Plan) -> None:
    for chart in charts.of_plan(plan):
        assert "url" not in json.dumps(chart.spec).lower().replace("url(", "")
        assert not [text for text in strings(chart.spec) if "://" in text]


def test_every_chart_is_json_and_tells_its_rows(plan: Plan) -> None:
    for chart in charts.of_plan(plan):
        json.dumps(chart.spec, allow_nan=False)
        assert chart.rows
        assert {len(row) for row in chart.rows} == {len(chart.columns)}


def test_colours_are_names_that_the_style_sheet_knows(plan: Plan) -> None:
    style = (FOLDER / "templates" / "report.css").read_text(encoding="utf-8")
    used = {text for chart in charts.of_plan(plan) for text in strings(chart.spec) if text.startswith("var(")}
    assert used
    assert not [name for name in used if f"{name.removeprefix('var(').removesuffix(')')}:" not in style]
    assert not [text for chart in charts.of_plan(plan) for text in strings(chart.spec) if text.startswith("#")]


def test_cash_bars_add_up_to_the_plan_s_cash(plan: Plan) -> None:
    scale, _ = scaling.money_scale(plan)
    drawn = sum(row["amount"] for row in values(charts.cash(plan))) * scale
    assert drawn == pytest.approx(sum(line.amount for line in plan.recommended.cash))


def test_the_last_point_of_money_spent_is_the_sum_of_all_cash(plan: Plan) -> None:
    scale, _ = scaling.money_scale(plan)
    points = values(charts.spent(plan))
    assert len(points) == len(plan.months)
    assert points[-1]["amount"] * scale == pytest.approx(sum(line.amount for line in plan.recommended.cash))


def test_an_order_is_drawn_from_order_over_delivery_to_the_end(plan: Plan) -> None:
    first = [row for row in values(gantt.holdings(plan)) if row["place"] == "order 0"]
    assert [(row["start"], row["end"]) for row in first] == [
        ("2023-05-01", "2023-07-01"), ("2023-07-01", "2025-05-01"),
    ]  # fmt: skip


def test_a_delivery_behind_the_plan_s_end_is_on_order_only(plan: Plan) -> None:
    late = dataclasses.replace(plan.recommended.orders[0], delivery_month="2025-09")
    best = dataclasses.replace(plan.recommended, orders=(late,), rents=())
    rows = values(gantt.holdings(dataclasses.replace(plan, recommended=best)))
    assert [row["state"] for row in rows] == ["on order"]


def test_a_rent_is_drawn_through_its_last_month(plan: Plan) -> None:
    rows = [row for row in values(gantt.holdings(plan)) if row["place"] == "rent a800-8 rented_month"]
    assert [(row["start"], row["end"]) for row in rows] == [("2023-05-01", "2023-09-01")]


def test_months_of_equal_use_are_one_bar_and_a_hole_parts_them(plan: Plan) -> None:
    months = ("2023-05", "2023-06", "2023-08", "2023-09")
    use = tuple(Assignment(month=month, workload="w", pool="owned", system_id="s", systems=2.0) for month in months)
    best = dataclasses.replace(plan.recommended, assignments=use, workloads=())
    rows = values(gantt.running(dataclasses.replace(plan, recommended=best)))
    assert [(row["start"], row["end"]) for row in rows] == [
        ("2023-05-01", "2023-07-01"), ("2023-08-01", "2023-10-01"),
    ]  # fmt: skip


def test_more_systems_are_drawn_stronger(plan: Plan) -> None:
    lane = [
        row
        for row in values(gantt.running(plan))
        if str(row["place"]).startswith("chat") and "(reserved)" in str(row["place"])
    ]
    weights = [row["weight"] for row in lane]
    assert weights == sorted(weights)
    assert weights[-1] == 1.0


def test_later_rents_of_a_row_say_how_many_where_there_is_room(plan: Plan) -> None:
    first = plan.recommended.rents[0]
    near = dataclasses.replace(first, first_month="2023-09", last_month="2023-10", systems=5)
    far = dataclasses.replace(first, first_month="2025-02", last_month="2025-03", systems=2)
    best = dataclasses.replace(plan.recommended, orders=(), rents=(far, first, near))
    rows = values(gantt.holdings(dataclasses.replace(plan, recommended=best)))
    assert [row["words"] for row in rows] == ["8 × NVIDIA A800 80GB SXM x8", "", "2 ×"]


def test_each_place_has_its_words_once(plan: Plan) -> None:
    for chart in (gantt.holdings(plan), gantt.running(plan)):
        rows = values(chart)
        told = [row["place"] for row in rows if row["words"] or row["late_words"]]
        assert sorted(told) == sorted({str(row["place"]) for row in rows})


def test_causes_are_drawn_greatest_first_and_add_up(plan: Plan) -> None:
    work = plan.recommended.workloads[0]
    assert work.training is not None
    drawn = [row["value"] for row in values(charts.seconds_by_cause(work, 0))]
    assert drawn == sorted(drawn, reverse=True)
    assert sum(drawn) == pytest.approx(sum(work.training.seconds_by_cause.values()))


def test_the_recommended_plan_stands_out_among_the_alternatives(plan: Plan) -> None:
    assert [row["chosen"] for row in values(charts.alternatives(plan))] == [True, False, False, False]
    assert sum(row["chosen"] for row in values(charts.pareto(plan))) == 1


def points(*named: tuple[str, float, str]) -> list[dict[str, Any]]:
    return [
        {"month": f"{month}-01", "cost": cost, "name": name, "chosen": name == "best"} for month, cost, name in named
    ]


def test_words_of_points_that_stand_apart_are_all_there() -> None:
    rows = points(("2023-05", 1.0, "best"), ("2024-05", 9.0, "late"))
    crowding.place_words(rows)
    assert [(row["right"], row["left"]) for row in rows] == [("best", ""), ("", "late")]


def test_of_words_that_would_lie_on_each_other_the_chosen_ones_stay() -> None:
    rows = points(
        ("2023-05", 9.0, "far off"), ("2024-01", 1.0, "other"), ("2024-01", 1.01, "best"), ("2024-09", 5.0, "x")
    )
    crowding.place_words(rows)
    told = {row["name"]: row["right"] or row["left"] for row in rows}
    assert told["best"] == "best"
    assert told["far off"] == "far off"
    assert rows[1]["right"] == ""


def test_a_single_point_and_none_at_all_have_their_place() -> None:
    alone = points(("2023-05", 1.0, "best"))
    crowding.place_words(alone)
    assert alone[0]["right"] == "best"
    crowding.place_words([])


def test_rents_of_one_kind_lie_in_one_row(plan: Plan) -> None:
    first = plan.recommended.rents[0]
    again = dataclasses.replace(first, first_month="2024-01", last_month="2024-02", systems=2)
    best = dataclasses.replace(plan.recommended, orders=(), rents=(first, again))
    rows = values(gantt.holdings(dataclasses.replace(plan, recommended=best)))
    assert len({row["place"] for row in rows}) == 1
    assert rows[1]["weight"] < rows[0]["weight"] == 1.0


def test_the_power_chart_draws_the_limit_once(plan: Plan) -> None:
    layers = charts.power(plan).spec["layer"]
    assert layers[1]["data"]["values"] == [{"limit": 150.0}]


def test_a_site_without_a_limit_has_no_line(plan: Plan) -> None:
    free = tuple(dataclasses.replace(use, limit_watts=None) for use in plan.recommended.power)
    best = dataclasses.replace(plan.recommended, power=free)
    assert len(charts.power(dataclasses.replace(plan, recommended=best)).spec["layer"]) == 1


def test_the_month_after_december_is_january() -> None:
    assert [grammar.after(month) for month in ("2023-11", "2023-12", "2024-09")] == ["2023-12", "2024-01", "2024-10"]


@pytest.mark.parametrize(("lang", "unit"), [("en", "CNY M"), ("zh", "万元")])
def test_the_money_axis_is_in_the_language_s_own_unit(lang: str, unit: str, plan: Plan) -> None:
    set_language(lang)
    assert scaling.money_scale(plan)[1] == unit


def test_short_steps_are_drawn_in_milliseconds() -> None:
    assert scaling.time_scale({"compute": 0.02})[0] == 1e-3
    assert scaling.time_scale({"compute": 2.0})[0] == 1.0


def test_the_vendored_library_holds_no_end_of_script_and_its_licences() -> None:
    for script in (FOLDER / "vendor").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert "</script" not in text
        assert "sourceMappingURL" not in text
        assert Path(str(script).split(".")[0] + ".LICENSE").exists() or list((FOLDER / "vendor").glob("*.LICENSE"))
