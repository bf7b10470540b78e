"""Times the search over every legal layout of GPT-3 175B on 4,096 A100 at a global batch of 4,096.

python benchmarks/layouts_per_second.py
"""

from __future__ import annotations

import time

from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.hardware import Cluster
from suanli.domain.workload import TrainingSetup
from suanli.estimate.evaluate import ask, evaluate
from suanli.estimate.search import search
from suanli.estimate.software import load_training_calibration
from suanli.estimate.space import layouts
from suanli.estimate.step import open_machine
from suanli.parts.architectures.read import named_model


def main() -> None:
    kernels, calibration = load_kernels(), load_training_calibration()
    setup = TrainingSetup(model=named_model("GPT-3-175B"), sequence_tokens=2048, global_batch=4096)
    cluster = Cluster(system=system("dgx-a100-640"), nodes=512)
    machine = open_machine(cluster, kernels)
    began = time.perf_counter()
    table = layouts(setup, machine, every=True)
    made = time.perf_counter()
    found = evaluate(ask(setup, machine, calibration, 0.05), table)
    weighed = time.perf_counter()
    best = search(setup, cluster, kernels, keep=1, every=True)[0]
    done = time.perf_counter()
    print(f"legal layouts            {len(table):,}")
    print(f"that fit                 {int(found.fits.sum()):,}")
    print(f"made in                  {made - began:.2f} s")
    print(f"weighed in               {weighed - made:.2f} s ({len(table) / (weighed - made):,.0f} layouts/s)")
    print(f"searched, pruned         {done - weighed:.2f} s ({len(table) / (done - weighed):,.0f} layouts/s)")
    print(f"best                     {best.step_seconds:.2f} s, MFU {best.mfu:.1%}: {best.layout}")


if __name__ == "__main__":
    main()
