"""A third answer to what an SLA clock shows: a walk from minute to minute over a table of worked minutes.

It shares no code with the product, and none with `clock_oracle`. Events stand on whole minutes, all in UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

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
from common.kernel.targets import NoPromise, Target, WorkingDays, WorkingTime
from common.kernel.working_time import Calendar

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday; minute 0 of the walk."""
MINUTE = 60_000_000
DAY = 1440
SIGHT = 40 * DAY
"""How far the walk can see."""

SHIFTS: dict[str, tuple[tuple[int, int], ...]] = {
    "office": ((9 * 60, 12 * 60), (13 * 60, 17 * 60 + 30)),
    "night": ((22 * 60, 30 * 60),),
    "always": ((0, DAY),),
}
"""From when to when, in minutes of the day on which the shift begins."""


def works_on(calendar: str, day: int) -> bool:
    """The office rests at weekends, and on the third day a holiday; the others never do."""
    return calendar != "office" or (day % 7 < 5 and day != 2)


@cache
def table(calendar: str) -> bytes:
    """For each minute of the walk 1 when it is worked, else 0."""
    minutes = bytearray(SIGHT)
    for day in range(-1, SIGHT // DAY):
        for start, end in SHIFTS[calendar] if works_on(calendar, day) else ():
            for minute in range(max(0, day * DAY + start), min(SIGHT, day * DAY + end)):
                minutes[minute] = 1
    return bytes(minutes)


Window = tuple[int, int]
"""From which minute to which time is excused."""


def end_of_days(calendar: str, start: int, aim: "Aim", windows: Sequence[Window] = ()) -> int:
    """The minute at which the days of an aim are over that is counted from `start`.

    A day on which what falls due is excused is none of them.
    """
    day, number, closing = start // DAY, aim.days, SHIFTS[calendar][-1][1]
    over = min(closing, closing if aim.by is None else aim.by)

    def counts(day: int) -> bool:
        return works_on(calendar, day) and not any(since < day * DAY + over <= until for since, until in windows)

    if number == 0 or aim.cut_off is not None:
        ends = (closing, aim.cut_off, None if number else aim.by)
        late = any(end is not None and start % DAY >= end for end in ends)
        while late or not counts(day):
            day, late = day + 1, False
    while number:
        day += 1
        number -= counts(day)
    return day * DAY + over


def calendar_of(name: str) -> Calendar:
    """The same hours in the product's words."""
    hours = [[f"{at // 60 % 24:02}:{at % 60:02}" if at != DAY else "24:00" for at in shift] for shift in SHIFTS[name]]
    days = ("mon", "tue", "wed", "thu", "fri") if name == "office" else ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    closed = ["2026-01-07"] if name == "office" else []
    return Calendar.from_json({"time_zone": "UTC", "weekly_hours": dict.fromkeys(days, hours), "closed_dates": closed})


CALENDARS = {name: calendar_of(name) for name in SHIFTS}


@dataclass(frozen=True)
class Said:
    """One thing said about the clock, in the words of the walk: `more` holds what its kind needs."""

    kind: str
    at: int
    number: int
    more: tuple[Any, ...] = ()

    @property
    def id(self) -> str:
        return f"e{self.number}"


@dataclass(frozen=True)
class Aim:
    """A target: so many minutes, or the end of the n-th working day, which pauses move only where they count, or nothing.

    `cut_off` and `by` are minutes of a day.
    """

    minutes: int | None = None
    days: int = 0
    pauses_count: bool = False
    cut_off: int | None = None
    by: int | None = None
    nothing: bool = False

    def as_target(self) -> Target:
        if self.nothing:
            return NoPromise("a courtesy")
        if self.minutes is not None:
            return WorkingTime(self.minutes * MINUTE)
        cut_off, by = (None if at is None else at * 60 for at in (self.cut_off, self.by))
        return WorkingDays(self.days, "end_of_day", self.pauses_count, cut_off, by)


def in_words_of_the_product(said: Said) -> ClockEvent:
    common: dict[str, Any] = {"id": said.id, "at": BEGIN + timedelta(minutes=said.at), "sequence": said.number}
    match said.kind, said.more:
        case "started", (calendar, aim, owner):
            return Started(**common, calendar=calendar, target=aim.as_target(), owner=owner)
        case "paused", (party,):
            return Paused(**common, party=party)
        case "owner_changed", (owner,):
            return OwnerChanged(**common, owner=owner)
        case "changed", (calendar, aim):
            return Changed(**common, calendar=calendar, target=None if aim is None else aim.as_target())
        case "voided", (owed,):
            return Voided(**common, owed=owed)
        case "restarted", (calendar, aim):
            return Restarted(**common, calendar=calendar, target=None if aim is None else aim.as_target())
        case "extended", (aim,):
            return Extended(**common, target=aim.as_target())
        case "excused", (since, until):
            return Excused(**common, since=instant(since), until=instant(until))
        case "resumed", _:
            return Resumed(**common)
        case "stopped", _:
            return Stopped(**common)
        case _:
            return Reopened(**common)


@dataclass(frozen=True)
class Round:
    """What a restart closed: from which minute to which, how it ended, when it was due, and how many minutes were worked."""

    start: int
    end: int
    outcome: str
    deadline: int | None
    worked: int


UNDER_WAY = ("running", "paused")
ADMITTED = {
    "started": ("none",),
    "paused": ("running",),
    "resumed": ("paused",),
    "reopened": ("stopped",),
    "voided": (*UNDER_WAY, "stopped"),
    "restarted": (*UNDER_WAY, "stopped"),
}
"""Which states admit what is said; everything else while it is under way."""


@dataclass
class Walk:
    """One clock, walked through minute by minute; `minute` is where it stands, and the windows are known from the beginning."""

    windows: tuple[Window, ...] = ()
    state: str = "none"
    minute: int = 0
    calendar: str = ""
    aim: Aim = field(default_factory=Aim)
    start: int = 0
    stop: int = 0
    who: str = ""
    party: str = ""
    due: bool = False
    breached: int | None = None
    disowned: bool = False
    fixed: int | None = None
    goal: int = 0
    hour: int = 0
    worked: list[int] = field(default_factory=list)
    excused: int = 0
    owners: dict[str, int] = field(default_factory=dict)
    parties: dict[str, int] = field(default_factory=dict)
    reopenings: int = 0
    extensions: int = 0
    rounds: list[Round] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    tables: dict[str, bytearray] = field(default_factory=dict)

    def hours(self) -> bytearray:
        """For each minute whether it is worked on the calendar in force and not excused."""
        if self.calendar not in self.tables:
            minutes = bytearray(table(self.calendar))
            for since, until in self.windows:
                minutes[since:until] = bytes(until - since)
            self.tables[self.calendar] = minutes
        return self.tables[self.calendar]

    def go(self, until: int) -> None:
        """Minute after minute: who is due when one begins, and has not stopped, breaks his promise there."""
        if self.state not in UNDER_WAY:
            self.minute = max(self.minute, until)
            return
        book, name = (self.owners, self.who) if self.state == "running" else (self.parties, self.party)
        open, opens = self.hours(), table(self.calendar)
        while self.minute < until:
            self.look()
            if self.due and self.breached is None:
                self.breached = self.minute
            if open[self.minute]:
                book[name] = book.get(name, 0) + 1
                if self.state == "running":
                    self.worked.append(self.minute)
            else:
                book.setdefault(name, 0)
                self.excused += self.state == "running" and opens[self.minute]
            self.minute += 1
        self.look()

    def look(self) -> None:
        """Whether the promise is due at this minute: not yet broken, but with no time left."""
        if self.aim.nothing:
            self.due = False
        elif self.fixed is not None:
            self.due = self.minute >= self.fixed
        elif self.goal > 0:
            self.due = self.due or (len(self.worked) >= self.goal and self.minute >= self.hour)
        elif self.state == "running" and self.hours()[self.minute]:
            self.due = True

    def hear(self, said: Said) -> None:
        """What is said takes effect, or is noted as out of place; an excuse is among the windows already."""
        if said.kind == "excused":
            return
        late = said.kind == "extended" and (self.breached is not None or self.aim.nothing)
        if self.state not in ADMITTED.get(said.kind, UNDER_WAY) or late:
            self.ignored.append(said.id)
            return
        match said.kind, said.more:
            case "started", _:
                self.calendar, self.aim, self.who = said.more
                self.begin(said.at)
            case "paused", (party,):
                self.state, self.party = "paused", party
            case "resumed", _:
                self.state = "running"
            case "owner_changed", (who,):
                self.who = who
            case "stopped", _:
                self.state, self.stop = "stopped", said.at
            case "reopened", _:
                self.state, self.reopenings = "running", self.reopenings + 1
                if self.fixed is not None and self.fixed < said.at and self.breached is None:
                    self.breached = said.at
            case "changed", (calendar, aim):
                self.change(calendar, aim, said.at)
            case "extended", (aim,):
                self.extensions += 1
                self.change(None, aim, said.at)
            case "voided", (owed,):
                self.state = "void"
                if self.breached is not None and not owed:
                    self.breached, self.disowned = None, True
            case "restarted", (calendar, aim):
                self.close(said.at)
                self.calendar, self.aim = calendar or self.calendar, aim or self.aim
                self.begin(said.at)
        if self.state in UNDER_WAY:
            self.look()

    def begin(self, at: int) -> None:
        """A round begins with nothing consumed."""
        self.state, self.start, self.breached, self.due = "running", at, None, False
        self.worked, self.excused, self.reopenings, self.extensions = [], 0, 0, 0
        self.measure()

    def close(self, at: int) -> None:
        """The round is over, with the deadline that it had just before."""
        outcome = "superseded" if self.outcome == "open" else self.outcome
        end = self.stop if self.state == "stopped" else at
        self.rounds.append(Round(self.start, end, outcome, self.deadline(), len(self.worked)))

    def change(self, calendar: str | None, aim: Aim | None, at: int) -> None:
        """Another calendar or aim counts, and is broken at once when too much is consumed for it."""
        self.calendar, self.aim, self.due = calendar or self.calendar, aim or self.aim, False
        self.measure()
        too_much = len(self.worked) > self.goal if self.fixed is None else self.fixed < at
        if too_much and self.breached is None and not self.aim.nothing:
            self.breached = at

    def measure(self) -> None:
        self.fixed, self.goal, self.hour = None, 0, 0
        if self.aim.nothing:
            return
        if self.aim.minutes is not None:
            self.goal = self.aim.minutes
            return
        end = end_of_days(self.calendar, self.start, self.aim, self.windows)
        if self.aim.pauses_count:
            self.goal, self.hour = sum(self.hours()[self.start : end]), 0 if self.aim.by is None else end
        if self.goal == 0:
            self.fixed = end

    @property
    def outcome(self) -> str:
        if self.breached is not None:
            return "breached"
        if self.aim.nothing and not self.disowned:
            return "none"
        return "void" if self.state == "void" else "met" if self.state == "stopped" else "open"

    def overdue(self) -> int:
        if self.aim.nothing or self.disowned:
            return 0
        if self.fixed is None:
            return max(0, len(self.worked) - self.goal)
        return sum(minute >= self.fixed for minute in self.worked)

    def deadline(self) -> int | None:
        """The breach once there is one, else where the walk would end if it went on alone."""
        if self.breached is not None or self.state != "running" or self.aim.nothing:
            return self.breached
        if self.fixed is not None or self.due:
            return self.minute if self.fixed is None else self.fixed
        open, left, minute = self.hours(), max(0, self.goal - len(self.worked)), self.minute
        while left and minute < SIGHT:
            left -= open[minute]
            minute += 1
        return max(minute, self.hour) if not left and self.goal else open.find(1, self.minute)


def walked(told: list[Said], until: int) -> Walk:
    """The walk up to a minute, past everything said by then."""
    known = sorted((said for said in told if said.at <= until), key=lambda said: (said.at, said.number))
    walk = Walk(tuple(said.more for said in known if said.kind == "excused"))
    for said in known:
        walk.go(said.at)
        walk.hear(said)
    walk.go(until)
    return walk


def instant(minute: int) -> datetime:
    """The instant of a minute of the walk."""
    return BEGIN + timedelta(minutes=minute)
