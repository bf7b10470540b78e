"""Matrix products over shapes and number formats: alone, and in groups as experts have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suanli.measure.backends import Backend, Run
from suanli.measure.cases import ELEMENT_BYTES, Bench, Case, drawn, filled

MATMUL = "matmul"
GROUPED = "grouped_"
MULTIPLY_ADD_FLOP = 2
ONES = 1.0


def formats_here(backend: Backend) -> tuple[str, ...]:
    """Return the number formats that a device multiplies matrices in, by trying each on a small one."""
    return tuple(name for name in ELEMENT_BYTES if _tried(backend, name))


def _tried(backend: Backend, name: str) -> bool:
    if name == "tf32" and backend.kind != "cuda":
        return False
    try:
        a, b = filled(backend, (64, 64), name), filled(backend, (64, 64), name)
        multiply(backend, name)(a, b)
        backend.synchronise()
    except (RuntimeError, NotImplementedError, AttributeError, TypeError, ValueError):
        return False
    return True


def multiply(backend: Backend, number_format: str) -> Any:
    """Return what multiplies rows by a weight kept as (columns, inner), the way a linear layer of the format does."""
    torch = backend.torch
    if number_format == "int8":
        return lambda a, w: torch._int_mm(a, w.t())
    if number_format == "fp8":
        one = torch.tensor(ONES, device=backend.device)
        return lambda a, w: torch._scaled_mm(a, w.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16)
    return torch.nn.functional.linear


def set_precision(backend: Backend, number_format: str) -> None:
    """Let 32-bit products use the shorter format of matrix units, or forbid it."""
    backend.torch.backends.cuda.matmul.allow_tf32 = number_format == "tf32"


def _sizes(shape: Mapping[str, float], number_format: str) -> tuple[float, float]:
    """Return the arithmetic and the bytes of a product."""
    m, k, n, g = (shape[name] for name in ("rows", "inner", "columns", "groups"))
    element = ELEMENT_BYTES[number_format]
    return MULTIPLY_ADD_FLOP * g * m * k * n, g * element * (k * n + m * k + m * n)


def matmul_cases(bench: Bench, number_format: str) -> list[Case]:
    """Draw plain products of a number format."""
    shapes = bench.rules.shapes
    choices = {"rows": shapes.rows, "inner": shapes.widths, "columns": shapes.widths}

    def fits(one: Mapping[str, float]) -> bool:
        flop, moved = _sizes({**one, "groups": 1}, number_format)
        short = number_format in ("int8", "fp8") and one["rows"] % LEAST_NARROW_ROWS > 0
        return not short and bench.takes(flop, moved, moved, number_format)

    found = drawn(choices, bench.rules.span.matmuls, fits, f"{MATMUL} {number_format}")
    return [_case(bench, number_format, {**one, "groups": 1}) for one in found]


LEAST_NARROW_ROWS = 32
"""Eight-bit products of fewer rows have no fast path on some devices; all take multiples of this."""


def grouped_cases(bench: Bench, number_format: str) -> list[Case]:
    """Draw products of groups with evenly spread rows."""
    shapes = bench.rules.shapes
    choices = {"rows": shapes.rows, "inner": shapes.widths, "columns": shapes.widths, "groups": shapes.groups}

    def fits(one: Mapping[str, float]) -> bool:
        flop, moved = _sizes(one, number_format)
        return bench.takes(flop, moved, moved, number_format)

    found = drawn(choices, bench.rules.span.matmuls // 2, fits, f"{GROUPED}{number_format}")
    return [_case(bench, number_format, one) for one in found]


def _case(bench: Bench, number_format: str, shape: Mapping[str, int]) -> Case:
    prefix = GROUPED if shape["groups"] > 1 else ""
    prepare = _grouped if prefix else _plain
    return Case(
        group=MATMUL, family=prefix + number_format, shape={name: float(value) for name, value in shape.items()},
        prepare=lambda: prepare(bench, number_format, shape),
    )  # fmt: skip


def _plain(bench: Bench, number_format: str, shape: Mapping[str, int]) -> Run:
    """Take weights from memory, another one at every turn, and rows as the last kernel left them."""
    set_precision(bench.backend, number_format)
    rows = bench.tensor((shape["rows"], shape["inner"]), number_format)
    weight = bench.rotated((shape["columns"], shape["inner"]), number_format)
    product = multiply(bench.backend, number_format)
    return lambda: product(rows, weight())


def _grouped(bench: Bench, number_format: str, shape: Mapping[str, int]) -> Run:
    """Run groups as one batched product where the device has kernels for it, one after another on a CPU."""
    set_precision(bench.backend, number_format)
    torch, groups = bench.torch, shape["groups"]
    if bench.backend.kind != "cpu":
        rows = bench.tensor((groups, shape["rows"], shape["inner"]), number_format)
        weight = bench.rotated((groups, shape["inner"], shape["columns"]), number_format)
        return lambda: torch.bmm(rows, weight())
    product = multiply(bench.backend, number_format)
    rows = bench.tensor((groups, shape["rows"], shape["inner"]), number_format)
    weight = bench.rotated((shape["columns"], shape["inner"]), number_format)

    def run() -> None:
        for part in rows:
            product(part, weight())

    return run


def peak_cases(backend: Backend, number_format: str, widths: tuple[int, ...]) -> list[Case]:
    """Return square products, whose best rate is the peak of the format where no datasheet says more."""

    def prepare(width: int) -> Run:
        set_precision(backend, number_format)
        product = multiply(backend, number_format)
        a, b = (filled(backend, (width, width), number_format) for _ in range(2))
        return lambda: product(a, b)

    return [
        Case(
            group="peak", family=number_format, prepare=lambda width=width: prepare(width),  # type: ignore[misc]
            shape={"rows": float(width), "inner": float(width), "columns": float(width), "groups": 1.0},
        )
        for width in widths
    ]  # fmt: skip


def rate_of(case: Case, seconds: float) -> float:
    """Return the FLOP of a product for a second."""
    return _sizes(case.shape, case.family.removeprefix(GROUPED))[0] / seconds
