"""Writes what was timed as a profile: accelerator, system, kernels in the catalogue's forms, and how it was found."""

from __future__ import annotations

import datetime
import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from suanli.catalogue.find import MEASURED, folded
from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.hardware import Accelerator, Precision
from suanli.domain.kernel import CollectiveKernel
from suanli.domain.machine import FamilyErrors
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr
from suanli.measure.attention import PHASES
from suanli.measure.backends import Machine
from suanli.measure.bench import Found
from suanli.measure.families import Fitter, Peaks, too_few
from suanli.measure.fit import Fit, fit_collective
from suanli.measure.matmuls import MATMUL
from suanli.measure.passes import PASS
from suanli.measure.rules import FitRules
from suanli.parts.devices.fabric import PASSES
from suanli.parts.devices.open import calibration_like

UNITS = {"seconds": ("us", 1e6), "bytes": ("B", 1.0)}
TERA, GIGA = 1e12, 1e9
ALWAYS = "bf16"
COLLECTIVES = "collectives"
"""The group whose fits see all of their few samples, so that none is held out."""
MEMORY_TOLERANCE = 0.15
"""How far a driver's count of memory may be from what is printed on the product."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What a profile holds before it is written: figures of the device, the product it is, fits by group and family."""

    found: Found
    product: Accelerator | None
    peaks: Peaks
    fits: Mapping[str, Mapping[str, Fit]]
    optimizer_share: float | None
    link_bytes_per_s: float | None

    @property
    def id(self) -> str:
        """Return the name that the machine goes by."""
        words = "".join(letter if letter.isalnum() else "-" for letter in self.found.machine.name.lower())
        return MEASURED + "-".join(word for word in words.split("-") if word)

    @property
    def errors(self) -> dict[str, FamilyErrors]:
        """Return the errors of every family on the samples that were held out."""
        return {
            f"{group} {family}": FamilyErrors(
                rows=fit.rows, held_out=0 if group == COLLECTIVES else fit.rows // 2,
                median_error=fit.median_error, p90_error=fit.p90_error,
                spread=self._spread(group, family),
            )
            for group, families in self.fits.items()
            for family, fit in families.items()
        }  # fmt: skip

    def _spread(self, group: str, family: str) -> float:
        same = [one.spread for one in self.found.samples if one.group == group and one.family == family]
        return statistics.median(same) if same else 0.0


def matched(machine: Machine) -> Accelerator | None:
    """Return the catalogue's product that a device is: the one whose name, memory and kind of memory agree best."""
    words = {folded(word) for word in machine.name.replace("/", " ").replace("-", " ").split()}
    models = {word for word in words if any(letter.isdigit() for letter in word) and not word.endswith(("gb", "gib"))}
    like = []
    for one in catalogue().accelerators.values():
        own = {folded(word) for word in f"{one.name} {one.id}".replace("-", " ").split()}
        if one.vendor.lower() not in (machine.vendor.lower(), "") or not models & own or one.memory_bytes is None:
            continue
        if abs(machine.memory_bytes / one.memory_bytes.value - 1) <= MEMORY_TOLERANCE:
            missing = {word for word in words if word in ("pcie", "sxm", "nvl", "oam")} ^ (own & {"pcie", "nvl"})
            hbm = folded(one.memory_kind) in words
            like.append(((len(models & own) + hbm - len(missing), -len(own - words)), one))
    like.sort(key=lambda pair: pair[0], reverse=True)
    alone = len(like) == 1 or (len(like) > 1 and like[0][0] > like[1][0])
    return like[0][1] if alone else None


def make_profile(found: Found, rules: FitRules) -> Profile:
    """Fit every family to what was timed, against the product's printed peaks where it is a known one."""
    product = matched(found.machine) if found.machine.device_class != "cpu" else None
    printed = {} if product is None else {one.value: peak.value for one, peak in product.peak_flop_per_s.items()}
    bandwidth = product.memory_bytes_per_s if product is not None else None
    peaks = Peaks(
        flop_per_s={**found.peak_flop_per_s, **printed},
        memory_bytes_per_s=bandwidth.value if bandwidth is not None else found.memory_bytes_per_s,
        compute_units=float(found.machine.compute_units),
    )
    fitter = Fitter(peaks=peaks, formats=load_kernels().formats, device_class=found.machine.device_class, rules=rules)
    fits: dict[str, dict[str, Fit]] = {MATMUL: fitter.matmuls(found.samples)}
    fits |= {phase: fitter.attentions(found.samples, phase) for phase in PHASES}
    fits[PASS] = {PASS: fitter.passes(found.samples)}
    link = _link_rate(found, product)
    if link is not None:
        fits[COLLECTIVES] = _collectives(found, link, rules)
    share = fitter.optimizer_share(found.samples)
    return Profile(found=found, product=product, peaks=peaks, fits=fits, optimizer_share=share, link_bytes_per_s=link)


