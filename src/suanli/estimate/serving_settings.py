"""Settings of an engine beside its class's default: launches without graphs, scheduling, what caches free."""

from __future__ import annotations

from dataclasses import replace

from suanli.catalogue.serving_choices import offered
from suanli.domain.engine import EngineProfile
from suanli.domain.model import Model
from suanli.domain.serving import EngineTraits
from suanli.domain.workload import ServingSetup
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr


def scheduled(profile: EngineProfile, setup: ServingSetup, traits: EngineTraits) -> EngineProfile:
    """Return the class as it schedules: ahead of the running step, or after it by its version or a setup's word.

    Raises InputError where a class that never schedules ahead is asked to.
    """
    can = profile.id in traits.overlaps
    if setup.overlap and not can:
        raise InputError.single(
            place="--overlap",
            found=tr("{engine}, which schedules a step after the last one", engine=profile.name),
            allowed=", ".join(sorted(traits.overlaps)),
        )
    ahead = schedules_ahead(profile, setup, traits) if setup.overlap is None else setup.overlap
    return profile if ahead or not can else _after(profile, traits)


def schedules_ahead(profile: EngineProfile, setup: ServingSetup, traits: EngineTraits) -> bool:
    """Say whether an engine of a version or date schedules a step while the last one runs, unless told otherwise."""
    return offered(traits.overlaps.get(profile.id), setup.engine_version, setup.engine_date)


def _after(profile: EngineProfile, traits: EngineTraits) -> EngineProfile:
    """Return a class that schedules ahead as it is when it schedules after the running step."""
    return replace(
        profile,
        host_seconds=profile.host_seconds + traits.gap_seconds.value,
        sequence_seconds=profile.sequence_seconds + traits.sequence_gap_seconds.value,
    )


def drafting(profile: EngineProfile, setup: ServingSetup, ranks: int, traits: EngineTraits) -> EngineProfile:
    """Return the class as it is while it drafts: what it admits, and whether it still schedules ahead.

    `ranks` attention-data ranks share what it admits.
    """
    if setup.drafting is None:
        return profile
    most = traits.draft_sequences.get(profile.id)
    if most is not None and setup.sequence_limit is None:
        profile = replace(profile, sequence_limit=min(profile.sequence_limit, max(most.value / ranks, 1.0)))
    ahead = setup.overlap is None and schedules_ahead(profile, setup, traits)
    since = traits.draft_overlaps.get(profile.id)
    return profile if not ahead or offered(since, setup.engine_version, setup.engine_date) else _after(profile, traits)


def launch_seconds(profile: EngineProfile, setup: ServingSetup, traits: EngineTraits) -> float:
    """Seconds of one kernel launch that a step waits for; none where graphs are captured, as every class does."""
    return traits.launch_seconds[profile.id].value if setup.eager else 0.0


def bounds_windows(profile: EngineProfile, setup: ServingSetup, traits: EngineTraits) -> bool:
    """Say whether an engine frees what a sliding window has left behind; all do where every layer has the same one."""
    windows = {run.layer.core.window for run in setup.model.runs if run.layer.core.cached_elements}
    if len(windows) <= 1:
        return True
    return offered(traits.windows.get(profile.id), setup.engine_version, setup.engine_date)


def as_served(setup: ServingSetup, profile: EngineProfile) -> ServingSetup:
    """Return a setup as its engine runs it: one that ignores the window common to all layers looks at everything."""
    model = setup.model
    windows = {run.layer.core.window for run in model.runs if run.layer.core.cached_elements}
    if not profile.ignores_windows or len(windows) != 1 or windows == {None}:
        return setup
    whole = tuple(
        replace(run, layer=replace(run.layer, core=replace(run.layer.core, window=None))) for run in model.runs
    )
    return replace(setup, model=replace(model, runs=whole))


def recurrent(model: Model) -> bool:
    """Say whether layers of a model keep a state in place of positions."""
    return any(run.layer.core.state_elements for run in model.runs)


def keeps_prefixes(profile: EngineProfile, setup: ServingSetup, traits: EngineTraits) -> bool:
    """Say whether an engine's prefix cache serves a model: any of attention alone, states only since they are kept."""
    if not recurrent(setup.model):
        return True
    return offered(traits.state_prefixes.get(profile.id), setup.engine_version, setup.engine_date)


def check_prefixes(profile: EngineProfile, setup: ServingSetup, traits: EngineTraits) -> None:
    """Raise InputError where hits of a prefix cache are told that the engine cannot have."""
    if setup.prefix_hit_share > 0 and not keeps_prefixes(profile, setup, traits):
        raise InputError.single(
            place="--prefix-hits",
            found=tr("{share} for a model whose layers keep states", share=f"{setup.prefix_hit_share:g}"),
            allowed=tr("0, or an engine that keeps states with prefixes: {engines}",
                       engines=", ".join(f"{name} {since.version}" for name, since in traits.state_prefixes.items())),
        )  # fmt: skip
