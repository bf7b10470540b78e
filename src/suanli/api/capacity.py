"""Capacity as people ask for it: what a replica holds, the longest context, the smallest setting for so many users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from suanli.api.engine_options import EngineOptions, option_faults, spread, with_options
from suanli.api.model import find_model
from suanli.domain.capacity import Bound, Capacity, Held, Wanted
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

__all__ = ["Bound", "CapacityAnswer", "CapacityQuestion", "Change", "Held", "capacity"]

MOST = 2**40
DEGREES = {"tensor": "--tp", "pipeline": "--pp", "expert": "--ep", "attention_data": "--dp"}
FROM_ONE = {**DEGREES, "users": "--users", "context_tokens": "--context", "nodes": "--nodes",
            "input_tokens": "--input-tokens", "output_tokens": "--output-tokens"}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityQuestion:
    """What is asked, as people write it.

    `users` are to be held at once, each with `context_tokens` in the cache (None: the mean request's prompt and
    answer). With any degree given that layout is told, else the smallest one on `nodes` systems is searched for.
    """

    model: str
    system: str
    users: int = 1
    context_tokens: int | None = None
    input_tokens: float = 1024.0
    output_tokens: float = 256.0
    nodes: int = 1
    weight_format: str = "bf16"
    kv_format: str = "auto"
    engine: str = "vllm"
    engine_version: str = ""
    tensor: int | None = None
    pipeline: int | None = None
    expert: int | None = None
    attention_data: int | None = None
    draft_tokens: int = 0
    options: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change of the setting in words, and what it then holds."""

    change: str
    accelerators: int
    sequences: int
    longest_context_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityAnswer:
    """What a setting holds, what would free more, and the smallest setting of every format.

    `sequences` of `context_tokens` fit at once, `mean_sequences` of the mean request; `longest_context_tokens` is what
    the asked users may have each. `binds` is what keeps more from fitting.
    """

    model: str
    system: str
    users: int
    context_tokens: int
    layout: ServingLayout
    accelerators: int
    weight_format: str
    kv_format: str
    memory_bytes: float
    bytes_by_cause: Mapping[str, float]
    kv_pool_bytes: float
    kv_block_tokens: int
    kv_block_bytes: float
    kv_blocks: int
    kv_capacity_tokens: int
    sequences: int
    mean_sequences: int
    longest_context_tokens: int
    binds: Bound
    frees: tuple[Change, ...]
    smallest: tuple[Held, ...]
    assumed: tuple[str, ...]


def capacity(question: CapacityQuestion) -> CapacityAnswer:
    """Answer a question of capacity.

    Raises InputError with every fault at once, InfeasibleError with what binds and what would free it.
    """
    from suanli.catalogue.profile import resolve
    from suanli.estimate.serving_capacity import capacity as of

    _check(question)
    system, kernels = resolve(question.system)
    setup = _setup(question)
    length = question.context_tokens or round(question.input_tokens + question.output_tokens)
    wanted = Wanted(users=question.users, context_tokens=length)
    found = of(setup, system, _layout(question), system.accelerators * question.nodes, wanted, kernels)
    return _answer(setup.model.name, system.id, wanted, found)


def _answer(model: str, system: str, wanted: Wanted, found: Capacity) -> CapacityAnswer:
    held = found.held
    changes = (
        Change(
            change=words, accelerators=after.layout.accelerators, sequences=after.sequences,
            longest_context_tokens=after.longest_tokens,
        )
        for words, after in found.changes
    )  # fmt: skip
    return CapacityAnswer(
        model=model,
        system=system,
        users=wanted.users,
        context_tokens=wanted.context_tokens,
        layout=held.layout,
        accelerators=held.layout.accelerators,
        weight_format=held.weight_format,
        kv_format=held.kv_format,
        memory_bytes=held.memory_bytes,
        bytes_by_cause=held.bytes_by_cause,
        kv_pool_bytes=held.pool_bytes,
        kv_block_tokens=held.kv_block_tokens,
        kv_block_bytes=held.kv_block_bytes,
        kv_blocks=held.kv_blocks,
        kv_capacity_tokens=held.kv_blocks * held.kv_block_tokens * held.layout.attention_data,
        sequences=held.sequences,
        mean_sequences=held.mean_sequences,
        longest_context_tokens=held.longest_tokens,
        binds=held.bound,
        frees=tuple(changes),
        smallest=found.smallest,
        assumed=held.assumed,
    )


def _layout(question: CapacityQuestion) -> ServingLayout | None:
    """Return the layout that is asked about; None where the smallest one is to be found."""
    degrees = {name: getattr(question, name) for name in DEGREES}
    if question.options.asks_for_layout or any(degree is not None for degree in degrees.values()):
        return spread(ServingLayout(**{name: degree or 1 for name, degree in degrees.items()}), question.options)
    return None


def _setup(question: CapacityQuestion) -> ServingSetup:
    setup = ServingSetup(
        model=find_model(question.model),
        input_tokens=question.input_tokens,
        output_tokens=question.output_tokens,
        weight_format=question.weight_format,
        kv_format=question.kv_format,
        engine=question.engine,
        engine_version=question.engine_version,
        draft_tokens=float(question.draft_tokens),
    )
    return with_options(setup, question.options)


def _check(question: CapacityQuestion) -> None:
    """Raise InputError with every number that is out of range."""
    faults = [*option_faults(question.options)]
    for name, place in FROM_ONE.items():
        value = getattr(question, name)
        if value is not None and not 1 <= value <= MOST:
            faults.append(Fault(place=place, found=str(value), allowed=tr("a number from 1 to {most}", most=MOST)))
    if not 0 <= question.draft_tokens <= MOST:
        allowed = tr("a number from 0 to {most}", most=MOST)
        faults.append(Fault(place="--draft-tokens", found=str(question.draft_tokens), allowed=allowed))
    if faults:
        raise InputError(faults)
