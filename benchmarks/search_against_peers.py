"""Times searches for layouts of GPT-3 175B on 4,096 A100 on one core each: this planner, Calculon, llm-analysis.

    python benchmarks/search_against_peers.py CALCULON_CHECKOUT [PYTHON]

PYTHON is an interpreter that has psutil (which Calculon imports) and llm-analysis; without it this one is used, and a
peer that cannot be imported is left out. Calculon's own search runs on a fixed random sample of its parameters for as
long as is set below; everything that it counts as an execution counts, infeasible ones too. Of this planner only legal
layouts count, all of them weighed exactly. Seconds are of CPU time, so that other work on the machine does not count.
"""

from __future__ import annotations

import os
import statistics
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

ACCELERATORS, BATCH = 4096, 4096
PEER_SECONDS = 60
REPEATS = 5

CALCULON = """
import random, sys, time
sys.path.insert(0, CHECKOUT)
import calculon
from calculon.llm import Llm
from calculon.llm.optimal_execution import OptimalExecution
from calculon.system import System
from calculon.util import pick

app = Llm.Application(calculon.io.read_json_file(CHECKOUT + "/models/gpt3-175B.json"))
chips = System(calculon.io.read_json_file(CHECKOUT + "/systems/a100_80g.json"))
asked = []
for tensor in Llm.get_all_tensor_parallelisms(ACCELERATORS, app.hidden, app.attn_heads):
    for stages in Llm.get_all_pipeline_parallelisms(ACCELERATORS, tensor, app.num_blocks):
        data = Llm.get_data_parallelism(ACCELERATORS, tensor, stages)
        for chunks in Llm.get_valid_pipeline_interleavings(app.num_blocks, stages):
            batch = OptimalExecution.get_batch_size(data, BATCH)
            if batch is None:
                continue
            for recompute in ("full", "attn_only", "none"):
                for sharding in pick(data > 1, [True, False], [False]):
                    for sent in ("ar", "p2p_rs_ag", "rs_ag"):
                        asked.append((False, 1, False, ACCELERATORS, BATCH, "float16", app, chips, tensor, stages, data,
                                      chunks, batch, recompute, sharding, sent, [True], False, True, True))
random.Random(0).shuffle(asked)
count = good = 0
began = time.process_time()
for one in asked:
    _, looked_at, fine, _, _, _ = OptimalExecution.search(*one)
    count, good = count + looked_at, good + fine
    if time.process_time() - began > SECONDS:
        break
print(count, good, time.process_time() - began)
"""

LLM_ANALYSIS = """
import logging, time
from llm_analysis.analysis import ActivationRecomputation, DSZeRO, train
asked = [(tensor, stages, micro, again) for tensor in (1, 2, 4, 8) for stages in (1, 2, 4, 8, 16) for micro in (1, 2)
         for again in (0, 1, 2)]
count = good = 0
began = time.process_time()
while time.process_time() - began < SECONDS / 4:
    for tensor, stages, micro, again in asked:
        count += 1
        try:
            train(model_name="megatron-lm-175b", gpu_name="a100-sxm-80gb", log_level="CRITICAL",
                  total_num_gpus=ACCELERATORS, batch_size_per_gpu=micro, global_batch_size=BATCH, seq_len=2048,
                  total_num_tokens=300e9, activation_recomputation=again, tp_size=tensor, pp_size=stages,
                  flops_efficiency=0.5)
            good += 1
        except (AssertionError, ValueError):
            pass
print(count, good, time.process_time() - began)
"""


def one_core() -> None:
    """Stay on one core, children included."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def own_rate() -> tuple[int, float]:
    """Search every legal layout several times: how many there are, and the median of layouts a second."""
    kernels = load_kernels()
    setup = TrainingSetup(model=named_model("GPT-3-175B"), sequence_tokens=2048, global_batch=BATCH)
    cluster = Cluster(system=system("dgx-a100-640"), nodes=ACCELERATORS // 8)
    question = ask(setup, open_machine(cluster, kernels), load_training_calibration(), MEMORY_MARGIN)
    rates = []
    for _ in range(REPEATS):
        began = time.process_time()
        done = sweep(question, layout_chunks(setup, question.machine, every=True), keep=1)
        rates.append(legal_rows(done) / (time.process_time() - began))
    return legal_rows(done), statistics.median(rates)


def peer_rate(interpreter: str, code: str, checkout: str) -> tuple[int, int, float] | None:
    """Run a peer in an interpreter of its own: evaluations, those that fit, evaluations a second."""
    head = f"CHECKOUT, ACCELERATORS, BATCH, SECONDS = {checkout!r}, {ACCELERATORS}, {BATCH}, {PEER_SECONDS}\n"
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run([interpreter, "-c", head + code], capture_output=True, text=True, check=False, env=clean)
    if ran.returncode:
        print(ran.stderr.strip().splitlines()[-1])
        return None
    count, good, seconds = ran.stdout.split()[-3:]
    return int(count), int(good), int(count) / float(seconds)


def main() -> None:
    checkout, interpreter = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else sys.executable
    one_core()
    legal, rate = own_rate()
    print(f"this planner: {legal:,} legal layouts, all of them, {rate:,.0f} a second")
    for name, code in (("Calculon", CALCULON), ("llm-analysis", LLM_ANALYSIS)):
        found = peer_rate(interpreter, code, checkout)
        if found is not None:
            count, good, peer = found
            print(f"{name}: {count:,} evaluations ({good:,} feasible), {peer:,.0f} a second: 1/{rate / peer:,.0f}")


if __name__ == "__main__":
    main()
