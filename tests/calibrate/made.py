"""Runs made by the model itself, so that a fit's answer is known."""

from dataclasses import replace
from functools import cache

import numpy as np
from tests.validation.runs import DENSE, write

from suanli.calibrate.apply import calibrated, predicted_seconds
from suanli.calibrate.figures import load_free
from suanli.calibrate.fit import Problem, around
from suanli.calibrate.runs import read_runs, records_of
from suanli.estimate.software import load_training_calibration

KNOWN = load_training_calibration()
FREE = load_free()
MEGATRON = {"framework": "Megatron-LM core", "date": "2024-01-01"}
EAGER = {"framework": "llm-foundry", "sharding": "fsdp", "tp": "1"}
SURE = replace(FREE.rules, noise_log=0.0002, run_weight=1.0)
"""Rules of a fit to runs without noise: they rule the prior."""


def rows():
    """Make runs of two classes of software on two generations, at several sizes."""
    made = []
    for accelerator in ("A100-80GB-SXM", "H100-SXM"):
        for source, software in (("ours", MEGATRON), ("theirs", EAGER)):
            for micro_batch, length in (("1", "2048"), ("2", "2048"), ("2", "4096"), ("4", "1024"), ("1", "8192")):
                row = {**DENSE, **software, "source": source, "accelerator": accelerator, "micro_batch": micro_batch}
                nodes = 2 if len(made) % 2 else 8
                size = {"gpus": str(8 * nodes), "dp": str(8 * nodes // int(row["tp"]))}
                made.append({**row, **size, "seq_len": length, "id": f"run-{len(made)}"})
    return made


@cache
def runs(folder):
    """Read the made runs once."""
    return read_runs(records_of([write(folder / "made.csv", *rows())]), KNOWN)


def figure(name, holder):
    """Find a free figure by its name and one of its holders."""
    return next(one for one in FREE.figures if one.name == name and holder in (*one.software, *one.hardware, "cluster"))


def moved(figures, factors):
    """Return the shipped calibration with some figures multiplied, and their values."""
    values = [one.start * factor for one, factor in zip(figures, factors, strict=True)]
    return calibrated(KNOWN, figures, values), np.array(values)


def problem(some, figures, rules=FREE.rules, seconds=None):
    """Make a problem around the shipped figures, of runs that took as long as said."""
    told = some if seconds is None else replace(some, measured_seconds=seconds)
    return Problem(runs=told, known=KNOWN, figures=around(figures, KNOWN), rules=rules)


def taken(some, calibration):
    """Return how long the runs take under a calibration."""
    return predicted_seconds(calibration, some)
