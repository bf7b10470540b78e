"""Back from a Laplace transform to its function, for one moment."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Complexes = NDArray[np.complexfloating[Any, Any]]

DAMPING = 18.4
"""How far to the right of the origin the transform is read: errors of the sum are e^-18.4 of the function, 1e-8."""

TERMS, AVERAGED = 2**5, 2**4
"""So many terms are summed plainly, then the sums of so many more are averaged with binomial weights."""


def inverse_laplace(transform: Callable[[Complexes], Complexes], at: float) -> float:
    """Return a function at a moment above 0 from its transform (Euler's summation of the Fourier series).

    transform: of an array of complex frequencies, 1 over the unit of the moment; the function must be smooth there.
    Source: abate1995.
    """
    turns = np.arange(TERMS + AVERAGED + 1)
    values = transform((DAMPING + 2j * math.pi * turns) / (2 * at)).real * (-1.0) ** turns
    values[0] /= 2
    sums = np.cumsum(values)[TERMS:]
    weights = np.array([math.comb(AVERAGED, chosen) for chosen in range(AVERAGED + 1)]) / 2**AVERAGED
    return float(math.exp(DAMPING / 2) / at * (sums @ weights))
