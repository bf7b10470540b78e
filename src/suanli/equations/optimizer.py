"""What an optimizer keeps and computes beyond a plain pass over its state."""

from __future__ import annotations

from suanli.foundation.equation import Real, equation


@equation(unit="B", source="shazeer2018")
def factored_moment_bytes(inputs: Real, outputs: Real, factor_bytes: Real) -> Real:
    """Bytes of a second moment that is kept as one number for each row and one for each column of a matrix.

    M = b (n + m), where whole moments take b n m. Source: shazeer2018.

    >>> factored_moment_bytes(1000.0, 4000.0, 4.0)
    20000.0
    """
    return factor_bytes * (inputs + outputs)


@equation(unit="FLOP", source="jordan2024")
def newton_schulz_flop(iterations: Real, shorter_side: Real, longer_side: Real, flop_per_multiply_add: Real) -> Real:
    """Arithmetic of making a matrix orthogonal (Muon): each iteration forms A = X X', A A, and (b A + c A A) X.

    F = k f (2 n^2 m + n^3) with n the shorter side, m the longer one, k iterations and f = 2 operations in a
    multiply-add; at most 6 k n m^2 as the source says. Sources: jordan2024, liu2025.

    >>> newton_schulz_flop(5.0, 10.0, 20.0, 2.0)
    50000.0
    """
    return iterations * flop_per_multiply_add * (2 * shorter_side**2 * longer_side + shorter_side**3)


@equation(unit="s", source="ren2021")
def host_link_seconds(moved_bytes: Real, host_bytes_per_s: Real) -> Real:
    """Time to send state of one accelerator over its link to the host.

    t = M / r. Source: ren2021.

    >>> host_link_seconds(64e9, 32e9)
    2.0
    """
    return moved_bytes / host_bytes_per_s


@equation(unit="s", source="ren2021")
def host_update_seconds(moved_bytes: Real, memory_bytes_per_s: Real, sharing: Real) -> Real:
    """Time of an optimizer on the processors of a node whose memory so many accelerators share.

    t = M n / r: the update passes its state once and is bound by memory. Source: ren2021.

    >>> host_update_seconds(1e9, 200e9, 8.0)
    0.04
    """
    return moved_bytes * sharing / memory_bytes_per_s
