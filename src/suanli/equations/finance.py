"""Money over time: present value, annuities, what a machine is still worth, where prices go."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="brealey2020")
def present_value(amount: Real, rate: Real, periods: Real) -> Real:
    """Value today of money that is paid some periods from now.

    present = amount / (1 + rate)^periods

    amount: money; rate: pure number, discount rate of one period; periods: pure number. Holds for rates above -1.
    Source: brealey2020.

    >>> round(float(present_value(121.0, 0.1, 2.0)), 9)
    100.0
    """
    return amount / (1 + rate) ** periods


@equation(unit="1", source="brealey2020")
def rate_of_period(yearly_rate: Real, periods_per_year: Real) -> Real:
    """Rate of one period that compounds to a yearly rate.

    rate = (1 + yearly)^(1 / periods per year) - 1

    yearly_rate: pure number; periods_per_year: pure number, 12 for months. Source: brealey2020.

    >>> round(float(rate_of_period(0.21, 2.0)), 9)
    0.1
    """
    return (1 + yearly_rate) ** (1 / periods_per_year) - 1


@equation(unit="1", source="brealey2020")
def annuity(present: Real, rate: Real, periods: Real) -> Real:
    """Equal payment at the end of each period that is worth a sum today.

    payment = present rate / (1 - (1 + rate)^-periods), and present / periods at rate 0

    present: money; rate: pure number, of one period; periods: pure number, above 0. Source: brealey2020.

    >>> round(float(annuity(100.0, 0.1, 2.0)), 6)
    57.619048
    """
    free = rate == 0
    some_rate = np.where(free, 1, rate)
    return np.where(free, present / periods, present * some_rate / (1 - (1 + some_rate) ** -periods))


@equation(unit="1", source="brealey2020")
def straight_line_value(price: Real, residual: Real, age_years: Real, life_years: Real) -> Real:
    """Book value of a machine that loses the same amount every year, down to a residual.

    value = price - (price - residual) min(age / life, 1)

    price, residual: money; age_years, life_years: years. Source: brealey2020.

    >>> float(straight_line_value(100.0, 20.0, 1.0, 4.0))
    80.0
    """
    return price - (price - residual) * np.minimum(age_years / life_years, 1)


@equation(unit="1", source="brealey2020")
def declining_value(price: Real, yearly_loss: Real, age_years: Real) -> Real:
    """Book value of a machine that loses the same share of what is left every year.

    value = price (1 - loss)^age

    price: money; yearly_loss: pure number from 0 to 1; age_years: years. Source: brealey2020.

    >>> float(declining_value(100.0, 0.5, 2.0))
    25.0
    """
    return price * (1 - yearly_loss) ** age_years


@equation(unit="1", source="brealey2020")
def resale_value(new_price: Real, first_year_loss: Real, later_loss: Real, age_years: Real) -> Real:
    """Price that a used machine fetches: it loses one share in its first year, another in each year after.

    value = new price (1 - first)^min(age, 1) (1 - later)^max(age - 1, 0)

    new_price: money, of the same machine new at the day of the sale; first_year_loss, later_loss: pure numbers from 0
    to 1; age_years: years. Source: brealey2020.

    >>> float(resale_value(100.0, 0.5, 0.2, 2.0))
    40.0
    """
    young = (1 - first_year_loss) ** np.minimum(age_years, 1)
    return new_price * young * (1 - later_loss) ** np.maximum(age_years - 1, 0)


@equation(unit="1", source="compound_growth")
def trended_price(price: Real, change: Real, elapsed_periods: Real) -> Real:
    """Price some periods on, where it changes by the same share in each.

    later price = price (1 + change)^elapsed

    price: money; change: pure number a period, negative where prices fall; elapsed_periods: pure number. Source:
    compound_growth.

    >>> round(float(trended_price(100.0, -0.1, 2.0)), 9)
    81.0
    """
    return price * (1 + change) ** elapsed_periods


@equation(unit="1/token", source="suanli_assumption")
def amount_per_token(amount: Real, paid_share: Real, counted_tokens: Real) -> Real:
    """Money that one token of a kind costs, where a share of all that is paid is paid for that kind.

    price = amount share / tokens

    amount: money paid in a time; paid_share: pure number from 0 to 1; counted_tokens: token, of the kind in the same
    time. Shares of prompts and answers sum to 1, so that prices times tokens give the amount back. Source:
    suanli_assumption.

    >>> amount_per_token(100.0, 0.25, 50.0)
    0.5
    """
    return amount * paid_share / counted_tokens


@equation(unit="1", source="suanli_assumption")
def break_even_requests(amount: Real, paid_per_request: Real) -> Real:
    """Count the requests at which a fixed cost of a time equals what a seller asks for them one by one.

    n = amount / price of a request

    amount: money paid in a time, used or not; paid_per_request: money, above 0. Source: suanli_assumption.

    >>> break_even_requests(100.0, 0.5)
    200.0
    """
    return amount / paid_per_request
