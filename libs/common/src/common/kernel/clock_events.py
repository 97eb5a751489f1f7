"""What can happen to an SLA clock (interfaces 3b): seven events, each with an id, an instant and perhaps a sequence."""

from dataclasses import dataclass
from datetime import datetime

from common.kernel.targets import Target

UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    id: str
    at: datetime
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(_Event):
    """The clock runs from here on, towards a target on a named calendar; its time belongs to the owner."""

    calendar: str
    target: Target
    owner: str = UNASSIGNED


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(_Event):
    """Time belongs to a party (the customer, a supplier) until the clock is resumed."""

    party: str = UNASSIGNED
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(_Event):
    """The clock runs again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerChanged(_Event):
    """Running time from here on belongs to somebody else."""

    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(_Event):
    """Another target or calendar counts from here on; what was consumed before stays consumed under the old rules."""

    target: Target | None = None
    calendar: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(_Event):
    """What the clock waited for has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(_Event):
    """The clock goes on where it stood; the time since the stop does not count."""


ClockEvent = Started | Paused | Resumed | OwnerChanged | Changed | Stopped | Reopened
