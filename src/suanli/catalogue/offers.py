"""Tables of offers to nouns: each row a dated line of the market, each fault with file and line."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from suanli.catalogue.dates import is_date
from suanli.catalogue.figures import DATA, unit_factor, with_range
from suanli.domain.market import Offer, OfferKind
from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr

FOLDER = DATA / "offers"
COLUMNS = (
    "id", "item", "item_id", "kind", "low", "high", "currency", "unit", "per", "printed_unit", "commitment", "region",
    "date", "held_from", "held", "confidence", "source", "url", "quote",
)  # fmt: skip
NEEDED = ("kind", "low", "region", "date")
KINDS: Mapping[str, OfferKind] = {
    "purchase": OfferKind.PURCHASE,
    "rent_hour_on_demand": OfferKind.RENT_HOUR,
    "rent_hour_reserved": OfferKind.RESERVED,
    "rent_hour_spot": OfferKind.SPOT,
    "rent_month": OfferKind.RENT_MONTH,
    "lead_time": OfferKind.LEAD_TIME,
} | dict.fromkeys(
    ("price_index", "subsidy", "bom", "energy_index", "market", "electricity", "colocation", "labour"), OfferKind.OTHER
)
"""The source table's own words, and what each sells."""

CONFIDENCES: Mapping[str, Kind] = {
    "datasheet": Kind.VENDOR,
    "press": Kind.ESTIMATE,
    "estimate": Kind.ASSUMPTION,
    "user": Kind.VENDOR,
}
CURRENCIES = ("CNY", "USD", "EUR", "JPY")
PERS = (
    "system", "accelerator", "accelerator_in_system", "premium", "accelerator_hour", "system_hour", "system_month",
    "order", "kilowatt_hour", "kilowatt_month", "person_year", "percent", "market_year",
)  # fmt: skip
MOST_BYTES = 10_000_000


