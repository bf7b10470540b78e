"""Predict a table of published serving runs, write docs/reference/serving-errors.md beside a peer's predictions.

    python benchmarks/serving_errors.py RUNS.csv [--peer PEER.csv] [--unseen UNSEEN.json] [--write]

PEER.csv holds another tool's own predictions for some of the rows (id, measured, predicted, msg); UNSEEN.json is what
`fit_serving.py --leave-out --save` wrote: errors of rows by a fit that did not see their source.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from fit_serving import read_rows
from serving_noise import noise_tables

from suanli.catalogue.find import accelerator
from suanli.domain.kernel import KernelTable
from suanli.domain.validation import ValidationRow
from suanli.parts.devices.open import open_device
from suanli.validation.serving import default_tables, predict_inference_row

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "serving-errors.md"
Pair = tuple[Mapping[str, str], ValidationRow]
HEAD = "| {what} | rows | predicted | median error | 90th percentile | bias | in the 80 % band |"
UNSEEN_WORDS = (
    "Figures are fitted again without each source in turn: the set that vLLM V1, SGLang and TensorRT-LLM share, and",
    "those of other classes. The spreads of the bands are set so that 80 % of these rows fall inside.",
)
NOISE_WORDS = (
    "Runs of one configuration, measured again by another release, day or option that a prediction cannot know; and",
    "what is left of the errors above where the median error of each source, class of engines and quantity is taken",
    "out, which no model knows that has not seen the source. Counted by `benchmarks/serving_noise.py`.",
)
RULE = "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"


def line(name: str, pairs: Sequence[Pair]) -> str:
    """Write one row of a table of errors."""
    known = [row for _, row in pairs if row.predicted is not None]
    if not known:
        return f"| {name} | {len(pairs)} | 0 | | | | |"
    errors = np.asarray([row.error for row in known], dtype=float)
    held = np.mean([row.low <= row.measured <= row.high for row in known])  # type: ignore[operator]
    return (
        f"| {name} | {len(pairs)} | {len(known)} | {np.median(np.abs(errors)):.1%} | "
        f"{np.quantile(np.abs(errors), 0.9):.0%} | {math.expm1(float(np.median(np.log1p(errors)))):+.1%} | {held:.0%} |"
    )


def table(what: str, pairs: Iterable[Pair], key: Callable[[Pair], str]) -> list[str]:
    """Write a table of errors by a key."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[key(pair)].append(pair)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [HEAD.format(what=what), RULE, *(line(name, members) for name, members in ordered), ""]


