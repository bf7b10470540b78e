"""Errors of AIConfigurator and of this planner on the same published runs, in one table, with what each cannot predict.

    python benchmarks/serving_against_aiconfigurator.py RUNS.csv ANSWERS.csv [--check 20] [--aic PYTHON] [--work FOLDER]
    python benchmarks/serving_against_aiconfigurator.py RUNS.csv ANSWERS.csv --ask ASKED.csv

RUNS is the table of published runs. ANSWERS holds what AIConfigurator said of some of them (test, id, conc, measured,
predicted, msg: the run's requests in flight or, for a maximum throughput, the batch that it found best; 0 or nothing
where it has no answer). `--check` asks the tool itself again about so many rows, evenly spread, and says how far the
carried answers are from those: an interpreter that has it is named by `--aic`, or made in FOLDER. `--ask` asks the tool
about every row of ANSWERS and writes its answers of today to ASKED.csv, in the same form; where it has none today, a
carried one stays.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from peer_tools import interpreter_of, version_of

from suanli.validation.serving import default_tables, predict_inference_row

AIC = ("aiconfigurator", "0.12.0")
SYSTEMS = {
    "A100-SXM-80GB": "a100_sxm", "H100-SXM": "h100_sxm", "H200-SXM": "h200_sxm", "B200-SXM": "b200_sxm",
    "B300-SXM": "b300_sxm", "GB200": "gb200", "L40S": "l40s", "RTX-PRO-6000": "rtx_pro_6000_server",
}  # fmt: skip
BACKENDS = {"trt-llm": "trtllm", "trtllm": "trtllm", "vllm": "vllm", "sglang": "sglang", "dynamo-trt": "trtllm"}
MODELS = {
    "meta-llama/Llama-3.1-8B": "meta-llama/Meta-Llama-3.1-8B",
    "meta-llama/Llama-3.1-70B": "meta-llama/Meta-Llama-3.1-70B",
    "meta-llama/Llama-3.3-70B-Instruct": "meta-llama/Meta-Llama-3.1-70B",
    "meta-llama/Llama-3.1-405B": "meta-llama/Meta-Llama-3.1-405B",
    "moonshotai/Kimi-K2.5 nvfp4": "nvidia/Kimi-K2.5-NVFP4",
    "zai-org/GLM-5 fp8": "zai-org/GLM-5-FP8",
    "zai-org/GLM-5 nvfp4": "nvidia/GLM-5-NVFP4",
    "MiniMaxAI/MiniMax-M2.5 nvfp4": "nvidia/MiniMax-M2.5-NVFP4",
}
"""Names under which the tool carries a model, or the checkpoint of a format."""
FORMATS = {"fp8": "fp8", "fp8_block": "fp8_block", "fp4": "nvfp4", "nvfp4": "nvfp4", "int8_wo": "int8_wo"}
OWN_FORMATS = ("openai/gpt-oss-120b", "MiniMaxAI/MiniMax-M2.5", "moonshotai/Kimi-K2.5", "zai-org/GLM-5")
"""Models whose checkpoint says its formats."""
TESTS = {"ttft_ms": "TTFT", "tpot_ms": "TPOT", "max_throughput": "maximum throughput"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One run and quantity: absolute errors of the tool and of this planner, None where there is no prediction."""

    test: str
    theirs: float | None
    ours: float | None


def number(said: str) -> float | None:
    """Read a prediction; nothing and 0 are none."""
    value = float(said) if said else 0.0
    return value if value > 0 else None


def pairs_of(runs: Mapping[str, Mapping[str, str]], answers: Sequence[Mapping[str, str]]) -> list[Pair]:
    """Put both tools' errors side by side."""
    tables, found = default_tables(), []
    for told in answers:
        own, theirs = predict_inference_row(runs[told["id"]], tables), number(told["predicted"])
        error = None if theirs is None else abs(theirs / float(told["measured"]) - 1)
        found.append(Pair(test=told["test"], theirs=error, ours=None if own.error is None else abs(own.error)))
    return found


