"""Times AIConfigurator's own example against this planner's search, whole process against whole process.

    python benchmarks/search_against_aiconfigurator.py [--aic ENVIRONMENT] [--work FOLDER] [--repeats 3]

The example: Qwen3-32B in BF16 on 32 H200 under TensorRT-LLM, prompts of 4,000 and answers of 500 tokens, first token
within 1,000 ms, 20 ms for each further one. `--aic` names a virtual environment that has it; without it one is made in
FOLDER. Both are run once before the runs that count, so that their files are read and compiled code is at hand. The
plans of both are printed side by side, and what each looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peer_tools import Ran, interpreter_of, must, run, version_of

AIC = ("aiconfigurator", "0.12.0")
ACCELERATORS, INPUTS, OUTPUTS, TTFT_MS, TPOT_MS = 32, 4000, 500, 1000, 20
THEIRS = (
    "cli", "default", "--model-path", "Qwen/Qwen3-32B", "--total-gpus", str(ACCELERATORS), "--system", "h200_sxm",
    "--isl", str(INPUTS), "--osl", str(OUTPUTS), "--ttft", str(TTFT_MS), "--tpot", str(TPOT_MS), "--no-color",
)  # fmt: skip
OURS = (
    "-m", "suanli", "serve", "--model", "Qwen/Qwen3-32B", "--system", "dgx-h200", "--engine", "trt-llm",
    "--input-tokens", str(INPUTS), "--output-tokens", str(OUTPUTS), "--ttft", f"{TTFT_MS}ms", "--tpot",
    f"{TPOT_MS}ms", "--accelerators", str(ACCELERATORS), "--json",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One plan: how it serves, its layout in words, output tokens a second of an accelerator, latencies in ms."""

    tool: str
    layout: str
    tokens_per_s: float
    ttft_ms: float
    tpot_ms: float


def rows_of(output: str, title: str) -> list[dict[str, str]]:
    """Read the rows of one of the tool's tables."""
    found, headings = [], list[str]()
    for line in output.rsplit(f"{title} Top Configurations", maxsplit=1)[-1].splitlines()[1:]:
        if not line.startswith(("|", "+")):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| Rank"):
            headings = cells
        elif line.startswith("|"):
            found.append(dict(zip(headings, cells, strict=True)))
    return found


def their_plans(output: str) -> list[Plan]:
    """Read the tool's best plan of each kind."""
    plans = []
    for kind in ("disagg", "agg"):
        rows = rows_of(output, f"\n{kind}")
        if not rows:
            continue
        best, user = rows[0], float(rows[0]["tokens/s/user"])
        if kind == "agg":
            layout = f"{best['replicas']} x {best['parallel']}, batch {best['bs']}"
        else:
            layout = (
                f"{best['replicas']} x ({best['(p)workers']} prefill {best['(p)parallel']} batch {best['(p)bs']} + "
                f"{best['(d)workers']} decode {best['(d)parallel']} batch {best['(d)bs']})"
            )
        plans.append(
            Plan(
                tool=f"AIConfigurator, {kind}", layout=layout, tokens_per_s=float(best["tokens/s/gpu"]),
                ttft_ms=float(best["TTFT"]), tpot_ms=1000 / user,
            )
        )  # fmt: skip
    return plans


def layout_words(layout: Mapping[str, int]) -> str:
    names = {"tensor": "tp", "pipeline": "pp", "expert": "ep", "attention_data": "dp"}
    return "".join(f"{short}{layout[name]}" for name, short in names.items() if layout.get(name, 1) > 1) or "tp1"


def pool_words(pool: Mapping[str, Any]) -> str:
    return f"{pool['replicas']} {layout_words(pool['layout'])} batch {pool['concurrency']:.0f}"


def our_plans(document: str) -> list[Plan]:
    """Read this planner's best plan and those that came next, over all the accelerators that there are."""
    told = json.loads(document)
    found = []
    for one in (told, *told["others"]):
        first, then = one["prefill"], pool_words(one["decode"])
        found.append(
            Plan(
                tool="Suanli, apart" if first else "Suanli, together",
                layout=f"{pool_words(first)} prefill + {then} decode" if first else then,
                tokens_per_s=one["output_tokens_per_s"] / ACCELERATORS, ttft_ms=1000 * one["ttft_seconds"],
                tpot_ms=1000 * one["tpot_seconds"],
            )
        )  # fmt: skip
    return found


def own() -> Ran:
    source = os.environ.get("PYTHONPATH", "")
    return run([sys.executable, *OURS], more={"PYTHONPATH": source} if source else None)


def timed(name: str, ran: list[Ran]) -> str:
    wall, cpu = (statistics.median(getattr(one, what) for one in ran) for what in ("wall_seconds", "cpu_seconds"))
    return f"| {name} | {wall:.2f} s | {cpu:.2f} s |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aic", type=Path)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "suanli-against-aiconfigurator")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    given = asked.aic and asked.aic / "bin" / "python"
    python = interpreter_of(given, asked.work / "aiconfigurator", ["==".join(AIC)])
    command = [python.parent / "aiconfigurator", *THEIRS]
    must(run(command, more={"HF_HUB_OFFLINE": "1"}), AIC[0])
    theirs = [must(run(command, more={"HF_HUB_OFFLINE": "1"}), AIC[0]) for _ in range(asked.repeats)]
    must(own(), "suanli serve")
    ours = [must(own(), "suanli serve") for _ in range(asked.repeats)]
    output = theirs[0].output + theirs[0].errors
    searched = ", ".join(
        f"{many} of {kind}" for kind, many in re.findall(r"Experiment (\w+) completed with (\d+)", output)
    )
    version = version_of(python, AIC[0])
    print("| process | wall clock | all cores |\n| --- | --: | --: |")
    print(timed(f"AIConfigurator {version}, `aiconfigurator cli default` ({searched} settings told)", theirs))
    judged = json.loads(ours[0].output)["searched"]["settings"]
    print(timed(f"`suanli serve` ({judged:,} settings judged)", ours))
    wall = [statistics.median(one.wall_seconds for one in group) for group in (theirs, ours)]
    cpu = [statistics.median(one.cpu_seconds for one in group) for group in (theirs, ours)]
    print(
        f"\nWhole process: {wall[0] / wall[1]:.1f} times faster by the clock, {cpu[0] / cpu[1]:.1f} times less CPU.\n"
    )
    print("| tool | layout | output tokens/s/H200 | TTFT | each further |\n| --- | --- | --: | --: | --: |")
    for plan in (*their_plans(output), *our_plans(ours[0].output)):
        latencies = f"{plan.ttft_ms:,.0f} ms | {plan.tpot_ms:.1f} ms"
        print(f"| {plan.tool} | {plan.layout} | {plan.tokens_per_s:,.0f} | {latencies} |")


if __name__ == "__main__":
    main()
