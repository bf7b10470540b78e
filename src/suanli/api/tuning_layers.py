"""Pretraining, continued pretraining, tuning and prompting, side by side for one model and one data set."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from suanli.api.finetune import TuningJobQuestion, finetune_job, job_faults, job_work, tuning
from suanli.api.model import find_model
from suanli.api.run_cost import rent_per_hour, train_priced
from suanli.api.serve import ServingQuestion
from suanli.api.serve import setup_of as serving_setup
from suanli.api.train import TrainingQuestion, TrainingSearch, box_of, machine_of
from suanli.domain.tuning import TuningWork
from suanli.domain.tuning_layers import TuningLayer, TuningLayers
from suanli.domain.workload import TuningMethod
from suanli.equations.tuning import paying_requests
from suanli.foundation.errors import Fault, InfeasibleError, InputError
from suanli.foundation.language import tr
from suanli.parts.architectures.count import forward_flop

if TYPE_CHECKING:
    from suanli.api.run_cost import RunCost
    from suanli.api.wall_clock import WallClock
    from suanli.domain.hardware import System
    from suanli.domain.model import Model
    from suanli.domain.workload import TrainingSetup

__all__ = ["LayersQuestion", "PromptQuestion", "TuningLayer", "TuningLayers", "tuning_layers"]

HOUR_SECONDS = 3600.0
MOST_SHOTS = 10_000
MOST_REQUESTS = 1e15
PRETRAIN, CONTINUE, PROMPT = "pretrain", "continue", "prompt"


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptQuestion:
    """Serving without tuning: `shots` examples stand in the prompt of each of so many requests.

    A request has `input_tokens` of its own and an answer of `output_tokens`; an engine keeps the examples' cache.
    """

    shots: int = 8
    requests: float = 1e6
    input_tokens: float = 512.0
    output_tokens: float = 256.0
    engine: str = "vllm"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayersQuestion:
    """A tuning job, and what the ways beside tuning take.

    Tokens of pretraining (None: what a scaling law gives) and of continued pretraining (None: the data set once), and
    the prompts.
    """

    job: TuningJobQuestion
    pretrain_tokens: float | None = None
    continue_tokens: float | None = None
    prompt: PromptQuestion = field(default_factory=PromptQuestion)


@dataclass(frozen=True, slots=True)
class _Trained:
    """One trained way: its layer, and what its money and time rest on."""

    layer: TuningLayer
    clock: WallClock | None = None
    cost: RunCost | None = None


def tuning_layers(question: LayersQuestion) -> TuningLayers:
    """Put all ways side by side. One that does not fit says why and stands among the others.

    Raises InputError with every fault at once, InfeasibleError where no way is feasible.
    """
    if faults := layers_faults(question):
        raise InputError(faults)
    step, work = job_work(tuning(question.job.step), question.job.text)
    model, box = find_model(step.model), box_of(step)
    hourly, basis = rent_per_hour(box, question.job.market)
    pretrain, said = _pretrain_tokens(question, model)
    onward = question.continue_tokens or work.text.tokens
    plain = replace(step, document_tokens=question.job.step.document_tokens, search=True, keep=1)
    told = [
        _trained(PRETRAIN, plain, question, model, box, tokens=pretrain),
        _trained(CONTINUE, plain, question, model, box, tokens=onward),
        *(_trained(method.value, plain, question, model, box) for method in TuningMethod),
    ]
    prompted, one_more = _prompted(question, model, box, work, hourly)
    layers = (*(one.layer for one in told), prompted)
    if all(one.reason for one in layers):
        relief = " ".join(f"{one.id}: {one.reason}" for one in layers)
        raise InfeasibleError(limit=tr("No way is feasible on this cluster."), relief=relief)
    lora = next(one.layer for one in told if one.layer.id == TuningMethod.LORA)
    assumed = (
        said, tr("continued pretraining goes once through {tokens:.3g} tokens", tokens=onward),
        tr("an engine keeps the cache of the examples in a prompt"),
    )  # fmt: skip
    figures = {one.name: one for way in told for part in (way.clock, way.cost) if part for one in part.assumed}
    return TuningLayers(
        layers=layers,
        currency=question.job.market.currency,
        rent_basis=basis,
        pays_from_requests=None if not (lora.rent and one_more) else float(paying_requests(lora.rent, one_more)),
        assumed=assumed,
        figures=tuple(figures.values()),
    )


def layers_faults(question: LayersQuestion) -> list[Fault]:
    """Name everything wrong in any part of the question."""
    faults, prompt = job_faults(question.job), question.prompt
    if not question.job.text.asked:
        faults.append(Fault(place="--compare", found=tr("no data set"), allowed=tr("--data-tokens or --data")))
    for place, value, most in (
        ("--pretrain-tokens", question.pretrain_tokens, MOST_REQUESTS * HOUR_SECONDS),
        ("--continue-tokens", question.continue_tokens, MOST_REQUESTS * HOUR_SECONDS),
        ("--requests", prompt.requests, MOST_REQUESTS),
        ("--input-tokens", prompt.input_tokens, MOST_REQUESTS),
        ("--output-tokens", prompt.output_tokens, MOST_REQUESTS),
    ):
        if value is not None and not (math.isfinite(value) and 1 <= value <= most):
            faults.append(Fault(place=place, found=f"{value:g}", allowed=tr("a number from 1 to {most:g}", most=most)))
    if not 0 <= prompt.shots <= MOST_SHOTS:
        span = tr("a whole number from 0 to {most}", most=MOST_SHOTS)
        faults.append(Fault(place="--shots", found=str(prompt.shots), allowed=span))
    return faults


def _pretrain_tokens(question: LayersQuestion, model: Model) -> tuple[float, str]:
    """Return the tokens of pretraining: told, or those that a scaling law gives the model's size."""
    from suanli.estimate.scaling import best_tokens, default_law
    from suanli.parts.architectures.count import active_parameters

    if question.pretrain_tokens is not None:
        return question.pretrain_tokens, tr("pretraining on {tokens:.3g} tokens", tokens=question.pretrain_tokens)
    law = default_law()
    tokens = best_tokens(law, float(active_parameters(model)))
    return tokens, tr("pretraining on {tokens:.3g} tokens, the best for its size by {law}", tokens=tokens, law=law.id)


