"""Asks Vidur and `suanli replay` the same question, one after the other, and tells speed and latencies in one table.

    python benchmarks/replay_against_vidur.py VIDUR_CHECKOUT [--work FOLDER] [--vidur PYTHON] [--tables PYTHON]
        [--requests 1000] [--many 1e6]

The question: Llama-3-8B on one A100 of 80 GB, 512 tokens a step, 128 requests at once, Poisson arrivals at 6.45 a
second, lengths of Azure's conversations of 2023 cut to 4,096 tokens. Both read the very same requests. VIDUR_CHECKOUT
is a clone of microsoft/vidur, for its operator profile of the model and the lengths of the trace; its package comes
from PyPI (0.0.26), which carries neither. `--vidur` and `--tables` name interpreters that have vidur and
aiconfigurator-core (whose measured attention stands in for the profile that the clone no longer holds); without them
both are installed into FOLDER. Warm means that Vidur's forests are trained and this planner's code is compiled; the
first run of each does that. Seconds are of CPU time, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from peer_tools import Ran, interpreter_of, must, run, version_of

from suanli.api.replay import ReplayQuestion, replay
from suanli.estimate import serving_traffic

HERE = Path(__file__).parent
VIDUR, TABLES = ("vidur", "0.0.26"), ("aiconfigurator-core", "0.12.0")
PROFILE = "data/profiling/compute/a100/meta-llama/Meta-Llama-3-8B/mlp.csv"
LENGTHS = "data/processed_traces/splitwise_conv.csv"
RATE_PER_S, MOST_TOKENS, CHUNK, BATCH = 6.45, 4096, 512, 128
DATE = "2023-11-16"
WARM = 3
"""Runs of which the median counts."""
SHARES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One tool on one trace: seconds of the process and of the play alone, latencies in seconds by name."""

    requests: int
    process_seconds: float
    play_seconds: float
    latencies: dict[str, tuple[float, ...]]


def profiles(checkout: Path, work: Path, tables: Path) -> Path:
    """Write the profiles that Vidur reads: its own of matrices, the stand-in of attention."""
    folder = work / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlp.csv.xz").write_bytes(lzma.compress((checkout / PROFILE).read_bytes()))
    told = {"model": "meta-llama/Llama-3-8B", "device_sku": "a100", "sku": "a100_dgx"}
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    must(run([tables, HERE / "vidur_attention.py", folder / "attention.csv.xz"]), "attention tables")
    return folder


