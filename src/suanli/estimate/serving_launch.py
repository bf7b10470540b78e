"""Kernels launched one by one, without a captured graph: how many a step has, and how long it waits for them."""

from __future__ import annotations

from suanli.domain.model import CoreKind
from suanli.estimate.serving_adapters import narrow_products
from suanli.estimate.serving_replica import COLUMN_SPLIT, Replica

HEAD_LAUNCHES = 3.0
"""Kernels of a step outside its layers: the last norm, the vocabulary's product, sampling."""
MIXING_LAUNCHES = 2.0
"""Kernels of a mixing core: what writes the cache or state, and what reads it; an index is one more."""
REDUCES = 2.0
"""Collectives of a layer over several ranks."""


def launches_of(replica: Replica) -> float:
    """Count the kernels of a step: products, norms, passes, attention, cache writes, collectives, the head."""
    counted = HEAD_LAUNCHES
    for run in replica.setup.model.runs:
        layer, products = run.layer, replica.products(run.layer)
        each = float(len(products) + layer.norms + len(narrow_products(replica, layer)))
        each += len({product.role for product in products if product.role in COLUMN_SPLIT})
        if layer.core.kind is not CoreKind.NONE:
            each += MIXING_LAUNCHES + float(layer.core.index_heads > 0)
        each += REDUCES if replica.group > 1 else 0.0
        each += replica.constants.expert_passes if layer.experts > 1 else 0.0
        counted += run.count * each
    if replica.draft is not None and replica.draft.replica is not None:
        counted += replica.draft.passes * launches_of(replica.draft.replica)
    return counted


def least_seconds(replica: Replica) -> float:
    """Seconds that a step takes at least for its launches; 0 where a captured graph hides them."""
    return launches_of(replica) * replica.launch_seconds if replica.launch_seconds else 0.0
