"""What hardware, offers and sources are known; a user's own files are laid over with `overlays`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.domain.hardware import Accelerator, System
from suanli.domain.machine import MeasuredMachine
from suanli.domain.market import Offer
from suanli.foundation.figure import Figure

if TYPE_CHECKING:
    from suanli.domain.plan import Source

__all__ = [
    "Accelerator", "MeasuredMachine", "System", "accelerators", "check", "figures", "offers", "show", "sources",
    "sources_page", "systems",
]  # fmt: skip


def accelerators(origin: str = "", vendor: str = "", overlays: Sequence[Path] = ()) -> tuple[Accelerator, ...]:
    """List accelerators by id, of one origin (CN, US, ...) or vendor where given."""
    from suanli.catalogue.load import catalogue

    return tuple(
        item
        for _, item in sorted(catalogue(*overlays).accelerators.items())
        if _fits(origin, item.origin) and _fits(vendor, item.vendor)
    )


def systems(origin: str = "", vendor: str = "", overlays: Sequence[Path] = ()) -> tuple[System, ...]:
    """List systems by id, of one origin of their accelerators or one vendor of theirs where given."""
    from suanli.catalogue.load import catalogue

    return tuple(
        item
        for _, item in sorted(catalogue(*overlays).systems.items())
        if _fits(origin, item.accelerator.origin)
        and (_fits(vendor, item.vendor) or _fits(vendor, item.accelerator.vendor))
    )


def offers(item: str = "", overlays: Sequence[Path] = ()) -> tuple[Offer, ...]:
    """List every offer, of all dates, or those of one item."""
    from suanli.catalogue.load import catalogue

    return tuple(offer for offer in catalogue(*overlays).offers if not item or offer.item_id == item)


def show(name: str, overlays: Sequence[Path] = ()) -> Accelerator | System | MeasuredMachine:
    """Find an accelerator or a system by its id or by what people call it, or the machine of a profile by its file.

    Raises InputError naming the nearest where it is none, or with every fault of a profile.
    """
    from suanli.catalogue import find
    from suanli.catalogue.load import catalogue
    from suanli.catalogue.profile import load_profile

    if find.is_profile(name):
        return load_profile(name, place="show")
    return find.product(name, catalogue(*overlays))


def figures(item: Accelerator | System) -> tuple[tuple[str, Figure], ...]:
    """List every figure of an accelerator or a system with its name."""
    from suanli.catalogue.audit import named_figures

    return tuple(named_figures(item))


def check(paths: Sequence[Path] = ()) -> dict[str, int]:
    """Audit the built-in catalogue and a user's files; count what was read. Raises InputError with every fault."""
    from suanli.catalogue.audit import check as audited

    found = audited(tuple(paths))
    return {
        "accelerators": len(found.accelerators),
        "systems": len(found.systems),
        "offers": len(found.offers),
        "sources": len(found.sources),
    }


def sources() -> tuple[Source, ...]:
    """List every source by key."""
    from suanli.catalogue.sources import sources as known

    return tuple(source for _, source in sorted(known().items()))


def sources_page() -> str:
    """Write the page of sources and credits in Markdown."""
    from suanli.catalogue.sources import sources_page as page

    return page()


def _fits(wanted: str, found: str) -> bool:
    return not wanted or wanted.lower() in found.lower()
