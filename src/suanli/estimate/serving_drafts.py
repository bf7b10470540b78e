"""Drafts of speculative decoding on a replica: who drafts, in which layout, how likely a draft is accepted."""

from __future__ import annotations

from dataclasses import replace

from suanli.domain.engine import EngineProfile, EngineTable, WeightScheme
from suanli.domain.model import Model
from suanli.domain.serving import DraftFigures, DraftKind, ServingFigures
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_layout import attending
from suanli.estimate.serving_replica import Drafting, Replica
from suanli.estimate.serving_settings import hides_host
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr
from suanli.parts.architectures.drafters import Drafter, drafter_of


def open_drafting(replica: Replica, engine: EngineProfile, figures: ServingFigures, table: EngineTable) -> Replica:
    """Put who drafts beside a replica whose setup names it; a replica whose setup names nobody comes back as it was.

    `engine` is its class while it drafts.
    Raises InputError where the model cannot have the drafter, or an acceptance is no chance.
    """
    setup = replica.setup
    if setup.drafting is None or setup.draft_tokens <= 0:
        return replica
    _check(setup.acceptance, setup.draft_tokens)
    known = figures.drafts[setup.drafting]
    drafter = drafter_of(
        setup.drafting, setup.model, setup.draft_tokens, figures.eagle_vocabulary.value, figures.eagle_widening.value,
        setup.draft_model,
    )  # fmt: skip
    inner = _inner(replica, drafter, table) if drafter else None
    value, low, high = _chances(setup.acceptance, known)
    draft = Drafting(
        kind=setup.drafting, replica=inner, passes=drafter.passes if drafter else 1.0,
        copies=drafter.copies if drafter else 0.0, reads_prompts=bool(drafter and drafter.reads_prompts),
        acceptance=value, acceptance_low=low, acceptance_high=high, host_seconds=known.host_seconds.value,
        sequence_seconds=known.sequence_seconds.value, plain_engine=replica.engine,
        plain_hides_host=hides_host(replica.engine, replace(setup, drafting=None), figures.traits),
    )  # fmt: skip
    return replace(replica, engine=engine, draft=draft, assumed=(*replica.assumed, *_assumed(replica, draft, known)))


def _check(acceptance: float | None, drafts: float) -> None:
    faults = []
    if acceptance is not None and not 0 <= acceptance < 1:
        faults.append(Fault(place="--acceptance", found=str(acceptance), allowed=tr("from 0 to below 1")))
    if drafts != int(drafts):
        faults.append(Fault(place="--draft-tokens", found=str(drafts), allowed=tr("a whole number")))
    if faults:
        raise InputError(faults)


def _chances(acceptance: float | None, known: DraftFigures) -> tuple[float, float, float]:
    """Return the chance of acceptance and its range; a measured one has none."""
    if acceptance is not None:
        return acceptance, acceptance, acceptance
    return known.acceptance.value, known.acceptance.low, known.acceptance.high


def _assumed(replica: Replica, draft: Drafting, known: DraftFigures) -> list[str]:
    """Say what was assumed of acceptance and of a drafter's layout."""
    told = []
    if replica.setup.acceptance is None:
        told.append(
            tr(
                "a drafted token is accepted with a chance of {value} ({low} to {high}; {source}, {date})",
                value=f"{draft.acceptance:g}", low=f"{draft.acceptance_low:g}", high=f"{draft.acceptance_high:g}",
                source=known.acceptance.source, date=known.acceptance.date,
            )
        )  # fmt: skip
    if draft.replica is not None and draft.replica.layout.tensor < replica.layout.tensor:
        told.append(tr("the draft model is whole on every accelerator"))
    return told


def _inner(replica: Replica, drafter: Drafter, table: EngineTable) -> Replica:
    """Make the drafter's own replica: on the last stage, split as the base model where its heads allow."""
    layout = replica.layout
    whole = _least_heads(drafter.model) % layout.tensor != 0
    inner = ServingLayout(
        tensor=1 if whole else layout.tensor,
        expert=layout.expert if any(run.layer.experts for run in drafter.model.runs) and not whole else 1,
        attention_data=layout.attention_data,
        context=layout.context,
        decode_context=1 if whole or replica.setup.drafting is DraftKind.MODEL else layout.decode_context,
    )
    setup = replace(
        replica.setup, model=drafter.model, draft_tokens=0.0, drafting=None, draft_model=None, acceptance=None,
        adapters=None,
    )  # fmt: skip
    return replace(
        replica, setup=setup, layout=inner, scheme=replica.scheme if drafter.own_format else _scheme(drafter, table),
        draft=None, adapters=None, launch_seconds=0.0, held={}, assumed=(),
    )  # fmt: skip


def _least_heads(model: Model) -> int:
    """Return the fewest heads of any layer that attends; 0 where none does, which every degree divides."""
    heads = [core.heads for core in attending(model)]
    return min(heads, default=0)


def _scheme(drafter: Drafter, table: EngineTable) -> WeightScheme:
    """Return the scheme of a drafter: its checkpoint's own, else 16 bits."""
    native = drafter.model.quantisation.method if drafter.model.quantisation else ""
    found = [scheme for scheme in table.schemes.values() if native and scheme.native == native]
    return found[0] if found else table.schemes["bf16"]
