"""Tells fleets that serve a model: as JSON under the keys that stay, or as tables with reasons."""

from __future__ import annotations

from typing import Any

from suanli.api.serving_fleet import ServingPlan, ServingPlans
from suanli.api.words import assumed_in_words, name_in_words, pools_in_words, tenure_in_words
from suanli.cli.output import print_json
from suanli.foundation.language import tr

MILLI = 1000
MILLION = 1e6
SHOWN_FRONT = 8
GIB = 2**30
BUY = "buy"
"""The way to hold systems that rests on assumed figures: life, resale, power and what stands beside a box."""
BY_CAUSE = ("total_tokens_per_s", "memory_bytes", "bytes_by_cause", "seconds_by_cause", "kv_capacity_tokens")
"""What is told of one replica, where the same replicas prefill and decode."""


def told_fleet(found: ServingPlans) -> dict[str, Any]:
    """Write the best fleet under the keys of one setting, and beside it the others, the front and the reasons."""
    best = found.plans[0]
    return {
        "model": found.model,
        "objective": found.objective,
        **told_plan(best),
        **{name: found.replica and getattr(found.replica, name) for name in BY_CAUSE},
        "others": [told_plan(plan) for plan in found.plans[1:]],
        "front": found.front,
        "holdings": found.holdings,
        "searched": {
            "settings": found.searched.settings,
            "layouts": found.searched.layouts,
            "within_targets": found.searched.within_targets,
        },
        "why": found.why,
        "assumed": found.assumed,
        "figures": found.figures,
    }


def told_plan(plan: ServingPlan) -> dict[str, Any]:
    """Write one fleet; `replicas`, `layout` and `concurrency` are of the replicas that answer."""
    names = (
        "system", "weight_format", "kv_format", "prefill", "decode", "ttft_seconds", "tpot_seconds", "requests_per_s",
        "output_tokens_per_s", "output_tokens_per_s_per_accelerator", "tokens_per_s_per_user", "accelerators",
        "systems", "cost", "api", "band", "tails",
    )  # fmt: skip
    limits = {"token_budget_tokens": plan.token_budget, "sequence_limit_requests": plan.sequence_limit}
    own = {
        "replicas": plan.decode.replicas, "layout": plan.decode.layout, "concurrency": plan.decode.concurrency,
    }  # fmt: skip
    shares = {"load_share": plan.load, "worse_share": plan.worse}
    return {name: getattr(plan, name) for name in names} | own | limits | shares


def tell_fleet(found: ServingPlans, json_output: bool) -> None:
    """Print what a search found."""
    if json_output:
        print_json(told_fleet(found))
        return
    from rich.console import Console

    console = Console()
    console.print(_table(found))
    for line in fleet_lines(found):
        console.print(line, markup=False)
    console.print(_front_table(found))
    searched = found.searched
    console.print(
        tr(
            "{settings} settings of {layouts} kinds of replica judged in {seconds} s, {within} within the targets.",
            settings=f"{searched.settings:,}", layouts=searched.layouts, seconds=f"{searched.search_seconds:.2f}",
            within=f"{searched.within_targets:,}",
        )
    )  # fmt: skip
    for assumed in found.assumed:
        console.print(tr("Assumed: {what}", what=assumed), markup=False)
    for line in bought_lines(found):
        console.print(line, markup=False)


def bought_lines(found: ServingPlans) -> list[str]:
    """Say the assumed figures that bought systems rest on, where any fleet is bought."""
    bought = any(plan.cost is not None and plan.cost.tenure == BUY for plan in found.plans)
    return assumed_in_words(found.figures) if bought else []


def fleet_lines(found: ServingPlans) -> tuple[str, ...]:
    """Say what the best fleet rests on: its bands, causes, why it wins, its money and its tails."""
    best = found.plans[0]
    return (*_band_lines(best), *_cause_lines(found), *found.why, *_money_lines(found), *_tail_lines(best))


def _table(found: ServingPlans) -> object:
    """Show the fleets; what all have in common, system or weight format, stands in the title."""
    from rich.table import Table

    kinds = {(plan.system, plan.weight_format) for plan in found.plans}
    best = found.plans[0]
    title = tr("Fleets for {model}", model=found.model)
    if len(kinds) == 1:
        title = tr("Fleets for {model} on {system} in {format}", model=found.model, system=best.system,
                   format=best.weight_format)  # fmt: skip
    table = Table(title=title)
    if len(kinds) > 1:
        table.add_column(tr("system"), overflow="fold")
    table.add_column(tr("fleet"), overflow="fold")
    money = (tr("{currency} a month", currency=best.cost.currency),) if best.cost else ()
    for heading in (tr("in flight"), "TTFT, ms", "TPOT, ms", tr("tokens/s a chip"), tr("chips"), *money, tr("behind")):
        table.add_column(heading, justify="right")
    for plan in found.plans:
        system = (f"{plan.system} {plan.weight_format}",) if len(kinds) > 1 else ()
        table.add_row(*system, *_cells(plan))
    return table


def _cells(plan: ServingPlan) -> list[str]:
    money = [] if plan.cost is None else [f"{plan.cost.month_amount:,.0f}"]
    return [
        pools_in_words(plan.prefill, plan.decode), f"{plan.decode.concurrency:.0f}",
        f"{plan.ttft_seconds * MILLI:,.0f}", f"{plan.tpot_seconds * MILLI:,.1f}",
        f"{plan.output_tokens_per_s_per_accelerator:,.0f}", f"{plan.accelerators}", *money, f"{plan.worse:.1%}",
    ]  # fmt: skip


