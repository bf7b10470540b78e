"""Open a serving setup on a system: engine by name and date, formats by scheme, layout checked against both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch

from suanli.catalogue.engines import load_engines
from suanli.domain.engine import EngineProfile, EngineTable, WeightScheme
from suanli.domain.hardware import Accelerator, System
from suanli.domain.kernel import KernelTable
from suanli.domain.model import CoreKind
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_engine import engine_of
from suanli.estimate.serving_replica import Replica
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr
from suanli.parts.devices.open import open_special, open_special_fabric

AUTO = ("", "auto")
"""What a format's name is where the engine chooses."""


def open_replica(
    setup: ServingSetup, system: System, layout: ServingLayout, kernels: KernelTable, engines: EngineTable | None = None
) -> Replica:
    """Open one replica of a setup on a system.

    Raises InputError with every fault of formats, engine and layout at once.
    """
    table = engines or load_engines()
    faults = [*_layout_faults(setup, layout)]
    if setup.weight_format not in table.schemes:
        faults.append(
            Fault(
                place=tr("weight format"), found=f"'{setup.weight_format}'", allowed=", ".join(sorted(table.schemes)),
                hint=did_you_mean(setup.weight_format, table.schemes),
            )
        )  # fmt: skip
    if faults:
        raise InputError(faults)
    layers_on_chip = sum(run.count for run in setup.model.runs) / layout.pipeline
    device, chip = open_special(system.accelerator, kernels, layers_on_chip)
    found, own_software = engine_of(setup, system.accelerator, chip, table)
    profile = _with_stack(found, setup, system.accelerator, table)
    scheme = _scheme(setup, table)
    kv_format, assumed = _cache_format(setup, scheme, profile)
    device.number_format(kv_format)
    return Replica(
        setup=setup,
        layout=layout,
        device=device,
        fabric=open_special_fabric(system, kernels),
        engine=profile,
        scheme=scheme,
        constants=table.constants,
        ranks_per_node=float(max(system.accelerators, chip.placement.reach if chip else 1, 1)),
        kv_format=kv_format,
        assumed=(*own_software, *assumed),
        chip=chip,
        regions=layers_on_chip if chip and chip.placement.side_by_side else 1.0,
    )


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
    )


def _cache_format(setup: ServingSetup, scheme: WeightScheme, profile: EngineProfile) -> tuple[str, tuple[str, ...]]:
    """Return the cache's format: the one asked for, else what the scheme implies under the engine."""
    if setup.kv_format not in AUTO:
        return setup.kv_format, ()
    chosen = scheme.cache.get(profile.id, scheme.cache[""])
    return chosen, (
        tr("cache in {format}, the default of {engine} for these weights", format=chosen, engine=profile.name),
    )


def _layout_faults(setup: ServingSetup, layout: ServingLayout) -> Iterator[Fault]:
    """Yield what a layout breaks of the model: heads that do not split, more stages than layers, experts unequal."""
    model = setup.model
    for name in ("tensor", "pipeline", "expert", "attention_data"):
        degree = getattr(layout, name)
        if degree < 1:
            yield Fault(place=tr("layout"), found=f"{name} {degree}", allowed=tr("1 or more"))
    heads = [run.layer.core.heads for run in model.runs if run.layer.core.kind in (CoreKind.SOFTMAX, CoreKind.LATENT)]
    if heads and layout.tensor > min(heads):
        yield Fault(
            place=tr("layout"), found=f"tensor {layout.tensor}", allowed=tr("at most {heads} heads", heads=min(heads))
        )
    layers = sum(run.count for run in model.runs)
    if layout.pipeline > layers:
        yield Fault(
            place=tr("layout"),
            found=f"pipeline {layout.pipeline}",
            allowed=tr("at most {layers} layers", layers=layers),
        )
    group = layout.tensor * layout.attention_data
    if layout.expert > 1 and group % layout.expert:
        yield Fault(
            place=tr("layout"), found=f"expert {layout.expert}",
            allowed=tr("a divisor of tensor x attention data ({group})", group=group),
        )  # fmt: skip
