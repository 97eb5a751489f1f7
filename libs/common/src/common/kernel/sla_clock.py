"""The state of an SLA clock, folded from its history: the ledger behind every met, breached and owned second (P1, P12)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from common.kernel.calendars import named
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
from common.kernel.clock_state import ClockState, Outcome, Segment, State
from common.kernel.faults import Fault
from common.kernel.instants import to_micros
from common.kernel.targets import aim_of
from common.kernel.working_time import Calendar

__all__ = [
    "UNASSIGNED",
    "Changed",
    "ClockEvent",
    "ClockState",
    "Course",
    "OwnerChanged",
    "Paused",
    "Reopened",
    "Resumed",
    "Segment",
    "Started",
    "Stopped",
    "course",
    "fold",
]


def fold(events: Iterable[ClockEvent], as_of: datetime, calendars: Mapping[str, Calendar]) -> ClockState:
    """The state of the clock at `as_of`, the same for any order of the events and any number of duplicates.

    `calendars` are those that are known beside the built-in ones. Later events do not count. Raises `Fault`:
    `conflicting_duplicate`, `not_started`, `unknown_calendar`, and `never_open` or `bad_target` of the calendar.
    """
    return course(events, as_of, calendars).state_at(as_of)


@dataclass(frozen=True, slots=True)
class Course:
    """A clock folded up to its last event: later instants and later events go on from there, as if all was folded again."""

    _tally: "_Tally"
    _last: "_Place"
    ignored: tuple[str, ...]
    is_whole: bool
    """False where events after `as_of` were left out: the course then tells of instants up to that one only."""

    def state_at(self, as_of: datetime) -> ClockState:
        """The state at an instant that no event lies after."""
        tally = self._tally.copy()
        try:
            tally.advance(to_micros(as_of))
            return tally.state_at(as_of, self.ignored)
        except Fault as problem:
            problem.event_id = tally.stated_by.get(problem.field, "")
            raise

    def and_event(self, event: ClockEvent) -> "Course | None":
        """The course after one more event of another id; None where the event comes before one that was folded."""
        place = _order(event)
        if place <= self._last or not self.is_whole:
            return None
        tally = self._tally.copy()
        tally.advance(place[0])
        if not tally.admits(event):
            return Course(tally, place, (*self.ignored, event.id), True)
        tally.apply(event)
        return Course(tally, place, self.ignored, True)


def course(events: Iterable[ClockEvent], as_of: datetime, calendars: Mapping[str, Calendar]) -> Course:
    """What `fold` finds its answer from, with the same errors."""
    limit = to_micros(as_of)
    tally: _Tally | None = None
    ignored = []
    is_whole, last = True, None
    for event in _in_order(events):
        place = _order(event)
        if place[0] > limit:
            is_whole = False
            break
        last = place
        if tally is None:
            if isinstance(event, Started):
                tally = _begun(event, place[0], calendars)
            else:
                ignored.append(event.id)
            continue
        try:
            tally.advance(place[0])
            if not tally.admits(event):
                ignored.append(event.id)
                continue
            tally.apply(event)
        except Fault as problem:
            problem.event_id = tally.stated_by.get(problem.field, "")
            raise
    if tally is None or last is None:
        raise Fault(("events",), "not_started", "no started event up to as_of")
    return Course(tally, last, tuple(ignored), is_whole)


def _begun(started: Started, at: int, calendars: Mapping[str, Calendar]) -> "_Tally":
    try:
        return _Tally(started, at, calendars)
    except Fault as problem:
        problem.event_id = started.id
        raise


def _in_order(events: Iterable[ClockEvent]) -> list[ClockEvent]:
    by_id: dict[str, ClockEvent] = {}
    for event in events:
        if by_id.setdefault(event.id, event) != event:
            raise Fault(("events",), "conflicting_duplicate", "two events have the same id and different content")
    return sorted(by_id.values(), key=_order)


_Place = tuple[int, bool, int, str]


def _order(event: ClockEvent) -> _Place:
    return to_micros(event.at), event.sequence is None, event.sequence or 0, event.id


class _Tally:
    """A clock while it is being folded; only a course sees it."""

    def __init__(self, started: Started, at: int, calendars: Mapping[str, Calendar]) -> None:
        self.calendars = calendars
        self.calendar = named(started.calendar, calendars)
        assert started.target is not None, "a clock is folded under a promise"
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
        self.stated_by = {"target": started.id, "calendar": started.id}  # whose word is to blame for what is in force
        self._measure()

    def copy(self) -> "_Tally":
        """Another one that goes its own way from here."""
        other = object.__new__(_Tally)
        other.__dict__.update(self.__dict__)
        other.segments = self.segments.copy()
        return other

    def _measure(self) -> None:
        self.fixed, self.amount, self.not_before = aim_of(self.calendar, self.started_at, self.target)

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
        due = self._settled_due()
        if due is None and self.state == "running":
            due = self._consumed_until(until)
        return due if due is not None and due <= until else None

    def _settled_due(self) -> int | None:
        """When the clock is due whether work goes on or not; None as long as working time has to be consumed before."""
        if self.fixed is not None or self.reached_at is not None:
            return self.reached_at if self.fixed is None else self.fixed
        return max(self.now, self.not_before) if self.not_before is not None and self.consumed >= self.amount else None

    def _consumed_until(self, until: int) -> int | None:
        timeline, left = self.calendar.timeline, self.amount - self.consumed
        passed = timeline.between(self.now, until)
        if left == 0:
            return timeline.add(self.now, 0) if passed or timeline.is_working(until) else None
        return self._not_before_its_hour(timeline.add(self.now, left)) if passed >= left else None

    def _not_before_its_hour(self, due: int) -> int:
        return due if self.not_before is None else max(due, self.not_before)

    def _change(self, change: Changed) -> None:
        stated = {name: change.id for name in ("target", "calendar") if getattr(change, name) is not None}
        self.stated_by = self.stated_by | stated
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
        elif self.consumed == self.amount > 0 and self.not_before is None:
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
            reopenings=self.reopenings,
            ignored=ignored,
            started_at=instant(self.started_at),
            as_of=as_of,
            owner=self.owner,
            calendar=self.calendar,
            target=self.target,
            segments=tuple(self.segments),
            fixed=self.fixed,
            not_before=self.not_before,
            amount=self.amount if self.fixed is None else self.calendar.timeline.between(self.started_at, self.fixed),
        )

    def _projected(self) -> int | None:
        due = self._settled_due()
        if due is not None or self.state == "paused":
            return due
        return self._not_before_its_hour(self.calendar.timeline.add(self.now, self.amount - self.consumed))

    def _overdue(self) -> int:
        if self.fixed is None:
            return max(0, self.consumed - self.amount)
        late = [segment for segment in self.segments if segment.state == "running" and segment.end > self.fixed]
        return sum(segment.calendar.timeline.between(max(segment.start, self.fixed), segment.end) for segment in late)
