"""Memory passes by size, the bandwidth behind them, the optimizer's step, and what one operator costs at least."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from suanli.measure.backends import Backend, Run
from suanli.measure.cases import Bench, Case, filled
from suanli.measure.timing import read

PASS = "element_pass"
OPTIMIZER = "optimizer"
ADDED = 3
"""An addition reads two tensors and writes one; every other pass here reads one and writes one."""
UPDATE_BYTES = 28.0
"""What an AdamW step moves for a 32-bit parameter: weight, gradient, two moments read, all but the gradient written."""
HOST_RUNS = 200


def operators(torch: Any) -> dict[str, tuple[int, Callable[[Any], Callable[[], Any]]]]:
    """Return the passes that transformers are made of: how many tensors each moves, and what sets it up on one."""
    functional = torch.nn.functional
    return {
        "add": (ADDED, _adding),
        "copy": (2, lambda x: x.clone),
        "silu": (2, lambda x: lambda: functional.silu(x)),
        "norm": (2, lambda x: lambda: functional.layer_norm(x, x.shape[-1:])),
    }


def _adding(x: Any) -> Callable[[], Any]:
    y = x.clone()
    return lambda: x + y


WIDTH = 1024
"""Elements of a row, over which a norm goes."""


def pass_cases(bench: Bench, number_format: str) -> list[Case]:
    """Return passes of the sizes that fit, each of all operators in turn; results are fresh, as eager ones are."""
    sizes = [size for size in bench.rules.shapes.pass_bytes if bench.takes(0.0, size, size, number_format)]
    picked = spaced(sizes, bench.rules.span.passes)
    random.Random(number_format).shuffle(picked)
    return [_pass_case(bench, number_format, size) for size in picked]


def spaced(sizes: list[int], wanted: int) -> list[int]:
    """Pick so many of the sizes, evenly, the ends among them."""
    if len(sizes) <= wanted:
        return sizes
    step = (len(sizes) - 1) / max(wanted - 1, 1)
    return sorted({sizes[round(step * at)] for at in range(wanted)})


def _pass_case(bench: Bench, number_format: str, size: int) -> Case:
    """Set up a pass of each operator over about so many bytes; what one of them moves and takes is told on average."""
    element = filled(bench.backend, (1,), number_format).element_size()
    chosen = [
        (setting, tensors, max(size // (tensors * WIDTH * element), 1))
        for tensors, setting in operators(bench.torch).values()
    ]
    moved = sum(tensors * rows * WIDTH * element for _, tensors, rows in chosen) / len(chosen)

    def prepare() -> Run:
        runs = [setting(bench.tensor((rows, WIDTH), number_format)) for setting, _, rows in chosen]

        def run() -> None:
            for one in runs:
                one()

        return run

    return Case(group=PASS, family=PASS, shape={"bytes": moved}, prepare=prepare, kernels=len(chosen))


def bandwidth_case(backend: Backend, size: int) -> Case:
    """Return the long pass that tells the memory bandwidth: two tensors read, and a third written that is there."""
    torch, count = backend.torch, size // (ADDED * 2 * 2)

    def prepare() -> Run:
        a, b = (torch.ones(count, device=backend.device) for _ in range(2))
        out = torch.empty(count, device=backend.device)
        return lambda: torch.add(a, b, out=out)

    return Case(group="bandwidth", family="fp32", shape={"bytes": float(ADDED * 2 * 2 * count)}, prepare=prepare)


def optimizer_cases(bench: Bench) -> list[Case]:
    """Return steps of AdamW over 32-bit parameters, as torch takes them unasked, and fused into one kernel."""
    found = []
    for fused in (False, True):
        for count in bench.rules.shapes.optimizer_parameters:
            if bench.takes(0.0, UPDATE_BYTES * count, UPDATE_BYTES * count, "fp32"):
                shape = {"parameters": float(count), "bytes": UPDATE_BYTES * count}
                prepare = _stepping(bench, count, fused)
                found.append(Case(group=OPTIMIZER, family="fused" if fused else "plain", shape=shape, prepare=prepare))
    return found


def _stepping(bench: Bench, count: int, fused: bool) -> Callable[[], Run]:
    torch = bench.torch

    def prepare() -> Run:
        weight = torch.nn.Parameter(filled(bench.backend, (count // WIDTH, WIDTH), "fp32"))
        weight.grad = bench.tensor((count // WIDTH, WIDTH), "fp32")
        chosen = torch.optim.AdamW([weight], fused=True) if fused else torch.optim.AdamW([weight])
        step: Run = chosen.step
        return step

    return prepare


def launch_seconds(bench: Bench) -> float:
    """Return what one eager operator on next to nothing costs the host: the least over rounds, as nothing waits."""
    tiny = bench.tensor((1,), "fp32")
    rounds = bench.rules.reading.least_count
    return min(bench.backend.host_seconds(lambda: tiny + tiny, HOST_RUNS) for _ in range(rounds))


def floor_seconds(bench: Bench) -> float:
    """Return what the shortest kernel takes on the device."""
    tiny = bench.tensor((1,), "fp32")
    return read(bench.backend, lambda: tiny + tiny, bench.rules.reading, bench.rules.span.case_most_seconds).seconds