def asked_of(run: Mapping[str, str], told: Mapping[str, str]) -> dict[str, object]:
    """Write a run as arguments of the tool's estimate."""
    name, weights = run["hf_config_name"], run["weight_precision"]
    tensor, expert = int(float(run["tp"] or 1)), int(float(run["ep"] or 1))
    data = int(run["notes"].split("attention_dp ")[1].split(";")[0]) if "attention_dp " in run["notes"] else 1
    arguments: dict[str, object] = {
        "model_path": MODELS.get(f"{name} {weights}", MODELS.get(name, name)),
        "system_name": SYSTEMS[run["accelerator"]],
        "backend_name": BACKENDS[run["engine"]],
        "isl": int(float(run["input_len"])),
        "osl": int(float(run["output_len"])),
        "batch_size": max(int(float(told["conc"])) // data, 1),
        "tp_size": tensor,
        "attention_dp_size": data,
    }
    if weights in FORMATS and name not in OWN_FORMATS:
        arguments["gemm_quant_mode"] = arguments["moe_quant_mode"] = FORMATS[weights]
    if run["kv_precision"] == "fp8":
        arguments["kvcache_quant_mode"] = "fp8"
    if any(word in name for word in ("A3B", "A22B", "A17B", "Mixtral", "gpt-oss", "Kimi", "GLM", "MiniMax")):
        arguments["moe_ep_size"] = expert
        arguments["moe_tp_size"] = max(tensor * data // expert, 1)
    return arguments


def ask(
    python: Path, runs: Mapping[str, Mapping[str, str]], rows: Sequence[Mapping[str, str]]
) -> list[Mapping[str, object]]:
    """Ask the tool about rows in one process, once about rows of one run; answers in the order of the rows."""
    keys = [json.dumps(asked_of(runs[row["id"]], row), sort_keys=True) for row in rows]
    asked = [{"id": key, **json.loads(key)} for key in dict.fromkeys(keys)]
    ran = subprocess.run(
        [str(python), str(Path(__file__).parent / "aic_estimates.py")], input=json.dumps(asked), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise SystemExit("\n".join(ran.stderr.splitlines()[-10:]))
    found = {str(told["id"]): told for told in map(json.loads, ran.stdout.splitlines())}
    return [found[key] for key in keys]


def value_of(test: str, told: Mapping[str, object]) -> float | None:
    """Read the quantity of a test from an answer."""
    if "why" in told:
        return None
    if test == "max_throughput":
        raw = told["raw"]
        assert isinstance(raw, dict)
        return float(raw["tokens/s"])
    return float(str(told[test]))


def spread_out(rows: Sequence[Mapping[str, str]], many: int) -> list[Mapping[str, str]]:
    """Take so many rows evenly."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(many, len(rows))).round().astype(int))
    return [rows[place] for place in places.tolist()]


HEAD = (
    "| quantity | rows | both predict | AIConfigurator: median / mean | Suanli: median / mean | "
    "AIConfigurator cannot | Suanli there: rows, median | Suanli cannot |"
)


def table(pairs: Sequence[Pair]) -> list[str]:
    """Write both tools' errors: on rows that both predict, on all that each predicts, and rows without."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.test].append(pair)
    lines = [
        HEAD,
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for test, name in TESTS.items():
        group = groups.get(test, [])
        both = [(one.theirs, one.ours) for one in group if one.theirs is not None and one.ours is not None]
        alone = [one.ours for one in group if one.theirs is None and one.ours is not None]
        theirs, ours = np.asarray(both, dtype=float).T if both else (np.zeros(0), np.zeros(0))
        cannot, own = sum(one.theirs is None for one in group), sum(one.ours is None for one in group)
        extra = f"{len(alone)}, {np.median(alone):.1%}" if alone else "0"
        lines.append(
            f"| {name} | {len(group)} | {len(both)} | {np.median(theirs):.1%} / {theirs.mean():.1%} | "
            f"{np.median(ours):.1%} / {ours.mean():.1%} | {cannot} | {extra} | {own} |"
        )
    return lines


def check(python: Path, runs: Mapping[str, Mapping[str, str]], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Ask the tool again about rows, and write what it says beside what is carried."""
    lines = ["| run | quantity | measured | carried | asked again | apart |", "| --- | --- | --: | --: | --: | --: |"]
    apart = []
    for row, told in zip(rows, ask(python, runs, rows), strict=True):
        now, carried = value_of(row["test"], told), number(row["predicted"])
        said = str(told["why"])[:60] if now is None else f"{now:,.2f}"
        far = ""
        if now is not None and carried is not None:
            apart.append(abs(now / carried - 1))
            far = f"{apart[-1]:.1%}"
        before = "-" if carried is None else f"{carried:,.2f}"
        lines.append(f"| {row['id']} | {row['test']} | {float(row['measured']):,.2f} | {before} | {said} | {far} |")
    if apart:
        middle, most = np.median(apart), max(apart)
        lines += ["", f"{len(apart)} answered both times: apart by {middle:.1%} in the median, {most:.1%} at most."]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--check", type=int, default=0)
    parser.add_argument("--ask", type=Path)
    parser.add_argument("--aic", type=Path)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "suanli-against-aiconfigurator")
    asked = parser.parse_args()
    with asked.runs.open(encoding="utf-8") as opened:
        runs = {row["id"]: row for row in csv.DictReader(opened)}
    with asked.answers.open(encoding="utf-8") as opened:
        answers = [row for row in csv.DictReader(opened) if row["id"] in runs]
    if asked.ask or asked.check:
        python = interpreter_of(asked.aic, asked.work / "aiconfigurator", ["==".join(AIC)])
        print(f"AIConfigurator {version_of(python, AIC[0])}", file=sys.stderr)
    if asked.ask:
        told = ask(python, runs, answers)
        answers = [renewed(row, one) for row, one in zip(answers, told, strict=True)]
        with asked.ask.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, fieldnames=list(answers[0]))
            writer.writeheader()
            writer.writerows(answers)
    print("\n".join(table(pairs_of(runs, answers))))
    if asked.check:
        print("\n" + "\n".join(check(python, runs, spread_out(answers, asked.check))))


def renewed(row: Mapping[str, str], told: Mapping[str, object]) -> dict[str, str]:
    """Put an answer of today in the place of a carried one, which stays where the tool has none today."""
    value = value_of(row["test"], told)
    if value is None:
        return {**row, "predicted": row["predicted"] if number(row["predicted"]) else "", "msg": str(told["why"])[:120]}
    return {**row, "predicted": f"{value:.5g}", "msg": ""}


if __name__ == "__main__":
    main()