def peer_table(pairs: Sequence[Pair], peer: Path) -> list[str]:
    """Write errors of another tool and ours on the same rows, by its own tests, over rows that both predict."""
    ours = {row.id: row for _, row in pairs}
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    asked: dict[str, int] = defaultdict(int)
    alone: dict[str, list[float]] = defaultdict(list)
    with peer.open(encoding="utf-8") as opened:
        for told in csv.DictReader(opened):
            asked[told["test"]] += 1
            own = ours.get(told["id"])
            if own is None or own.error is None:
                continue
            if float(told["predicted"] or 0) > 0:
                theirs = abs(float(told["predicted"]) / float(told["measured"]) - 1)
                groups[told["test"]].append((theirs, abs(own.error)))
            else:
                alone[told["test"]].append(abs(own.error))
    lines = [
        "| test | rows tried | both predict | AIConfigurator: median / mean | Suanli: median / mean | Suanli alone |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for test, members in groups.items():
        theirs, own_errors = np.asarray(members).T
        extra = alone[test]
        lines.append(
            f"| {test} | {asked[test]} | {len(members)} | {np.median(theirs):.1%} / {theirs.mean():.1%} | "
            f"{np.median(own_errors):.1%} / {own_errors.mean():.1%} | "
            + (f"{len(extra)} rows, {np.median(extra):.1%} |" if extra else "0 |")
        )
    return [*lines, ""]


def unseen_table(pairs: Sequence[Pair], unseen: Mapping[str, float]) -> list[str]:
    """Write the errors of fits that did not see a source."""
    told: dict[str, list[float]] = defaultdict(list)
    for _, row in pairs:
        if row.id in unseen:
            told[f"{row.source}: {row.quantity}"].append(unseen[row.id])
    lines = [
        "| source and quantity, not seen by the fit | rows | median error | bias |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, logs in sorted(told.items()):
        lines.append(f"| {name} | {len(logs)} | {_median(logs)} | {math.expm1(float(np.median(logs))):+.1%} |")
    every = list(unseen.values())
    lines.append(f"| **all** | {len(every)} | **{_median(every)}** | {math.expm1(float(np.median(every))):+.1%} |")
    return [*lines, ""]


KINDS: Mapping[str, Callable[[Pair], bool]] = {
    "maximum throughput (offline runs)": lambda pair: pair[0].get("batch_or_concurrency") == "max" and _rate(pair),
    "throughput, every run": lambda pair: _rate(pair),
    "time between tokens (TPOT)": lambda pair: pair[1].quantity == "tpot_seconds",
    "time to first token (TTFT)": lambda pair: pair[1].quantity == "ttft_seconds",
}


def _rate(pair: Pair) -> bool:
    return "tokens_per_s" in pair[1].quantity


def evidence_table(pairs: Sequence[Pair], unseen: Mapping[str, float], kernels: KernelTable) -> list[str]:
    """Write errors on accelerators whose kernels were measured and on others, as fitted and with the source unseen."""
    lines = [
        "| accelerators | what | rows | as fitted: median / mean | source not seen: median / mean |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    measured = {
        name: open_device(accelerator(name), kernels).calibrated for name in {row.accelerator for _, row in pairs}
    }
    for kept, words in ((True, "with measured kernels"), (False, "without")):
        for kind, belongs in KINDS.items():
            rows = [pair[1] for pair in pairs if measured[pair[1].accelerator] is kept and belongs(pair)]
            errors = [abs(row.error) for row in rows if row.error is not None]
            if not errors:
                continue
            left = [abs(math.expm1(unseen[row.id])) for row in rows if row.id in unseen]
            told = f"{np.median(left):.1%} / {np.mean(left):.1%}" if left else ""
            lines.append(
                f"| {words} | {kind} | {len(errors)} | {np.median(errors):.1%} / {np.mean(errors):.1%} | {told} |"
            )
    return [*lines, ""]


def _median(logs: Sequence[float]) -> str:
    return f"{np.median(np.abs(np.expm1(logs))):.1%}"


def page(
    pairs: Sequence[Pair], peer: Path | None, unseen: Mapping[str, float], kernels: KernelTable, noise: Sequence[str]
) -> str:
    """Write the whole page."""
    waits = [pair for pair in pairs if pair[1].quantity == "ttft_seconds"]
    steps = [pair for pair in pairs if pair[1].quantity == "tpot_seconds"]
    rates = [pair for pair in pairs if "tokens_per_s" in pair[1].quantity]
    lines = [
        "# Errors of serving predictions",
        "",
        "Each row of the table of published serving runs is predicted at the layout it gives, with nothing tuned to",
        "the row, its source, its model or its accelerator; `suanli validate RUNS.csv` prints the same. The error is",
        "predicted over measured less one; the bias is that of the median. Made by `benchmarks/serving_errors.py`.",
        "",
        "## In short",
        "",
        *table("all rows", pairs, lambda pair: "all"),
        HEAD.format(what="kind"),
        RULE,
        line("throughput", rates),
        line("time between tokens (TPOT)", steps),
        line("time to first token (TTFT)", waits),
        "",
        "## By what is known of the accelerator",
        "",
        *evidence_table(pairs, unseen, kernels),
        *(
            ("## Sources that the fit did not see", "", *UNSEEN_WORDS, "", *unseen_table(pairs, unseen))
            if unseen
            else ()
        ),
        "## How far published runs agree",
        "",
        *NOISE_WORDS,
        "",
        *noise,
        *(("## Beside AIConfigurator, on the rows it was tried on", "", *peer_table(pairs, peer)) if peer else ()),
        "## By quantity",
        "",
        *table("quantity", pairs, lambda pair: pair[1].quantity),
        "## By source and quantity",
        "",
        *table("source", pairs, lambda pair: f"{pair[1].source}: {pair[1].quantity}"),
        "## By engine",
        "",
        *table("engine", pairs, lambda pair: pair[0].get("engine", "")),
        "## By accelerator",
        "",
        *table("accelerator", pairs, lambda pair: pair[1].accelerator),
        "## Rows without a prediction",
        "",
        *(f"- {count} rows: {reason}" for reason, count in _reasons(pairs)),
        "",
    ]
    return "\n".join(lines)


def _reasons(pairs: Sequence[Pair]) -> list[tuple[str, int]]:
    """Count rows without a prediction by reason, numbers left out."""
    counts: dict[str, int] = defaultdict(int)
    for _, row in pairs:
        if row.predicted is None:
            counts[row.status.split(";")[0].split(":")[0]] += 1
    return sorted(counts.items(), key=lambda reason: -reason[1])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--unseen", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    tables = default_tables()
    with asked.runs.open(encoding="utf-8") as opened:
        pairs = [(cells, predict_inference_row(cells, tables)) for cells in csv.DictReader(opened)]
    unseen = json.loads(asked.unseen.read_text(encoding="utf-8")) if asked.unseen else {}
    noise = noise_tables(read_rows(asked.runs), unseen, tables)
    told = page(pairs, asked.peer, unseen, tables.kernels, noise)
    if asked.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(told, encoding="utf-8")
    else:
        print(told)


if __name__ == "__main__":
    main()
