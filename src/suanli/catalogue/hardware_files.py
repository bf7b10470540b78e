"""Files of accelerators and systems to nouns: what stands in each, in which unit."""

from __future__ import annotations

from collections.abc import Mapping

from suanli.catalogue.sheet import Sheet
from suanli.domain.hardware import Accelerator, Link, Precision, System, Topology
from suanli.foundation.errors import did_you_mean
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr

ACCELERATOR_KEYS = (
    "id", "vendor", "name", "origin", "device_class", "released", "china_export", "software", "confidence", "weak",
    "sources", "notes", "peak", "matmul_ceiling", "memory_kind", "memory", "memory_bandwidth", "link", "host_link",
    "power", "other",
)  # fmt: skip
SYSTEM_KEYS = (
    "id", "vendor", "name", "system_kind", "released", "accelerator", "accelerators", "host_cpu", "cooling",
    "confidence", "weak", "sources", "notes", "link", "scale_out", "nics", "host_memory", "power", "rack_units",
    "other",
)  # fmt: skip
LINK_KEYS = ("name", "topology", "domain", "per_direction")
OTHER_UNITS: Mapping[str, str] = {
    "process": "m", "die_area": "m**2", "link_printed": "B/s", "pcie_generation": "1", "pcie_lanes": "1",
    "export_tpp": "1", "nic_rate": "B/s", "scale_out_total": "B/s", "host_cpus": "1", "local_storage": "B",
    "memory_total": "B", "peak_total": "FLOP/s", "racks": "1", "backing_memory": "B", "backing_bandwidth": "B/s",
    "on_chip_memory": "B", "storage_write": "B/s", "storage_read": "B/s",
}  # fmt: skip
"""Figures that are kept because the source prints them, with their SI unit; no equation needs them."""

SYSTEM_KINDS = ("node", "rack", "supernode", "pod", "cloud_instance", "cluster")


def accelerator_of(sheet: Sheet, stem: str) -> Accelerator | None:
    """Read an accelerator; None where the sheet has faults, which stand in it."""
    before = len(sheet.faults)
    sheet.only((), ACCELERATOR_KEYS)
    peak = _peaks(sheet)
    made = Accelerator(
        id=_id(sheet, stem),
        vendor=sheet.text("vendor", needed=True),
        name=sheet.text("name", needed=True),
        origin=sheet.text("origin", needed=True),
        device_class=sheet.text("device_class", needed=True),
        released=sheet.date("released"),
        peak_flop_per_s=peak,
        matmul_ceiling_flop_per_s=sheet.figure("matmul_ceiling", into="FLOP/s"),
        memory_bytes=sheet.figure("memory", into="B", quantity="memory"),
        memory_bytes_per_s=sheet.figure("memory_bandwidth", into="B/s"),
        memory_kind=sheet.text("memory_kind"),
        link=_link(sheet),
        host_bytes_per_s=sheet.figure("host_link", into="B/s"),
        power_watts=sheet.figure("power", into="W"),
        china_export=sheet.text("china_export"),
        software=sheet.text("software"),
        confidence=sheet.text("confidence"),
        sources=sheet.sources("sources"),
        notes=sheet.text("notes"),
        other_figures=_others(sheet),
    )
    return made if len(sheet.faults) == before else None


def system_of(sheet: Sheet, stem: str, accelerators: Mapping[str, Accelerator]) -> System | None:
    """Read a system; None where the sheet has faults, which stand in it."""
    before = len(sheet.faults)
    sheet.only((), SYSTEM_KEYS)
    accelerator = accelerators.get(_accelerator_id(sheet, accelerators))
    count = sheet.whole("accelerators", needed=True)
    kind = sheet.text("system_kind", needed=True)
    if kind and kind not in SYSTEM_KINDS:
        sheet.fault(("system_kind",), f"'{kind}'", ", ".join(SYSTEM_KINDS), did_you_mean(kind, SYSTEM_KINDS))
    if accelerator is None:
        return None
    made = System(
        id=_id(sheet, stem),
        vendor=sheet.text("vendor", needed=True),
        name=sheet.text("name", needed=True),
        system_kind=kind,
        released=sheet.date("released"),
        accelerator=accelerator,
        accelerators=count or 1,
        link=_link(sheet),
        scale_out_bytes_per_s=sheet.figure("scale_out", into="B/s"),
        nics=sheet.whole("nics"),
        host_memory_bytes=sheet.figure("host_memory", into="B"),
        power_watts=sheet.figure("power", into="W"),
        rack_units=sheet.figure("rack_units", into="1", quantity="count"),
        cooling=sheet.text("cooling"),
        confidence=sheet.text("confidence"),
        sources=sheet.sources("sources"),
        host_cpu=sheet.text("host_cpu"),
        notes=sheet.text("notes"),
        other_figures=_others(sheet),
    )
    return made if len(sheet.faults) == before else None


def _id(sheet: Sheet, stem: str) -> str:
    name = sheet.text("id", needed=True)
    if name and stem and name != stem:
        sheet.fault(("id",), f"'{name}'", tr("the name of the file: '{stem}'", stem=stem))
    return name


def _accelerator_id(sheet: Sheet, accelerators: Mapping[str, Accelerator]) -> str:
    name = sheet.text("accelerator", needed=True)
    if name and name not in accelerators:
        hint = did_you_mean(name, accelerators)
        sheet.fault(("accelerator",), tr("unknown accelerator '{name}'", name=name), tr("an accelerator's id"), hint)
    return name


def _peaks(sheet: Sheet) -> dict[Precision, Figure]:
    known = [precision.value for precision in Precision]
    sheet.only(("peak",), known)
    said = sheet.get(("peak",))
    found: dict[Precision, Figure] = {}
    for name in said if isinstance(said, Mapping) else ():
        figure = sheet.figure("peak", name, into="FLOP/s")
        if figure is not None and name in known:
            found[Precision(name)] = figure
    return found


def _link(sheet: Sheet) -> Link:
    sheet.only(("link",), LINK_KEYS)
    if sheet.get(("link",)) is None:
        sheet.missing(("link",), ", ".join(LINK_KEYS))
        return Link(name="", topology=Topology.UNKNOWN, bytes_per_s=None, domain=1)
    return Link(
        name=sheet.text("link", "name"),
        topology=sheet.word(Topology, Topology.UNKNOWN, "link", "topology"),
        bytes_per_s=sheet.figure("link", "per_direction", into="B/s"),
        domain=sheet.whole("link", "domain", needed=True) or 1,
    )


def _others(sheet: Sheet) -> dict[str, Figure]:
    sheet.only(("other",), OTHER_UNITS)
    said = sheet.get(("other",))
    found: dict[str, Figure] = {}
    for name in said if isinstance(said, Mapping) else ():
        if name in OTHER_UNITS:
            quantity = "count" if OTHER_UNITS[name] == "1" else ""
            figure = sheet.figure("other", name, into=OTHER_UNITS[name], quantity=quantity)
            if figure is not None:
                found[name] = figure
    return found
