"""Published steps of reinforcement tuning beside ours: seconds of a step, by row and by source.

    python benchmarks/rl_steps.py            # every row of rl_steps.csv
    python benchmarks/rl_steps.py --fit 0.4  # the two slacks that one release of NeMo RL gives, ours among them

Layouts are those that the tables print; where none is printed the fastest that fits is taken. Nothing is tuned to a
row. No source prints how far answers differ in length, nor (NeMo RL) how long its prompts are: the spread of the
catalogue and `PROMPT_TOKENS` stand in. Steps of DeepSpeed-Chat are its hours over the steps of an epoch.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.posttraining import load_post_figures
from suanli.domain.hardware import Cluster
from suanli.domain.layout import Layout, Recompute
from suanli.domain.posttraining import Answers, Beside, Passes, Placement, PostEstimate, PostMethod, Rollout, Scored
from suanli.domain.workload import TrainingSetup
from suanli.estimate.posttraining import PostJob
from suanli.estimate.reinforcement import packed, post_step
from suanli.estimate.software import find_software, load_training_calibration
from suanli.foundation.errors import SuanliError
from suanli.parts.architectures.read import named_model

TABLE = Path(__file__).parent / "rl_steps.csv"
PROMPT_TOKENS = 120.0
"""Tokens of a problem of OpenMathInstruct-2 in its chat template: ours, no page prints it."""


def layout_of(row: dict[str, str], accelerators: int) -> Layout | None:
    """Return the layout that a row prints; None where it prints none."""
    if not row["tp"]:
        return None
    tensor, context, expert, pipeline = (int(row[name]) for name in ("tp", "cp", "ep", "pp"))
    return Layout(
        tensor=tensor,
        context=context,
        expert=expert,
        pipeline=pipeline,
        data=accelerators // (tensor * context * pipeline),
        recompute=Recompute(row["recompute"]),
    )


def job_of(row: dict[str, str]) -> PostJob:
    """Put a row into the estimate's terms."""
    kernels, calibration, box = load_kernels(), load_training_calibration(), system(row["system"])
    whole, apart = int(row["accelerators"]), int(row["rollout_accelerators"] or 0)
    train, policy = whole - apart, named_model(row["policy"])
    prompt = float(row["prompt_tokens"] or PROMPT_TOKENS)
    answers = Answers(
        prompts=int(row["prompts"]),
        group=int(row["group"]),
        prompt_tokens=prompt,
        answer_tokens=float(row["sample_tokens"]) - prompt,
        spread=float(row["spread"]) if row["spread"] else load_post_figures().answer_spread.value,
        longest_tokens=float(row["most_tokens"]) - prompt,
    )
    layout, updates = layout_of(row, train), int(row["updates"])
    setup = TrainingSetup(
        model=policy,
        sequence_tokens=1,
        global_batch=1,
        precision=kernels.formats[row["precision"]].precisions[0],
        number_format=row["precision"],
        framework=find_software(calibration, row["framework"], row["engine_date"]).id,
    )
    reward = named_model(row["reward"]) if row["reward"] else None
    return PostJob(
        method=PostMethod(row["algorithm"]),
        setup=packed(setup, answers, updates, train if layout is None else layout.data),
        cluster=Cluster(system=box, nodes=max(train // box.accelerators, 1)),
        accelerators=train,
        kernels=kernels,
        calibration=calibration,
        layout=layout,
        beside=Beside(reference=Scored(row["reference"]), reward=reward, critic=reward),
        passes=Passes(updates=updates, old_log_probs=True),
        answers=answers,
        rollout=Rollout(
            placement=Placement.SEPARATE if apart else Placement.COLOCATED,
            engine_date=row["engine_date"],
            weight_format=row["rollout_format"],
            tensor=int(row["rollout_tp"]) if row["rollout_tp"] else None,
            accelerators=apart or None,
            lag=int(row["lag"]),
            in_flight=bool(row["in_flight"]),
        ),
    )


def told(row: dict[str, str], found: PostEstimate) -> str:
    """Write a row as a line of a table."""
    measured = float(row["step_seconds"])
    parts = {name: seconds for pool in found.pools for name, seconds in pool.seconds_by_part.items() if name != "idle"}
    rollout = parts.pop("rollout", 0.0)
    sync = parts.pop("weight_sync", 0.0)
    error, inside = found.step_seconds / measured - 1, found.band.low <= measured <= found.band.high
    return (
        f"| {row['id']} | {measured:.3g} | {found.step_seconds:.3g} | {error:+.0%} | {'yes' if inside else 'no'} |"
        f" {rollout:.3g} | {sum(parts.values()):.3g} | {sync:.2g} | {found.limit or ''} |"
    )


PASSES = (
    "policy_training", "old_log_probs", "reference", "reward", "critic_values", "critic_training", "teacher",
)  # fmt: skip
"""Parts of a step that the trainer's slack stretches."""
SLACKS = np.arange(1.0, 4.0, 0.05)
"""Slacks that are tried."""


def fit(release: str) -> None:
    """Print the slacks under which the median error of a release's rows is least."""
    figures, known = load_post_figures(), []
    for row in rows_of(TABLE):
        if row["release"] != release:
            continue
        found = post_step(job_of(row))
        parts: dict[str, float] = {}
        for pool in found.pools:
            parts |= pool.seconds_by_part
        passes = sum(parts.get(name, 0.0) for name in PASSES) / figures.trainer_slack.value
        rollout, sync = parts["rollout"] / figures.rollout_slack.value, parts["weight_sync"]
        rest = sum(s for name, s in parts.items() if name not in (*PASSES, "rollout", "weight_sync", "idle"))
        known.append((passes, rollout, rest, sync, int(row["lag"]) > 0, float(row["step_seconds"])))
    passes, rollout, rest, sync, ahead, measured = (np.asarray(column) for column in zip(*known, strict=True))
    train, roll = SLACKS[:, None, None] * passes + rest, SLACKS[None, :, None] * rollout
    step = sync + np.where(ahead, np.maximum(train, roll), train + roll)
    error = np.mean(np.abs(np.log(step / measured)), axis=-1)
    at = np.unravel_index(np.argmin(error), error.shape)
    told = {"trainer_slack": SLACKS[at[0]], "rollout_slack": SLACKS[at[1]], "mean |log error|": error[at]}
    print(", ".join(f"{name} {value:.2f}" for name, value in told.items()), f"over {len(known)} rows")


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a table of steps."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Print the table and its summary, or fit the slacks to one release."""
    if sys.argv[1:2] == ["--fit"]:
        fit(sys.argv[2])
        return
    errors: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    print("| run | measured, s | ours, s | error | in band | rollout, s | trainer, s | sync, s | limit |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows_of(TABLE):
        try:
            found = post_step(job_of(row))
        except SuanliError as error:
            print(f"| {row['id']} | {row['step_seconds']} | | | | | | | {error} |")
            continue
        print(told(row, found))
        measured, ahead = float(row["step_seconds"]), "ahead" if int(row["lag"]) else "in turn"
        error, inside = found.step_seconds / measured - 1, found.band.low <= measured <= found.band.high
        group = f"{row['source']} {row['release']}".strip()
        for name in (group, f"{group}, {ahead}"):
            errors[name].append((error, inside))
    print("\n| rows | number | median absolute error | median error | in band |\n| --- | --- | --- | --- | --- |")
    for name, rows in sorted(errors.items()):
        off, inside = [error for error, _ in rows], sum(held for _, held in rows)
        whole = statistics.median(map(abs, off))
        print(f"| {name} | {len(rows)} | {whole:.0%} | {statistics.median(off):+.0%} | {inside} |")


if __name__ == "__main__":
    main()
