"""Which layouts of one replica a model allows."""

from __future__ import annotations

from collections.abc import Iterator

from suanli.domain.model import Core, Model
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_replica import cache_ways
from suanli.foundation.errors import Fault
from suanli.foundation.language import tr

DEGREES = ("tensor", "pipeline", "expert", "attention_data", "context", "decode_context", "feed_forward")


def layout_faults(setup: ServingSetup, layout: ServingLayout) -> Iterator[Fault]:
    """Yield what a layout breaks of the model: heads that do not split, more stages than layers, experts unequal ..."""
    model = setup.model
    for name in DEGREES:
        degree = getattr(layout, name)
        if degree < 1:
            yield Fault(place=tr("layout"), found=f"{name} {degree}", allowed=tr("1 or more"))
    heads = [core.heads for core in attending(model)]
    if heads and layout.tensor > min(heads):
        yield Fault(
            place=tr("layout"), found=f"tensor {layout.tensor}", allowed=tr("at most {heads} heads", heads=min(heads))
        )
    layers = sum(run.count for run in model.runs)
    if layout.pipeline > layers:
        yield Fault(
            place=tr("layout"),
            found=f"pipeline {layout.pipeline}",
            allowed=tr("at most {layers} layers", layers=layers),
        )
    group = layout.tensor * layout.attention_data * layout.context
    if layout.expert > 1 and group % layout.expert:
        yield Fault(
            place=tr("layout"), found=f"expert {layout.expert}",
            allowed=tr("a divisor of tensor x attention data x context ({group})", group=group),
        )  # fmt: skip
    if min(getattr(layout, name) for name in DEGREES) >= 1:
        yield from _shared_faults(setup.model, layout)


def _shared_faults(model: Model, layout: ServingLayout) -> Iterator[Fault]:
    """Yield what sharing out positions or a feed-forward breaks: states, ranks that hold nothing twice."""
    if layout.cache_shards > 1 and any(run.layer.core.state_elements for run in model.runs):
        yield Fault(
            place=tr("layout"),
            found=f"context {layout.context}, decode_context {layout.decode_context}",
            allowed=tr("1 for a model whose layers keep states: they pass on from token to token"),
        )
    if layout.decode_context > 1:
        ways = max((cache_ways(core, layout.tensor) for core in attending(model)), default=1.0)
        copies = layout.tensor / ways
        if layout.tensor % layout.decode_context or copies % layout.decode_context:
            yield Fault(
                place=tr("layout"),
                found=f"decode_context {layout.decode_context}",
                allowed=tr(
                    "a divisor of the {copies} tensor ranks that hold the same keys and values", copies=int(copies)
                ),
            )
    if layout.attention_data % layout.feed_forward:
        yield Fault(
            place=tr("layout"),
            found=f"feed_forward {layout.feed_forward}",
            allowed=tr("a divisor of the {ranks} attention data ranks", ranks=layout.attention_data),
        )


def attending(model: Model) -> list[Core]:
    """List the cores of a model that attend over positions."""
    return [run.layer.core for run in model.runs if run.layer.core.attends]
