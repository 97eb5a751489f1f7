"""What can happen to an SLA clock (interfaces 3b): seven events, which a domain says, a ledger keeps and a fold reads.

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


ClockEvent = Started | Paused | Resumed | OwnerChanged | Changed | Stopped | Reopened

KINDS: Mapping[str, type[ClockEvent]] = {
    "started": Started,
    "paused": Paused,
    "resumed": Resumed,
    "owner_changed": OwnerChanged,
    "changed": Changed,
    "stopped": Stopped,
    "reopened": Reopened,
}
"""What each event is called in questions and ledgers."""
