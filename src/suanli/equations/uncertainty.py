"""How sure an estimate is: independent causes of error added up, and the band that holds most runs."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="iso_gum")
def spread_log(
    software_log: Real,
    chip_log: Real,
    expert_share: Real,
    experts_log: Real,
    attention_share: Real,
    attention_log: Real,
    searched: Real,
    layout_log: Real,
) -> Real:
    """One sigma of the log of measured over predicted seconds, of causes that are independent of each other.

    sigma = sqrt(software^2 + chip^2 + (share of experts x experts)^2 + (share of attention x attention)^2
    + (searched x layout)^2)

    software_log, chip_log: pure numbers, one sigma by class of software and by what is known of the chip's kernels;
    expert_share, attention_share: shares of operations in experts and in attention's core; experts_log, attention_log:
    one sigma of a model of experts alone, and of a sequence that is all attention; searched: 1 where
    the layout is not known, else 0; layout_log: one sigma of people's choice of layout. Source: iso_gum.

    >>> spread_log(0.03, 0.04, 0.5, 0.24, 0.0, 0.2, 0.0, 0.3)
    0.13
    """
    experts, attention, layout = expert_share * experts_log, attention_share * attention_log, searched * layout_log
    return np.sqrt(software_log**2 + chip_log**2 + experts**2 + attention**2 + layout**2)


@equation(unit="1", source="conformal2005")
def band_end(spread_log: Real, sigmas: Real) -> Real:
    """Factor from an estimate to one end of its band, in the log: sigmas are below 0 for the low end.

    end = exp(sigmas x sigma)

    spread_log: pure number, one sigma of the log; sigmas: pure number, such that a set share of runs that a fit did not
    see lies inside. Source: conformal2005.

    >>> band_end(0.0, 1.3)
    1.0
    """
    return np.exp(sigmas * spread_log)


@equation(unit="s", source="smith2006")
def shrunk_seconds(seconds: Real, usual_seconds: Real, field_log: Real, layout_log: Real) -> Real:
    """Seconds that a chosen estimate is expected to turn out as: drawn to its field by the share of chance in it.

    expected = usual x (seconds / usual)^w, w = 1 - min(1, (layout / field)^2)

    seconds: s, the estimate that was chosen because it is low; usual_seconds: s, geometric mean of the estimates it was
    chosen from; field_log: pure number, one sigma of the log of those estimates; layout_log: pure number, one sigma
    of the log of a layout's own error. Both taken as normal, so w is true variance over the variance seen; a field of
    one layout was not chosen from, and stays. Source: smith2006.

    >>> shrunk_seconds(1.0, 4.0, 0.2, 0.1)
    1.4142135623730951
    """
    chance = np.minimum(layout_log, field_log) / np.maximum(field_log, np.finfo(np.float64).tiny)
    kept: Real = 1 - chance**2
    return usual_seconds * (seconds / usual_seconds) ** kept


@equation(unit="1", source="iso_gum")
def tie_factor(difference_log: Real, sigmas: Real) -> Real:
    """Factor from the best estimate up to which another layout may still be the faster one.

    factor = exp(sigmas x difference)

    difference_log: pure number, one sigma of the log of what the errors of two layouts near each other do not share;
    sigmas: pure number, quantile of the normal at the chance that still counts. Source: iso_gum.

    >>> tie_factor(0.0, 0.84)
    1.0
    """
    return np.exp(sigmas * difference_log)


@equation(unit="1", source="iso_gum")
def joint_log(first_log: Real, second_log: Real, third_log: Real) -> Real:
    """One sigma of the log of a quantity that three independent causes move.

    sigma = sqrt(first^2 + second^2 + third^2)

    first_log, second_log, third_log: pure numbers, one sigma of each cause. Source: iso_gum.

    >>> round(float(joint_log(0.02, 0.03, 0.06)), 6)
    0.07
    """
    return np.sqrt(first_log**2 + second_log**2 + third_log**2)
