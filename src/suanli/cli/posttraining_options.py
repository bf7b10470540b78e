"""Options of preference and reinforcement tuning, and how an answer is told.

A command that is wrapped in `takes_post_options` has an argument `post`; on the command line each of them stands in
its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from suanli.api.posttraining import PostAnswer, PostEstimate, PostOptions
from suanli.api.words import layout_in_words, name_in_words, serving_layout_in_words
from suanli.cli.output import print_json
from suanli.foundation.language import tr

GIB = 2**30
THOUSAND = 1000

AdaptersOption = Annotated[
    str,
    typer.Option(
        "--adapters",
        help="Train adapters alone, of --lora-rank: lora, qlora; the base is the reference.",
        show_default=False,
    ),
]
ReferenceOption = Annotated[
    str,
    typer.Option("--reference", help="Log-probabilities of the reference: resident, cached, none.", show_default=False),
]
PromptsOption = Annotated[int | None, typer.Option("--prompts", help="Prompts of a step (128).", show_default=False)]
GroupOption = Annotated[
    int | None, typer.Option("--group", help="Answers to a prompt (8 under grpo, else 1).", show_default=False)
]
PromptTokensOption = Annotated[
    float | None, typer.Option("--prompt-tokens", help="Mean tokens of a prompt (512).", show_default=False)
]
AnswerTokensOption = Annotated[
    float | None, typer.Option("--answer-tokens", help="Mean tokens of an answer (1024).", show_default=False)
]
AnswerSpreadOption = Annotated[
    float | None,
    typer.Option("--answer-spread", help="Standard deviation of answers over their mean.", show_default=False),
]
AnswerLimitOption = Annotated[
    float | None, typer.Option("--answer-limit", help="Tokens at which an answer is cut off.", show_default=False)
]
UpdatesOption = Annotated[
    int | None,
    typer.Option("--updates", help="Mini-batches of a step's answers, an update each (1).", show_default=False),
]
AnswerEpochsOption = Annotated[
    int | None, typer.Option("--answer-epochs", help="How often a step's answers are used (1).", show_default=False)
]
OldFlag = Annotated[
    bool | None,
    typer.Option(
        "--old-log-probs/--no-old-log-probs", help="The trainer scores its own answers anew.", show_default=False
    ),
]
RolloutOption = Annotated[
    str, typer.Option("--rollout", help="Where answers are generated: colocated, separate.", show_default=False)
]
RolloutNodesOption = Annotated[
    int | None, typer.Option("--rollout-nodes", help="Nodes, of all, that only generate (half).", show_default=False)
]
RolloutEngineOption = Annotated[str, typer.Option("--rollout-engine", help="vllm, sglang.", show_default=False)]
RolloutTensorOption = Annotated[
    int | None, typer.Option("--rollout-tp", help="Tensor degree of the engine (the fastest).", show_default=False)
]
RolloutExpertOption = Annotated[
    int | None, typer.Option("--rollout-ep", help="Expert degree of the engine.", show_default=False)
]
RolloutFormatOption = Annotated[
    str, typer.Option("--rollout-format", help="Weight format of the engine: bf16, fp8 ...", show_default=False)
]
RolloutMemoryOption = Annotated[
    float | None,
    typer.Option("--rollout-memory", help="Share of the memory that the engine takes.", show_default=False),
]
KeepTrainerFlag = Annotated[
    bool, typer.Option("--keep-trainer", help="Training's state stays on the device during a rollout.")
]
LagOption = Annotated[
    int | None, typer.Option("--lag", help="Steps that answers may be behind the weights (0).", show_default=False)
]
InFlightFlag = Annotated[
    bool, typer.Option("--in-flight", help="Weights change while answers are on their way: one step more at once.")
]
TransportOption = Annotated[
    str,
    typer.Option("--weight-transport", help="How weights reach other devices: broadcast, direct.", show_default=False),
]
RewardOption = Annotated[str, typer.Option("--reward", help="Who judges answers: rule, model.", show_default=False)]
RewardModelOption = Annotated[str, typer.Option("--reward-model", help="The model that judges.", show_default=False)]
CriticOption = Annotated[
    str, typer.Option("--critic-model", help="The critic of ppo (like the policy).", show_default=False)
]
TeacherOption = Annotated[
    str, typer.Option("--teacher", help="The model that distillation learns from.", show_default=False)
]
TeacherLogitsOption = Annotated[str, typer.Option("--teacher-logits", help="resident, cached.", show_default=False)]
OnPolicyFlag = Annotated[bool, typer.Option("--on-policy", help="Distil on the student's own answers.")]
POST = "post"
"""The argument of a command in whose place the options stand."""
USUAL = PostOptions()
"""What is asked where nobody says anything."""
Command = Callable[..., None]


def joined(
    adapters: AdaptersOption = "",
    reference: ReferenceOption = "",
    prompts: PromptsOption = None,
    group: GroupOption = None,
    prompt_tokens: PromptTokensOption = None,
    answer_tokens: AnswerTokensOption = None,
    answer_spread: AnswerSpreadOption = None,
    answer_limit: AnswerLimitOption = None,
    updates: UpdatesOption = None,
    answer_epochs: AnswerEpochsOption = None,
    old_log_probs: OldFlag = None,
    rollout: RolloutOption = "",
    rollout_nodes: RolloutNodesOption = None,
    rollout_engine: RolloutEngineOption = "",
    rollout_tp: RolloutTensorOption = None,
    rollout_ep: RolloutExpertOption = None,
    rollout_format: RolloutFormatOption = "",
    rollout_memory: RolloutMemoryOption = None,
    keep_trainer: KeepTrainerFlag = False,
    lag: LagOption = None,
    in_flight: InFlightFlag = False,
    weight_transport: TransportOption = "",
    reward: RewardOption = "",
    reward_model: RewardModelOption = "",
    critic_model: CriticOption = "",
    teacher: TeacherOption = "",
    teacher_logits: TeacherLogitsOption = "",
    on_policy: OnPolicyFlag = False,
) -> PostOptions:
    """Join what was said on the command line."""
    return PostOptions(
        adapters=adapters, reference=reference, prompts=prompts, group=group, prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens, answer_spread=answer_spread, answer_limit=answer_limit, updates=updates,
        answer_epochs=answer_epochs, old_log_probs=old_log_probs, rollout=rollout, rollout_nodes=rollout_nodes,
        rollout_engine=rollout_engine, rollout_tp=rollout_tp, rollout_ep=rollout_ep, rollout_format=rollout_format,
        rollout_memory=rollout_memory, keep_trainer=keep_trainer, lag=lag, in_flight=in_flight,
        weight_transport=weight_transport,
        reward=reward, reward_model=reward_model, critic_model=critic_model, teacher=teacher,
        teacher_logits=teacher_logits, on_policy=on_policy,
    )  # fmt: skip


def takes_post_options(command: Command) -> Command:
    """Give a command these options in the place of its argument `post`."""
    shared = list(inspect.signature(joined, eval_str=True).parameters.values())
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(**said: Any) -> None:
        options = joined(**{one.name: said.pop(one.name) for one in shared})
        command(**{POST: options}, **said)

    shown = (shared if name == POST else [one] for name, one in own.parameters.items())
    told = own.replace(parameters=[one for places in shown for one in places])
    setattr(run, "__signature__", told)  # noqa: B010
    return run


def step_keys(one: PostEstimate) -> dict[str, Any]:
    """Write a step under the keys that stay."""
    return {
        "method": one.method,
        "step_seconds": one.step_seconds,
        "band": one.band,
        "tokens_per_s": one.tokens_per_s,
        "samples_per_s": one.samples_per_s,
        "samples": one.samples,
        "step_tokens": one.tokens,
        "updates": one.updates,
        "mfu": one.training.mfu,
        "memory_bytes": one.memory_bytes,
        "capacity_bytes": one.capacity_bytes,
        "breakdown": {"seconds": one.pools[0].seconds_by_part, "bytes": one.bytes_by_cause},
        "pools": [
            {
                "name": pool.name,
                "accelerators": pool.accelerators,
                "seconds_by_part": pool.seconds_by_part,
                "idle_share": pool.idle_share,
            }
            for pool in one.pools
        ],
        "layout": one.training.layout,
        "placement": one.placement,
        "rollout": one.generated,
        "sync_bytes": one.sync_bytes,
        "staleness_steps": one.staleness_steps,
        "staleness_updates": one.staleness_updates,
        "limit": one.limit,
        "assumed": one.assumed,
    }


def tell_posttraining(answer: PostAnswer, json_output: bool) -> None:
    """Print the best step in full, and of a search the other splits beside it."""
    best, rest = answer.estimates[0], answer.estimates[1:]
    if json_output:
        thousand = None if answer.step_amount is None else THOUSAND * answer.step_amount
        print_json(
            {
                **step_keys(best),
                "step_amount": answer.step_amount,
                "thousand_steps_amount": thousand,
                "currency": answer.currency,
                "rent_basis": answer.rent_basis,
                "alternatives": [step_keys(one) for one in rest],
            }
        )
        return
    from rich.console import Console

    console = Console()
    if rest:
        console.print(_splits(answer.estimates))
    console.print(_parts(best))
    console.print(_memory(best))
    for line in (*_lines(best), _money(answer)):
        console.print(line, markup=False)
    for said in best.assumed:
        console.print(tr("Assumed: {said}", said=said), markup=False)


def _lines(one: PostEstimate) -> list[str]:
    """Say a step, its layout, its engine and its weights in lines."""
    told = {"seconds": one.step_seconds, "low": one.band.low, "high": one.band.high, "samples": one.samples_per_s,
            "tokens": f"{one.tokens_per_s:,.0f}"}  # fmt: skip
    lines = [
        tr(
            "Step: {seconds:.3g} s (80 % band {low:.3g}-{high:.3g}); {samples:.3g} samples/s, {tokens} tokens/s", **told
        ),
        tr("Layout that trains: {layout}", layout=layout_in_words(one.training.layout)),
    ]
    made = one.generated
    if made is None:
        return lines
    words = {
        "replicas": made.replicas,
        "layout": serving_layout_in_words(made.layout),
        "rate": f"{made.output_tokens_per_s:,.0f}",
        "longest": f"{made.longest_tokens:,.0f}",
        "tail": made.tail_seconds,
    }
    lines.append(
        tr(
            "Engine: {replicas} x {layout}, {rate} tokens/s; the longest answer has {longest} tokens, and the last"
            " tenth of answers takes {tail:.3g} s alone.",
            **words,
        )
    )
    stale = {"gib": one.sync_bytes / GIB, "steps": one.staleness_steps, "updates": one.staleness_updates}
    lines.append(
        tr(
            "Weights sent after a step: {gib:.1f} GiB; answers are {steps:g} steps, {updates:g} updates old on"
            " average.",
            **stale,
        )
    )
    return lines


def _money(answer: PostAnswer) -> str:
    """Say what a step's rent is."""
    if answer.step_amount is None:
        return tr("Rent: no price known")
    amount, many = f"{answer.step_amount:,.3g}", f"{THOUSAND * answer.step_amount:,.0f}"
    told = {"amount": amount, "many": many, "currency": answer.currency, "basis": answer.rent_basis}
    return tr("Rent: {amount} {currency} a step, {many} {currency} for 1,000 steps ({basis})", **told)


