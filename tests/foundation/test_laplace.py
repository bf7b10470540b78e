"""Functions come back from their transforms."""

import math

import numpy as np
import pytest

from suanli.foundation.laplace import inverse_laplace

PAIRS = [
    (lambda s: 1 / s, lambda t: 1.0),
    (lambda s: 1 / s**2, lambda t: t),
    (lambda s: 1 / (s + 1), lambda t: math.exp(-t)),
    (lambda s: 1 / (s * (s + 2)), lambda t: (1 - math.exp(-2 * t)) / 2),
    (lambda s: 1 / (s + 1) ** 3, lambda t: t**2 / 2 * math.exp(-t)),
]


@pytest.mark.parametrize(("transform", "function"), PAIRS)
@pytest.mark.parametrize("at", [1e-3, 0.3, 2.0, 8.0])
def test_a_function_comes_back_from_its_transform(transform, function, at):
    assert inverse_laplace(transform, at) == pytest.approx(function(at), rel=1e-6, abs=1e-8)


def test_the_transform_is_asked_once_for_all_frequencies():
    seen = []
    inverse_laplace(lambda s: seen.append(s.shape) or np.ones_like(s), 1.0)
    assert len(seen) == 1
