"""Fit the costs of serving engines to a table of published runs, and print errors of sources that a fit did not see.

    python benchmarks/fit_serving.py RUNS.csv            errors of the packaged figures
    python benchmarks/fit_serving.py RUNS.csv --fit      fit every class, write data/calibration/engines.yaml
    python benchmarks/fit_serving.py RUNS.csv --leave-out  fit again without each source, print its errors

Few figures of each class of engines are fitted over its runs, on absolute log error that counts no more than a
doubling, changing one figure after the other. No figure belongs to a source, a model or an accelerator.

Classes whose own kernels were measured share one set of figures, fitted to the runs of all of them: what is left beside
the kernels is much alike. Other classes are fitted on their own and pay for leaving that set, the more the fewer models
and accelerators their runs are of. A source that is left out is left out of both.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from suanli.catalogue.engines import ENGINE_FILE, find_engine
from suanli.catalogue.find import accelerator
from suanli.domain.engine import EngineTable
from suanli.foundation.errors import SuanliError
from suanli.parts.devices.open import open_device
from suanli.validation.serving import Tables, default_tables, predict
from suanli.validation.serving_rows import Drive, ServingRow, read_serving_row

BOUNDS: Mapping[str, tuple[float, float]] = {
    "kernel_slack": (0.6, 1.6),
    "host_seconds": (2e-5, 1e-2),
    "rank_host_seconds": (1e-5, 5e-3),
    "layer_seconds": (2e-7, 1e-4),
    "sequence_seconds": (2e-7, 1e-4),
    "request_seconds": (1e-3, 2e-1),
    "front_seconds": (1e-3, 1e-2),
    "burst_share": (0.01, 1.0),
}
"""Fitted figures and what they may be: from nothing to what a profiler has ever shown of such engines."""
STEP_FIGURES = ("kernel_slack", "host_seconds", "rank_host_seconds", "layer_seconds", "sequence_seconds")
WAIT_FIGURES = ("request_seconds", "front_seconds", "burst_share")
PER_CLASS = 150
"""Runs of a class that a fit looks at."""
LEAST_MEASURED = 40
"""Runs on measured kernels from which on a class is fitted to them alone."""
FLAT = math.log(2)
"""Log error from which on a run counts no more: software that failed or was not what the table says."""
TIE = 0.002
"""Share by which a change must lower the typical error to be kept."""
FACTORS = ((0.4, 2.5), (0.5, 2.0), (0.7, 1.4), (0.85, 1.2))
"""By what figures are changed, one after the other, from coarse to fine."""
POOLING = 0.3
"""Typical error that a figure pays which lies threefold from the pooled one, over the groups of runs of its class."""
THREEFOLD = math.log(3)


NEUTRAL: Mapping[str, float] = {
    "kernel_slack": 1.0, "host_seconds": 50e-6, "rank_host_seconds": 50e-6, "layer_seconds": 2e-6,
    "sequence_seconds": 21e-6, "request_seconds": 15.6e-3, "front_seconds": 3e-3, "burst_share": 0.25,
}  # fmt: skip
"""Where the pooled fit begins: what BLIS fits of a request (docs/guide/latency-models.md), half of what is left between
steps once they are scheduled ahead (vLLM's pull request 11133: 150 us), and what vLLM measured there of a sequence (5
to 6 ms between steps of 256 before it scheduled ahead)."""
HELD = ("sequence_seconds",)
"""Figures of the pooled classes that were measured, and are not fitted."""
ALONE = ("vllm_v0",)
"""Classes with measured kernels that are fitted on their own: what the oldest engine does beside them is its own."""


PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "vllm_v0": {"host_seconds": 4e-3, "layer_seconds": 3.2e-5, "sequence_seconds": 4.4e-6},
    "deepspeed_mii": {"host_seconds": 4e-3, "layer_seconds": 3.2e-5, "sequence_seconds": 4.4e-6},
    "trtllm_built": {"sequence_seconds": 4e-6},
}
"""What others say of a class: the least of the bubbles in vLLM issue 6854, what BLIS fits by layer and request;
a scheduler in C++ spends a fifth on a sequence of what one in Python does, as on a launch (serving_choices.yaml)."""


def read_rows(path: Path) -> list[ServingRow]:
    """Read the rows that say enough to be predicted."""
    rows = []
    with path.open(encoding="utf-8") as opened:
        for cells in csv.DictReader(opened):
            try:
                rows.append(read_serving_row(cells))
            except SuanliError:
                continue
    return rows


def log_error(row: ServingRow, tables: Tables) -> float | None:
    """Return the log of predicted over measured, None where a row cannot be predicted."""
    try:
        return math.log(predict(row, tables)[1] / row.measured)
    except SuanliError:
        return None


def class_of(row: ServingRow, engines: EngineTable) -> str:
    """Return the class of engines that a row belongs to."""
    return find_engine(engines, row.engine, row.engine_version, row.date).id


def spread_out(rows: list[ServingRow], most: int) -> list[ServingRow]:
    """Return at most so many rows, at even distances through the table."""
    ordered = sorted(rows, key=lambda row: (row.source, row.model, row.accelerator, row.id))
    places = np.unique(np.linspace(0, len(ordered) - 1, min(most, len(ordered))).astype(int)) if ordered else []
    return [ordered[place] for place in places]


def on_measured_kernels(row: ServingRow, tables: Tables) -> bool:
    """Say whether the kernels of a row's accelerator were measured, so that an engine is not blamed for them."""
    return open_device(accelerator(row.accelerator), tables.kernels).calibrated