def write_traces(checkout: Path, work: Path, many: int) -> tuple[Path, Path]:
    """Write the same requests for Vidur and for this planner."""
    random = np.random.default_rng(0)
    lengths = np.loadtxt(checkout / LENGTHS, delimiter=",", skiprows=1, usecols=(1, 2), dtype=np.int64)
    drawn = lengths[random.integers(len(lengths), size=many)]
    outputs = np.clip(drawn[:, 1], 1, MOST_TOKENS // 2)
    inputs = np.clip(drawn[:, 0], 1, MOST_TOKENS - outputs)
    when = np.concatenate([[0.0], np.cumsum(random.exponential(1 / RATE_PER_S, many - 1))])
    theirs, ours = work / f"vidur-{many}.csv", work / f"suanli-{many}.csv"
    rows = list(zip(when.tolist(), inputs.tolist(), outputs.tolist(), strict=True))
    with theirs.open("w", encoding="utf-8") as out:
        out.write("Date,Time,PromptTokenCount,CompletionTokenCount\n")
        out.writelines(f"{DATE},{at!r},{one},{other}\n" for at, one, other in rows)
    with ours.open("w", encoding="utf-8") as out:
        out.write("arrival_s,input_tokens,output_tokens\n")
        out.writelines(f"{at!r},{one},{other}\n" for at, one, other in rows)
    return theirs, ours


def quantiles(values: list[float]) -> tuple[float, ...]:
    return tuple(np.quantile(values, SHARES).tolist())


def vidur(python: Path, folder: Path, trace: Path, repeats: int) -> Measured:
    """Run Vidur on a trace; the median of warm runs."""
    command = [python, HERE / "vidur_run.py", folder, trace, str(CHUNK), str(BATCH)]
    ran = [must(run(command, folder), "vidur") for _ in range(repeats)]
    told = [json.loads(one.output.strip().splitlines()[-1]) for one in ran]
    return Measured(
        requests=told[0]["requests"],
        process_seconds=float(np.median([one.cpu_seconds for one in ran])),
        play_seconds=float(np.median([one["seconds"]["play"] for one in told])),
        latencies={name: quantiles(told[0][name]) for name in ("ttft", "tpot", "e2e")},
    )


def own_process(trace: Path, alike: bool) -> Ran:
    """Run this planner's command; `alike` says that a step and a batch are cut as Vidur's are."""
    command = [
        sys.executable, "-m", "suanli", "replay", "--model", "LLAMA3_8B", "--system", "dgx-a100-640", "--traffic",
        str(trace), "--json", *(("--token-budget", str(CHUNK), "--max-sequences", str(BATCH)) if alike else ()),
    ]  # fmt: skip
    source = os.environ.get("PYTHONPATH", "")
    return must(run(command, more={"PYTHONPATH": source} if source else None), "suanli replay")


def suanli(trace: Path, repeats: int, alike: bool) -> Measured:
    """Run this planner on a trace: whole processes, and the play alone in this one."""
    walls = [own_process(trace, alike).cpu_seconds for _ in range(repeats)]
    question = ReplayQuestion(model="LLAMA3_8B", system="dgx-a100-640", traffic=str(trace))
    if alike:
        question = replace(question, token_budget=CHUNK, sequence_limit=BATCH)
    result, spent = replay(question), [play_alone(question) for _ in range(repeats)]
    served = result.served
    return Measured(
        requests=result.requests,
        process_seconds=float(np.median(walls)),
        play_seconds=float(np.median(spent)),
        latencies={
            "ttft": quantiles(served.ttft_seconds.tolist()),
            "tpot": quantiles(served.tpot_seconds[~np.isnan(served.tpot_seconds)].tolist()),
            "e2e": quantiles(served.finish_seconds.tolist()),
        },
    )


def play_alone(question: ReplayQuestion) -> float:
    """Seconds that the play takes, without reading the trace: tables of step times, every step, the percentiles."""
    took: list[float] = []
    play = serving_traffic.play_traffic

    def timed(*asked: object) -> object:
        began = time.process_time()
        told = play(*asked)  # type: ignore[arg-type]
        took.append(time.process_time() - began)
        return told

    serving_traffic.play_traffic = timed  # type: ignore[assignment]
    try:
        replay(question)
    finally:
        serving_traffic.play_traffic = play
    return took[0]


HEAD = (
    "| tool | requests | whole process | play alone | requests/s, process | requests/s, play | TTFT P50 / P90 / P99 | "
    "between tokens P50 / P90 / P99 | whole request P50 / P90 / P99 |\n| --- |" + " --: |" * 8
)


def row(name: str, one: Measured) -> str:
    def milli(what: str) -> str:
        return " / ".join(f"{1000 * value:,.0f}" for value in one.latencies[what]) + " ms"

    rates = f"{one.requests / one.process_seconds:,.0f} | {one.requests / one.play_seconds:,.0f}"
    spent = f"{one.process_seconds:.2f} s | {one.play_seconds:.3f} s"
    return f"| {name} | {one.requests:,} | {spent} | {rates} | {milli('ttft')} | {milli('tpot')} | {milli('e2e')} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "suanli-against-vidur")
    parser.add_argument("--vidur", type=Path)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--requests", type=float, default=1000)
    parser.add_argument("--many", type=float, default=1e6)
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    peer = interpreter_of(asked.vidur, work / "vidur", ["==".join(VIDUR)])
    tables = interpreter_of(asked.tables, work / "tables", ["==".join(TABLES), "pandas", "pyarrow"])
    folder = profiles(asked.checkout, work, tables)
    few, many = int(asked.requests), int(asked.many)
    theirs, ours = write_traces(asked.checkout, work, few)
    began = time.perf_counter()
    vidur(peer, folder, theirs, 1)
    print(f"Vidur's first run, forests of one point trained: {time.perf_counter() - began:.1f} s", file=sys.stderr)
    own_process(ours, alike=True)
    one = vidur(peer, folder, theirs, WARM)
    large = write_traces(asked.checkout, work, many)[1]
    own = {
        (name, trace): suanli(trace, repeats, alike)
        for trace, repeats in ((ours, WARM), (large, 1))
        for name, alike in (("steps of 512 tokens, 128 at once", True), ("vLLM's own steps", False))
    }
    lines = [HEAD, row(f"Vidur {version_of(peer, 'vidur')}", one)]
    lines += [row(f"suanli replay, {name}", other) for (name, _), other in own.items()]
    print("\n".join(lines))
    print("\nTimes Vidur's requests a second:\n")
    for (name, _), other in own.items():
        alone, whole = rate_ratio(one, other)
        print(f"- {name}, {other.requests:,} requests: {alone:,.0f} (play alone), {whole:,.1f} (whole process)")


def rate_ratio(one: Measured, other: Measured) -> tuple[float, float]:
    """How many times as many requests a second the other plays: the play alone, and the whole process."""
    alone = (other.requests / other.play_seconds) / (one.requests / one.play_seconds)
    return alone, (other.requests / other.process_seconds) / (one.requests / one.process_seconds)


if __name__ == "__main__":
    main()
