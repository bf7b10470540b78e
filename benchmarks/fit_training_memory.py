"""Fits what each class of software keeps beside states and activations to published peak memory.

    python benchmarks/fit_training_memory.py RUNS.csv

The fitted figures are printed; they are carried into data/calibration/frameworks.yaml by hand.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.estimate.evaluate import ask, weigh_memory
from suanli.estimate.software import load_training_calibration
from suanli.estimate.step import open_machine
from suanli.estimate.tables import to_table
from suanli.validation.reading import load_reading
from suanli.validation.rows import read_records
from suanli.validation.training import measured_quantities, read_run

GIB = 2**30
FREE = (
    ("eager_unfused", "reserved_bytes", 3 * GIB, 0.2 * GIB, 8 * GIB),
    ("eager_unfused", "logit_bytes", 8.0, 2.0, 16.0),
    ("eager_unfused", "fragmentation", 0.1, 0.0, 0.4),
    ("torch_eager", "reserved_bytes", 1 * GIB, 0.1 * GIB, 4 * GIB),
    ("torch_eager", "fragmentation", 0.1, 0.0, 0.6),
    ("torch_compiled", "reserved_bytes", 1 * GIB, 0.1 * GIB, 6 * GIB),
    ("torch_compiled", "logit_bytes", 8.0, 2.0, 16.0),
    ("torch_compiled", "selective_kept", 0.6, 0.2, 1.0),
)


def main() -> None:
    known, kernels, calibration, reading = catalogue(), load_kernels(), load_training_calibration(), load_reading()
    cases = []
    for record in read_records(Path(sys.argv[1])):
        run = read_run(record, known, reading, calibration)
        peaks = [one.measured for one in measured_quantities(record) if one.quantity == "peak_memory_bytes"]
        if peaks and not isinstance(run, str) and run.layout is not None:
            question = ask(run.setup, open_machine(run.cluster, kernels, run.accelerators), calibration, 0.0)
            cases.append((question, to_table([run.layout]), peaks[0]))

    def errors(values: np.ndarray) -> np.ndarray:
        told = []
        for question, table, measured in cases:
            own = {name: value for (which, name, *_), value in zip(FREE, values, strict=True)
                   if which == question.software.id}  # fmt: skip
            asked = replace(question, software=replace(question.software, **own))
            told.append(np.log(weigh_memory(asked, table).memory_bytes[0] / measured))
        return np.array(told)

    start, low, high = (np.array([one[at] for one in FREE]) for at in (2, 3, 4))
    scale = high - low
    prior = (start - low) / scale
    found = least_squares(
        lambda unit: np.concatenate([errors(low + unit * scale), 0.3 * (unit - prior)]),
        prior, bounds=(0, 1), loss="huber", f_scale=0.1, diff_step=1e-3, max_nfev=15,
    )  # fmt: skip
    best = low + found.x * scale
    for (which, name, *_), value in zip(FREE, best, strict=True):
        print(f"{which:16s} {name:16s} {value / GIB if name == 'reserved_bytes' else value:.3g}")
    error = np.exp(errors(best)) - 1
    print(f"median {np.median(np.abs(error)):.3f} mean {np.mean(np.abs(error)):.3f}")
    print("80 % of measured over predicted:", np.percentile(1 / (1 + error), [10, 90]))


if __name__ == "__main__":
    main()
