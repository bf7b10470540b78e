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


def check_overlap(profile: EngineProfile, setup: ServingSetup, traits: EngineTraits) -> None:
    """Raise InputError where a class that never schedules ahead is asked to."""
    if setup.overlap and profile.id not in traits.overlaps:
        raise InputError.single(
            place="--overlap",
            found=tr("{engine}, which schedules a step after the last one", engine=profile.name),
            allowed=", ".join(sorted(traits.overlaps)),
        )


def hides_host(profile: EngineProfile, setup: ServingSetup, traits: EngineTraits) -> bool:
    """Say whether an engine schedules a step while the last one runs: as a setup says, else by its version or date."""
    if profile.id not in traits.overlaps or setup.overlap is not None:
        return bool(setup.overlap)
    known = [traits.overlaps] if setup.drafting is None else [traits.overlaps, traits.draft_overlaps]
    return all(offered(one.get(profile.id), setup.engine_version, setup.engine_date) for one in known)


def drafting(profile: EngineProfile, setup: ServingSetup, ranks: int, traits: EngineTraits) -> EngineProfile:
    """Return the class as it is while it drafts: what it admits, which `ranks` attention-data ranks share."""
    most = traits.draft_sequences.get(profile.id)
    if setup.drafting is None or most is None or setup.sequence_limit is not None:
        return profile
    return replace(profile, sequence_limit=min(profile.sequence_limit, max(most.value / ranks, 1.0)))


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
