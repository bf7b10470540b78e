"""How long from order to arrival: reports of the time, by age, against the usual wait of such a system."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from suanli.catalogue.assumptions import assumption, assumptions
from suanli.catalogue.dates import last_day
from suanli.catalogue.evidence import BAND_DEVIATIONS, Evidence, evidence_of, months_of
from suanli.catalogue.find import system as find_system
from suanli.catalogue.known_offers import known
from suanli.catalogue.load import Catalogue, catalogue
from suanli.domain.hardware import Accelerator, System
from suanli.domain.market import LeadTime, Offer, OfferKind
from suanli.equations.market import band_factor, evidence_weight
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr

RENTED_KINDS = ("cloud_instance", "pod")


def lead_time(system_id: str, as_of: str, region: str, among: Catalogue | None = None) -> LeadTime:
    """Return how long a system took from order to arrival, by what was known at a date.

    Raises InputError on an unknown system or date.
    """
    everything = among or catalogue()
    wanted = find_system(system_id, everything)
    lines = [line.offer for line in known(as_of, region, kinds=(OfferKind.LEAD_TIME,), among=everything)]
    return lead_time_of(wanted, lines, everything, as_of)


def lead_time_of(wanted: System, offers: Sequence[Offer], among: Catalogue, as_of: str) -> LeadTime:
    """Weigh reports of waits by age against the usual wait; a rent's wait is the usual one."""
    usual = _usual(wanted)
    inside = wanted.accelerator
    own = [offer for offer in offers if offer.item_id == wanted.id or _inside(offer, among) is inside]
    like = [offer for offer in offers if _same_class(_inside(offer, among), inside)]
    reports, basis = (own, tr("reports on this accelerator")) if own else (like, tr("reports on like accelerators"))
    day = last_day(as_of, "as_of")
    fresh = [evidence_of(offer, 1.0, day, ()) for offer in reports]
    fresh = [item for item in fresh if item.age_months <= months_of("window")]
    if not fresh or wanted.system_kind in RENTED_KINDS:
        return LeadTime(seconds=usual, basis=tr("assumed: no report of the last months"), evidence=())
    return LeadTime(seconds=_weighed(fresh, usual, as_of), basis=basis, evidence=tuple(item.offer for item in fresh))


def _usual(wanted: System) -> Figure:
    name = "rent" if wanted.system_kind in RENTED_KINDS else wanted.system_kind
    known = assumptions()
    return known.get(f"lead_time.{name}") or assumption("lead_time.node")


def _inside(offer: Offer, among: Catalogue) -> Accelerator | None:
    box = among.systems.get(offer.item_id)
    if box is not None:
        return None if box.system_kind == "cluster" else box.accelerator
    return among.accelerators.get(offer.item_id)


def _same_class(reported: Accelerator | None, wanted: Accelerator) -> bool:
    """Say whether a report on one accelerator tells of another: same nature, same side of the border."""
    return reported is not None and (reported.device_class, reported.origin) == (wanted.device_class, wanted.origin)


def _weighed(reports: Sequence[Evidence], usual: Figure, as_of: str) -> Figure:
    prior = assumption("market.lead_time_prior").value
    half_life = months_of("lead_time_half_life")
    usual_spread = math.log(usual.high / usual.low) / (2 * BAND_DEVIATIONS)
    weights = [float(evidence_weight(item.age_months, half_life)) for item in reports]
    seen = [(weight, item.log_price, item.log_spread) for weight, item in zip(weights, reports, strict=True)]
    weighed = [(prior, math.log(usual.value), usual_spread), *seen]
    whole = sum(weight for weight, _, _ in weighed)
    middle = sum(weight * value for weight, value, _ in weighed) / whole
    variance = sum(weight * ((value - middle) ** 2 + spread**2) for weight, value, spread in weighed) / whole
    factor = float(band_factor(math.sqrt(variance), BAND_DEVIATIONS))
    newest = min(reports, key=lambda item: item.age_months).offer.amount
    value = math.exp(middle)
    return dataclasses.replace(
        newest, value=value, low=value / factor, high=value * factor, kind=Kind.ESTIMATE, date=as_of, range_given=True
    )
