"""Energy of a site: what it draws at the meter, what that costs, what it emits."""

from __future__ import annotations

from suanli.foundation.equation import Real, equation


@equation(unit="W", source="iso30134_2")
def facility_watts(system_watts: Real, pue: Real) -> Real:
    """Power at the meter of systems that draw some power themselves.

    facility = system x PUE

    system_watts: W, drawn by the systems; pue: pure number from 1 up, power usage effectiveness. Source: iso30134_2.

    >>> facility_watts(1000.0, 1.5)
    1500.0
    """
    return system_watts * pue


@equation(unit="W", source="iso30134_2")
def box_watts(accelerator_watts: Real, accelerators: Real, box_share: Real) -> Real:
    """Greatest power of a box of which only the accelerators' is known.

    box = n x accelerator x share of the box

    accelerator_watts: W; accelerators: pure number; box_share: pure number from 1 up, power of the whole box over that
    of its accelerators. Source: iso30134_2.

    >>> box_watts(700.0, 8.0, 1.5)
    8400.0
    """
    return accelerators * accelerator_watts * box_share


@equation(unit="W", source="iso30134_2")
def drawn_watts(peak_watts: Real, idle_share: Real, traffic_share: Real, working: Real, sending: Real) -> Real:
    """Mean power of a system that computes part of the time, waits for traffic another part, and idles the rest.

    drawn = peak (idle share + (1 - idle share) working + (traffic share - idle share) sending)

    peak_watts: W, at work; idle_share, traffic_share: pure numbers, power at rest and under traffic alone as shares of
    the peak; working, sending: pure numbers from 0 to 1 with a sum of 1 at most, shares of the time at work and
    under traffic alone. Source: iso30134_2.

    >>> round(drawn_watts(1000.0, 0.2, 0.5, 0.5, 0.0), 9), round(drawn_watts(1000.0, 0.2, 0.5, 0.5, 0.5), 9)
    (600.0, 750.0)
    """
    return peak_watts * (idle_share + (1 - idle_share) * working + (traffic_share - idle_share) * sending)


@equation(unit="J", source="iso30134_2")
def energy_joules(mean_watts: Real, elapsed_seconds: Real) -> Real:
    """Energy drawn at a mean power over a time.

    energy = power x time

    mean_watts: W; elapsed_seconds: s. Source: iso30134_2.

    >>> energy_joules(1000.0, 3600.0)
    3600000.0
    """
    return mean_watts * elapsed_seconds


@equation(unit="1", source="iso30134_2")
def energy_cost(drawn_joules: Real, price_per_joules: Real) -> Real:
    """Money that energy costs (a price per kWh is 3.6 million times a price per joule).

    cost = energy x price

    drawn_joules: J; price_per_joules: money per J. Source: iso30134_2.

    >>> round(energy_cost(3600000.0, 0.72 / 3600000.0), 9)
    0.72
    """
    return drawn_joules * price_per_joules


@equation(unit="1", source="ghg_scope2")
def carbon_kilograms(drawn_joules: Real, kilograms_per_joules: Real) -> Real:
    """Carbon dioxide that the making of electricity emitted.

    carbon = energy x intensity of the grid

    drawn_joules: J; kilograms_per_joules: kg of carbon dioxide equivalent per J. Source: ghg_scope2.

    >>> round(carbon_kilograms(3600000.0, 0.5 / 3600000.0), 9)
    0.5
    """
    return drawn_joules * kilograms_per_joules
