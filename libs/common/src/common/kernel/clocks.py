"""What a domain says about its SLA clocks: this stage started, paused, stopped. Nothing is computed here.

The unit of work folds what was said with policy and calendar (`sla_clock`), arms timers and publishes the facts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from common.kernel.clock_events import (
    Changed,
    ClockEvent,
    Extended,
    OwnerChanged,
    Paused,
    Reopened,
    Restarted,
    Resumed,
    Started,
    Stopped,
    Voided,
)
from common.kernel.targets import Target


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of one aggregate, as far as one use case has spoken about them: stage by stage, in order."""

    entries: tuple[tuple[str, ClockEvent], ...] = ()

    def _and(self, stage: str, event: ClockEvent) -> "Clocks":
        return Clocks((*self.entries, (stage, event)))

    def started(self, stage: str, at: datetime, owner: str, **traits: str) -> "Clocks":
        """The clock of `stage` runs from `at`, charged to `owner` (`employee:E1001`); the traits choose the promise."""
        return self._and(stage, Started(at=at, owner=owner, traits=traits))

    def paused(self, stage: str, at: datetime, party: str, reason: str) -> "Clocks":
        """It stands still; the time belongs to `party`."""
        return self._and(stage, Paused(at=at, party=party, reason=reason))

    def resumed(self, stage: str, at: datetime) -> "Clocks":
        """It goes on."""
        return self._and(stage, Resumed(at=at))

    def owned(self, stage: str, at: datetime, owner: str, team: str = "") -> "Clocks":
        """From `at` on its time belongs to `owner`, who is in that team on that day."""
        return self._and(stage, OwnerChanged(at=at, owner=owner, team=team))

    def changed(self, stage: str, at: datetime, reason: str, **traits: str) -> "Clocks":
        """From `at` on the promise is the one for these traits and the others that the case had; what was consumed stays consumed."""
        return self._and(stage, Changed(at=at, reason=reason, traits=traits))

    def stopped(self, stage: str, at: datetime) -> "Clocks":
        """What was promised has happened."""
        return self._and(stage, Stopped(at=at))

    def reopened(self, stage: str, at: datetime) -> "Clocks":
        """It was not enough: the clock goes on where it stood."""
        return self._and(stage, Reopened(at=at))

    def voided(self, stage: str, at: datetime, reason: str, *, owed: bool, by: str = "") -> "Clocks":
        """It ends without an outcome; a breach stays one if the promise was owed."""
        return self._and(stage, Voided(at=at, reason=reason, owed=owed, by=by))

    def extended(self, stage: str, at: datetime, target: Target, reason: str, *, by: str = "") -> "Clocks":
        """The customer was told of another target."""
        return self._and(stage, Extended(at=at, target=target, reason=reason, by=by))

    def restarted(self, stage: str, at: datetime, target: Target | None, reason: str, *, by: str = "") -> "Clocks":
        """A new round begins with nothing consumed, under this target or the last one; the round before has its own outcome."""
        return self._and(stage, Restarted(at=at, target=target, reason=reason, by=by))


def traits_of(said: object, names: Iterable[str]) -> dict[str, str]:
    """What an event says of the traits that are named; those that it leaves out are none."""
    return {name: str(value) for name in names if (value := getattr(said, name, None))}
