"""What can happen to an SLA clock (interfaces 3b, 3c): eleven events, which a domain says, a ledger keeps and a fold reads.

A calculator's question states a calendar and a target. A service states the traits of its case instead (priority, region …), and
its policy chooses calendar and target when the clock is folded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from common.kernel.targets import Target

UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    at: datetime
    id: str = ""
    """Empty until the event stands in a ledger."""
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(_Event):
    """The clock runs from here on, towards a target on a named calendar; its time belongs to the owner."""

    owner: str = UNASSIGNED
    team: str = ""
    """The owner's team on that day, where it is known."""
    calendar: str = ""
    target: Target | None = None
    traits: Mapping[str, str] = field(default_factory=dict)


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
    team: str = ""
    """The owner's team on that day, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(_Event):
    """Another target or calendar counts from here on, or other traits; what was consumed before stays consumed under the old ones."""

    target: Target | None = None
    calendar: str | None = None
    reason: str = ""
    traits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(_Event):
    """What the clock waited for has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(_Event):
    """The clock goes on where it stood; the time since the stop does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided(_Event):
    """The clock ends without an outcome: cancelled, merged, taken back. A breach stays one where the promise was `owed`."""

    reason: str = ""
    owed: bool = True
    """False where there never was a promise to break: spam, a duplicate."""
    by: str = ""
    """Who said so, where a person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(_Event):
    """A new round begins with nothing consumed, under the named or the last target and calendar; the owner stays."""

    target: Target | None = None
    calendar: str | None = None
    reason: str = ""
    by: str = ""
    """Who said so, where a person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended(_Event):
    """The customer was told of another target before the deadline; one that comes after it changes nothing."""

    target: Target
    reason: str = ""
    by: str = ""
    """Who said so, where a person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excused(_Event):
    """From `since` up to `until` the calendar counts as closed for this clock, for the past as well, whenever it is said."""

    since: datetime
    until: datetime
    reason: str = ""


ClockEvent = Started | Paused | Resumed | OwnerChanged | Changed | Stopped | Reopened | Voided | Restarted | Extended | Excused

KINDS: Mapping[str, type[ClockEvent]] = {
    "started": Started,
    "paused": Paused,
    "resumed": Resumed,
    "owner_changed": OwnerChanged,
    "changed": Changed,
    "stopped": Stopped,
    "reopened": Reopened,
    "voided": Voided,
    "restarted": Restarted,
    "extended": Extended,
    "excused": Excused,
}
"""What each event is called in questions and ledgers."""