@dataclass(kw_only=True, slots=True)
class OfferReader:
    """Reads tables of offers against what is known; `owner` is `user:FILE` for a user's own table, else empty."""

    items: Collection[str]
    sources: Collection[str]
    owner: str = ""
    faults: list[Fault] = field(default_factory=list)

    def read(self, path: Path) -> list[Offer]:
        """Read the offers of a CSV file, leaving out rows at fault; the faults stand in `faults`."""
        offers: list[Offer] = []
        for line, row in self._rows(path):
            offer = self.offer(row, f"{path}:{line}", f"{path.stem}-{line}")
            if offer is not None:
                offers.append(offer)
        return offers

    def _rows(self, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
        try:
            if path.stat().st_size > MOST_BYTES:
                self.fault(str(path), tr("{size} bytes", size=path.stat().st_size),
                           tr("at most {most} bytes", most=MOST_BYTES))  # fmt: skip
                return
            with path.open(encoding="utf-8-sig", newline="") as opened:
                reader = csv.DictReader(opened, strict=True)
                if not self._header(reader.fieldnames, path):
                    return
                for row in reader:
                    if None in row or None in row.values():
                        found = tr("a row of another length than the head")
                        self.fault(f"{path}:{reader.line_num}", found, tr("one field for each column"))
                    else:
                        yield reader.line_num, {key: value.strip() for key, value in row.items()}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self.fault(str(path), str(error), tr("a table of comma-separated values in UTF-8"))

    def _header(self, names: Collection[str] | None, path: Path) -> bool:
        found = list(names or ())
        unknown = [name for name in found if name not in COLUMNS]
        for name in unknown:
            found_words = tr("unknown column '{name}'", name=name)
            self.fault(f"{path}:1", found_words, ", ".join(COLUMNS), did_you_mean(name, COLUMNS))
        for name in NEEDED:
            if name not in found:
                self.fault(f"{path}:1", tr("no column '{name}'", name=name), ", ".join(COLUMNS))
        for name in sorted({name for name in found if found.count(name) > 1}):
            self.fault(f"{path}:1", tr("column '{name}' twice", name=name), tr("each column once"))
        return not unknown and set(NEEDED) <= set(found) and len(set(found)) == len(found)

    def fault(self, place: str, found: str, allowed: str, hint: str = "") -> None:
        """Write down a fault."""
        self.faults.append(Fault(place=place, found=found, allowed=allowed, hint=hint))

    def offer(self, row: Mapping[str, str], place: str, name: str) -> Offer | None:
        """Make an offer of a row; None where the row is at fault."""
        before = len(self.faults)
        low = self._number(row, "low", place)
        high = self._number(row, "high", place) if row.get("high") else low
        if low is not None and high is not None and low > high:
            self.fault(place, f"low {low}, high {high}", "low <= high")
        self._words(row, place)
        self._dates(row, place)
        self._joins(row, place)
        unit = row.get("unit") or row.get("currency") or ("week" if row.get("kind") == "lead_time" else "%")
        into = row.get("currency") or ("s" if row.get("kind") == "lead_time" else "1")
        factor = unit_factor(unit, into) if into not in CURRENCIES or unit != into else 1.0
        if factor is None:
            self.fault(place, tr("unit '{unit}'", unit=unit), tr("a unit of {into}", into=into))
        commitment = self._commitment(row, place)
        if len(self.faults) > before or low is None or high is None or factor is None:
            return None
        return self._made(row, name, (low * factor, high * factor), into, commitment)

    def _made(
        self, row: Mapping[str, str], name: str, ends: tuple[float, float], unit: str, commitment: float | None
    ) -> Offer:
        kind = CONFIDENCES[row.get("confidence") or ("user" if self.owner else "estimate")]
        value = (ends[0] + ends[1]) / 2
        apart = ends[0] != ends[1]
        quantity = "lead_time" if row["kind"] == "lead_time" else "price"
        low, high, given = with_range(value, ends[0] if apart else None, ends[1] if apart else None, kind, quantity)
        source = self.owner or row.get("source", "")
        figure = Figure(
            value=value, unit=unit, low=low, high=high, kind=kind, source=source, date=row["date"], range_given=given
        )
        return Offer(
            id=row.get("id") or name, item=row.get("item") or row.get("item_id", ""), item_id=row.get("item_id", ""),
            kind=KINDS[row["kind"]], raw_kind=row["kind"], amount=figure, currency=row.get("currency", ""),
            per=row.get("per") or _usual_per(row["kind"]), region=row["region"], date=row["date"],
            quote=row.get("quote", ""), source_url=row.get("url", ""), held=row.get("held", ""),
            held_from=row.get("held_from", ""), commitment_seconds=commitment, raw_unit=row.get("printed_unit", ""),
        )  # fmt: skip

    def _number(self, row: Mapping[str, str], key: str, place: str) -> float | None:
        said = row.get(key, "")
        try:
            number = float(said)
        except ValueError:
            number = math.nan
        may_be_negative = row.get("per") == "percent" or row.get("unit") == "%"
        if not math.isfinite(number) or (number < 0 and not may_be_negative):
            self.fault(place, f"{key} '{said}'", tr("a finite number that is not negative"))
            return None
        return number

    def _words(self, row: Mapping[str, str], place: str) -> None:
        lists = {"kind": tuple(KINDS), "confidence": tuple(CONFIDENCES), "per": PERS, "currency": CURRENCIES}
        for key, known in lists.items():
            said = row.get(key, "")
            if said not in known and (said or key in NEEDED):
                self.fault(place, f"{key} '{said}'", ", ".join(known), did_you_mean(said, known))
        if not row.get("region"):
            row_region = tr("no region")
            if self.owner:
                self.fault(place, row_region, tr("a region, such as China or world"))

    def _dates(self, row: Mapping[str, str], place: str) -> None:
        for key in ("date", "held", "held_from"):
            said = row.get(key, "")
            if (said or key == "date") and not is_date(said):
                self.fault(place, f"{key} '{said}'", tr("a date such as 2023, 2023-05 or 2023-05-16"))

    def _joins(self, row: Mapping[str, str], place: str) -> None:
        item, source = row.get("item_id", ""), row.get("source", "")
        if item and item not in self.items:
            found = tr("unknown item '{item}'", item=item)
            self.fault(place, found, tr("an accelerator's or system's id"), did_you_mean(item, self.items))
        if not self.owner and source not in self.sources:
            found = tr("unknown source '{key}'", key=source)
            self.fault(place, found, tr("a key of data/sources/"), did_you_mean(source, self.sources))

    def _commitment(self, row: Mapping[str, str], place: str) -> float | None:
        said = row.get("commitment", "")
        if not said:
            return None
        number, _, unit = said.partition(" ")
        factor = unit_factor(unit, "s")
        if factor is None or not number.isdigit():
            self.fault(place, f"commitment '{said}'", tr("a term such as '1 year'"))
            return None
        return int(number) * factor


def _usual_per(kind: str) -> str:
    usual = {"purchase": "system", "lead_time": "order", "rent_month": "system_month"}
    return usual.get(kind, "accelerator_hour" if kind.startswith("rent") else "percent")
