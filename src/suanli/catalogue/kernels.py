"""Kernel files to nouns: number formats, calibrated devices, defaults of classes, the tier between nodes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import TypeVar

from suanli.catalogue.chips import load_chips, load_serving_only
from suanli.catalogue.section import Section, open_section
from suanli.domain.hardware import Precision
from suanli.domain.kernel import (
    AttentionKernel,
    CollectiveKernel,
    ExpertSkew,
    KernelCalibration,
    KernelTable,
    MatmulKernel,
    NumberFormat,
    PassKernel,
)
from suanli.foundation.errors import InputError, did_you_mean

KERNEL_FOLDER = Path(__file__).parent.parent / "data" / "kernels"
ENGINE_KERNELS = "engines"
"""The folder of the files that hold engines' own kernels, beside the devices'."""
NOT_DEVICES = ("formats.yaml", "attention.yaml", "classes.yaml", "network.yaml")
LINK_SHARE = "link_share_"
"""How the name of a share of the link begins; the number of ranks follows."""
COLLECTIVE_FIGURES = ("base_seconds", "hop_seconds", "half_bytes", "ramp_power")
SCALES = ("ceiling_share", "memory_share", "floor", "latency", "link_share")
"""What a class may scale of the device that it extends."""
Kernel = TypeVar("Kernel", MatmulKernel, AttentionKernel, PassKernel)


def _names(noun: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(noun))


def optional(noun: type) -> tuple[str, ...]:
    """Return the figures that a family of kernels may leave out: those of what not every device does."""
    return tuple(one.name for one in fields(noun) if one.default is not MISSING)


def _figures(section: Section, noun: type) -> dict[str, float]:
    """Read the figures of a family of kernels; one that it leaves out keeps its neutral value."""
    absent = {name for name in optional(noun) if name not in section.said}
    return section.figures(tuple(name for name in _names(noun) if name not in absent))


def _collective(section: Section) -> CollectiveKernel:
    shares = {name: float(share) for name, share in section.said.items() if name.startswith(LINK_SHARE)}
    rest = Section(said={k: v for k, v in section.said.items() if k not in shares}, place=section.place)
    if not shares:
        raise InputError.single(place=section.place, found="no share of the link", allowed=f"'{LINK_SHARE}8' and such")
    return CollectiveKernel(
        share_ranks=tuple(float(name.removeprefix(LINK_SHARE)) for name in shares),
        link_shares=tuple(shares.values()),
        **rest.figures(COLLECTIVE_FIGURES),
    )


def _backward(prefill: Mapping[str, AttentionKernel], scale: Mapping[str, float]) -> dict[str, AttentionKernel]:
    """Derive the backward kernels of attention from the forward ones."""
    return {
        name: replace(
            kernel,
            ceiling_share=kernel.ceiling_share * scale["ceiling_share"],
            floor_seconds=kernel.floor_seconds * scale["floor"],
        )
        for name, kernel in prefill.items()
    }


def _families(
    section: Section,
) -> tuple[dict[str, MatmulKernel], dict[str, AttentionKernel], dict[str, AttentionKernel]]:
    """Read the matrix, prefill and decode families of a device."""
    matmul = {name: MatmulKernel(**_figures(one, MatmulKernel)) for name, one in section.within("matmul").items()}
    prefill, decode = (
        {name: AttentionKernel(**one.figures(_names(AttentionKernel))) for name, one in section.within(phase).items()}
        for phase in ("prefill", "decode")
    )
    return matmul, prefill, decode


def _own_kernels(section: Section, devices: Mapping[str, KernelCalibration]) -> dict[str, KernelCalibration]:
    """Return the devices with an engine's own kernels in the place of those of the median engine."""
    owned = dict(devices)
    for name, one in section.within("devices").items():
        if name not in devices:
            raise InputError.single(
                place=section.place, found=f"'{name}'", allowed=", ".join(devices), hint=did_you_mean(name, devices)
            )
        matmul, prefill, decode = _families(one)
        like = devices[name]
        owned[name] = replace(
            like,
            matmul={**like.matmul, **matmul},
            prefill={**like.prefill, **prefill},
            decode={**like.decode, **decode},
        )
    return owned


def device_kernels(section: Section, backward_scale: Mapping[str, float]) -> KernelCalibration:
    """Read one measured device. Raises InputError naming the entry at fault."""
    matmul, prefill, decode = _families(section)
    measured = {
        name: AttentionKernel(**one.figures(_names(AttentionKernel)))
        for name, one in section.within("backward").items()
    }
    return KernelCalibration(
        id=section.text("id"),
        name=section.text("name"),
        accelerators=section.texts("accelerators"),
        device_classes=(),
        calibrated=True,
        default_units=section.number("default_units"),
        compute_units={},
        matmul=matmul,
        prefill=prefill,
        decode=decode,
        backward={**_backward(prefill, backward_scale), **measured},
        element_pass=PassKernel(**_figures(section.at("element_pass"), PassKernel)),
        expert_skew=ExpertSkew(**section.at("expert_skew").figures(_names(ExpertSkew))),
        collectives={op: _collective(one) for op, one in section.within("collectives").items()},
        one_shot=_collective(section.at("one_shot")) if "one_shot" in section.said else None,
        spread_log=section.number("spread_log"),
        source=section.text("source"),
        date=section.text("date"),
        kind=section.text("kind"),
        notes=section.text("notes"),
        launch_seconds=section.number("launch_seconds", "s") if "launch_seconds" in section.said else None,
        optimizer_share=section.number("optimizer_share") if "optimizer_share" in section.said else None,
    )


