"""Two charts for each workload: where a step's time goes, and what fills the memory."""

from __future__ import annotations

from collections.abc import Mapping

from suanli.domain.plan import WorkloadPlan
from suanli.foundation.language import tr
from suanli.report import numbers
from suanli.report.grammar import (
    BAR_PIXELS,
    SERIES,
    Chart,
    amount_axis,
    base,
    name_axis,
    roomy,
    text_mark,
    tip_fields,
)
from suanli.report.scaling import time_scale
from suanli.report.words import word


def seconds_by_cause(work: WorkloadPlan, index: int) -> Chart:
    """Draw where the time of one step goes."""
    estimate = work.training or work.serving
    causes = estimate.seconds_by_cause if estimate else {}
    scale, unit = time_scale(causes)
    title = tr("Where a step's time goes") if work.training else tr("Where a token's time goes")
    return _causes(f"seconds-{index}", title, causes, scale, unit)


def bytes_by_cause(work: WorkloadPlan, index: int) -> Chart:
    """Draw what fills the memory of one accelerator."""
    estimate = work.training or work.serving
    causes = estimate.bytes_by_cause if estimate else {}
    return _causes(f"bytes-{index}", tr("What fills the memory of one chip"), causes, numbers.GIB_BYTES, "GiB")


def _causes(key: str, title: str, causes: Mapping[str, float], scale: float, unit: str) -> Chart:
    def say(value: float) -> str:
        return f"{numbers.digits(value / scale, numbers.ESTIMATE_DIGITS)} {unit}"

    total = sum(causes.values())
    rows = [
        {
            "cause": word(cause),
            "value": value / scale,
            "told": say(value),
            "share": numbers.percent(value / total) if total else numbers.ABSENT,
        }
        for cause, value in sorted(causes.items(), key=lambda item: -item[1])
        if value
    ]
    colour = SERIES[0] if key.startswith("seconds") else SERIES[1]
    tips = tip_fields(("cause", tr("Cause")), ("told", tr("Amount")), ("share", tr("Share")))
    bars = {"mark": {"type": "bar", "cornerRadiusEnd": 3, "color": colour}, "encoding": {"tooltip": tips}}
    texts = {"mark": text_mark(), "encoding": {"text": {"field": "told", "type": "nominal"}}}
    encoding = {"y": name_axis("cause", sort=None), "x": amount_axis("value", unit, scale=roomy(rows, "value"))}
    return Chart(
        key=key,
        title=title,
        said=tr("All causes together: {total}.", total=say(total)),
        spec=base(rows, {"step": BAR_PIXELS}, encoding=encoding, layer=[bars, texts]),
        columns=(tr("Cause"), tr("Amount"), tr("Share")),
        rows=tuple((str(row["cause"]), str(row["told"]), str(row["share"])) for row in rows),
    )
