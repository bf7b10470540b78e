"""Holds LoRA's step against a full one's, as published pairs of runs of one model and one release tell both.

    python benchmarks/tuning_ratio.py

The pairs stand in `tuning_pairs.csv` beside this file. Layouts are the published ones; chunks of a stage that NeMo's
table does not tell are those of `suanli validate`. Adapters stand beside queries, keys and values, as the recipes have
them. The ratio is of seconds that one accelerator takes for a token.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.hardware import Cluster
from suanli.domain.layout import Layout, Recompute
from suanli.domain.tuning import LowRank
from suanli.domain.workload import TrainingSetup, TuningMethod
from suanli.estimate.finetuning import estimate_tuning
from suanli.estimate.software import find_software, load_training_calibration
from suanli.parts.architectures.read import named_model

PAIRS = Path(__file__).parent / "tuning_pairs.csv"


def pairs() -> list[Mapping[str, str]]:
    """Read the published pairs."""
    with PAIRS.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def rate(pair: Mapping[str, str], method: TuningMethod) -> float:
    """Estimate tokens a second of one accelerator under one method."""
    kernels, calibration = load_kernels(), load_training_calibration()
    software = find_software(calibration, pair["framework"], pair["date"])
    gpus, tensor, pipeline, chunks = (
        int(pair[f"{method.value}_{name}"]) for name in ("gpus", "tp", "pp", "vp")
    )  # fmt: skip
    box, form = system(pair["system"]), kernels.formats[pair["precision"]]
    layout = Layout(
        data=gpus // tensor // pipeline, tensor=tensor, pipeline=pipeline, interleave=chunks,
        recompute=Recompute.NONE, sequence_parallel=True,
    )  # fmt: skip
    setup = TrainingSetup(
        model=named_model(pair["model"]), sequence_tokens=int(pair["sequence"]), global_batch=int(pair["batch"]),
        precision=form.precisions[0], number_format=pair["precision"], framework=software.id,
        adapters=LowRank(rank=calibration.adapter_rank, targets=("linear_qkv",)),
    )  # fmt: skip
    cluster = Cluster(system=box, nodes=-(-gpus // box.accelerators))
    kept = replace(setup, adapters=None) if method is TuningMethod.FULL else setup
    found = estimate_tuning(kept, method, cluster, layout, kernels, accelerators=gpus)
    return setup.global_batch * setup.sequence_tokens / found.step_seconds / gpus


def ratios() -> Iterator[tuple[Mapping[str, str], float, float]]:
    """Yield each pair with its published and its estimated ratio of seconds, LoRA's over the full one's."""
    for pair in pairs():
        full, lora = (float(pair[f"{name}_tokens_per_s_per_gpu"]) for name in ("full", "lora"))
        yield pair, full / lora, rate(pair, TuningMethod.FULL) / rate(pair, TuningMethod.LORA)


def main() -> None:
    """Print the pairs as a table, and how far the estimates are off on average."""
    print("| source | model | system, format | published | estimated | error |\n| --- | --- | --- | --- | --- | --- |")
    errors = []
    for pair, published, estimated in ratios():
        errors.append(math.log(estimated / published))
        cells = [pair["source"], pair["model"].split("/")[-1], f"{pair['system']}, {pair['precision']}"]
        print(
            "| " + " | ".join([*cells, f"{published:.3f}", f"{estimated:.3f}", f"{math.expm1(errors[-1]):+.1%}"]) + " |"
        )
    middle = sorted(map(abs, errors))
    print(f"\nmean {math.expm1(sum(errors) / len(errors)):+.1%}, "
          f"median of sizes {math.expm1((middle[3] + middle[4]) / 2):.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
