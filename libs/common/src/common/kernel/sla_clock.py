"""The state of an SLA clock, folded from its history: the ledger behind every met, breached and owned second (P1, P12)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.kernel.clock_events import (
    UNASSIGNED,
    Changed,
    ClockEvent,
    Excused,
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
from common.kernel.clock_state import ClockState, Segment
from common.kernel.faults import Fault
from common.kernel.instants import to_micros
from common.kernel.tally import Tally
from common.kernel.timeline import Stretch
from common.kernel.working_time import Calendar

__all__ = [
    "UNASSIGNED",
    "Changed",
    "ClockEvent",
    "ClockState",
    "Course",
    "Excused",
    "Extended",
    "OwnerChanged",
    "Paused",
    "Reopened",
    "Restarted",
    "Resumed",
    "Segment",
    "Started",
    "Stopped",
    "Voided",
    "course",
    "fold",
    "place_of",
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

    _tally: Tally
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
        place = place_of(event)
        # an excused window counts from the beginning on
        if place <= self._last or not self.is_whole or isinstance(event, Excused):
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
    tally: Tally | None = None
    ignored = []
    is_whole, last = True, None
    inplace_of = _inplace_of(events)
    windows = [_window(event) for event in inplace_of if isinstance(event, Excused) and to_micros(event.at) <= limit]
    for event in inplace_of:
        place = place_of(event)
        if place[0] > limit:
            is_whole = False
            break
        last = place
        if isinstance(event, Excused):
            continue
        if tally is None:
            if isinstance(event, Started):
                tally = _begun(event, place[0], calendars, windows)
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


def _window(excused: Excused) -> Stretch:
    return Stretch(to_micros(excused.since), to_micros(excused.until))


def _begun(started: Started, at: int, calendars: Mapping[str, Calendar], windows: Sequence[Stretch]) -> Tally:
    try:
        return Tally(started, at, calendars, windows)
    except Fault as problem:
        problem.event_id = started.id
        raise


def _inplace_of(events: Iterable[ClockEvent]) -> list[ClockEvent]:
    by_id: dict[str, ClockEvent] = {}
    for event in events:
        if by_id.setdefault(event.id, event) != event:
            raise Fault(("events",), "conflicting_duplicate", "two events have the same id and different content")
    return sorted(by_id.values(), key=place_of)


_Place = tuple[int, bool, int, str]


def place_of(event: ClockEvent) -> _Place:
    """Where an event stands among all of its clock: by instant, then by number, then by id."""
    return to_micros(event.at), event.sequence is None, event.sequence or 0, event.id
