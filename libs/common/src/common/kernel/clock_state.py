"""The state of an SLA clock as its history tells it, and the stretches of time that it is made of."""

from datetime import datetime
from typing import Literal, NamedTuple

from common.kernel.instants import MICROSECOND
from common.kernel.targets import Target
from common.kernel.working_time import Calendar, Doubt

State = Literal["running", "paused", "stopped", "void"]
Outcome = Literal["open", "met", "breached", "void", "none", "superseded"]
"""`superseded`: of an earlier round that was neither stopped nor breached when the clock was restarted."""
ENDED: tuple[State, ...] = ("stopped", "void")
"""The states in which no time is counted."""


class Segment(NamedTuple):
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


class ClockState(NamedTuple):
    """A clock as its history up to `as_of` tells it. All `micros` are working time in microseconds.

    `deadline` is projected while the clock runs, the breach once breached, else None. `due_at` is the instant at which an
    open clock breaches if nothing more happens (also while paused, where the target is a fixed instant or was just
    reached): what a timer waits for. `ignored` are ids of events that the state did not admit. Of a clock that was restarted
    everything but `rounds`, `ignored` and the totals by owner and party is about the last round.
    """

    state: State
    outcome: Outcome
    deadline: datetime | None
    due_at: datetime | None
    breached_at: datetime | None
    elapsed_micros: int
    overdue_micros: int
    reopenings: int
    extensions: int
    excused_micros: int
    """The working time while running that fell into excused windows."""
    rounds: "tuple[ClockState, ...]"
    """The earlier rounds, in order, each as it stood just before the clock was restarted."""
    ignored: tuple[str, ...]
    started_at: datetime
    ended_at: datetime | None
    """When it was stopped or voided; None while time is counted."""
    as_of: datetime
    owner: str
    calendar: Calendar
    target: Target
    segments: tuple[Segment, ...]
    """Of the last round."""
    earlier_segments: tuple[Segment, ...]
    fixed: int | None
    """Where the target is a fixed instant: that, in microseconds since 1970."""
    not_before: int | None
    """Where the target names an hour that pauses push back: that, in microseconds since 1970."""
    amount: int
    """The working microseconds that the target stands for."""

    @property
    def closed_at(self) -> datetime | None:
        """The instant for which the outcome counts: the deadline when breached, the stop when met."""
        if self.outcome == "breached":
            return self.breached_at
        return self.ended_at if self.outcome == "met" else None

    @property
    def micros_by_owner(self) -> dict[str, int]:
        """Whose time it was while the clock ran."""
        return self._by("running")

    @property
    def paused_micros_by_party(self) -> dict[str, int]:
        """Whose time it was while the clock stood still."""
        return self._by("paused")

    def _by(self, state: Literal["running", "paused"]) -> dict[str, int]:
        totals: dict[str, int] = {}
        for segment in (*self.earlier_segments, *self.segments):
            if segment.state == state:
                totals[segment.who] = totals.get(segment.who, 0) + segment.micros
        return totals

    @property
    def doubt(self) -> Doubt | None:
        """Why the deadline may move when more of the calendar becomes known; None when it will not."""
        if self.due_at is None:
            return None
        return self.calendar.doubt(self.started_at.date(), (max(self.started_at, self.due_at - MICROSECOND)).date())

    @property
    def is_provisional(self) -> bool:
        """Whether the deadline rests on days that the calendar does not know for certain, and may move when they become known."""
        return self.doubt is not None