def with_figures(tables: Tables, names: Iterable[str], figures: Mapping[str, float]) -> Tables:
    """Return the tables with some classes' figures replaced."""
    profiles = dict(tables.engines.profiles)
    for name in names:
        profiles[name] = replace(profiles[name], **figures)
    return Tables(kernels=tables.kernels, engines=replace(tables.engines, profiles=profiles))


Start = Mapping[str, float]
"""Figures by name, from which a fit begins and which it pays for leaving."""


def fit_class(name: str, rows: list[ServingRow], tables: Tables, start: Start) -> dict[str, float]:
    """Fit the figures of one class of engines to its runs: first those of steps, then those of waits."""
    return fit_together((name,), rows, with_figures(tables, (name,), start), start)


def fit_together(names: tuple[str, ...], rows: list[ServingRow], tables: Tables, start: Start) -> dict[str, float]:
    """Fit figures that some classes of engines share."""
    timed = [row for row in rows if row.drive is not Drive.MEMORY]
    measured = [row for row in timed if on_measured_kernels(row, tables)]
    kept = measured if len(measured) >= LEAST_MEASURED else timed
    waits = [row for row in kept if row.quantity == "ttft_seconds" or of_a_drain(row)]
    steps = [row for row in kept if row.quantity != "ttft_seconds" and not of_a_drain(row)]
    fitted = dict(start)
    own = all(tables.engines.profiles[name].kernels for name in names)
    for asked, members in ((STEP_FIGURES, steps), (WAIT_FIGURES, waits)):
        held = HELD if own and names != ALONE else ()
        free = tuple(one for one in asked if one not in held and (one != "kernel_slack" or not own))
        fitted |= fit_figures(names, free, members, with_figures(tables, names, fitted), fitted)
    return fitted


def of_a_drain(row: ServingRow) -> bool:
    """Say whether a row is the time between tokens of a burst, which tells of lengths and waits more than of steps."""
    return row.drive is Drive.BURST and row.quantity == "tpot_seconds"


def fit_figures(
    names: tuple[str, ...], asked: tuple[str, ...], rows: list[ServingRow], tables: Tables, start: Start
) -> dict[str, float]:
    """Fit some figures of classes of engines to runs; a figure that is none stays none."""
    sample = [row for row in spread_out(rows, PER_CLASS) if log_error(row, tables) is not None]
    free = [one for one in asked if start[one] > 0]
    if not sample or not free:
        return {}
    groups = len({(row.source, row.model, row.accelerator) for row in sample})
    prior = {one: min(max(start[one], BOUNDS[one][0]), BOUNDS[one][1]) for one in free}

    def cost(figures: Start) -> float:
        away = sum((math.log(figures[one] / prior[one]) / THREEFOLD) ** 2 for one in free)
        return typical_error(sample, with_figures(tables, names, figures)) + POOLING * away / groups

    figures = dict(prior)
    best = cost(figures)
    for factors in FACTORS:
        for one in free:
            for factor in factors:
                trial = {**figures, one: min(max(figures[one] * factor, BOUNDS[one][0]), BOUNDS[one][1])}
                error = cost(trial)
                if error < best * (1 - TIE):
                    figures, best = trial, error
    return figures


