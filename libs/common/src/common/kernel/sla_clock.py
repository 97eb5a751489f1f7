"""The state of an SLA clock, folded from its history: the ledger behind every met, breached and owned second (P1, P12)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from common.kernel.calendars import named
from common.kernel.clock_errors import ClockError
from common.kernel.clock_events import (
    UNASSIGNED,
    Changed,
    ClockEvent,
    OwnerChanged,
    Paused,
    Reopened,
    Resumed,
    Started,
    Stopped,
)
from common.kernel.instants import to_micros
from common.kernel.targets import Target, amount_of, fixed_instant
from common.kernel.working_time import Calendar

__all__ = [
    "UNASSIGNED",
    "Changed",
    "ClockEvent",
    "ClockState",
    "OwnerChanged",
    "Paused",
    "Reopened",
    "Resumed",
    "Segment",
    "Started",
    "Stopped",
    "fold",
]

State = Literal["running", "paused", "stopped"]
Outcome = Literal["open", "met", "breached"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch in which one rule held: who had the time (owner while running, party while paused), on which calendar.

    `start` and `end` are microseconds since 1970, `micros` the working time between them.
    """

    state: Literal["running", "paused"]
    start: int
    end: int
    who: str
    reason: str
    calendar: Calendar
    micros: int


@dataclass(frozen=True, slots=True)
class ClockState:
    """A clock as its history up to `as_of` tells it. All `micros` are working time in microseconds.

    `deadline` is projected while the clock runs, the breach once breached, else None. `due_at` is the instant at which an
    open clock breaches if nothing more happens (also while paused, where the target is a fixed instant or was just
    reached): what a timer waits for. `ignored` are ids of events that the state did not admit.
    """

    state: State
    outcome: Outcome
    deadline: datetime | None
    due_at: datetime | None
    breached_at: datetime | None
    elapsed_micros: int
    overdue_micros: int
    micros_by_owner: Mapping[str, int]
    paused_micros_by_party: Mapping[str, int]
    reopenings: int
    ignored: tuple[str, ...]
    started_at: datetime
    as_of: datetime
    owner: str
    calendar: Calendar
    target: Target
    segments: tuple[Segment, ...]
    fixed: int | None
    """Where the target is a fixed instant: that, in microseconds since 1970."""
    amount: int
    """The working microseconds that the target stands for."""

    @property
    def is_provisional(self) -> bool:
        """Whether the deadline lies where the calendar is not known yet, and may move when it becomes known."""
        return self.due_at is not None and self.calendar.is_provisional(self.due_at.date())


def fold(events: Iterable[ClockEvent], as_of: datetime, calendars: Mapping[str, Calendar]) -> ClockState:
    """The state of the clock at `as_of`, the same for any order of the events and any number of duplicates.

    `calendars` are those that are known beside the built-in ones. Later events do not count. Raises `ClockError`:
    `conflicting_duplicate`, `not_started`, `unknown_calendar`, and `never_open` or `bad_target` of the calendar.
    """
    limit = to_micros(as_of)
    tally: _Tally | None = None
    ignored = []
    for event in _in_order(events):
        at = to_micros(event.at)
        if at > limit:
            break
        if tally is None:
            if isinstance(event, Started):
                tally = _Tally(event, at, calendars)
            else:
                ignored.append(event.id)
            continue
        tally.advance(at)
        if not tally.admits(event):
            ignored.append(event.id)
            continue
        tally.apply(event)
    if tally is None:
        raise ClockError("not_started", "events", "no started event up to as_of")
    tally.advance(limit)
    return tally.state_at(as_of, tuple(ignored))


def _in_order(events: Iterable[ClockEvent]) -> list[ClockEvent]:
    by_id: dict[str, ClockEvent] = {}
    for event in events:
        if by_id.setdefault(event.id, event) != event:
            raise ClockError("conflicting_duplicate", "events", "two events have the same id and different content")
    return sorted(by_id.values(), key=_order)


def _order(event: ClockEvent) -> tuple[int, bool, int, str]:
    return to_micros(event.at), event.sequence is None, event.sequence or 0, event.id


