"""What a domain says about its SLA clocks: this stage started, paused, stopped. Nothing is computed here.

The unit of work folds what was said with policy and calendar (`sla_clock`), arms timers and publishes the facts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Kind = Literal["started", "paused", "resumed", "owner_changed", "changed", "stopped", "reopened"]


@dataclass(frozen=True, slots=True)
class ClockEntry:
    """One thing said about the clock of `stage`; `traits` choose the promise (priority, region …), at the start and when they change."""

    stage: str
    kind: Kind
    at: datetime
    owner: str = ""
    party: str = ""
    reason: str = ""
    traits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of one aggregate, as far as one use case has spoken about them."""

    entries: tuple[ClockEntry, ...] = ()

    def _and(self, entry: ClockEntry) -> "Clocks":
        return Clocks((*self.entries, entry))

    def started(self, stage: str, at: datetime, owner: str, **traits: str) -> "Clocks":
        """The clock of `stage` runs from `at`; `owner` (`employee:E1001`) is who is charged with its time."""
        return self._and(ClockEntry(stage, "started", at, owner=owner, traits=traits))

    def paused(self, stage: str, at: datetime, party: str, reason: str) -> "Clocks":
        """It stands still; the time belongs to `party`."""
        return self._and(ClockEntry(stage, "paused", at, party=party, reason=reason))

    def resumed(self, stage: str, at: datetime) -> "Clocks":
        """It goes on."""
        return self._and(ClockEntry(stage, "resumed", at))

    def owned(self, stage: str, at: datetime, owner: str) -> "Clocks":
        """From `at` on its time belongs to `owner`."""
        return self._and(ClockEntry(stage, "owner_changed", at, owner=owner))

    def changed(self, stage: str, at: datetime, reason: str, **traits: str) -> "Clocks":
        """From `at` on the promise is the one for these traits and the others that the case had; what was consumed stays consumed."""
        return self._and(ClockEntry(stage, "changed", at, reason=reason, traits=traits))

    def stopped(self, stage: str, at: datetime) -> "Clocks":
        """What was promised has happened."""
        return self._and(ClockEntry(stage, "stopped", at))

    def reopened(self, stage: str, at: datetime) -> "Clocks":
        """It was not enough: the clock goes on where it stood."""
        return self._and(ClockEntry(stage, "reopened", at))


def traits_of(said: object, names: Iterable[str]) -> dict[str, str]:
    """What an event says of the traits that are named; those that it leaves out are none."""
    return {name: str(value) for name in names if (value := getattr(said, name, None))}
