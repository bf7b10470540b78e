"""The buying problem: periods, what may be had, what must be done, what may not be exceeded; money in one currency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from suanli.foundation.figure import Figure


class Tenure(StrEnum):
    """How a system is held."""

    OWNED = "owned"
    BOUGHT = "bought"
    RENTED_HOUR = "rented_hour"
    RENTED_MONTH = "rented_month"
    RENTED_RESERVED = "rented_reserved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One way to hold one kind of system, with its terms in every period (tuples run over the periods).

    A choice is one pool: what is held and what is bought of the same choice works together, two choices never do.
    `price` is paid at order for one system (purchases) or for one system and period of use (rents); `extra_cost` is
    paid beside the price of a purchase, by category (network, storage, installation). `lead_periods` pass between order
    and use, by period of order. `commit_periods` is the shortest term of a rent; what of it lies behind the horizon is
    paid in the last period at that period's price. `supply` caps the systems that can be ordered in a period
    (purchases) or on rent in a period (rents); None: no cap known, 0: none to be had. `lot` is the least number in one
    order. `held` systems are there from the start (none where rented); OWNED means no more can be had. `resale` is what
    one system fetches at the end of the horizon, by period of order (held ones fetch nothing here). `running_cost` is
    money for one system in each period from its arrival on, used or not, by category (power, colocation, staff). By the
    hour, `price` is money for one system used for a whole period, of which the share in use is paid; `supply` caps the
    systems at work at once; there is no term, no lot and no place on the site. Watts are at the wall before PUE and
    count, as rack units do, from arrival on where `on_site`.
    """

    id: str
    system_id: str
    system_name: str
    tenure: Tenure
    price: tuple[float, ...]
    lead_periods: tuple[int, ...]
    lot: int
    supply: tuple[float | None, ...]
    held: int
    resale: tuple[float, ...]
    watts: float
    rack_units: float
    on_site: bool
    running_cost: Mapping[str, tuple[float, ...]]
    price_source: str
    price_figure: Figure | None = None
    commit_periods: int = 1
    domestic: bool = False
    extra_cost: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


class DemandKind(StrEnum):
    """Finish an amount of work by a date, or hold a rate in every period."""

    FINISH = "finish"
    RATE = "rate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """One workload as the buyer sees it.

    `work_per_system` is, by choice id, what one system does in one full period (work units for FINISH; the rate it
    sustains for RATE); a choice that cannot run the workload is absent. FINISH: `amount` units between the periods
    `first` and `last` (inclusive), all on one choice. RATE: `rate[p]` must be held in period p, on any mix of choices.
    `least_systems` is how many systems of the choice must work together at once for the job to run at all (1 where
    absent); `most_systems` is how many of them the job can put to use at once (no bound where absent). A `steady` rate
    is held at every moment; one that is not is work done by turns, an average over each period: by the hour it is paid
    for the hours it takes, where a steady one keeps whole systems.
    """

    id: str
    kind: DemandKind
    work_per_system: Mapping[str, float]
    amount: float = 0.0
    rate: tuple[float, ...] = ()
    first: int = 0
    last: int = 0
    steady: bool = True
    least_systems: Mapping[str, int] = field(default_factory=dict)
    most_systems: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What may not be exceeded (None: no limit).

    `cash[p]` bounds all money spent up to and with period p, undiscounted; resale at the end does not count into it.
    `site_watts` bounds watts x PUE of all systems on site, `rack_units` their room.
    """

    cash: tuple[float | None, ...]
    site_watts: float | None
    rack_units: float | None
    pue: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A whole buying problem; `discount` is the present value of one unit of money in each period.

    `fixed_cost` is money by category and period that is paid whatever is decided.
    """

    periods: tuple[str, ...]
    choices: tuple[Choice, ...]
    demands: tuple[Demand, ...]
    limits: Limits
    discount: tuple[float, ...]
    currency: str
    fixed_cost: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A limit that stands in the way, and the least relief that frees it.

    `limit` is one of deadline, amount, rate, cash, power, racks, supply, choices; `subject` the id of its demand or
    choice ("" for the site and the purse); `period` the first period where it is broken (None: all). `relief` is in
    `unit` (periods, share, the currency, W, U, systems; None where easing this limit alone frees nothing).
    """

    limit: str
    subject: str
    period: int | None
    relief: float | None
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """What the solver found: the incumbent, its bound and gap, and every decision by choice, demand and period.

    `orders` are systems bought, by (choice id, period of order); `rents` systems on rent, by (choice id, period of use;
    by the hour the average over the period, not whole); `rent_starts` systems whose rent begins, by (choice id, period
    of first use); `use` is systems at work on average over a period, by (demand id, choice id, period). Zeros are left
    out. `cost_lines` are undiscounted money by (category, period), resale negative, and sum, discounted, to
    `objective`. `power_watts` is at the meter, PUE included. `finish` is the period in which each FINISH demand is
    done. `violation` is the worst breach of any limit that the feasibility checker found, relative to that limit.

    `status` is optimal_within_gap; time_limit (an incumbent, its gap wider than asked); no_incumbent (time ran out with
    nothing in hand); or infeasible. In the last two there are no decisions and `objective` is infinite. When
    infeasible, `conflicts` names the limits in the way, those that must all give way together first, then each limit
    that would free the plan if it alone gave way; `binding` and `relief` say the same in words.
    """

    status: str
    objective: float
    bound: float
    gap: float
    seconds: float
    orders: Mapping[tuple[str, int], int]
    rents: Mapping[tuple[str, int], int | float]
    use: Mapping[tuple[str, str, int], float]
    cost_lines: Mapping[tuple[str, int], float]
    power_watts: tuple[float, ...]
    binding: tuple[str, ...] = ()
    relief: tuple[str, ...] = ()
    rent_starts: Mapping[tuple[str, int], int] = field(default_factory=dict)
    finish: Mapping[str, int] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    violation: float = 0.0