def typical_error(rows: list[ServingRow], tables: Tables) -> float:
    """Return the mean absolute log error of rows, where no row counts more than a doubling."""
    told = [log_error(row, tables) for row in rows]
    return float(np.mean([min(abs(one), FLAT) for one in told if one is not None]))


def pooled_classes(tables: Tables) -> tuple[str, ...]:
    """Return the classes that share their figures."""
    return tuple(sorted(name for name, one in tables.engines.profiles.items() if one.kernels and name not in ALONE))


def pooled_figures(rows: list[ServingRow], tables: Tables) -> dict[str, float]:
    """Fit one set of figures to the runs of all pooled classes."""
    names = pooled_classes(tables)
    members = [row for row in rows if class_of(row, tables.engines) in names]
    return fit_together(names, members, with_figures(tables, names, NEUTRAL), NEUTRAL)


def start_of(name: str, pooled: Start, tables: Tables) -> dict[str, float]:
    """Return what a class begins with: the pooled figures, what others say of it, nothing where it has none of them."""
    profile = tables.engines.profiles[name]
    return {
        one: value if getattr(profile, one) > 0 else 0.0 for one, value in {**pooled, **PUBLISHED.get(name, {})}.items()
    }


def fit_all(rows: list[ServingRow], tables: Tables, only: Iterable[str] = ()) -> dict[str, dict[str, float]]:
    """Fit every class of engines that has runs (or those named)."""
    by_class: dict[str, list[ServingRow]] = defaultdict(list)
    for row in rows:
        by_class[class_of(row, tables.engines)].append(row)
    pooled = pooled_figures(rows, tables)
    fitted = {}
    for name in sorted(set(only) or set(by_class)):
        start = start_of(name, pooled, tables)
        fitted[name] = start if name in pooled_classes(tables) else fit_class(name, by_class[name], tables, start)
        print(
            f"{name:>16} {len(by_class[name]):5} runs  " + "  ".join(f"{k} {v:.3g}" for k, v in fitted[name].items()),
            flush=True,
        )
    return fitted


def write_figures(fitted: Mapping[str, Mapping[str, float]], path: Path = ENGINE_FILE) -> None:
    """Write fitted figures into the engine file, each in its place."""
    lines, current = [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        head = re.fullmatch(r"  (\w+):", line)
        entry = re.fullmatch(r"    (\w+): .*", line)
        current = head.group(1) if head else current
        if entry and entry.group(1) in fitted.get(current, {}):
            line = f"    {entry.group(1)}: {told(entry.group(1), fitted[current][entry.group(1)])}"
        lines.append(line)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def told(name: str, value: float) -> str:
    """Write a figure with its unit."""
    return f"{value * 1e6:.3g} us" if name.endswith("_seconds") else f"{value:.3g}"


def print_errors(title: str, errors: Iterable[float]) -> None:
    """Print the median absolute error, bias and 90th percentile of log errors."""
    logs = np.asarray(list(errors))
    if len(logs):
        shares = np.abs(np.expm1(logs))
        print(
            f"{title:<60} {len(logs):5}  median {np.median(shares):6.1%}  p90 {np.quantile(shares, 0.9):7.1%}"
            f"  bias {np.expm1(np.median(logs)):+6.1%}",
            flush=True,
        )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--leave-out", action="store_true")
    parser.add_argument("--only", nargs="*", default=(), help="classes to fit")
    parser.add_argument("--source", default="", help="leave out this source alone")
    parser.add_argument("--save", type=Path, help="where the log errors go, as JSON by row")
    asked = parser.parse_args()
    rows, tables = read_rows(asked.runs), default_tables()
    if asked.fit:
        write_figures(fit_all(rows, tables, asked.only))
        return
    groups: dict[str, dict[str, float]] = defaultdict(dict)
    for source in [asked.source] if asked.source else sorted({row.source for row in rows}):
        own = [row for row in rows if row.source == source]
        used = tables
        if asked.leave_out:
            others = [row for row in rows if row.source != source]
            for name, figures in fit_all(others, tables, {class_of(row, tables.engines) for row in own}).items():
                used = with_figures(used, (name,), figures)
        for row in own:
            error = log_error(row, used)
            if error is not None:
                groups[f"{source}: {row.quantity}"][row.id] = error
    for title, errors in groups.items():
        print_errors(title, errors.values())
    every = {name: error for errors in groups.values() for name, error in errors.items()}
    if asked.save:
        asked.save.write_text(json.dumps(every), encoding="utf-8")
    print_errors("all", every.values())


if __name__ == "__main__":
    main()
