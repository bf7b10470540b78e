"""The fields of a scenario file: text that is read into SI, each with what an editor may know of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from suanli.catalogue.quantity import CURRENCIES, Measure, Money, QuantityError, read_money, read_quantity, shown
from suanli.foundation.calendar import MONTHS_PER_YEAR
from suanli.foundation.errors import did_you_mean
from suanli.foundation.language import tr

SCHEMA_VERSION = 1
EARLIEST_YEAR = 2000
LATEST_YEAR = 2100
MOST_COUNT = 1_000_000_000
MOST_MONTHS = 240
LONGEST_WORD = 200

ANY = "any"
NONE = "none"
FAULT = "suanli_fault"


def fault(found: str, allowed: str, hint: str = "") -> PydanticCustomError:
    """Make the error by which a field tells what was found and what is allowed."""
    return PydanticCustomError(FAULT, "{found}; {allowed}", {"found": found, "allowed": allowed, "hint": hint})


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """A field that a function reads; `schema` is what the published JSON Schema says of it."""

    read: Callable[[Any, Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to read the field by this reader's function."""
        return core_schema.with_info_plain_validator_function(lambda found, info: self.read(found, info.context))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Tell an editor what the field's text looks like."""
        return self.schema


def _text_schema(measure: Measure) -> dict[str, Any]:
    text = {"type": "string", "pattern": r"^[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)? ?\S.*$"}
    examples = [measure.example]
    return (
        {"anyOf": [text, {"type": "number"}], "examples": examples} if measure.bare else text | {"examples": examples}
    )


def quantity(measure: Measure) -> Reader:
    """Make a field that holds a quantity of a measure."""

    def read(found: Any, context: Any) -> float:
        try:
            return read_quantity(found, measure)
        except QuantityError as error:
            raise fault(error.found, error.allowed, error.hint) from error

    return Reader(read, _text_schema(measure))


def money(measure: Measure) -> Reader:
    """Make a field that holds money; its currency must be one that the scenario can turn into its own."""

    def read(found: Any, context: Any) -> Money:
        try:
            amount = read_money(found, measure)
        except QuantityError as error:
            raise fault(error.found, error.allowed, error.hint) from error
        check_currency(amount, context)
        return amount

    return Reader(read, _text_schema(measure))


def check_currency(amount: Money, currencies: Any) -> None:
    """Refuse a currency that has no rate. Raises the error of a field."""
    if currencies and amount.currency not in currencies:
        hint = tr("Add a line under exchange: '{currency}: ...'.", currency=amount.currency)
        raise fault(tr("money in {currency}", currency=amount.currency), ", ".join(sorted(currencies)), hint)


def _read_month(found: Any, context: Any) -> str:
    return read_date(found, days=False)


def _read_day(found: Any, context: Any) -> str:
    return read_date(found, days=True)


def read_date(found: Any, *, days: bool) -> str:
    """Read a month, or (where `days`) a month or a day, that the calendar knows. Raises the error of a field."""
    allowed = tr("a month or day, such as 2023-05 or 2023-05-16") if days else tr("a month, such as 2023-05")
    match = re.fullmatch(r"([0-9]{4})-([0-9]{2})(-([0-9]{2}))?", found) if isinstance(found, str) else None
    if match is None or (match[4] and not days):
        hint = tr("Write the month only.") if match else ""
        raise fault(f"'{shown(found)}'", allowed, hint)
    year, month, day = int(match[1]), int(match[2]), int(match[4] or 1)
    if not 1 <= month <= MONTHS_PER_YEAR:
        raise fault(f"'{found}'", allowed, tr("A year has no month {month}.", month=month))
    if not 1 <= day <= _days_of(year, month):
        raise fault(f"'{found}'", allowed, tr("That month has no day {day}.", day=day))
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        limits = tr("a year from {first} to {last}", first=EARLIEST_YEAR, last=LATEST_YEAR)
        raise fault(f"'{found}'", limits)
    return str(found)


def _days_of(year: int, month: int) -> int:
    import calendar

    return calendar.monthrange(year, month)[1]


def _read_currency(found: Any, context: Any) -> str:
    if not isinstance(found, str) or found not in CURRENCIES:
        hint = did_you_mean(str(found).upper(), CURRENCIES) if isinstance(found, str) else ""
        raise fault(f"'{shown(found)}'", ", ".join(sorted(set(CURRENCIES.values()))), hint)
    return CURRENCIES[found]