def _band_lines(plan: ServingPlan) -> list[str]:
    first, later, rate = (plan.band[name] for name in ("ttft_seconds", "tpot_seconds", "output_tokens_per_s"))
    said = tr(
        "80 % bands of the best: time to the first token {first} ms, for each further one {later} ms, {rate} tokens a"
        " second.",
        first=f"{first.low * MILLI:,.0f} – {first.high * MILLI:,.0f}",
        later=f"{later.low * MILLI:,.1f} – {later.high * MILLI:,.1f}", rate=f"{rate.low:,.0f} – {rate.high:,.0f}",
    )  # fmt: skip
    return [said]


def _cause_lines(found: ServingPlans) -> list[str]:
    one = found.replica
    if one is None:
        return []
    total = sum(one.seconds_by_cause.values())
    causes = sorted(one.seconds_by_cause.items(), key=lambda cause: -cause[1])
    told = ", ".join(f"{name_in_words(name)} {spent / total:.0%}" for name, spent in causes if spent > 0)
    memory, tokens = f"{one.memory_bytes / GIB:.1f}", f"{one.kv_capacity_tokens:,.0f}"
    return [
        tr("A step's time by cause: {causes}", causes=told),
        tr(
            "An accelerator holds {memory} GiB; a replica's cache has room for {tokens} tokens.",
            memory=memory,
            tokens=tokens,
        ),
    ]


def _money_lines(found: ServingPlans) -> list[str]:
    plan, cost = found.plans[0], found.plans[0].cost
    if cost is None:
        return []
    way = next(way for way in found.holdings[plan.system] if way.tenure == cost.tenure)
    said = [
        tr(
            "{currency} {input} for a million tokens of prompts, {output} of answers ({both} over all), at {rate}"
            " requests a second; {systems} systems {tenure}.",
            currency=cost.currency, input=f"{cost.input_amount_per_token * MILLION:,.4g}",
            output=f"{cost.output_amount_per_token * MILLION:,.4g}", both=f"{cost.amount_per_token * MILLION:,.4g}",
            rate=f"{cost.planned_requests_per_s:,.3g}", systems=plan.systems, tenure=tenure_in_words(cost.tenure),
        )
    ]  # fmt: skip
    said.append(
        tr(
            "{system} {tenure}: {currency} {amount} a month each ({basis}).",
            system=plan.system, tenure=tenure_in_words(way.tenure), currency=cost.currency,
            amount=f"{way.month_amount:,.0f}", basis=way.basis,
        )
    )  # fmt: skip
    return said + api_lines(plan)


def api_lines(plan: Any) -> list[str]:
    """Say how an API's price compares, where one was told."""
    api, cost = plan.api, plan.cost
    if api is None:
        return []
    said = tr(
        "The API would cost {currency} {amount} a month for the same tokens; from {tokens} million tokens a day on"
        " ({load} of what the fleet can do) own hardware is cheaper.",
        currency=cost.currency, amount=f"{api.month_amount:,.0f}",
        tokens=f"{api.break_even_tokens_per_day / MILLION:,.0f}", load=f"{api.break_even_load:.0%}",
    )  # fmt: skip
    if api.break_even_load <= 1:
        return [said]
    return [
        tr(
            "The API would cost {currency} {amount} a month for the same tokens; at its price this fleet is never"
            " cheaper, since {load} of what it can do would have to be used.",
            currency=cost.currency, amount=f"{api.month_amount:,.0f}", load=f"{api.break_even_load:.0%}",
        )
    ]  # fmt: skip


def _tail_lines(plan: ServingPlan) -> list[str]:
    tails = plan.tails
    if tails is None:
        return []
    return [
        tr(
            "Played: {name} P50 {p50}, P90 {p90}, P95 {p95}, P99 {p99} ms.", name=name,
            **{at: f"{getattr(found, at) * MILLI:,.{digits}f}" for at in ("p50", "p90", "p95", "p99")},
        )
        for name, found, digits in (
            (tr("time to the first token"), tails.ttft_seconds, 0),
            (tr("time for each further token"), tails.tpot_seconds, 1),
        )
    ]  # fmt: skip


def _front_table(found: ServingPlans) -> object:
    from rich.table import Table

    step = max(1, -(-len(found.front) // SHOWN_FRONT))
    table = Table(
        title=tr("Speed of a user against throughput of a chip"),
        caption=tr("no setting is better in both; *: within the targets"),
    )
    for heading in (tr("tokens/s a user"), tr("tokens/s a chip"), "TTFT"):
        table.add_column(heading, justify="right")
    table.add_column(tr("fleet"), overflow="fold")
    for point in found.front[::step]:
        fleet = pools_in_words(point.prefill, point.decode)
        table.add_row(
            f"{point.tokens_per_s_per_user:,.0f}{' *' if point.within_targets else ''}",
            f"{point.output_tokens_per_s_per_accelerator:,.0f}", f"{point.ttft_seconds * MILLI:,.0f} ms",
            f"{point.system} {point.weight_format} {fleet}",
        )  # fmt: skip
    return table
