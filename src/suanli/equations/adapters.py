"""Low-rank adapters: the two narrow products that an adapted matrix costs in serving, magnitudes in training."""

from __future__ import annotations

from suanli.equations.roofline import kernel_seconds
from suanli.foundation.equation import Real, equation


@equation(unit="s", source="chen2023punica")
def low_rank_seconds(
    rows: Real,
    row_elements: Real,
    adapter_elements: Real,
    adapters: Real,
    bytes_per_element: Real,
    peak_flop_per_s: Real,
    memory_bytes_per_s: Real,
    ceiling_share: Real,
    memory_share: Real,
    overlap_sharpness: Real,
    floor_seconds: Real,
    multiply_add_flop: Real,
) -> Real:
    """Time of one grouped product of a low-rank adapter (SGMV): into the rank, or out of it.

    t = kernel_seconds(c T e, (T x + A e) b, t0).

    Each of `rows` T reads and writes `row_elements` x and is multiplied by the `adapter_elements` e of its adapter, of
    which `adapters` A distinct ones are read. Source: chen2023punica.

    >>> shape = (64.0, 4112.0, 65536.0, 1.0, 2.0)
    >>> round(float(low_rank_seconds(*shape, 1e30, 1e12, 1.0, 1.0, 1.0, 1e-5, 2.0)) * 1e6, 2)
    10.66
    """
    return kernel_seconds(
        multiply_add_flop * rows * adapter_elements,
        (rows * row_elements + adapters * adapter_elements) * bytes_per_element,
        peak_flop_per_s, memory_bytes_per_s, ceiling_share, memory_share, overlap_sharpness, floor_seconds,
    )  # fmt: skip


@equation(unit="B", source="liu2024dora")
def magnitude_bytes(inputs: Real, outputs: Real, weight_bytes: Real, element_bytes: Real) -> Real:
    """Bytes that DoRA moves to norm the sum of one matrix and its adapter, once a forward pass.

    M = i o (w + 4 e): the weight of w bytes an element is read, the adapter's product of e bytes written and read, the
    sum written and read for its norm. The norm is taken as constant backward. Source: liu2024dora.

    >>> float(magnitude_bytes(10.0, 20.0, 2.0, 2.0))
    2000.0
    """
    return inputs * outputs * (weight_bytes + (2 + 2) * element_bytes)
