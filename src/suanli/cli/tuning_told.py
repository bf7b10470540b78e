"""Tells a tuning job's text, the largest that fits, and the ways to a task side by side."""

from __future__ import annotations

from suanli.api.finetune import TuningAnswer, TuningWork
from suanli.api.tuning_layers import TuningLayer, TuningLayers
from suanli.api.tuning_limits import Largest
from suanli.api.words import assumed_in_words, count_in_words, layout_in_words, name_in_words
from suanli.cli.output import print_json
from suanli.cli.run_options import DAY_SECONDS, JOULES_PER_MEGAWATT_HOUR
from suanli.cli.train import search_keys, tell_search, told
from suanli.foundation.language import tr

GIB = 2**30


def tell_tuning(found: TuningAnswer, json_output: bool) -> None:
    """Print a step's layouts and, where the text is told, the job."""
    if json_output:
        keys = search_keys(found.search, found.clock, found.cost)
        print_json({**keys, **({"work": found.work} if found.work is not None else {})})
        return
    if found.work is not None:
        print("\n".join(work_in_words(found.work)))
    tell_search(found.search, json_output, found.clock, found.cost)


def work_in_words(work: TuningWork) -> list[str]:
    """Say what a job goes through, and what of it is wasted."""
    text = work.text
    said = {"tokens": count_in_words(text.tokens), "epochs": work.epochs, "steps": work.steps,
            "sequences": work.sequences}  # fmt: skip
    lines = [tr("Text: {tokens} tokens, {epochs:g} times: {sequences:,.0f} sequences, {steps:,.0f} steps.", **said)]
    if text.low_tokens < text.high_tokens:
        ends = {"low": count_in_words(text.low_tokens), "high": count_in_words(text.high_tokens)}
        lines.append(tr("Told from characters: {low} to {high} tokens; a tokenizer.json counts them.", **ends))
    if text.examples is not None and text.mean_tokens is not None:
        told_of = {"examples": text.examples, "mean": text.mean_tokens, "longest": text.longest_tokens or 0.0}
        lines.append(tr("{examples:,} examples of {mean:,.0f} tokens, the longest {longest:,.0f}.", **told_of))
    if not work.packed:
        wasted = {"wasted": work.wasted_share, "cut": work.cut_share}
        lines.append(tr("Padded: {wasted:.1%} of what is computed is padding, {cut:.1%} of the text is cut.", **wasted))
    return lines


def tell_largest(found: Largest, json_output: bool) -> None:
    """Print the largest that fits, its step, and what binds beyond it."""
    if json_output:
        print_json(
            {
                "asked": found.asked,
                "largest": found.value,
                "model": found.model,
                "next": found.tried_next,
                "bounded": found.bounded,
                "binds": found.binds,
                "short_bytes": found.short_bytes,
                "frees": found.frees,
                **told(found.estimate),
            }
        )
        return
    best = found.estimate
    words = {
        "rank": tr("The largest rank that fits: {value:,.0f}", value=found.value),
        "context": tr("The longest context that fits: {value:,.0f} tokens", value=found.value),
        "batch": tr("The largest micro-batch that fits: {value:,.0f} sequences", value=found.value),
        "model": tr("The largest packaged model that fits: {model}, {size} parameters", model=found.model,
                    size=count_in_words(found.value)),
    }  # fmt: skip
    lines = [words[found.asked]]
    step = {"layout": layout_in_words(best.layout), "seconds": best.step_seconds, "gib": best.memory_bytes / GIB}
    lines.append(tr("As {layout}: {seconds:.3g} s a step, {gib:.1f} GiB an accelerator.", **step))
    if found.bounded:
        lines.append(tr("Nothing larger was tried: the question ends there."))
    else:
        binding = {"next": found.tried_next, "cause": name_in_words(found.binds)}
        lines.append(tr("{next} does not fit; memory of {cause} binds.", **binding))
    if found.frees:
        lines.append(tr("What would free more: {frees}", frees=found.frees))
    print("\n".join(lines))


def tell_layers(found: TuningLayers, json_output: bool) -> None:
    """Print the ways side by side, why some are not feasible, and from when on tuning pays."""
    if json_output:
        print_json(
            {
                "layers": found.layers,
                "currency": found.currency,
                "rent_basis": found.rent_basis,
                "pays_from_requests": found.pays_from_requests,
                "assumed": found.assumed,
                "figures": found.figures,
            }
        )
        return
    from rich.console import Console

    console = Console()
    console.print(_table(found))
    for one in found.layers:
        if one.reason:
            console.print(f"{way_in_words(one.id)}: {one.reason}", markup=False)
    if found.pays_from_requests is not None:
        requests = count_in_words(found.pays_from_requests)
        console.print(
            tr("LoRA costs less than examples in every prompt from {requests} requests on.", requests=requests)
        )
    console.print(tr("Rents: {basis}", basis=found.rent_basis), markup=False)
    for said in found.assumed:
        console.print(tr("Assumed: {said}", said=said), markup=False)
    console.print("\n".join(assumed_in_words(found.figures)), markup=False)


def way_in_words(way: str) -> str:
    """Say one way in the language in force."""
    return {
        "pretrain": tr("pretrain"), "continue": tr("continue pretraining"), "full": tr("full tuning"), "lora": "LoRA",
        "qlora": "QLoRA", "prompt": tr("examples in the prompt"),
    }[way]  # fmt: skip


def _table(found: TuningLayers) -> object:
    from rich import box
    from rich.table import Table

    table = Table(title=tr("Ways to a task, side by side"), box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(tr("way"), overflow="fold")
    headings = ("tokens", "EFLOP", tr("cards"), tr("trained"), tr("days"), found.currency, "MWh", "GiB")
    for heading in headings:
        table.add_column(heading if heading != "tokens" else tr("tokens"), justify="right", overflow="fold")
    for one in found.layers:
        table.add_row(way_in_words(one.id), *_cells(one))
    return table


EXA = 1e18
WHOLE = 100.0
"""Numbers from which on digits behind the point say nothing."""


def rounded(value: float) -> str:
    """Write a number short, without powers of ten: three digits, or whole."""
    return f"{value:,.0f}" if value >= WHOLE else f"{value:.3g}"


def _cells(one: TuningLayer) -> list[str]:
    if one.reason:
        return [tr("not feasible")]
    return [
        count_in_words(one.tokens),
        rounded(one.flop / EXA),
        f"{one.accelerators}",
        count_in_words(one.trained_parameters) if one.trained_parameters else "-",
        "" if one.seconds is None else rounded(one.seconds / DAY_SECONDS),
        tr("no price known") if one.rent is None else f"{one.rent:,.0f}",
        "-" if one.energy_joules is None else rounded(one.energy_joules / JOULES_PER_MEGAWATT_HOUR),
        "" if one.memory_bytes is None else f"{one.memory_bytes / GIB:.1f}",
    ]
