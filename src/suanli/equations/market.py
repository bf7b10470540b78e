"""What a price is today and whither it goes, from dated evidence of unequal age and weight."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="suanli_assumption")
def evidence_weight(age_months: Real, half_life_months: Real) -> Real:
    """Weight of a piece of evidence by its age: it halves with every half-life.

    w = 2^(-a / h). Ages and half-lives are in months, as numbers. Source: suanli_assumption.

    >>> float(evidence_weight(4.0, 2.0))
    0.25
    """
    return np.exp2(-age_months / half_life_months)


@equation(unit="1", source="precision_weighting")
def shrunk(seen: Real, seen_error: Real, prior: Real, prior_error: Real) -> Real:
    """Weigh what was seen against what was held before, each by the inverse square of its error.

    m = (x / s^2 + p / q^2) / (1 / s^2 + 1 / q^2). Source: precision_weighting.

    >>> float(shrunk(4.0, 1.0, 0.0, 1.0))
    2.0
    """
    return (seen / seen_error**2 + prior / prior_error**2) / (1 / seen_error**2 + 1 / prior_error**2)


@equation(unit="1", source="precision_weighting")
def shrunk_error(seen_error: Real, prior_error: Real) -> Real:
    """Error of two independent readings weighed together.

    s = 1 / sqrt(1 / s1^2 + 1 / s2^2). Source: precision_weighting.

    >>> round(float(shrunk_error(1.0, 1.0)), 4)
    0.7071
    """
    return 1 / np.sqrt(1 / seen_error**2 + 1 / prior_error**2)


@equation(unit="1", source="precision_weighting")
def slope_error(noise: Real, square_sum: Real) -> Real:
    """Error of the slope of a straight line through points of equal noise.

    s = noise / sqrt(sum (t - mean t)^2). Source: precision_weighting.

    >>> float(slope_error(0.1, 4.0))
    0.05
    """
    return noise / np.sqrt(square_sum)


@equation(unit="1", source="suanli_assumption")
def carried_log_price(log_price: Real, log_trend: Real, age_months: Real, most_months: Real) -> Real:
    """Logarithm of a price carried forward along its trend, for no longer than is believed.

    y = x + b min(a, m). `log_trend` b is the change of the logarithm in a month, `age_months` a the age of the price,
    `most_months` m how long a trend is believed. Source: suanli_assumption.

    >>> float(carried_log_price(1.0, 0.1, 8.0, 5.0))
    1.5
    """
    return log_price + log_trend * np.minimum(age_months, most_months)


@equation(unit="1", source="suanli_assumption")
def quote_error(spread: Real, drift: Real, age_months: Real, basis_error: Real) -> Real:
    """Error of the logarithm of a price read off the market: spread, age and nature of the evidence.

    s = sqrt(spread^2 + drift^2 a + basis^2). The price drifts as a random walk since the evidence, of age a months.
    Source: suanli_assumption.

    >>> float(quote_error(0.3, 0.0, 4.0, 0.4))
    0.5
    """
    return np.sqrt(spread**2 + drift**2 * age_months + basis_error**2)


@equation(unit="1", source="suanli_assumption")
def band_factor(error: Real, deviations: Real) -> Real:
    """Factor from the middle of a log-normal figure to the end of its band.

    f = exp(z s). `deviations` z is 1.2816 for an 80 % band. Source: suanli_assumption.

    >>> float(band_factor(0.0, 1.2816))
    1.0
    """
    return np.exp(deviations * error)
