"""Holds what fits against what ran: every run at its layout, by how much its live bytes are above the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from suanli.domain.result import TrainingEstimate
from suanli.domain.validation import FitRow, FitSummary
from suanli.validation.training import Run


def fit_rows(run: Run, estimate: TrainingEstimate, *, ran: bool) -> Iterator[FitRow]:
    """Judge a run that ran, or one published as out of memory; nothing is judged of a run that gives no layout.

    What an allocator keeps between tensors keeps nothing out, so it is not counted here.
    """
    if run.layout is None or not (ran or run.out_of_memory):
        return
    live = estimate.memory_bytes - estimate.bytes_by_cause["fragmentation"]
    yield FitRow(
        id=run.id,
        source=run.source,
        accelerator=run.accelerator,
        ran=ran,
        fits=live <= estimate.capacity_bytes,
        over_bytes=live - estimate.capacity_bytes,
        recompute_assumed=estimate.layout.recompute is not run.layout.recompute,
    )


def fit_summary(rows: Sequence[FitRow]) -> FitSummary:
    """Count verdicts: of what ran how much is told to fit, of what did not fit how much is told so."""
    ran = [row for row in rows if row.ran]
    out = [row for row in rows if not row.ran]
    return FitSummary(
        ran=len(ran),
        ran_told_to_fit=sum(row.fits for row in ran),
        ran_with_recompute_assumed=sum(row.recompute_assumed for row in ran),
        out_of_memory=len(out),
        out_of_memory_told_so=sum(not row.fits for row in out),
    )


def wrong_fits(rows: Sequence[FitRow]) -> tuple[FitRow, ...]:
    """Return the runs of which the wrong thing is told, those that ran first, the furthest off first."""
    wrong = [row for row in rows if row.fits is not row.ran]
    return tuple(sorted(wrong, key=lambda row: (not row.ran, -abs(row.over_bytes))))
