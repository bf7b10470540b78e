"""What a lower bound of the step time would save a search: shares of layouts that it drops, seconds that it could save.

    python benchmarks/time_bound.py

For each space: how many of the layouts that fit have a bound above the time of the 20th best, so that they need not be
composed in full, under two bounds, each with the idle time of its pipeline: arithmetic at the best rate that a layout
of the same chunk reaches, and the own kernels of each layout (products, attention, passes, what is computed again)
without traffic. Beside them the CPU time of the search as it is, and of one that times nothing at all: what a bound
that costs nothing and drops everything would leave.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.hardware import Cluster
from suanli.domain.layout import LayoutTable
from suanli.domain.workload import TrainingSetup
from suanli.estimate.compose import StepColumns
from suanli.estimate.evaluate import Question, ask, fitting, weigh_memory, weigh_time
from suanli.estimate.search import MEMORY_MARGIN, sweep
from suanli.estimate.software import load_training_calibration
from suanli.estimate.space import PLAIN, layout_chunks
from suanli.estimate.step import open_machine, raw_step
from suanli.estimate.tables import take
from suanli.foundation.equation import FloatArray
from suanli.parts.architectures.read import named_model

SPACES = ((16, 8), (32, 512), (512, 4096), (1536, 3072))
"""Nodes of 8 A100 and sequences in a batch."""
OWN_KERNELS = ("matmul", "attention", "memory_passes", "recompute")
KEEP = 20
RUNS = 3


def questioned(nodes: int, batch: int) -> Question:
    """Ask for GPT-3 175B on so many nodes."""
    kernels = load_kernels()
    setup = TrainingSetup(model=named_model("GPT-3-175B"), sequence_tokens=2048, global_batch=batch)
    machine = open_machine(Cluster(system=system("dgx-a100-640"), nodes=nodes), kernels)
    return ask(setup, machine, load_training_calibration(), MEMORY_MARGIN)


def a_micro_batch(question: Question, table: LayoutTable, step: StepColumns) -> tuple[FloatArray, FloatArray]:
    """Return how many micro-batches' time a full stage takes in a step, idle time included, and the own kernels' part.

    The second is of one layer and micro-batch.
    """
    raw = raw_step(question.setup, question.machine, question.software, table)
    idle = np.maximum(raw.layer_count - raw.fullest, 0) / raw.interleave
    layers = np.where(step.causes["bubble"] > 0, raw.fullest, raw.layer_count)
    own = sum(step.causes[name] for name in OWN_KERNELS) / (raw.micro_batches * layers)
    return raw.micro_batches * raw.last + idle, np.asarray(own)


def seconds(run: Callable[[], object]) -> float:
    """Return the least CPU time of a few runs."""
    spent = []
    for _ in range(RUNS):
        begin = time.process_time()
        run()
        spent.append(time.process_time() - begin)
    return min(spent)


def dropped(question: Question, limit: float) -> tuple[int, int, int]:
    """Count the layouts that fit, and those of them that either bound puts behind a limit."""
    fits = by_rate = by_kernels = 0
    for chunk in layout_chunks(question.setup, question.machine, True, PLAIN):
        table = take(chunk.table, fitting(question, weigh_memory(question, chunk.table)))
        if not len(table):
            continue
        step = weigh_time(question, table)
        passes, own = a_micro_batch(question, table, step)
        work = table.micro_batch / (table.tensor * table.context)
        again = np.where(step.causes["recompute"] > 0, 0.0, 1.0)
        rate = np.min(np.where(again > 0, own / work, np.inf)) if again.any() else 0.0
        fits += len(table)
        by_rate += int(np.count_nonzero(passes * work * rate > limit))
        by_kernels += int(np.count_nonzero(passes * own > limit))
    return fits, by_rate, by_kernels


def main() -> None:
    """Print a row for each space."""
    print("| accelerators, batch | that fit | dropped by rate | dropped by kernels | search, s | timing nothing, s |")
    print("| --- | --: | --: | --: | --: | --: |")
    for nodes, batch in SPACES:
        question = questioned(nodes, batch)
        setup, machine = question.setup, question.machine
        found = sweep(question, layout_chunks(setup, machine, True, PLAIN), KEEP).kept
        assert found is not None
        fits, by_rate, by_kernels = dropped(question, float(found.seconds[-1]))

        def untimed(question: Question = question) -> None:
            for chunk in layout_chunks(question.setup, question.machine, True, PLAIN):
                take(chunk.table, fitting(question, weigh_memory(question, chunk.table)))

        def whole(question: Question = question) -> None:
            sweep(question, layout_chunks(question.setup, question.machine, True, PLAIN), KEEP)

        print(
            f"| {nodes * 8:,}, {batch:,} | {fits:,} | {by_rate / fits:.0%} | {by_kernels / fits:.0%} | "
            f"{seconds(whole):.2f} | {seconds(untimed):.2f} |"
        )


if __name__ == "__main__":
    main()
