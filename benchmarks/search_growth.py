"""Searches spaces of about 1e4 to 1e7 layouts, each in a process and on a core of its own: rate, and memory at most.

python benchmarks/search_growth.py
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.hardware import Cluster
from suanli.domain.workload import TrainingSetup
from suanli.estimate.evaluate import ask
from suanli.estimate.search import MEMORY_MARGIN, legal_rows, sweep
from suanli.estimate.software import load_training_calibration
from suanli.estimate.space import layout_chunks
from suanli.estimate.step import open_machine
from suanli.parts.architectures.read import named_model

MEGABYTE = 1e6
KIBIBYTE = 2**10
KEEP = 20
WARMING_NODES = 16
SPACES = (
    ("GPT-3-175B", 16, 8), ("GPT-3-175B", 32, 512), ("GPT-3-175B", 1536, 3072), ("GPT-3-175B", 11520, 92160),
)  # fmt: skip
"""Model, nodes of eight accelerators, global batch: about 1e4, 1e5, 1e6 and 1e7 legal layouts."""


def measure(model: str, nodes: int, batch: int) -> None:
    """Search one space and print its row."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    kernels = load_kernels()
    setup = TrainingSetup(model=named_model(model), sequence_tokens=2048, global_batch=batch)
    calibration = load_training_calibration()
    questions = [
        ask(
            setup,
            open_machine(Cluster(system=system("dgx-a100-640"), nodes=count), kernels),
            calibration,
            MEMORY_MARGIN,
        )
        for count in (WARMING_NODES, nodes)
    ]
    for question in questions:  # the first one loads what is loaded once and touches the memory of a chunk
        began = time.process_time()
        done = sweep(question, layout_chunks(setup, question.machine, every=True), KEEP)
        seconds = time.process_time() - began
    legal = legal_rows(done)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE / MEGABYTE
    print(
        f"| {model}, {nodes * 8:,} A100, batch {batch:,} | {legal:,} | {done.fitting:,} | {seconds:.2f} | "
        f"{legal / seconds:,.0f} | {1e6 * seconds / legal:.2f} | {held:.0f} |"
    )


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        return
    print("| space | legal layouts | that fit | s | layouts/s | us a layout | MB at most |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for model, nodes, batch in SPACES:
        row = [sys.executable, __file__, model, str(nodes), str(batch)]
        print(subprocess.run(row, check=True, capture_output=True, text=True).stdout, end="", flush=True)


if __name__ == "__main__":
    main()
