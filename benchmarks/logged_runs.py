"""How fast logs are read, and how often the right cause is named: runs made up with one known cause each, and without.

    python benchmarks/logged_runs.py --megabytes 200 --runs 40

Runs are logs of Megatron-LM at the predicted step of its layout, times noise (a spread of 1 to 3 %, a stall now and
then), with an export of nvidia-smi. One cause is put into each at a size drawn between 5 and 30 % of the step; runs
without one lie anywhere in the band. Printed: bytes a second and the peak of Python's memory; of every cause how often
it comes first, of runs without one how often any is named that is not there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.validation.logs import made

from suanli.api.logs import CausePart, LogComparison, compare_logs
from suanli.api.train import TrainingQuestion, train
from suanli.validation.logs.read import read_logs

STEPS = 300
BOX = {"system": "dgx-h100"}
QUESTION = TrainingQuestion(
    model="LLAMA3_8B", system="dgx-h100", tensor=2, data=4, micro_batch=1, global_batch=128, sequence_tokens=8192
)
CAUSES = ("input_pipeline timer", "input_pipeline idle", "input_pipeline modes", "throttling", "straggler", "network",
          "slowing_down", "evaluation")  # fmt: skip


def reading(megabytes: int, folder: Path) -> None:
    """Read a long log and print how fast and in how much memory."""
    path = folder / "long.log"
    head, line = made.megatron([7.0] * 2), made.megatron([7.0]).splitlines()[-2]
    with path.open("w", encoding="utf-8") as opened:
        opened.write(head)
        number = 3
        while opened.tell() < megabytes * 2**20:
            opened.writelines(line.replace("       1/", f"{one:8d}/") + "\n" for one in range(number, number + 5000))
            number += 5000
    begun = time.process_time()
    log = read_logs([path])
    spent = time.process_time() - begun
    tracemalloc.start()
    read_logs([path])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{path.stat().st_size / 2**20:.0f} MiB, {len(log.reports)} steps: {spent:.1f} s of one core, ", end="")
    print(f"{path.stat().st_size / 2**20 / spent:.1f} MiB/s, peak {peak / 2**20:.0f} MiB")


def run(cause: str, random: np.random.Generator, step: float, band: tuple[float, float], folder: Path) -> LogComparison:
    """Make up one run and hold it against its prediction."""
    size = random.uniform(0.05, 0.3)
    level = step * random.uniform(1.0, 1.05) if cause else random.uniform(*band)
    seconds = level * random.lognormal(0.0, random.uniform(0.01, 0.03), STEPS)
    seconds[random.random(STEPS) < 0.005] *= 1.6
    timers: dict[str, tuple[float, float]] = {}
    export = {"watts": 680, "clock": lambda *_: int(random.normal(1850, 15))}
    if cause == "input_pipeline timer":
        timers["batch-generator"] = (0.5 * size * level, size * level)
        seconds += size * level
    elif cause == "input_pipeline idle":
        seconds *= 1 / (1 - size)
        export["busy"] = lambda _, row: 0 if row and random.random() < size else 100
    elif cause == "input_pipeline modes":
        seconds[random.random(STEPS) < 0.5] *= 1 + 2 * size
    elif cause == "throttling":
        seconds /= 1 - size
        export |= {"clock": int(1850 * (1 - size)), "mask": 0x40, "celsius": 90}
    elif cause == "straggler":
        seconds /= 1 - size
        slow = int(random.integers(8))
        export["clock"] = lambda device, _: int(1850 * (1 - size)) if device == slow else int(random.normal(1850, 15))
    elif cause == "network":
        seconds *= 1.25 + 2 * size
        export["watts"] = 700 * random.uniform(0.35, 0.55)
    elif cause == "slowing_down":
        seconds *= np.linspace(1, 1 + 2 * size, STEPS)
    elif cause == "evaluation":
        seconds[99::100] += 100 * size * level
    log, smi = folder / "train.log", folder / "smi.csv"
    log.write_text(made.megatron(list(seconds), timers=timers), encoding="utf-8")
    smi.write_text(made.smi(samples=120, **export), encoding="utf-8")
    return compare_logs([log, smi], BOX, searched=False)


def naming(runs: int, folder: Path) -> None:
    """Print how often the cause that was put in is the first one named, and how often one is named for nothing."""
    random, one = np.random.default_rng(0), train(QUESTION)[0]
    band = (one.band.low, one.band.high)
    for cause in CAUSES:
        first: Counter[str] = Counter()
        for _ in range(runs):
            told = run(cause, random, one.step_seconds, band, folder).causes
            first[next((each.name for each in told if each.part is not CausePart.LAYOUT), "none")] += 1
        right = first[cause.split()[0]]
        print(f"{cause}: first in {right} of {runs}; others {dict(first - Counter({cause.split()[0]: right}))}")
    wrong: Counter[str] = Counter()
    for _ in range(runs * len(CAUSES)):
        told = run("", random, one.step_seconds, band, folder).causes
        wrong.update({each.name for each in told if each.part is CausePart.STEP})
    print(f"none: {sum(wrong.values())} named for nothing in {runs * len(CAUSES)} runs; {dict(wrong)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reading(asked.megabytes, Path(folder))
        naming(asked.runs, Path(folder))


if __name__ == "__main__":
    main()
