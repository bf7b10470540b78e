"""Boxes for products that the catalogue lists without one: another product's chassis, or a plain host; all flagged."""

from __future__ import annotations

import dataclasses

from suanli.catalogue.assumptions import assumption
from suanli.domain.hardware import Accelerator, Link, System, Topology
from suanli.equations.energy import box_watts
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr

PREFIX = "host"


def in_chassis(accelerator: Accelerator, chassis: System) -> System:
    """Put an accelerator in the box that another product has: its own link and power, the box's network and host.

    Power is the box's, less its accelerators', plus as many of the new ones.
    """
    old, new = chassis.accelerator.power_watts, accelerator.power_watts
    power = chassis.power_watts
    if power is not None and old is not None and new is not None:
        count = chassis.accelerators
        power = _assumed(power, power.value + count * (new.value - old.value))
    linked = accelerator.link.bytes_per_s is not None or accelerator.link.topology is Topology.PCIE
    return dataclasses.replace(
        chassis,
        id=host_id(accelerator, chassis.accelerators),
        name=f"{chassis.accelerators}x {accelerator.name}",
        vendor="OEM",
        released=max(accelerator.released, chassis.released) if accelerator.released else chassis.released,
        accelerator=accelerator,
        link=accelerator.link if linked else dataclasses.replace(chassis.link, bytes_per_s=None),
        power_watts=power,
        confidence="estimate",
        notes=tr("Assumed: the box of {name} with other accelerators.", name=chassis.name),
        other_figures={},
    )


def plain_host(accelerator: Accelerator) -> System:
    """Put an accelerator in a plain host: eight where it is a card on PCIe or has a link, else one of its kind."""
    linked = accelerator.link.domain > 1 or accelerator.link.topology is Topology.PCIE
    count = int(assumption("host.accelerators").value) if linked or accelerator.host_bytes_per_s is not None else 1
    power = accelerator.power_watts
    share = assumption("host.power_of_accelerators")
    return System(
        id=host_id(accelerator, count),
        vendor="OEM",
        name=f"{count}x {accelerator.name}",
        system_kind="node",
        released=accelerator.released,
        accelerator=accelerator,
        accelerators=count,
        link=_capped(accelerator.link, count),
        scale_out_bytes_per_s=assumption("host.scale_out_per_accelerator"),
        nics=None,
        host_memory_bytes=assumption("host.memory"),
        power_watts=None if power is None else _assumed(power, float(box_watts(power.value, count, share.value))),
        rack_units=assumption("host.rack_units"),
        cooling="air",
        confidence="estimate",
        sources=accelerator.sources,
        notes=tr("Assumed: a plain host; nobody lists a box of this accelerator."),
    )


def host_id(accelerator: Accelerator, count: int) -> str:
    """Name an assumed box: host8-nv-rtx3090."""
    return f"{PREFIX}{count}-{accelerator.id}"


def _capped(link: Link, count: int) -> Link:
    return dataclasses.replace(link, domain=min(link.domain, count))


def _assumed(base: Figure, value: float) -> Figure:
    """Make an assumed figure of another value; its range is as wide for its size as the base's."""
    scale = value / base.value if base.value else 1.0
    return dataclasses.replace(
        base, value=value, low=base.low * scale, high=base.high * scale, kind=Kind.ASSUMPTION, range_given=False
    )
