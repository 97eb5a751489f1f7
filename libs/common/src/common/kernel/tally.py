"""A clock while its history is folded, event by event; only a course (`sla_clock`) sees it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from common.kernel.calendars import named
from common.kernel.clock_events import (
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
from common.kernel.clock_state import ENDED, ClockState, Outcome, Segment, State
from common.kernel.targets import NoPromise, aim_of
from common.kernel.timeline import Stretch
from common.kernel.working_time import Calendar


class Tally:
    """What is known of a clock up to an instant, `now`, in microseconds since 1970; `windows` are excused, whenever that was said."""

    def __init__(self, started: Started, at: int, calendars: Mapping[str, Calendar], windows: Iterable[Stretch] = ()) -> None:
        self.calendars = calendars
        self.windows = tuple(windows)
        self.calendar = self._named(started.calendar)
        assert started.target is not None, "a clock is folded under a promise"
        self.target = started.target
        self.owner = started.owner
        self.stated_by = {"target": started.id, "calendar": started.id}  # whose word is to blame for what is in force
        self.rounds: tuple[ClockState, ...] = ()
        self.earlier: tuple[Segment, ...] = ()
        self._begin(at)

    def _begin(self, at: int) -> None:
        """A round in which nothing has happened yet."""
        self.started_at = self.now = at
        self.ended_at: int | None = None
        self.state: State = "running"
        self.party = self.reason = ""
        self.consumed = 0
        self.breached_at: int | None = None
        self.reached_at: int | None = None  # the target is reached to the microsecond, and no later moment has come yet
        self.is_owed = True
        self.is_taken_back = False  # a breach of what was never owed
        self.reopenings = self.extensions = 0
        self.segments: list[Segment] = []
        self._measure()

    def copy(self) -> "Tally":
        """Another one that goes its own way from here."""
        other = object.__new__(Tally)
        other.__dict__.update(self.__dict__)
        other.segments = self.segments.copy()
        return other

    def _named(self, calendar: str) -> Calendar:
        return named(calendar, self.calendars).excusing(self.windows)

    def _measure(self) -> None:
        self.promises = not isinstance(self.target, NoPromise)
        self.fixed, self.amount, self.not_before = aim_of(self.calendar, self.started_at, self.target)

    def admits(self, event: ClockEvent) -> bool:
        """Whether the state lets the event count."""
        match event:
            case Started() | Excused():  # a clock starts once, and windows count from the beginning on
                return False
            case Paused():
                return self.state == "running"
            case Resumed():
                return self.state == "paused"
            case Reopened():
                return self.state == "stopped"
            case Extended():
                return self.state not in ENDED and self.promises and self.breached_at is None
            case OwnerChanged() | Changed() | Stopped():
                return self.state not in ENDED
            case Voided() | Restarted():
                return self.state != "void"

    def apply(self, event: ClockEvent) -> None:
        """Takes over what an event that the state admits says for `now`."""
        match event:
            case Paused(party=party, reason=reason):
                self.state, self.party, self.reason = "paused", party, reason
            case Resumed():
                self.state = "running"
            case OwnerChanged(owner=owner):
                self.owner = owner
            case Changed():
                self._change(event)
            case Extended():
                self.extensions += 1
                self._change(event)
            case Stopped():
                self.state, self.ended_at = "stopped", self.now
            case Reopened():
                self._reopen()
            case Restarted():
                self._restart(event)
            case Voided(owed=owed):
                self.state, self.ended_at = "void", self.now
                if not owed:
                    self.is_owed, self.is_taken_back, self.breached_at = False, self.breached_at is not None, None

    def advance(self, until: int) -> None:
        """Let time pass up to an instant: a due moment that it passes is a breach, one that it meets is not yet."""
        if self.state not in ENDED and self.promises and self.breached_at is None:
            due = self._due_until(until)
            if due is not None and due < until:
                self.breached_at = due
            elif due is not None:
                self.reached_at = due
        if self.state not in ENDED and until > self.now:
            micros = self.calendar.timeline.between(self.now, until)
            if self.state == "running":
                self.consumed += micros
            who, reason = (self.owner, "") if self.state == "running" else (self.party, self.reason)
            state: Literal["running", "paused"] = "running" if self.state == "running" else "paused"
            self.segments.append(Segment(state, self.now, until, who, reason, self.calendar, micros))
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

    def _change(self, change: Changed | Extended | Restarted) -> None:
        self._take_terms(change)
        self._measure()
        self.reached_at = None
        if self.breached_at is not None or not self.promises:
            return
        if self.fixed is not None:
            self.breached_at = self.now if self.fixed < self.now else None
        elif self.consumed > self.amount:
            self.breached_at = self.now
        elif self.consumed == self.amount > 0 and self.not_before is None:
            self.reached_at = self.now

    def _take_terms(self, change: Changed | Extended | Restarted) -> None:
        """The target and the calendar that an event names are in force from now on."""
        calendar = None if isinstance(change, Extended) else change.calendar
        stated = {"target": change.target, "calendar": calendar}
        self.stated_by = self.stated_by | {name: change.id for name, value in stated.items() if value is not None}
        self.target = change.target or self.target
        self.calendar = self.calendar if calendar is None else self._named(calendar)

    def _restart(self, restarted: Restarted) -> None:
        self.rounds = (*self.rounds, self._ended_round())
        self.earlier = (*self.earlier, *self.segments)
        self._take_terms(restarted)
        self._begin(self.now)

    def _ended_round(self) -> ClockState:
        state = self.state_at(self.calendar.instant(self.now), ())
        return state._replace(
            outcome="superseded" if state.outcome in ("open", "void") else state.outcome,
            rounds=(),
            earlier_segments=(),
        )

    def _reopen(self) -> None:
        self.state, self.ended_at = "running", None
        self.reopenings += 1
        if self.reached_at is not None:
            self.reached_at = self.now
        if self.breached_at is None and self.promises and self.fixed is not None and self.fixed < self.now:
            self.breached_at = self.now  # nothing was late at that fixed instant: it is now

    def _outcome(self) -> Outcome:
        if self.breached_at is not None:
            return "breached"
        if not self.promises and not self.is_taken_back:
            return "none"
        if self.state == "void":
            return "void"
        return "met" if self.state == "stopped" else "open"

    def _deadline(self) -> int | None:
        if self.breached_at is not None:
            return self.breached_at
        return self._projected() if self.state == "running" and self.promises else None

    def state_at(self, as_of: datetime, ignored: tuple[str, ...]) -> ClockState:
        """The state at `as_of`, up to which time has passed."""
        outcome = self._outcome()
        due, deadline = self._projected() if outcome == "open" else None, self._deadline()
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
            extensions=self.extensions,
            excused_micros=self._excused(),
            rounds=self.rounds,
            ignored=ignored,
            started_at=instant(self.started_at),
            ended_at=None if self.ended_at is None else instant(self.ended_at),
            as_of=as_of,
            owner=self.owner,
            calendar=self.calendar,
            target=self.target,
            segments=tuple(self.segments),
            earlier_segments=self.earlier,
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
        if not (self.promises and self.is_owed):
            return 0
        if self.fixed is None:
            return max(0, self.consumed - self.amount)
        late = [segment for segment in self.segments if segment.state == "running" and segment.end > self.fixed]
        return sum(segment.calendar.timeline.between(max(segment.start, self.fixed), segment.end) for segment in late)

    def _excused(self) -> int:
        if not self.windows:
            return 0
        running = [segment for segment in self.segments if segment.state == "running"]
        return sum(segment.calendar.excusing(()).timeline.between(segment.start, segment.end) - segment.micros for segment in running)