def _trained(
    way: str, step: TrainingQuestion, question: LayersQuestion, model: Model, box: System, tokens: float | None = None
) -> _Trained:
    """Estimate one trained way: the best layout, the whole job on the wall, its price."""
    job = question.job
    try:
        if tokens is None:
            answer = finetune_job(replace(job, step=_only(replace(step, method=way), way)))
            found, clock, cost, work = answer.search, answer.clock, answer.cost, answer.work
            tokens = work.computed_tokens if work is not None else 0.0
        else:
            plain = _only(replace(step, method=None if way == PRETRAIN else TuningMethod.FULL.value), way)
            found, clock, cost = train_priced(plain, replace(job.run, tokens=tokens), job.market)
    except InfeasibleError as error:
        cards = step.nodes * box.accelerators
        blank = TuningLayer(id=way, tokens=tokens or 0.0, flop=0.0, accelerators=cards, trained_parameters=0.0)
        return _Trained(replace(blank, reason=str(error)))
    return _Trained(_layer(way, found, step, model, box, tokens, clock, cost), clock, cost)


def _only(step: TrainingQuestion, way: str) -> TrainingQuestion:
    """Leave settings out that a way does not have: adapters of full training, 4-bit weights of all but QLoRA."""
    options = step.tuning
    if way not in (TuningMethod.LORA, TuningMethod.QLORA):
        options = replace(options, targets=(), dora=False, experts=None)
    if way != TuningMethod.QLORA:
        options = replace(options, frozen_format=None)
    if way != TuningMethod.FULL:
        options = replace(options, freeze_embeddings=False, head_only=False)
    if way in (PRETRAIN, CONTINUE):
        options = replace(options, freeze_layers=None)
    return replace(step, tuning=options)


