"""Quantities as people write them: '2.0 M CNY', '200 万元', '0.65 CNY/kWh', '8 %', '13 weeks', '100 B tokens'.

A number, perhaps a scale (k, M, B, T, 万, 亿), a unit. What the number may be is a `Measure`; what it may not be (nan,
inf, true, full-width digits, thousands separators, no unit, another unit) is told as a `QuantityError`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from suanli.catalogue.figures import listed_factor
from suanli.foundation.errors import did_you_mean
from suanli.foundation.language import tr
from suanli.foundation.units import COMMON_UNITS, si_factor

SCALES: Mapping[str, float] = {
    "k": 1e3, "K": 1e3, "thousand": 1e3, "千": 1e3, "万": 1e4, "M": 1e6, "million": 1e6, "百万": 1e6, "千万": 1e7,
    "亿": 1e8, "B": 1e9, "bn": 1e9, "billion": 1e9, "十亿": 1e9, "T": 1e12, "trillion": 1e12, "万亿": 1e12,
}  # fmt: skip
"""What a scale word multiplies by, in the short scale of English and in Chinese."""

CURRENCIES: Mapping[str, str] = {
    "CNY": "CNY", "RMB": "CNY", "元": "CNY", "人民币": "CNY", "USD": "USD", "US$": "USD", "$": "USD", "美元": "USD",
    "EUR": "EUR", "€": "EUR", "欧元": "EUR", "JPY": "JPY", "日元": "JPY",
}  # fmt: skip
"""The currencies one may write, and what they are called; a bare ¥ is not among them, since two own it."""

WRITTEN_CURRENCIES = tuple(f"{scale} {code}" for code in ("CNY", "USD") for scale in ("k", "M", "B")) + tuple(
    CURRENCIES
)
"""What a fault suggests from."""

UNIT_WORDS: Mapping[str, str] = {
    "秒": "s", "毫秒": "ms", "分钟": "min", "小时": "h", "天": "day", "日": "day", "周": "week", "月": "month",
    "年": "year", "千瓦": "kW", "兆瓦": "MW", "度": "kWh", "千瓦时": "kWh", "词元": "token", "次": "request",
    "次请求": "request",
}  # fmt: skip
"""Chinese words of units."""

ACCELERATOR_WORDS = frozenset({"accelerator", "accelerators", "GPU", "NPU", "TPU", "card", "chip", "卡"})
SYSTEM_WORDS = frozenset({"system", "systems", "box", "node", "server", "rack", "台", "person", "people", "人"})
NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
UNIT_SHAPE = re.compile(r"(1/)?[A-Za-zµ%]+( ?[*/] ?[A-Za-zµ%]+){0,3}")
LONGEST_TEXT = 80
SHOWN_TEXT = 40
LARGEST_NUMBER = 1e30
"""Beyond every amount of money, FLOP or tokens that anyone plans with; products of two still have a finite value."""


class QuantityError(ValueError):
    """A quantity that cannot be read: what was found, what is allowed, what may have been meant."""

    def __init__(self, found: str, allowed: str, hint: str = "") -> None:
        self.found = found
        self.allowed = allowed
        self.hint = hint
        super().__init__(f"{found}; {allowed} {hint}".strip())


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """What a field holds: the SI unit it is read into, an example, its bounds.

    `low` is allowed itself only where `low_allowed`. `bare` allows a number without a unit, `scaled` a scale word,
    `counted` is the word that a rate may leave out ('2 per s' of requests). `spelled` is the only unit allowed, where
    turning another into it would need more than a factor (growth compounds).
    """

    into: str
    example: str
    low: float = 0.0
    low_allowed: bool = False
    high: float = math.inf
    bare: bool = False
    scaled: bool = False
    counted: str = ""
    spelled: str = ""

    def said(self) -> str:
        """Say in words what is allowed."""
        bound = (
            tr("of at least {low}", low=f"{self.low:g}") if self.low_allowed else tr("above {low}", low=f"{self.low:g}")
        )
        if math.isfinite(self.high):
            bound += tr(" and of at most {high}", high=f"{self.high:g}")
        if self.bare:
            return tr("a number {bound}, such as {example}", bound=bound, example=self.example)
        return tr("a number {bound} with its unit, such as '{example}'", bound=bound, example=self.example)


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """An amount in a currency, for a unit that the field's measure names; perhaps for one accelerator."""

    amount: float
    currency: str
    per_accelerator: bool = False


def read_quantity(found: object, measure: Measure) -> float:
    """Read a quantity into the unit of its measure.

    Raises QuantityError where it is none, or out of bounds.
    """
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        if not measure.bare:
            raise QuantityError(tr("{number} without a unit", number=shown(found)), measure.said())
        return _bounded(_finite(found, measure.said()), shown(found), measure)
    number, rest = split_number(found, measure.said())
    if not rest and measure.bare:
        return _bounded(number, shown(found), measure)
    factor = _factor(rest, measure)
    if factor is None:
        raise _unit_error(found, rest, measure)
    return _bounded(number * factor, shown(found), measure)


