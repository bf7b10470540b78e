"""Open a serving setup on a system: engine by name and date, formats by scheme, layout checked against both."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatch

from suanli.catalogue.engines import load_engines
from suanli.catalogue.serving_choices import load_serving_figures
from suanli.domain.engine import EngineProfile, EngineTable, WeightScheme
from suanli.domain.hardware import Accelerator, System
from suanli.domain.kernel import KernelTable
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_adapters import loading_seconds, open_adapters
from suanli.estimate.serving_drafts import open_drafting
from suanli.estimate.serving_engine import engine_of
from suanli.estimate.serving_layout import layout_faults
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_settings import (
    as_served,
    bounds_windows,
    check_overlap,
    check_prefixes,
    drafting,
    hides_host,
    keeps_prefixes,
    launch_seconds,
)
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr
from suanli.parts.devices.open import open_special, open_special_fabric
from suanli.parts.devices.special import find_chip

AUTO = ("", "auto")
"""What a format's name is where the engine chooses."""


def open_replica(
    setup: ServingSetup, system: System, layout: ServingLayout, kernels: KernelTable, engines: EngineTable | None = None
) -> Replica:
    """Open one replica of a setup on a system.

    Raises InputError with every fault of formats, engine and layout at once.
    """
    table = engines or load_engines()
    faults = [*layout_faults(setup, layout)]
    if setup.weight_format not in table.schemes:
        faults.append(
            Fault(
                place=tr("weight format"), found=f"'{setup.weight_format}'", allowed=", ".join(sorted(table.schemes)),
                hint=did_you_mean(setup.weight_format, table.schemes),
            )
        )  # fmt: skip
    if faults:
        raise InputError(faults)
    figures = load_serving_figures()
    found, own_software = engine_of(setup, system.accelerator, find_chip(system.accelerator, kernels.chips), table)
    check_prefixes(found, setup, figures.traits)
    check_overlap(found, setup, figures.traits)
    profile = _with_stack(found, setup, system.accelerator, table)
    setup = as_served(setup, profile)
    layers_on_chip = sum(run.count for run in setup.model.runs) / layout.pipeline
    device, chip = open_special(system.accelerator, kernels.of_engine(profile.kernels), layers_on_chip)
    scheme = _scheme(setup, table)
    kv_format, assumed = _cache_format(setup, scheme, profile)
    device.number_format(kv_format)
    adapters, more = open_adapters(setup, setup.adapters, figures.adapters, found.id) if setup.adapters else (None, ())
    replica = Replica(
        setup=setup,
        layout=layout,
        device=device,
        fabric=open_special_fabric(system, kernels),
        engine=profile,
        scheme=scheme,
        constants=table.constants,
        ranks_per_node=float(max(system.accelerators, chip.placement.reach if chip else 1, 1)),
        kv_format=kv_format,
        assumed=(*own_software, *assumed, *more),
        adapters=adapters,
        hides_host=hides_host(profile, setup, figures.traits),
        launch_seconds=launch_seconds(profile, setup, figures.traits),
        bounded_windows=bounds_windows(profile, setup, figures.traits),
        shares_prefixes=keeps_prefixes(profile, setup, figures.traits),
        chip=chip,
        regions=layers_on_chip if chip and chip.placement.side_by_side else 1.0,
    )
    replica = _with_loading(replica)
    engine = drafting(replica.engine, setup, layout.attention_data, figures.traits)
    return open_drafting(replica, engine, figures, table)


def _with_loading(replica: Replica) -> Replica:
    """Let each request that comes in wait for its adapter, where not all of them have a slot."""
    waits = loading_seconds(replica)
    if not waits:
        return replica
    return replace(replica, engine=replace(replica.engine, front_seconds=replica.engine.front_seconds + waits))


def _scheme(setup: ServingSetup, table: EngineTable) -> WeightScheme:
    """Return the weight scheme of a format's name; a checkpoint that exists in one scheme alone is served in it."""
    native = setup.model.quantisation.method if setup.model.quantisation else ""
    for scheme in table.schemes.values():
        if native and scheme.native == native:
            return scheme
    return table.schemes[setup.weight_format]


def _with_stack(
    profile: EngineProfile, setup: ServingSetup, accelerator: Accelerator, table: EngineTable
) -> EngineProfile:
    """Slow the kernels by what the maker's software lacked at the engine's date, and put the settings in place."""
    slack = profile.kernel_slack
    for stack in table.stacks:
        if setup.engine_date and setup.engine_date < stack.until_date and fnmatch(accelerator.id, stack.accelerators):
            slack *= stack.slack
    return _with_settings(replace(profile, kernel_slack=slack), setup, accelerator)


def _with_settings(profile: EngineProfile, setup: ServingSetup, accelerator: Accelerator) -> EngineProfile:
    """Put the setup's own settings over the engine's defaults, which may be modest on the accelerator."""
    memory = accelerator.memory_bytes.value if accelerator.memory_bytes else 0.0
    named = any(fnmatch(accelerator.id, pattern) for pattern in profile.modest_names)
    modest = memory < profile.modest_bytes or named
    budget = profile.modest_token_budget if modest else profile.token_budget
    admitted = profile.modest_sequence_limit if modest else profile.sequence_limit
    return replace(
        profile,
        token_budget=budget if setup.token_budget is None else setup.token_budget,
        sequence_limit=admitted if setup.sequence_limit is None else setup.sequence_limit,
        usable_share=profile.usable_share if setup.usable_share is None else setup.usable_share,
        receive_steps=profile.receive_steps if setup.receive_steps is None else setup.receive_steps,
    )


def _cache_format(setup: ServingSetup, scheme: WeightScheme, profile: EngineProfile) -> tuple[str, tuple[str, ...]]:
    """Return the cache's format: the one asked for, else what the scheme implies under the engine."""
    if setup.kv_format not in AUTO:
        return setup.kv_format, ()
    chosen = scheme.cache.get(profile.id, scheme.cache[""])
    return chosen, (
        tr("cache in {format}, the default of {engine} for these weights", format=chosen, engine=profile.name),
    )
