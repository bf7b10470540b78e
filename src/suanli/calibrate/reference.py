"""The page of the manual that lists the figures which a fit may move."""

from __future__ import annotations

from collections.abc import Iterable

from suanli.calibrate.apply import value_of
from suanli.calibrate.figures import holder_of, load_free
from suanli.domain.calibration import FreeFigure
from suanli.domain.software import TrainingCalibration
from suanli.estimate.software import load_training_calibration

HEAD = """# Figures of training that measured runs may move

`suanli calibrate` fits these figures, and no others, to tables of runs
([how](../how-to/calibrate-on-your-own-runs.md)).
Start and width (one sigma) are what was thought of a figure before any run was seen; shipped is what the published runs
made of it. Written by `scripts/write-free-figures` from `data/calibration/free.yaml` and `frameworks.yaml`.

Memory has four more, fitted apart by `benchmarks/fit_training_memory.py`: `reserved_bytes`, `logit_bytes` and
`fragmentation` of `eager_unfused`, and one `fragmentation` of all PyTorch classes. All other bytes follow from what
software keeps, or are assumed.
"""
COLUMNS = ("figure", "of", "unit", "start", "width", "from", "to", "shipped", "what it stands for")


def _cells(figure: FreeFigure, known: TrainingCalibration) -> Iterable[str]:
    names = ", ".join(f"`{name}`" for name in (figure.name, *figure.also))
    numbers = (figure.start, figure.width, figure.low, figure.high, value_of(known, figure))
    holders = ", ".join(f"`{name}`" for name in holder_of(figure).split(", "))
    return names, holders, figure.unit or "1", *(f"{number:.3g}" for number in numbers), figure.meaning


def page_text() -> str:
    """Write the page."""
    known = load_training_calibration()
    lines = [HEAD, f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(_cells(figure, known))} |" for figure in load_free().figures]
    return "\n".join(lines) + "\n"
