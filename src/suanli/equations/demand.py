"""How demand moves from month to month."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1/s", source="compound_growth")
def grown_requests_per_s(
    first_requests_per_s: Real, growth: Real, elapsed_periods: Real, most_requests_per_s: Real
) -> Real:
    """Mean request rate after some periods of growth by the same share, up to a ceiling.

    rate = min(first (1 + growth)^elapsed, most)

    first_requests_per_s: 1/s, rate of the first period; growth: pure number, 0.1 for 10 % a period; elapsed_periods:
    pure number; most_requests_per_s: 1/s, where growth ends. Holds for growth above -1. Source: compound_growth.

    >>> round(float(grown_requests_per_s(2.0, 0.5, 2.0, 10.0)), 6)
    4.5
    """
    return np.minimum(first_requests_per_s * (1 + growth) ** elapsed_periods, most_requests_per_s)