def _read_selection(found: Any, context: Any) -> tuple[str, ...] | None:
    """Read 'any' as None, 'none' as (), a list of ids as a tuple."""
    if found == ANY:
        return None
    if found == NONE:
        return ()
    if not isinstance(found, list) or not all(isinstance(word, str) and word for word in found):
        raise fault(shown(found), tr("any, none, or a list of system ids"))
    return tuple(found)


def _read_model(found: Any, context: Any) -> str | dict[str, Any]:
    if isinstance(found, str) and 0 < len(found) <= LONGEST_WORD:
        return found
    if isinstance(found, dict) and found:
        return found
    raise fault(shown(found), tr("a path of a config.json, a name such as Qwen/Qwen3-32B, or the config itself"))


def _read_version(found: Any, context: Any) -> int:
    """Read the version of the schema; true, which Python takes for 1, is none."""
    if found is True or found != SCHEMA_VERSION:
        raise fault(shown(found), str(SCHEMA_VERSION))
    return SCHEMA_VERSION


_SHARE = Measure(into="", example="8 %", bare=True, low_allowed=True, high=1.0)
_PATTERN_MONTH = {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$", "examples": ["2023-05"]}
_PATTERN_DAY = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$", "examples": ["2023-05", "2023-05-16"]}
_SELECTION = {"anyOf": [{"enum": [ANY, NONE]}, {"type": "array", "items": {"type": "string"}}]}
_MODEL = {"anyOf": [{"type": "string"}, {"type": "object"}], "examples": ["models/mine.json", "Qwen/Qwen3-32B"]}

Version = Annotated[int, Reader(_read_version, {"const": SCHEMA_VERSION})]
Word = Annotated[str, Field(min_length=1, max_length=LONGEST_WORD)]
Count = Annotated[int, Field(ge=1, le=MOST_COUNT)]
Months = Annotated[int, Field(ge=1, le=MOST_MONTHS)]
Month = Annotated[str, Reader(_read_month, _PATTERN_MONTH)]
MonthOrDay = Annotated[str, Reader(_read_day, _PATTERN_DAY)]
Currency = Annotated[str, Reader(_read_currency, {"enum": sorted(set(CURRENCIES.values()))})]
Selection = Annotated[tuple[str, ...] | None, Reader(_read_selection, _SELECTION)]
ModelText = Annotated[str | dict[str, Any], Reader(_read_model, _MODEL)]
Share = Annotated[float, quantity(_SHARE)]
Growth = Annotated[float, quantity(Measure(into="1/month", example="3 %/month", low=-1.0, high=1.0, spelled="%/month"))]
Power = Annotated[float, quantity(Measure(into="W", example="200 kW"))]
Duration = Annotated[float, quantity(Measure(into="s", example="2 s"))]
LeadTime = Annotated[float, quantity(Measure(into="s", example="13 weeks", low_allowed=True))]
Overhead = Annotated[float, quantity(Measure(into="", example="1.4", bare=True, low=1.0, low_allowed=True))]
Ratio = Annotated[float, quantity(Measure(into="", example="2.5", bare=True, low=1.0, low_allowed=True))]
Number = Annotated[float, quantity(Measure(into="", example="4", bare=True))]
Tokens = Annotated[float, quantity(Measure(into="token", example="100 B tokens", scaled=True))]
Lengths = Annotated[float, quantity(Measure(into="token", example="1000", scaled=True, bare=True))]
RequestRate = Annotated[
    float,
    quantity(Measure(into="request/s", example="2 per s", scaled=True, counted="request", low_allowed=True)),
]
MonthlyCount = Annotated[float, quantity(Measure(into="1/month", example="4 per month", counted="1"))]
Amount = Annotated[Money, money(Measure(into="", example="2.0 M CNY", low_allowed=True))]
ExchangeRate = Annotated[Money, money(Measure(into="", example="6.95 CNY"))]
EnergyPrice = Annotated[Money, money(Measure(into="1/J", example="0.65 CNY/kWh", low_allowed=True))]
RoomPrice = Annotated[Money, money(Measure(into="1/W/month", example="1200 CNY/kW/month", low_allowed=True))]
MonthlyCost = Annotated[Money, money(Measure(into="1/month", example="60 k CNY/month", low_allowed=True))]

BUY_PRICE = Measure(into="", example="2.4 M CNY")
RENT_PRICE = Measure(into="1/month", example="12 CNY/GPU/h")
Price = Annotated[str, Reader(lambda found, context: found, _text_schema(BUY_PRICE))]
"""A price is read beside its terms, which say whether it is paid once or over time."""