def _layer(
    way: str, found: TrainingSearch, step: TrainingQuestion, model: Model, box: System, tokens: float,
    clock: WallClock | None, cost: RunCost | None,
) -> TuningLayer:  # fmt: skip
    from suanli.estimate.shards import trained_parameters
    from suanli.estimate.training import training_flop

    best, setup = found.estimates[0], _setup(_only(replace(step, method=_method(way)), way))
    return TuningLayer(
        id=way,
        tokens=tokens,
        flop=training_flop(setup) / (setup.global_batch * setup.sequence_tokens) * tokens,
        accelerators=step.nodes * box.accelerators,
        trained_parameters=trained_parameters(setup),
        seconds=None if clock is None else clock.wall_seconds,
        rent=None if cost is None else cost.rent,
        energy_joules=None if cost is None else cost.energy_joules,
        memory_bytes=best.memory_bytes,
        layout=best.layout,
    )


def _method(way: str) -> str | None:
    return None if way == PRETRAIN else TuningMethod.FULL.value if way == CONTINUE else way


def _setup(step: TrainingQuestion) -> TrainingSetup:
    from suanli.api.train import own_calibration, setup_of

    calibration, _ = own_calibration(step.calibration)
    return setup_of(step, machine_of(step)[1], calibration)[0]


def _prompted(
    question: LayersQuestion, model: Model, box: System, work: TuningWork, hourly: float | None
) -> tuple[TuningLayer, float | None]:
    """Serve the requests with examples in their prompts, and say what the examples add to the price of one request."""
    asked = question.prompt
    mean = work.text.mean_tokens or asked.input_tokens + asked.output_tokens
    examples, cards = asked.shots * mean, question.job.step.nodes * box.accelerators
    try:
        whole = _requests_per_s(question, box, cards, examples)
        bare = _requests_per_s(question, box, cards, 0.0)
    except InfeasibleError as error:
        blank = TuningLayer(id=PROMPT, tokens=0.0, flop=0.0, accelerators=cards, trained_parameters=0.0)
        return replace(blank, reason=str(error)), None
    every = examples + asked.input_tokens + asked.output_tokens
    flop = forward_flop(model, every, 1, causal=True) - (
        forward_flop(model, examples, 1, causal=True) if examples else 0.0
    )
    seconds = asked.requests / whole.requests_per_s
    layer = TuningLayer(
        id=PROMPT,
        tokens=asked.requests * every,
        flop=asked.requests * flop,
        accelerators=cards,
        trained_parameters=0.0,
        seconds=seconds,
        rent=None if hourly is None else hourly * cards * seconds / HOUR_SECONDS,
        memory_bytes=whole.memory_bytes,
    )
    if hourly is None or whole.requests_per_s >= bare.requests_per_s:
        return layer, None
    longer = 1 / whole.requests_per_s - 1 / bare.requests_per_s
    return layer, hourly * cards * longer / HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class _Served:
    """What a cluster serves of one kind of request, and what one accelerator holds meanwhile."""

    requests_per_s: float
    memory_bytes: float


def _requests_per_s(question: LayersQuestion, box: System, cards: int, examples: float) -> _Served:
    """Serve requests behind so many tokens of examples on a cluster's accelerators, as many replicas as it holds.

    Raises InfeasibleError where the cluster holds no replica.
    """
    from suanli.estimate.serving_search import search

    asked = question.prompt
    inputs, step = examples + asked.input_tokens, question.job.step
    setup = serving_setup(
        ServingQuestion(
            model=step.model, system=step.system, input_tokens=inputs, output_tokens=asked.output_tokens,
            engine=asked.engine, prefix_hit_share=examples / inputs,
        )
    )  # fmt: skip
    best = search(setup, box, machine_of(step)[1], math.inf, math.inf, keep=1)[0]
    replicas = cards // best.layout.accelerators
    if not replicas:
        limit = tr("A replica of {model} takes more than {cards} accelerators.", model=setup.model.name, cards=cards)
        raise InfeasibleError(limit=limit, relief=tr("Take more nodes."))
    return _Served(replicas * best.requests_per_s, best.memory_bytes)