def _link_rate(found: Found, product: Accelerator | None) -> float | None:
    """Return what one device sends over its link: as printed, else the best rate of any collective; None untimed."""
    if not found.transfers:
        return None
    if product is not None and product.link.bytes_per_s is not None:
        return product.link.bytes_per_s.value
    return max(PASSES[one.op] * (one.ranks - 1) / one.ranks * one.message_bytes / one.seconds
               for one in found.transfers)  # fmt: skip


def _collectives(found: Found, link: float, rules: FitRules) -> dict[str, Fit]:
    fits = {}
    for op in dict.fromkeys(one.op for one in found.transfers):
        same = [one for one in found.transfers if one.op == op]
        ranks, sizes, seconds = (np.array([float(getattr(one, name)) for one in same])
                                 for name in ("ranks", "message_bytes", "seconds"))  # fmt: skip
        fits[op] = fit_collective(COLLECTIVES, op, PASSES[op], ranks, sizes, seconds, link, rules.loss_scale)
    return fits


def profile_text(profile: Profile, command: str, version: str, date: str = "") -> str:
    """Write a profile."""
    date = date or datetime.date.today().isoformat()
    lines = [
        *_measured(profile, command, version, date),
        *_accelerator(profile, date),
        *_system(profile, date),
        *_kernels(profile, date),
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Write a text that YAML reads back as it is."""
    return json.dumps(text, ensure_ascii=False)


def _measured(profile: Profile, command: str, version: str, date: str) -> list[str]:
    found = profile.found
    lines = [
        "measured:", f"  suanli: {quoted(version)}", f"  date: {quoted(date)}", f"  command: {quoted(command)}",
        f"  device: {found.kind}", f"  seconds: {found.seconds:.0f}", f"  load_average: {found.load_average:.2f}",
        "  versions:", *(f"    {name}: {quoted(value)}" for name, value in found.machine.versions.items()),
    ]  # fmt: skip
    if found.warnings:
        lines.append(f"  warnings: [{', '.join(quoted(one) for one in found.warnings)}]")
    lines.append("  families:")
    for name, one in profile.errors.items():
        lines.append(f"    {quoted(name)}: {{rows: {one.rows}, held_out: {one.held_out}, "
                     f"median_error: {one.median_error:.3f}, p90_error: {one.p90_error:.3f}, "
                     f"spread: {one.spread:.3f}}}")  # fmt: skip
    return lines


def _figure(value: float, scale: float, unit: str, date: str, note: str = "") -> str:
    said = f'{{value: {value / scale:.5g}, unit: {unit}, source: measured, date: "{date}", kind: {Kind.MEASURED.value}'
    return said + (f", note: {quoted(note)}" if note else "") + "}"


def _printed(figure: Figure, scale: float, unit: str) -> str:
    return (f'{{value: {figure.value / scale:.6g}, unit: {unit}, source: {figure.source}, date: "{figure.date}", '
            f"kind: {figure.kind.value}}}")  # fmt: skip


def _accelerator(profile: Profile, date: str) -> list[str]:
    found, machine, product = profile.found, profile.found.machine, profile.product
    peaks = {}
    for name, rate in found.peak_flop_per_s.items():
        peaks[name] = _figure(rate, TERA, "TFLOP/s", date, tr("best product that was timed"))
    for precision, printed in (product.peak_flop_per_s if product is not None else {}).items():
        peaks[precision.value] = _printed(printed, TERA, "TFLOP/s")
    order = [one.value for one in Precision]
    bandwidth = _figure(found.memory_bytes_per_s, GIGA, "GB/s", date, tr("long addition of two tensors into a third"))
    if product is not None and product.memory_bytes_per_s is not None:
        bandwidth = _printed(product.memory_bytes_per_s, GIGA, "GB/s")
    lines = [
        "accelerator:", f"  id: {profile.id}", f"  vendor: {quoted(machine.vendor)}",
        f"  name: {quoted(machine.name)}",
        f"  origin: {quoted(product.origin if product is not None else 'unknown')}",
        f"  device_class: {machine.device_class}", "  confidence: measured",
        f"  software: {quoted(_software(machine))}",
        "  peak:", *(f"    {name}: {peaks[name]}" for name in sorted(peaks, key=order.index)),
    ]  # fmt: skip
    if ALWAYS in found.peak_flop_per_s and product is not None:
        best = _figure(found.peak_flop_per_s[ALWAYS], TERA, "TFLOP/s", date)
        lines.append(f"  matmul_ceiling: {best}")
    lines += [
        f"  memory_kind: {quoted(product.memory_kind if product is not None else '')}",
        f"  memory: {_figure(machine.memory_bytes, GIGA, 'GB', date)}", f"  memory_bandwidth: {bandwidth}",
        *_link(profile, date),
    ]  # fmt: skip
    if found.host is not None:
        slower = min(found.host.down_bytes_per_s, found.host.up_bytes_per_s)
        lines.append(f"  host_link: {_figure(slower, GIGA, 'GB/s', date)}")
    if product is not None and product.power_watts is not None:
        lines.append(f"  power: {_printed(product.power_watts, 1.0, 'W')}")
    return lines


def _software(machine: Machine) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.versions.items())


def _link(profile: Profile, date: str) -> list[str]:
    joined = profile.link_bytes_per_s is not None and profile.found.machine.devices > 1
    if not joined or profile.link_bytes_per_s is None:
        return ["  link: {name: none, topology: unknown, domain: 1}"]
    product = profile.product
    rate = _figure(profile.link_bytes_per_s, GIGA, "GB/s", date)
    topology = product.link.topology.value if product is not None else "unknown"
    return [
        "  link:", f"    name: {quoted(product.link.name if product is not None else 'measured')}",
        f"    topology: {topology}", f"    domain: {profile.found.machine.devices}", f"    per_direction: {rate}",
    ]  # fmt: skip


def _system(profile: Profile, date: str) -> list[str]:
    machine, stored = profile.found.machine, profile.found.disk
    written = _figure(stored.write_bytes_per_s, GIGA, "GB/s", date, tr("flushed to the disk"))
    return [
        "system:", f"  id: {profile.id}-box", f"  vendor: {quoted(machine.vendor)}",
        f"  name: {quoted(f'{machine.devices}x {machine.name}')}", "  system_kind: node",
        f"  accelerator: {profile.id}", f"  accelerators: {machine.devices}", "  confidence: measured",
        *_link(profile, date), f"  host_memory: {_figure(machine.host_memory_bytes, GIGA, 'GB', date)}", "  other:",
        f"    storage_write: {written}",
        f"    storage_read: {_figure(stored.read_bytes_per_s, GIGA, 'GB/s', date)}",
    ]  # fmt: skip


def _kernels(profile: Profile, date: str) -> list[str]:
    found = profile.found
    like = calibration_like(found.machine.device_class, profile.product, load_kernels())
    fits = [fit for group in (MATMUL, *PHASES) for fit in profile.fits[group].values()]
    spread = statistics.median(fit.sigma_log for fit in fits)
    lines = [
        "kernels:", f"  id: {profile.id}", f"  name: {quoted(found.machine.name)}", "  source: measured",
        f"  date: {quoted(date)}", "  kind: measured", f"  accelerators: [{profile.id}]",
        f"  default_units: {found.machine.compute_units}", f"  spread_log: {spread:.3f}",
        f"  launch_seconds: {found.launch_seconds * 1e6:.4g} us",
    ]  # fmt: skip
    if profile.optimizer_share is not None:
        lines.append(f"  optimizer_share: {profile.optimizer_share:.4g}")
    for group in (MATMUL, *PHASES):
        families = with_fallback(profile.fits[group], group)
        lines += [f"  {group}:", *(f"    {name}: {written(kernel)}" for name, kernel in families.items())]
    lines.append(f"  element_pass: {written(profile.fits[PASS][PASS].kernel)}")
    lines.append(f"  expert_skew: {written(like.expert_skew)}")
    if COLLECTIVES in profile.fits:
        lines.append("  collectives:")
        lines += [f"    {op}: {written(fit.kernel)}" for op, fit in profile.fits[COLLECTIVES].items()]
    return lines


def with_fallback(fits: Mapping[str, Fit], group: str) -> dict[str, Any]:
    """Return the kernels of a group; where none is of 16 bits, the widest measured stands in for those formats.

    Raises InputError where the time did not suffice for any.
    """
    kernels = {name: fit.kernel for name, fit in fits.items() if name != "fp16"}
    if ALWAYS not in kernels:
        stand_in = next((name for name in ("fp16", "tf32", "fp32") if name in fits), "")
        if not stand_in:
            raise too_few(group)
        kernels[ALWAYS] = fits[stand_in].kernel
    return kernels


def written(kernel: Any) -> str:
    """Write a family on one line, times in microseconds; what has its neutral value is left out."""
    said = []
    for one in fields(kernel):
        value = getattr(kernel, one.name)
        if isinstance(value, tuple) or value == one.default:
            continue
        unit, scale = UNITS.get(one.name.rsplit("_", 1)[-1], ("", 1.0))
        said.append(f"{one.name}: {value * scale:.4g}" + (f" {unit}" if unit else ""))
    if isinstance(kernel, CollectiveKernel):
        pairs = zip(kernel.share_ranks, kernel.link_shares, strict=True)
        said += [f"link_share_{ranks:.0f}: {share:.4g}" for ranks, share in pairs]
    return "{" + ", ".join(said) + "}"


def write_profile(path: Path, text: str) -> None:
    """Write a profile. Raises InputError where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        allowed = tr("a place where files may be written")
        raise InputError.single(place=str(path), found=error.strerror or str(error), allowed=allowed) from error
