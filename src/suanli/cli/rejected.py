"""Why a search rejected layouts: as JSON keys, and as one table for people."""

from __future__ import annotations

from typing import Any

from suanli.api.train import Rejected, TrainingSearch
from suanli.foundation.language import tr

GIB = 2**30


def searched_keys(found: TrainingSearch, rejected: Rejected) -> dict[str, Any]:
    """Write what a search looked at under the keys that stay."""
    return {
        "looked_at": found.looked_at,
        "fitting": found.fitting,
        "rejected": {
            "layouts": rejected.by_limit,
            "degrees": rejected.degrees_by_limit,
            "nearest": rejected.nearest,
            "nearest_short_bytes": rejected.nearest_short_bytes,
        },
    }


def limit_words() -> dict[str, str]:
    """Name the limits that a layout can break."""
    return {
        "data": tr("batch over replicas"),
        "tensor": tr("heads over tensor ranks"),
        "pipeline": tr("layers over pipeline stages"),
        "context": tr("sequence over context ranks"),
        "expert": tr("experts over ranks"),
        "sharding": tr("sharding group"),
        "memory": tr("memory"),
        "host memory": tr("host memory"),
        "not_tried": tr("legal, not tried by a plain search"),
    }


def rejected_table(found: TrainingSearch, rejected: Rejected, nearest_layout: str) -> object:
    """Make the table of what was rejected, by the first limit broken; below it what came nearest to fitting."""
    from rich.table import Table

    counts = {"looked_at": f"{found.looked_at:,}", "fitting": f"{found.fitting:,}"}
    nearest = None
    if rejected.nearest is not None:
        said = {"layout": nearest_layout, "gib": rejected.nearest_short_bytes / GIB}
        nearest = tr("nearest to fitting: {layout}, short of {gib:.2f} GiB", **said)
    title = tr("{fitting} of {looked_at} layouts fit; the others by the first limit that they break", **counts)
    table = Table(title=title, caption=nearest)
    table.add_column(tr("limit"))
    for heading in (tr("layouts"), tr("sets of degrees")):
        table.add_column(heading, justify="right")
    words = limit_words()
    for name in dict.fromkeys((*rejected.degrees_by_limit, *rejected.by_limit)):
        cells = (mapping.get(name, 0) for mapping in (rejected.by_limit, rejected.degrees_by_limit))
        table.add_row(words.get(name, name), *(f"{count:,}" if count else "" for count in cells))
    return table