def _parts(one: PostEstimate) -> object:
    """Put what each pool does in a step in a table."""
    from rich.table import Table

    table = Table(title=tr("What a step's time goes into, by pool"))
    for heading in (tr("pool"), tr("accelerators"), tr("part"), "s", "%"):
        table.add_column(heading, justify="right" if heading in ("s", "%", tr("accelerators")) else "left")
    for pool in one.pools:
        name, count = name_in_words(pool.name), str(pool.accelerators)
        for part, seconds in _largest(pool.seconds_by_part):
            table.add_row(name, count, name_in_words(part), f"{seconds:.3f}", f"{seconds / one.step_seconds:.1%}")
            name, count = "", ""
        table.add_section()
    return table


def _memory(one: PostEstimate) -> object:
    """Put what the fullest accelerators hold in a table."""
    from rich.table import Table

    table = Table(title=tr("Bytes by cause on the fullest accelerator"))
    table.add_column(tr("pool"))
    table.add_column(tr("bytes by cause"))
    table.add_column("GiB", justify="right")
    held: list[tuple[str, Mapping[str, float]]] = [("training", one.bytes_by_cause)]
    if one.generated is not None:
        held.append(("rollout", one.generated.bytes_by_cause))
    for pool, causes in held:
        name = name_in_words(pool)
        for cause, size in _largest(causes):
            table.add_row(name, name_in_words(cause), f"{size / GIB:.2f}")
            name = ""
        table.add_row(name, tr("in all"), f"{sum(causes.values()) / GIB:.2f}")
        table.add_section()
    return table


def _splits(estimates: tuple[PostEstimate, ...]) -> object:
    """Put the splits that a search tried in a table."""
    from rich.table import Table

    table = Table(title=tr("Splits of the nodes between training and rollout, best first"))
    for heading in (tr("accelerators that train"), tr("that generate"), tr("step, s"), tr("idle: training"),
                    tr("idle: rollout"), tr("engine")):  # fmt: skip
        table.add_column(heading, justify="right")
    for one in estimates:
        apart = len(one.pools) > 1
        table.add_row(
            str(one.pools[0].accelerators),
            str(one.pools[1].accelerators) if apart else tr("the same"),
            f"{one.step_seconds:.3g}",
            f"{one.pools[0].idle_share:.1%}",
            f"{one.pools[-1].idle_share:.1%}" if apart else "",
            "" if one.generated is None else serving_layout_in_words(one.generated.layout),
        )
    return table


def _largest(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """Sort what is not nothing, the largest first."""
    return sorted(((name, amount) for name, amount in parts.items() if amount > 0), key=lambda item: -item[1])
