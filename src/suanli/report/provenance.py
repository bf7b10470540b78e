"""Where a number comes from, in one line that stands in its tip: source, date, kind, range."""

from __future__ import annotations

from suanli.domain.plan import Plan, Source
from suanli.domain.result import Band
from suanli.foundation.figure import Figure
from suanli.foundation.language import tell, tr
from suanli.report import numbers
from suanli.report.words import listed, word


def source_text(plan: Plan, key: str) -> str:
    """Say a source's title, date and licence; a key that the plan does not list is said as it stands."""
    found = next((source for source in plan.sources if source.key == key), None)
    return told_source(found) if found else key


def told_source(source: Source) -> str:
    """Say one source with its date and licence."""
    return listed((tell(source.title) or source.key, source.date, source.licence))


def of_price(plan: Plan, source: str, kind: str = "") -> str:
    """Tell the tip of a price that an offer or a quote gives."""
    return tr("Price from: {source}", source=source_text(plan, source)) + (f" · {word(kind)}" if kind else "")


def of_figure(plan: Plan, figure: Figure) -> str:
    """Tell the tip of a figure: source, date, kind, range, note."""
    span = numbers.band(numbers.quantity(figure.low, figure.unit), numbers.quantity(figure.high, figure.unit))
    parts = [
        tr("Source: {source}", source=source_text(plan, figure.source)),
        figure.date,
        word(str(figure.kind)),
        tr("range {span}", span=span) if figure.range_given else tr("range {span} (default of its kind)", span=span),
        tell(figure.note),
    ]
    return " · ".join(part for part in parts if part)


def of_estimate(what: str, band: Band | None, unit: str) -> str:
    """Tell the tip of a number that Suanli's model gave."""
    said = tr("Derived: {what}", what=what)
    if band is None:
        return tr("{said} · no band of its own", said=said)
    span = numbers.band(_in_unit(band.low, unit), _in_unit(band.high, unit))
    return tr("{said} · 80 % band {span}", said=said, span=span)


def _in_unit(value: float, unit: str) -> str:
    return numbers.gibibytes(value) if unit == "B" else numbers.quantity(value, unit)


def of_sum(what: str) -> str:
    """Tell the tip of a number that is summed from others in this report."""
    return tr("Derived: {what}", what=what)
