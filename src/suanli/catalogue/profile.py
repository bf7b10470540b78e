"""Profiles of measured machines, and whatever a question names as its system: a catalogue's name, or such a file.

A profile is one YAML file with an `accelerator`, a `system` and `kernels` as the catalogue has them, and `measured`,
which says how they were found.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from suanli.catalogue.find import MEASURED, is_profile
from suanli.catalogue.find import system as find_system
from suanli.catalogue.hardware_files import accelerator_of, system_of
from suanli.catalogue.kernels import LINK_SHARE, backward_scale, device_kernels, load_kernels, optional
from suanli.catalogue.section import FIGURE_UNITS, Section
from suanli.catalogue.sheet import Sheet, owner_of
from suanli.catalogue.yaml_reader import Trail, YamlDocument, parse_yaml, survey_yaml
from suanli.domain.hardware import System
from suanli.domain.kernel import AttentionKernel, ExpertSkew, KernelTable, MatmulKernel, PassKernel
from suanli.domain.machine import FamilyErrors, MeasuredMachine, Measurement
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

SECTIONS = ("measured", "accelerator", "system", "kernels")
PHASES = ("prefill", "decode", "backward")
KERNEL_KEYS = ("id", "name", "source", "date", "kind", "accelerators", "default_units", "spread_log", "launch_seconds",
               "optimizer_share", "matmul", *PHASES, "element_pass", "expert_skew", "collectives", "notes")  # fmt: skip
ALWAYS = "bf16"
"""The family that every number format falls back on."""
COLLECTIVE_KEYS = ("base_seconds", "hop_seconds", "half_bytes", "ramp_power")


def resolve(text: str, place: str = "--system") -> tuple[System, KernelTable]:
    """Find the system that a question names, and the kernels it is timed by: a measured machine brings its own.

    Raises InputError naming the nearest products, or with every fault of a profile.
    """
    systems, kernels = resolve_all((text,), place)
    return systems[0], kernels


def resolve_all(texts: Sequence[str], place: str = "--system") -> tuple[tuple[System, ...], KernelTable]:
    """Find the systems that a question names, with one table of kernels for all of them.

    Raises InputError as `resolve` does.
    """
    kernels, systems = load_kernels(), []
    for text in texts:
        if not is_profile(text):
            systems.append(find_system(text, place=place))
            continue
        machine = load_profile(text, place)
        kernels = with_machine(kernels, machine)
        systems.append(machine.system)
    return tuple(systems), kernels


def with_machine(kernels: KernelTable, machine: MeasuredMachine) -> KernelTable:
    """Return the table with a machine's kernels before all others; itself where they are there."""
    own = machine.kernels
    return kernels if any(one is own for one in kernels.calibrations) else kernels.with_measured(own)


def load_profile(text: str, place: str = "--system") -> MeasuredMachine:
    """Read a profile. Raises InputError with every fault of the file and its line."""
    path = Path(text.strip())
    if not path.is_file():
        raise InputError.single(place=place, found=tr("no such file: {file}", file=path),
                                allowed=tr("a profile that `suanli measure` wrote"))  # fmt: skip
    told = path.stat()
    return _loaded(path, told.st_mtime_ns, told.st_size)


def read_profile(text: str, file: str) -> MeasuredMachine:
    """Read a profile from its text. Raises InputError with every fault and its line."""
    return _machine(parse_yaml(text, file))


@functools.cache
def _loaded(path: Path, changed: int, size: int) -> MeasuredMachine:
    """Read a profile once for each time that it was written."""
    del changed, size
    return _machine(survey_yaml(path))


def _machine(document: YamlDocument) -> MeasuredMachine:
    path = Path(document.file)
    faults = list(document.faults)
    sheet = Sheet(document=document, known_sources=(), owner=owner_of(path))
    if not isinstance(document.data, Mapping):
        raise InputError([*faults, Fault(place=f"{document.file}:1", found=type(document.data).__name__,
                                         allowed=tr("a mapping with {keys}", keys=", ".join(SECTIONS)))])  # fmt: skip
    sheet.only((), SECTIONS)
    for name in SECTIONS:
        if not isinstance(document.data.get(name), Mapping):
            sheet.fault((name,), tr("no '{key}'", key=name), tr("a profile that `suanli measure` wrote"))
    faults += sheet.faults
    parts = {name: _part(document, name) for name in SECTIONS}
    hardware = {name: Sheet(document=parts[name], known_sources=(), owner=sheet.owner) for name in SECTIONS}
    accelerator = accelerator_of(hardware["accelerator"], "")
    known = {} if accelerator is None else {accelerator.id: accelerator}
    system = system_of(hardware["system"], "", known) if accelerator is not None else None
    for name in ("accelerator", "system"):
        said = hardware[name].text("id")
        if said and not said.startswith(MEASURED):
            hardware[name].fault(("id",), f"'{said}'", tr("an id that begins with '{start}'", start=MEASURED))
    _check_kernels(hardware["kernels"], "" if accelerator is None else accelerator.id)
    measurement = _measurement(hardware["measured"])
    faults += [fault for name in SECTIONS if document.data.get(name) for fault in hardware[name].faults]
    if faults or accelerator is None or system is None:
        raise InputError(faults)
    section = Section(said=parts["kernels"].data, place=f"{path.name}: kernels")
    return MeasuredMachine(
        accelerator=accelerator, system=system, kernels=device_kernels(section, backward_scale()),
        measurement=measurement,
    )  # fmt: skip