def _scaled(kernel: Kernel, scale: Mapping[str, float]) -> Kernel:
    """Scale the shares and the fixed times of a kernel; a share never passes 1."""
    changes: dict[str, float] = {}
    for name in _names(type(kernel)):
        by = scale["floor"] if name.endswith("_seconds") else scale.get(name)
        if by is not None:
            value = getattr(kernel, name) * by
            changes[name] = min(value, 1.0) if name.endswith("_share") else value
    return replace(kernel, **changes)


def _all_scaled(families: Mapping[str, Kernel], scale: Mapping[str, float]) -> dict[str, Kernel]:
    return {name: _scaled(kernel, scale) for name, kernel in families.items()}


def _slowed(kernel: CollectiveKernel, scale: Mapping[str, float]) -> CollectiveKernel:
    return replace(
        kernel,
        base_seconds=kernel.base_seconds * scale["latency"],
        hop_seconds=kernel.hop_seconds * scale["latency"],
        link_shares=tuple(min(share * scale["link_share"], 1.0) for share in kernel.link_shares),
    )


def _class(section: Section, whole: Section, devices: Mapping[str, KernelCalibration]) -> KernelCalibration:
    """Read the default of a class: a measured device, scaled where the class is known or thought to differ."""
    extends = section.text("extends")
    if extends not in devices:
        raise InputError.single(
            place=section.place,
            found=f"extends '{extends}'",
            allowed=", ".join(devices),
            hint=did_you_mean(extends, devices),
        )
    like = devices[extends]
    scale = section.at("scale").figures(SCALES)
    own = {op: _collective(one) for op, one in section.within("collectives").items()}
    return replace(
        like,
        id=section.text("id", section.place.rsplit(" ", 1)[-1]),
        name=section.text("name"),
        accelerators=section.texts("accelerators"),
        device_classes=section.texts("device_classes"),
        calibrated=False,
        default_units=section.number("default_units"),
        compute_units={name: float(units) for name, units in section.said.get("compute_units", {}).items()},
        element_pass=_scaled(like.element_pass, scale),
        collectives={op: own.get(op, _slowed(one, scale)) for op, one in like.collectives.items()},
        one_shot=_slowed(like.one_shot, scale) if like.one_shot else None,
        spread_log=section.number("spread_log"),
        source=whole.text("source"),
        date=whole.text("date"),
        kind=whole.text("kind"),
        notes=section.text("notes"),
        matmul=_all_scaled(like.matmul, scale),
        prefill=_all_scaled(like.prefill, scale),
        decode=_all_scaled(like.decode, scale),
        backward=_all_scaled(like.backward, scale),
    )


def _format(name: str, section: Section) -> NumberFormat:
    return NumberFormat(
        name=name,
        weight_bytes=section.number("weight", "B"),
        activation_bytes=section.number("activation", "B"),
        output_bytes=section.number("output", "B"),
        precisions=tuple(Precision(one) for one in section.texts("precisions")),
        families=section.texts("families"),
    )


def load_formats(folder: Path = KERNEL_FOLDER) -> dict[str, NumberFormat]:
    """Read the number formats. Raises InputError naming file and entry at fault."""
    return {name: _format(name, one) for name, one in open_section(folder / "formats.yaml").within("formats").items()}


def backward_scale(folder: Path = KERNEL_FOLDER) -> dict[str, float]:
    """Read what the backward kernels of attention are of the forward ones, where nobody measured them."""
    return open_section(folder / "attention.yaml").at("backward_scale").figures(("ceiling_share", "floor"))


@functools.cache
def load_kernels(folder: Path = KERNEL_FOLDER) -> KernelTable:
    """Read every kernel file of a folder. Raises InputError naming file and entry at fault."""
    attention, network = open_section(folder / "attention.yaml"), open_section(folder / "network.yaml")
    backward = backward_scale(folder)
    read = (
        device_kernels(open_section(path), backward)
        for path in sorted(folder.glob("*.yaml"))
        if path.name not in NOT_DEVICES
    )
    devices = {one.id: one for one in read}
    whole = open_section(folder / "classes.yaml")
    defaults = network.at("defaults")
    host = defaults.text("host_collectives_like")
    table = KernelTable(
        formats=load_formats(folder),
        calibrations=tuple(devices.values()),
        classes=_classes(whole, devices, devices),
        scale_out={op: _collective(one) for op, one in network.within("scale_out").items()},
        host_collectives=devices[host].collectives,
        wiring={name: float(share) for name, share in network.at("wiring").said.items()},
        score_passes={phase: float(passes) for phase, passes in attention.at("score_passes").said.items()},
        host_bytes_per_s=defaults.number("host", "B/s"),
        network_bytes_per_s=defaults.number("network", "B/s"),
        ring_steps=(network.at("ring").number("inside_step", "s"), network.at("ring").number("across_step", "s")),
        chips=load_chips(),
        serving_only=load_serving_only(),
    )
    by_engine = {}
    for path in sorted((folder / ENGINE_KERNELS).glob("*.yaml")):
        owned = _own_kernels(open_section(path), devices)
        by_engine[path.stem] = replace(
            table, calibrations=tuple(owned.values()), classes=_classes(whole, devices, owned)
        )
    return replace(table, by_engine=by_engine)


def _classes(
    whole: Section, devices: Mapping[str, KernelCalibration], owned: Mapping[str, KernelCalibration]
) -> tuple[KernelCalibration, ...]:
    """Read the classes; those that run an engine's own kernels extend the devices that have them."""
    sections = whole.within("classes").values()
    return tuple(_class(one, whole, owned if one.said.get("engine_kernels") else devices) for one in sections)
