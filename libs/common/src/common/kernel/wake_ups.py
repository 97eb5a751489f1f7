"""Wake-ups: at which instant an aggregate is to be woken, and for which reason; set, moved and cancelled by what happens to it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Woken:
    """Time has come for an aggregate: `reason` is why it wanted to be woken, `at` the instant for which it was set."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WakeUp:
    """One wake-up of one aggregate; an aggregate has one for each reason, which may be set again when it has fired."""

    aggregate: str
    reason: str
    due_at: datetime
    state: Literal["armed", "fired", "cancelled"] = "armed"
    version: int = 1
    """How many times it was set, moved or cancelled: what is older than that never fires."""
    replay_of: str = ""

    @property
    def id(self) -> str:
        """The id of its timer."""
        return f"wake:{self.reason}:{self.aggregate}"

    @property
    def key(self) -> tuple[str, str]:
        """Its aggregate and its reason."""
        return self.aggregate, self.reason


@dataclass(slots=True)
class WakeUps:
    """The wake-ups of the aggregates of one transaction. A scratch takes the changes of one event and is merged when that succeeds."""

    known: dict[tuple[str, str], WakeUp] = field(default_factory=dict)
    changed: set[tuple[str, str]] = field(default_factory=set)

    def load(self, wake_ups: Iterable[WakeUp]) -> None:
        """Takes in what is stored."""
        self.known |= {one.key: one for one in wake_ups}

    def scratch(self) -> "WakeUps":
        """Wake-ups that begin as these and change alone."""
        return WakeUps(dict(self.known))

    def merge(self, scratch: "WakeUps") -> None:
        """Makes the changes of a scratch these wake-ups' own."""
        self.known = scratch.known
        self.changed |= scratch.changed

    def arm(self, aggregate: str, reason: str, at: datetime, replay_of: str = "") -> None:
        """Sets a wake-up, or moves it; nothing when it is set for that instant already, or has fired for it: once is once."""
        at, known = at.astimezone(UTC), self.known.get((aggregate, reason))
        if known is None:
            self._keep(WakeUp(aggregate, reason, at, replay_of=replay_of))
        elif known.due_at != at or known.state == "cancelled":
            self._keep(WakeUp(aggregate, reason, at, "armed", known.version + 1, replay_of))

    def cancel(self, aggregate: str, reason: str) -> None:
        """Takes a wake-up back; nothing when none is set."""
        known = self.known.get((aggregate, reason))
        if known is not None and known.state == "armed":
            self._keep(replace(known, state="cancelled", version=known.version + 1))

    def fire(self, wake_up: WakeUp) -> None:
        """Notes that a wake-up fires; it may be set again, for another instant."""
        self._keep(replace(wake_up, state="fired"))

    def next_before(self, aggregates: Collection[str], before: datetime) -> WakeUp | None:
        """The earliest that is due before an instant, of some aggregates; None when there is none."""
        due = [one for one in self.known.values() if one.state == "armed" and one.due_at < before and one.aggregate in aggregates]
        return min(due, key=lambda one: (one.due_at, one.aggregate, one.reason), default=None)

    def _keep(self, wake_up: WakeUp) -> None:
        self.known[wake_up.key] = wake_up
        self.changed.add(wake_up.key)