class _Tally:
    """A clock while it is being folded; only `fold` sees it."""

    def __init__(self, started: Started, at: int, calendars: Mapping[str, Calendar]) -> None:
        self.calendars = calendars
        self.calendar = named(started.calendar, calendars)
        self.target = started.target
        self.started_at = self.now = at
        self.state: State = "running"
        self.owner = started.owner
        self.party = self.reason = ""
        self.consumed = 0
        self.breached_at: int | None = None
        self.reached_at: int | None = None  # the target is reached to the microsecond, and no later moment has come yet
        self.reopenings = 0
        self.segments: list[Segment] = []
        self._measure()

    def _measure(self) -> None:
        self.fixed = fixed_instant(self.calendar, self.started_at, self.target)
        self.amount = 0 if self.fixed is not None else amount_of(self.calendar, self.started_at, self.target)

    def admits(self, event: ClockEvent) -> bool:
        match event:
            case Started():
                return False
            case Paused():
                return self.state == "running"
            case Resumed():
                return self.state == "paused"
            case Reopened():
                return self.state == "stopped"
            case OwnerChanged() | Changed() | Stopped():
                return self.state != "stopped"

    def apply(self, event: ClockEvent) -> None:
        match event:
            case Paused(party=party, reason=reason):
                self.state, self.party, self.reason = "paused", party, reason
            case Resumed():
                self.state = "running"
            case OwnerChanged(owner=owner):
                self.owner = owner
            case Changed():
                self._change(event)
            case Stopped():
                self.state = "stopped"
            case Reopened():
                self._reopen()

    def advance(self, until: int) -> None:
        """Let time pass up to an instant: a due moment that it passes is a breach, one that it meets is not yet."""
        if self.state != "stopped" and self.breached_at is None:
            due = self._due_until(until)
            if due is not None and due < until:
                self.breached_at = due
            elif due is not None:
                self.reached_at = due
        if self.state != "stopped" and until > self.now:
            micros = self.calendar.timeline.between(self.now, until)
            if self.state == "running":
                self.consumed += micros
            who, reason = (self.owner, "") if self.state == "running" else (self.party, self.reason)
            self.segments.append(Segment(self.state, self.now, until, who, reason, self.calendar, micros))
        self.now = until

    def _due_until(self, until: int) -> int | None:
        if self.fixed is not None:
            return self.fixed if self.fixed <= until else None
        if self.reached_at is not None or self.state == "paused":
            return self.reached_at
        timeline, left = self.calendar.timeline, self.amount - self.consumed
        passed = timeline.between(self.now, until)
        if left == 0:
            return timeline.add(self.now, 0) if passed or timeline.is_working(until) else None
        return timeline.add(self.now, left) if passed >= left else None

    def _change(self, change: Changed) -> None:
        self.target = change.target or self.target
        self.calendar = self.calendar if change.calendar is None else named(change.calendar, self.calendars)
        self._measure()
        self.reached_at = None
        if self.breached_at is not None:
            return
        if self.fixed is not None:
            self.breached_at = self.now if self.fixed < self.now else None
        elif self.consumed > self.amount:
            self.breached_at = self.now
        elif self.consumed == self.amount > 0:
            self.reached_at = self.now

    def _reopen(self) -> None:
        self.state = "running"
        self.reopenings += 1
        if self.reached_at is not None:
            self.reached_at = self.now
        if self.breached_at is None and self.fixed is not None and self.fixed < self.now:
            self.breached_at = self.now  # nothing was late at that fixed instant: it is now

    def state_at(self, as_of: datetime, ignored: tuple[str, ...]) -> ClockState:
        outcome: Outcome = "breached" if self.breached_at is not None else "met" if self.state == "stopped" else "open"
        due = self._projected() if outcome == "open" else None
        deadline = self.breached_at if outcome == "breached" else due if self.state == "running" else None
        instant = self.calendar.instant
        return ClockState(
            state=self.state,
            outcome=outcome,
            deadline=None if deadline is None else instant(deadline),
            due_at=None if due is None else instant(due),
            breached_at=None if self.breached_at is None else instant(self.breached_at),
            elapsed_micros=self.consumed,
            overdue_micros=self._overdue(),
            micros_by_owner=self._by("running"),
            paused_micros_by_party=self._by("paused"),
            reopenings=self.reopenings,
            ignored=ignored,
            started_at=instant(self.started_at),
            as_of=as_of,
            owner=self.owner,
            calendar=self.calendar,
            target=self.target,
            segments=tuple(self.segments),
            fixed=self.fixed,
            amount=self.amount if self.fixed is None else self.calendar.timeline.between(self.started_at, self.fixed),
        )

    def _projected(self) -> int | None:
        if self.fixed is not None:
            return self.fixed
        if self.reached_at is not None or self.state == "paused":
            return self.reached_at
        return self.calendar.timeline.add(self.now, self.amount - self.consumed)

    def _overdue(self) -> int:
        if self.fixed is None:
            return max(0, self.consumed - self.amount)
        late = [segment for segment in self.segments if segment.state == "running" and segment.end > self.fixed]
        return sum(segment.calendar.timeline.between(max(segment.start, self.fixed), segment.end) for segment in late)

    def _by(self, state: Literal["running", "paused"]) -> dict[str, int]:
        totals: dict[str, int] = {}
        for segment in self.segments:
            if segment.state == state:
                totals[segment.who] = totals.get(segment.who, 0) + segment.micros
        return totals