def read_money(found: object, measure: Measure, accelerator_allowed: bool = False) -> Money:
    """Read an amount of money; `measure.into` holds what it is for, as a unit over one ('' for money alone, '1/J').

    Raises QuantityError where it is none, or out of bounds.
    """
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        raise QuantityError(tr("{number} without a currency", number=shown(found)), measure.said())
    number, rest = split_number(found, measure.said())
    head, *below = [word.strip() for word in re.split(r"[/-]", rest.replace(" per ", "/"))]
    scale, currency = _scaled_currency(head)
    if not currency:
        hint = tr("Write CNY or JPY.") if head.endswith(("¥", "￥")) else _nearest(head, WRITTEN_CURRENCIES)
        raise QuantityError(tr("'{found}' without a known currency", found=shown(found)), measure.said(), hint)
    per_accelerator = any(word in ACCELERATOR_WORDS for word in below)
    units = [UNIT_WORDS.get(word, word) for word in below if word not in ACCELERATOR_WORDS | SYSTEM_WORDS]
    factor = _known_factor("/".join(["1", *units]) if units else "", measure.into)
    if factor is None or (per_accelerator and not accelerator_allowed):
        raise _unit_error(found, rest, measure)
    amount = _bounded(number * scale * factor, shown(found), measure)
    return Money(amount=amount, currency=currency, per_accelerator=per_accelerator)


def split_number(found: object, allowed: str) -> tuple[float, str]:
    """Split text into a finite number and what follows it.

    Raises QuantityError where no number that a machine can trust stands first.
    """
    if not isinstance(found, str):
        raise QuantityError(shown(found), allowed)
    text = found.strip()
    plain = unicodedata.normalize("NFKC", text)
    if any(letter.isdigit() and not letter.isascii() for letter in text):
        raise QuantityError(tr("'{found}' with digits that are not 0-9", found=shown(found)), allowed,
                            tr("Write '{plain}'.", plain=shown(plain)))  # fmt: skip
    match = NUMBER.match(text)
    if match is None or len(text) > LONGEST_TEXT:
        raise QuantityError(f"'{shown(found)}'", allowed)
    rest = text[match.end() :]
    if re.match(r"[,_'，.][0-9]*", rest):
        raise QuantityError(tr("'{found}' with a separator", found=shown(found)), allowed,
                            tr("Write the digits of a number without separators."))  # fmt: skip
    return _finite(float(match.group()), allowed, shown(found)), rest.strip()


def shown(found: object) -> str:
    """Write what was found so that a reader knows it again, cut where it is long."""
    if found is None:
        return tr("nothing")
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, dict):
        return tr("a mapping")
    if isinstance(found, list):
        return tr("a list")
    text = f"{found:g}" if isinstance(found, float) else _text_of(found)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}..."


def _text_of(found: object) -> str:
    if isinstance(found, int) and found.bit_length() > LONGEST_TEXT:
        return tr("a whole number of {bits} bits", bits=found.bit_length())
    return str(found)


def _finite(number: float, allowed: str, said: str = "") -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not abs(value) <= LARGEST_NUMBER or 0 < abs(value) < 1 / LARGEST_NUMBER:
        raise QuantityError(tr("'{found}', too large or too small", found=said or shown(number)), allowed)
    return value


def _bounded(value: float, said: str, measure: Measure) -> float:
    value = _finite(value, measure.said(), said)
    if value < measure.low or value > measure.high or (value == measure.low and not measure.low_allowed):
        raise QuantityError(said, measure.said())
    return value + 0.0


def _factor(rest: str, measure: Measure) -> float | None:
    """Say what one of the written unit is in the measure's own; None where it does not fit."""
    unit = re.sub(r"\s*/\s*", "/", re.sub(r"(^|\s)per\s", "/", rest))
    if measure.spelled and _unit_of_words(unit, "") != measure.spelled:
        return None
    scale, left = _scale(unit) if measure.scaled else (None, "")
    readings = [(1.0, _unit_of_words(unit, measure.counted))]
    if scale is not None:
        readings.append((scale, _unit_of_words(left, measure.counted)))
    for look_up in (listed_factor, _known_factor):
        for times, words in readings:
            factor = look_up(words, measure.into)
            if factor is not None:
                return times * factor
    return None


def _unit_of_words(unit: str, counted: str) -> str:
    words = [UNIT_WORDS.get(word.strip(), word.strip()) for word in unit.split("/")]
    if not words[0]:
        words[0] = counted or ("1" if len(words) > 1 else "")
    return "/".join(words)


def _known_factor(unit: str, into: str) -> float | None:
    if not unit:
        return None if into else 1.0
    known = listed_factor(unit, into)
    return known if known is not None else (si_factor(unit, into) if UNIT_SHAPE.fullmatch(unit) else None)


def _scale(text: str) -> tuple[float | None, str]:
    """Take a scale word off the front of a text: ('B tokens') is 1e9 and 'tokens', ('万元') 1e4 and '元'."""
    for word in sorted(SCALES, key=len, reverse=True):
        left = text[len(word) :]
        if text.startswith(word) and (not word.isascii() or not left or left[0] == " " or not left[0].isalpha()):
            return SCALES[word], left.strip()
    return None, text


def _scaled_currency(head: str) -> tuple[float, str]:
    """Read 'M CNY', '万元', 'USD' into a factor and the currency's code ('' where there is none)."""
    if head in CURRENCIES:
        return 1.0, CURRENCIES[head]
    scale, left = _scale(head)
    return (scale or 1.0), CURRENCIES.get(left, "") if scale is not None else ""


def _nearest(found: str, known: Iterable[str]) -> str:
    """Suggest the known word that differs in case alone, else the nearest one."""
    cased = {word.casefold(): word for word in known}
    return did_you_mean(cased.get(found.casefold(), found), known)


def _unit_error(found: object, rest: str, measure: Measure) -> QuantityError:
    fitting = [unit for unit in COMMON_UNITS if measure.into and si_factor(unit, measure.into) is not None]
    unit = tr("the unit '{unit}' in '{found}'", unit=shown(rest), found=shown(found))
    return QuantityError(unit if rest else tr("'{found}' without a unit", found=shown(found)), measure.said(),
                         _nearest(rest, fitting))  # fmt: skip
