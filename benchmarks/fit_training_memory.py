"""Fits what each class of software keeps beside states and activations to published peak memory.

    python benchmarks/fit_training_memory.py RUNS.csv [--leave-out source|family]

The fitted figures are printed; they are carried into data/calibration/frameworks.yaml by hand. With `--leave-out`,
every source (or family of sources) is predicted by a fit to all others that starts from the prior, and the errors are
printed by source, with the factors between which 80 % of measured over predicted lie.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from suanli.calibrate.figures import load_free
from suanli.calibrate.held_out import LeaveOut, groups_of
from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.layout import LayoutTable
from suanli.estimate.evaluate import Question, ask, weigh_memory
from suanli.estimate.software import load_training_calibration
from suanli.estimate.step import open_machine
from suanli.estimate.tables import to_table
from suanli.validation.predict import seen_share
from suanli.validation.reading import load_reading
from suanli.validation.rows import read_records
from suanli.validation.training import Run, measured_quantities, read_run

GIB = 2**30
TORCH = ("torch_eager", "torch_foundry", "torch_fabric", "torch_compiled", "torch_compiled_loss")
FREE = (  # classes, figure, prior, least, most
    (("eager_unfused",), "reserved_bytes", 3 * GIB, 0.2 * GIB, 8 * GIB),
    (("eager_unfused",), "logit_bytes", 10.0, 2.0, 16.0),
    (("eager_unfused",), "fragmentation", 0.1, 0.0, 0.4),
    (TORCH, "fragmentation", 0.1, 0.0, 0.4),
)
PRIOR_WEIGHT, HUBER = 0.3, 0.1
SHARE_INSIDE = (10, 90)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One published peak: its run, the question and layout it answers, and its bytes."""

    run: Run
    question: Question
    table: LayoutTable
    measured: float


def cases_of(path: Path) -> list[Case]:
    """Read every peak of a table that can be predicted at its own layout."""
    known, kernels, calibration, reading = catalogue(), load_kernels(), load_training_calibration(), load_reading()
    cases = []
    for record in read_records(path):
        run = read_run(record, known, reading, calibration)
        peaks = [one.measured for one in measured_quantities(record) if one.quantity == "peak_memory_bytes"]
        if peaks and not isinstance(run, str) and run.layout is not None:
            question = ask(run.setup, open_machine(run.cluster, kernels, run.accelerators), calibration, 0.0)
            cases.append(Case(run=run, question=question, table=to_table([run.layout]), measured=peaks[0]))
    return cases


def log_errors(cases: Sequence[Case], values: np.ndarray) -> np.ndarray:
    """Log of predicted over measured bytes of every case under values of the free figures."""
    told = []
    for case in cases:
        software = case.question.software
        own = {name: value for (which, name, *_), value in zip(FREE, values, strict=True) if software.id in which}
        held = weigh_memory(replace(case.question, software=replace(software, **own)), case.table)
        seen = seen_share(case.run, {name: float(column[0]) for name, column in held.causes.items()})
        told.append(np.log(seen * held.memory_bytes[0] / case.measured))
    return np.array(told)


def fit(cases: Sequence[Case]) -> np.ndarray:
    """Fit the free figures to cases, held to their priors."""
    start, low, high = (np.array([one[at] for one in FREE]) for at in (2, 3, 4))
    scale = high - low
    prior = (start - low) / scale
    found = least_squares(
        lambda unit: np.concatenate([log_errors(cases, low + unit * scale), PRIOR_WEIGHT * (unit - prior)]),
        prior, bounds=(0, 1), loss="huber", f_scale=HUBER, diff_step=1e-3, max_nfev=15,
    )  # fmt: skip
    return low + found.x * scale


def left_out(cases: Sequence[Case], by: LeaveOut) -> np.ndarray:
    """Log errors of every case under a fit to the cases of all other groups."""
    groups = np.array(groups_of([case.run.source for case in cases], by, load_free().families))
    told = np.zeros(len(cases))
    for group in dict.fromkeys(groups):
        rest = fit([case for case, name in zip(cases, groups, strict=True) if name != group])
        told[groups == group] = log_errors(cases, rest)[groups == group]
    return told


def tell(cases: Sequence[Case], logs: np.ndarray) -> None:
    """Print errors in all and by source, and where 80 % of measured over predicted lie."""
    errors = np.abs(np.exp(logs) - 1)
    sources = np.array([case.run.source for case in cases])
    print("| Source | rows | median error | mean error | 90th percentile |\n|---|---:|---:|---:|---:|")
    for name in ("all", *dict.fromkeys(sources)):
        own = errors if name == "all" else errors[sources == name]
        figures = (np.median(own), np.mean(own), np.percentile(own, SHARE_INSIDE[1]))
        print(f"| {name} | {len(own)} | " + " | ".join(f"{one:.1%}" for one in figures) + " |")
    print("80 % of measured over predicted:", np.percentile(np.exp(-logs), SHARE_INSIDE).round(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--leave-out", type=LeaveOut, default=LeaveOut.NONE)
    asked = parser.parse_args()
    cases = cases_of(asked.runs)
    if asked.leave_out is not LeaveOut.NONE:
        tell(cases, left_out(cases, asked.leave_out))
        return
    best = fit(cases)
    for (which, name, *_), value in zip(FREE, best, strict=True):
        print(f"{which[0]:16s} {name:16s} {value / GIB if name == 'reserved_bytes' else value:.3g}")
    tell(cases, log_errors(cases, best))


if __name__ == "__main__":
    main()
