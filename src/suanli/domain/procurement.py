"""The buying problem: periods, what may be had, what must be done, what may not be exceeded; money in one currency."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from suanli.foundation.figure import Figure


class Tenure(StrEnum):
    """How a system is held."""

    OWNED = "owned"
    BOUGHT = "bought"
    RENTED_MONTH = "rented_month"
    RENTED_RESERVED = "rented_reserved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One way to hold one kind of system, with its terms in every period (tuples run over the periods).

    `price` is paid at order for one system (purchases) or for one system and period (rents); `lead_periods` pass
    between order and use; `commit_periods` is the shortest term of a rent; `supply` caps the systems that can be had
    in a period (None: no cap known); `lot` is the least number in one order. `held` systems are there from the start.
    `resale` is what one system fetches at the end of the horizon per period of order. Watts are at the wall before PUE.
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
    running_cost: tuple[float, ...]
    price_source: str
    price_figure: Figure | None = None
    commit_periods: int = 1
    domestic: bool = False


class DemandKind(StrEnum):
    """Finish an amount of work by a date, or hold a rate in every period."""

    FINISH = "finish"
    RATE = "rate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """One workload as the buyer sees it.

    `work_per_system` is, by choice id, what one system does in one full period (work units for FINISH; the rate it
    sustains for RATE); a choice that cannot run the workload is absent. FINISH: `amount` units between the periods
    `first` and `last` (inclusive). RATE: `rate[p]` must be held in period p. `least_systems` is how many systems of the
    choice must work together at once for the job to run at all.
    """

    id: str
    kind: DemandKind
    work_per_system: dict[str, float]
    amount: float = 0.0
    rate: tuple[float, ...] = ()
    first: int = 0
    last: int = 0
    least_systems: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What may not be exceeded: cash spent so far by each period, site power and racks (None: no limit)."""

    cash: tuple[float | None, ...]
    site_watts: float | None
    rack_units: float | None
    pue: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A whole buying problem; `discount` is the present value of one unit of money in each period."""

    periods: tuple[str, ...]
    choices: tuple[Choice, ...]
    demands: tuple[Demand, ...]
    limits: Limits
    discount: tuple[float, ...]
    currency: str
    fixed_cost: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """What the solver found: the incumbent, its bound and gap, and every decision by choice, demand and period.

    Mappings' keys are (choice id, period) and (demand id, choice id, period). `cost_lines` are undiscounted money by
    (category, period) and sum, discounted, to `objective`. `status` is optimal_within_gap, time_limit or infeasible;
    when infeasible, `binding` names the limits in conflict and `relief` what would free them.
    """

    status: str
    objective: float
    bound: float
    gap: float
    seconds: float
    orders: dict[tuple[str, int], int]
    rents: dict[tuple[str, int], int]
    use: dict[tuple[str, str, int], float]
    cost_lines: dict[tuple[str, int], float]
    power_watts: tuple[float, ...]
    binding: tuple[str, ...] = ()
    relief: tuple[str, ...] = ()