def _part(document: YamlDocument, name: str) -> YamlDocument:
    """Return one section of a document as a document of its own, with the lines that it has in the file."""
    said = document.data.get(name)
    lines = {trail[1:]: line for trail, line in document.lines.items() if trail[:1] == (name,)}
    return YamlDocument(file=document.file, data=said if isinstance(said, Mapping) else {}, lines=lines)


def _check_kernels(sheet: Sheet, accelerator_id: str) -> None:
    """Fault every figure of the kernels that is missing, unknown or not above nothing."""
    sheet.only((), KERNEL_KEYS)
    for key in ("id", "name", "source", "date", "kind"):
        sheet.text(key, needed=True)
    stands = sheet.get(("accelerators",))
    if not isinstance(stands, list) or (accelerator_id and accelerator_id not in stands):
        allowed = tr("a list with the accelerator's id, {id}", id=accelerator_id)
        sheet.fault(("accelerators",), str(stands), allowed)
    for key in ("default_units", "spread_log"):
        _number(sheet, (key,), needed=True)
    for key in ("launch_seconds", "optimizer_share"):
        _number(sheet, (key,))
    for group, noun in (("matmul", MatmulKernel), *((phase, AttentionKernel) for phase in PHASES)):
        _check_families(sheet, group, noun)
    _check_figures(sheet, ("element_pass",), [one.name for one in fields(PassKernel)], optional(PassKernel))
    _check_figures(sheet, ("expert_skew",), [one.name for one in fields(ExpertSkew)])
    told = sheet.get(("collectives",)) or {}
    for op, figures in told.items() if isinstance(told, Mapping) else ():
        shares = [name for name in figures if str(name).startswith(LINK_SHARE)] if isinstance(figures, Mapping) else []
        _check_figures(sheet, ("collectives", op), [*COLLECTIVE_KEYS, *(shares or [f"{LINK_SHARE}2"])])


def _check_families(sheet: Sheet, group: str, noun: type[MatmulKernel] | type[AttentionKernel]) -> None:
    families = sheet.get((group,))
    if not isinstance(families, Mapping) or ALWAYS not in families:
        if group != "backward" or families is not None:
            sheet.fault(
                (group,), tr("no '{key}'", key=ALWAYS), tr("families of kernels, {name} among them", name=ALWAYS)
            )
        return
    for family in families:
        _check_figures(sheet, (group, family), [one.name for one in fields(noun)], optional(noun))


def _check_figures(sheet: Sheet, trail: Trail, names: Sequence[str], optional: Sequence[str] = ()) -> None:
    if not isinstance(sheet.get(trail), Mapping):
        sheet.fault(trail, str(sheet.get(trail)), tr("a mapping with {keys}", keys=", ".join(names)))
        return
    sheet.only(trail, names)
    for name in names:
        _number(sheet, (*trail, name), needed=name not in optional)


def _number(sheet: Sheet, trail: Trail, needed: bool = False) -> None:
    """Fault a figure that is no number above nothing (or nothing, where it is a cost), in the unit of its name."""
    said = sheet.get(trail)
    if said is None:
        if needed:
            sheet.missing(trail, tr("a number"))
        return
    key = str(trail[-1])
    unit = FIGURE_UNITS.get(key.rsplit("_", 1)[-1], "")
    try:
        value = Section(said={key: said}, place="").number(key, unit)
    except InputError as error:
        sheet.faults += [Fault(place=sheet.document.place(trail), found=fault.found, allowed=fault.allowed,
                               hint=fault.hint) for fault in error.faults]  # fmt: skip
        return
    share = key.endswith(("_share", "_units", "_rows", "_columns", "_sharpness", "half_tokens")) or key == "spread_log"
    if not 0 <= value < float("inf") or (share and value == 0):
        sheet.fault(trail, str(said), tr("a number above 0") if share else tr("a number that is not negative"))


def _measurement(sheet: Sheet) -> Measurement:
    sheet.only((), [one.name for one in fields(Measurement)])
    families = sheet.get(("families",))
    versions = sheet.get(("versions",))
    warnings = sheet.get(("warnings",))
    return Measurement(
        suanli=sheet.text("suanli", needed=True), date=sheet.date("date"), command=sheet.text("command"),
        device=sheet.text("device", needed=True), seconds=_plain(sheet.get(("seconds",))),
        load_average=_plain(sheet.get(("load_average",))),
        versions={str(key): str(value) for key, value in versions.items()} if isinstance(versions, Mapping) else {},
        warnings=tuple(str(one) for one in warnings) if isinstance(warnings, list) else (),
        families={
            str(name): FamilyErrors(
                rows=int(_plain(one.get("rows"))), held_out=int(_plain(one.get("held_out"))),
                median_error=_plain(one.get("median_error")), p90_error=_plain(one.get("p90_error")),
                spread=_plain(one.get("spread")),
            )
            for name, one in (families.items() if isinstance(families, Mapping) else ())
            if isinstance(one, Mapping)
        },
    )  # fmt: skip


def _plain(said: Any) -> float:
    """Read a number of the record, which no figure rests on; nothing where it is none."""
    return float(said) if isinstance(said, (int, float)) and not isinstance(said, bool) else 0.0
