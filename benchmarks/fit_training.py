"""Fits the global parameters of training estimates to published runs, and prints what a fit does not know.

    python benchmarks/fit_training.py RUNS.csv [MORE.csv ...]

A few figures with physical meaning (how often a class of software passes over activations, what a launch costs, how
much traffic hides, stragglers, what long training keeps of a kernel's rate) are fitted together by a Huber loss on the
log of predicted over measured. Then each family of sources is left out in turn: the error on it is what a stranger's
run meets.
The fitted figures are printed; they are carried into data/calibration/frameworks.yaml by hand.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.optimize import least_squares

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.software import Software
from suanli.estimate.compose import StepColumns, Wear, compose
from suanli.estimate.operators import LayerColumns
from suanli.estimate.software import load_training_calibration
from suanli.estimate.step import RawStep, open_machine, raw_step
from suanli.estimate.tables import to_table
from suanli.parts.devices.open import open_device
from suanli.validation.reading import load_reading
from suanli.validation.rows import read_records
from suanli.validation.training import measured_quantities, read_run

HUBER = 0.15
PRIOR = 1.0


@dataclass
class Free:
    """One free figure: the field of which software classes (or `straggler`, or `sustained:PATTERN`), start, bounds."""

    name: str
    classes: tuple[str, ...]
    start: float
    low: float
    high: float


MEGATRON = ("megatron_core", "megatron_graphs")
FREE = (
    Free("pass_factor", ("eager_unfused",), 1.6, 0.5, 4.0),
    Free("pass_factor", MEGATRON, 1.5, 0.5, 4.0),
    Free("expert_pass_factor", ("megatron_core",), 4.0, 0.5, 12.0),
    Free("expert_pass_factor", ("megatron_graphs",), 2.0, 1.0, 12.0),
    Free("attention_factor", ("torch_eager", "torch_compiled"), 1.3, 0.7, 3.0),
    Free("attention_factor", MEGATRON, 1.1, 0.8, 1.6),
    Free("pass_factor", ("torch_eager",), 1.6, 0.5, 4.0),
    Free("pass_factor", ("torch_compiled", "xla"), 1.0, 0.5, 4.0),
    Free("launch_seconds", ("eager_unfused",), 30e-6, 10e-6, 60e-6),
    Free("accumulate_moved_bytes", ("eager_unfused",), 8, 4, 24),
    Free("tensor_hidden", MEGATRON, 0.3, 0.0, 0.9),
    Free("gather_hidden", ("torch_eager", "torch_compiled", *MEGATRON, "xla"), 0.8, 0.3, 0.95),
    Free("hopper_share", ("torch_eager", "torch_compiled"), 0.7, 0.4, 1.0),
    Free("hopper_share", MEGATRON, 0.9, 0.4, 1.1),
    Free("straggler_per_doubling", (), 0.005, 0.0, 0.02),
    Free("misaligned_slowdown", (), 1.25, 1.0, 2.0),
    Free("odd_head_slowdown", (), 4.0, 1.0, 12.0),
)
SUSTAINED = ("nv-b200*|nv-gb200*", "nv-b300*|nv-gb300*", "ascend-*", "tpu-*", "nv-v100*")


def free_figures() -> list[Free]:
    return [*FREE, *(Free(f"sustained:{pattern}", (), 0.95, 0.5, 1.3) for pattern in SUSTAINED)]


@dataclass
class Runs:
    """All runs stacked: raw columns, class of software, accelerator, measured seconds, source."""

    raw: RawStep
    classes: np.ndarray
    accelerators: np.ndarray
    measured: np.ndarray
    sources: np.ndarray
    ids: np.ndarray


def stack(parts: list) -> object:
    first = parts[0]
    columns = {}
    for field in fields(first):
        values = [getattr(part, field.name) for part in parts]
        columns[field.name] = stack(values) if isinstance(values[0], LayerColumns) else np.concatenate(values)
    return type(first)(**columns)


def collect(paths: list[Path]) -> Runs:
    known, kernels, calibration, reading = catalogue(), load_kernels(), load_training_calibration(), load_reading()
    raws, rest = [], []
    for path in paths:
        for record in read_records(path):
            run = read_run(record, known, reading, calibration)
            steps = [one for one in measured_quantities(record) if one.quantity == "step_seconds"]
            if isinstance(run, str) or run.layout is None or not steps:
                continue
            machine = open_machine(run.cluster, kernels, run.accelerators)
            software = calibration.software[run.setup.framework]
            raws.append(raw_step(run.setup, machine, software, to_table([run.layout])))
            rest.append((software.id, machine.device.accelerator.id, steps[0].measured, run.source, run.id))
    classes, accelerators, measured, sources, ids = (np.array(column) for column in zip(*rest, strict=True))
    return Runs(stack(raws), classes, accelerators, measured, sources, ids)


def family(source: str) -> str:
    """Releases of one page are one family: near-copies of a run must not stay in when it is left out."""
    first = source.split(" ", maxsplit=1)[0].split("_", maxsplit=1)[0].rstrip(":")
    return "MaxText" if first.startswith("AI-Hyper") else first


class Predictor:
    """Composes all runs under given figures, reusing the columns that the figures leave alone."""

    def __init__(self, runs: Runs, free: list[Free]) -> None:
        self.runs, self.free = runs, free
        known = load_training_calibration().software
        self.base = {
            field.name: np.array([getattr(known[one], field.name) for one in runs.classes])
            for field in fields(Software)
            if field.name not in ("id", "name")
        }
        self.rows = [self._rows(one) for one in free]

    def _rows(self, one: Free) -> np.ndarray:
        if one.name.startswith("sustained:"):
            patterns = one.name.split(":", 1)[1].split("|")
            return np.array([any(fnmatch(name, pattern) for pattern in patterns) for name in self.runs.accelerators])
        return np.isin(self.runs.classes, one.classes)

    def step(self, values: np.ndarray) -> StepColumns:
        columns, wear = dict(self.base), {"sustained": np.ones(len(self.runs.classes))}
        for one, value, rows in zip(self.free, values, self.rows, strict=True):
            if one.name.startswith("sustained:"):
                wear["sustained"] = np.where(rows, value, wear["sustained"])
            elif one.classes:
                columns[one.name] = np.where(rows, value, columns[one.name])
            else:
                wear[one.name] = value
        return compose(self.runs.raw, SimpleNamespace(**columns), Wear(**wear))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return self.step(values).step_seconds


def fit(predictor: Predictor, weights: np.ndarray) -> np.ndarray:
    free, measured = predictor.free, predictor.runs.measured
    low, high = np.array([one.low for one in free]), np.array([one.high for one in free])
    scale = high - low
    prior = (np.array([one.start for one in free]) - low) / scale

    def residuals(unit: np.ndarray) -> np.ndarray:
        error = np.log(predictor(low + unit * scale) / measured)
        return np.concatenate([weights * error, PRIOR * (unit - prior)])

    found = least_squares(residuals, prior, bounds=(0, 1), loss="huber", f_scale=HUBER, diff_step=1e-4, max_nfev=60)
    return low + found.x * scale


def known_kernels(accelerator_id: str) -> bool:
    return open_device(catalogue().accelerators[accelerator_id], load_kernels()).calibrated


def tell(title: str, error: np.ndarray, sources: np.ndarray, names: np.ndarray) -> None:
    size = np.abs(error)
    print(f"\n{title}: rows {len(error)}, median {np.median(size):.3f}, mean {size.mean():.3f}, "
          f"p90 {np.percentile(size, 90):.3f}")  # fmt: skip
    for group in sorted(set(names)):
        rows = names == group
        middle, bias = np.median(size[rows]), np.median(error[rows])
        print(f"  {group[:60]:60s} {rows.sum():4d}  median {middle:.3f}  bias {bias:+.3f}")


def main() -> None:
    runs = collect([Path(name) for name in sys.argv[1:]])
    free = free_figures()
    predictor = Predictor(runs, free)
    families = np.array([family(source) for source in runs.sources])
    count = {name: (families == name).sum() for name in set(families)}
    weights = np.array([count[name] ** -0.25 for name in families])
    weights = weights / weights.mean()
    start = np.array([one.start for one in free])
    tell("as shipped start", predictor(start) / runs.measured - 1, runs.sources, families)
    best = fit(predictor, weights)
    for one, value in zip(free, best, strict=True):
        print(f"  {one.name:24s} {'/'.join(one.classes):50s} {value:.4g}")
    fitted = predictor(best) / runs.measured - 1
    tell("fitted on all", fitted, runs.sources, families)
    tell("fitted on all, by accelerator", fitted, runs.sources, runs.accelerators)
    held = np.zeros(len(runs.measured))
    for name in sorted(set(families)):
        left = families == name
        own = fit(predictor, np.where(left, 0.0, weights))
        held[left] = (predictor(own) / runs.measured - 1)[left]
    tell("left out, by family of sources", held, runs.sources, families)
    tell("left out, by accelerator", held, runs.sources, runs.accelerators)
    default = np.isin(runs.accelerators, [name for name in set(runs.accelerators) if not known_kernels(name)])
    for title, rows in (("measured kernels", ~default), ("class defaults", default)):
        low, high = np.percentile(1 / (1 + held[rows]), [10, 90])
        print(f"80 % of measured over predicted, left out, {title}: {low:.2f} to {high:.2f}, {rows.sum()} rows")


if __name__ == "__main__":
    main()
