"""Calendar months of promises: where they begin, what has to be kept in them, and how many promises may still be broken."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import NamedTuple

from common.kernel.faults import Fault, Where
from common.kernel.zones import zone_named
from common.sla.policy import Policy
from common.sla.rulebook import Rulebook

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One calendar month; as text `2026-11`, which sorts as the months do."""

    year: int
    number: int

    @classmethod
    def read(cls, text: str, where: Where = ()) -> "Month":
        """The month that `2026-11` names; a `Fault` `bad_month` for anything else."""
        found = _MONTH.fullmatch(text)
        if found is None or not 1 < int(found[1]) < 9999:
            raise Fault(where, "bad_month", "a month such as 2026-11 is expected")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def next(self) -> "Month":
        """The month after it."""
        return self.plus(1)

    def plus(self, months: int) -> "Month":
        """The month so many months later."""
        year, number = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, number + 1)


class Span(NamedTuple):
    """From when on and up to before when something counts for a month, in UTC."""

    begin: datetime
    end: datetime


class Counts(NamedTuple):
    """How many promises were kept and broken."""

    met: int
    breached: int

    @property
    def closed(self) -> int:
        """How many have an outcome."""
        return self.met + self.breached


@dataclass(frozen=True, slots=True)
class Budget:
    """How many promises may be broken of those that have an outcome, and how many of these are left; negative when too many were broken."""

    allowed: int
    remaining: int


def budget_of(counts: Counts, objective: Fraction | None) -> Budget | None:
    """The budget under an objective, the share of promises to be kept; None without an objective, and while nothing has an outcome.

    As many may be broken as leave the share of kept ones at the objective or above it: the whole part of (1 - objective) x closed.
    """
    if objective is None or counts.closed == 0:
        return None
    allowed = int((1 - objective) * counts.closed)
    return Budget(allowed, allowed - counts.breached)


@dataclass(frozen=True, slots=True)
class MonthOfStage:
    """How the promises of a stage were kept in a month, and what had to be kept: None where no objective is set."""

    stage: str
    counts: Counts
    objective: Fraction | None

    @property
    def budget(self) -> Budget | None:
        """How many may be broken; None without an objective, and while nothing has an outcome."""
        return budget_of(self.counts, self.objective)


def span_of(rulebook: Rulebook, month: Month) -> Span:
    """Where a month begins and ends. Months leave no gap and do not overlap, whatever zones the policies name."""
    return Span(_begin(rulebook, month), _begin(rulebook, month.next))


def month_of(rulebook: Rulebook, at: datetime) -> Month:
    """The month that an instant counts for."""
    day = at.astimezone(UTC)
    near = Month(day.year, day.month)
    return next(month for month in (near.next, near, near.plus(-1)) if _begin(rulebook, month) <= at)


def months_between(rulebook: Rulebook, first: datetime, last: datetime) -> Sequence[Month]:
    """The months that the instants from `first` to `last` count for, in order."""
    found, end = [month_of(rulebook, first)], month_of(rulebook, last)
    while found[-1] < end:
        found.append(found[-1].next)
    return found


def policy_of(rulebook: Rulebook, month: Month) -> Policy | None:
    """The policy in force at the end of a month, whose objectives count for it; None before the service has a policy."""
    return _in_force_before(rulebook, _begin(rulebook, month.next))


def _begin(rulebook: Rulebook, month: Month) -> datetime:
    policy = _in_force_before(rulebook, datetime(month.year, month.number, 1, tzinfo=UTC))
    zone = zone_named(Policy.MONTH_ZONE if policy is None else policy.month_zone)
    return datetime(month.year, month.number, 1, tzinfo=zone).astimezone(UTC)


def _in_force_before(rulebook: Rulebook, instant: datetime) -> Policy | None:
    """The policy that held until an instant, else the first one: one that begins to hold just then counts from there on."""
    held = [one for one in rulebook.policies if one.effective_at < instant] or rulebook.policies[:1]
    return held[-1].policy if held else None
