"""Write the errors of a table of special-purpose chips as a page: `specialised_errors.py TABLE.csv > page.md`.

Each row is told with what was assumed for it, rows without a prediction with the reason, and the sums by evidence and
by kind of chip.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from suanli.api.validate import validate
from suanli.catalogue.chips import load_chips
from suanli.catalogue.load import catalogue
from suanli.domain.validation import ValidationRow
from suanli.parts.devices.special import find_chip

HEAD = """# Errors of predictions for special-purpose chips

Every row of a published table of special-purpose chips is predicted, or refused with the reason; `suanli validate
TABLE.csv` prints the same sums. Nothing is tuned to a row. What a kind's figures rest on, and which of them were read
off runs of this very table, is told in [special-purpose chips](../explanation/special-purpose-chips.md).
The error is predicted over measured less one. Made by `benchmarks/specialised_errors.py`."""


def told(rows: Iterable[ValidationRow]) -> list[ValidationRow]:
    """Return the rows that have a prediction."""
    return [row for row in rows if row.error is not None]


def sums(title: str, groups: dict[str, list[ValidationRow]]) -> list[str]:
    """Write the sums of groups of rows as a table."""
    lines = [f"## {title}", "", "| | rows | predicted | median error | bias | in the 80 % band |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for name, rows in groups.items():
        known = told(rows)
        if known:
            errors = [row.error or 0.0 for row in known]
            held = sum((row.low or 0) <= row.measured <= (row.high or 0) for row in known) / len(known)
            size = median(abs(error) for error in errors)
            lines.append(f"| {name} | {len(rows)} | {len(known)} | {size:.1%} | {median(errors):+.1%} | {held:.0%} |")
        else:
            lines.append(f"| {name} | {len(rows)} | 0 | | | |")
    return [*lines, ""]


def each(rows: Sequence[ValidationRow]) -> list[str]:
    """Write every predicted row."""
    lines = ["## Each row", "", "| row | accelerator | quantity | measured | predicted | error | in band | assumed |",
             "| --- | --- | --- | ---: | ---: | ---: | --- | --- |"]  # fmt: skip
    for row in told(rows):
        inside = "yes" if (row.low or 0) <= row.measured <= (row.high or 0) else "no"
        assumed = "; ".join(row.assumed)
        lines.append(f"| {row.id} | {row.accelerator} | {row.quantity} | {row.measured:.4g} | {row.predicted:.4g} "
                     f"| {row.error:+.0%} | {inside} | {assumed} |")  # fmt: skip
    return [*lines, ""]


def refused(rows: Sequence[ValidationRow]) -> list[str]:
    """Write the rows without a prediction, and why."""
    lines = ["## Rows without a prediction", "", "| row | device | why |", "| --- | --- | --- |"]
    lines += [f"| {row.id} | {row.accelerator} | {row.status} |" for row in rows if row.error is None]
    return lines


def kind_of(row: ValidationRow) -> str:
    """Name the kind of chip of a predicted row."""
    known = catalogue().accelerators.get(row.accelerator)
    kind = find_chip(known, load_chips()) if known else None
    return kind.name if kind else "not in the catalogue, or not told"


def main(table: Path) -> None:
    """Write the page of a table."""
    rows = validate(table).rows
    by_evidence, by_kind = defaultdict[str, list[ValidationRow]](list), defaultdict[str, list[ValidationRow]](list)
    for row in rows:
        by_evidence[row.source].append(row)
        by_kind[kind_of(row)].append(row)
    parts = [HEAD, "", *sums("In short", {"all": list(rows)}), *sums("By evidence", by_evidence),
             *sums("By kind of chip", by_kind), *each(rows), *refused(rows)]  # fmt: skip
    print("\n".join(parts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
