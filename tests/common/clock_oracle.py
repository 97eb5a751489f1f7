"""A second, slow answer to every clock question: it walks through time in quarter hours and looks at the wall clock.

It shares no code with the product but the zones' rules. Instants and ranges given to it lie on quarter hours.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from tests.counted import counted

from common.kernel.zones import ZoneInfo, zone_named

SLOT = timedelta(minutes=15)
SLOT_SECONDS = 900
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

thorough = counted(500, proof=20_000)
brief = counted(200, proof=2_000)
walked = counted(150, proof=20_000)
"""For what walks through two weeks in quarter hours, event by event."""
few = counted(60, proof=2_000)

# Windows of two weeks in which the clocks change, a day is missing, or statutory days lie.
WINDOWS = (
    ("UTC", datetime(2026, 1, 5, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(2026, 9, 27, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 5, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 10, 29, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 22, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 2, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 1, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 27, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 12, tzinfo=UTC)),
)


def hours_on(calendar: dict[str, Any], day: date) -> list[list[str]]:
    """The ranges written for a local date, by the contract's precedence."""
    name = day.isoformat()
    weekly = week_of(calendar, day)
    if name in calendar.get("date_hours", {}):
        return list(calendar["date_hours"][name])
    if name in calendar.get("make_up_days", []):
        return list(calendar.get("make_up_hours", weekly.get("mon", [])))
    if name in calendar.get("closed_dates", []):
        return []
    for every_second in reversed(calendar.get("alternating", [])):
        if (day - date.fromisoformat(every_second["anchor"])).days % 14 == 0:
            return list(every_second["hours"])
    return list(weekly.get(DAY_NAMES[day.weekday()], []))


def week_of(calendar: dict[str, Any], day: date) -> dict[str, list[list[str]]]:
    """The weekly hours of the last season that has the date, else the ordinary ones."""
    found: dict[str, list[list[str]]] = calendar["weekly_hours"]
    shown = day.isoformat()[5:]
    for season in calendar.get("seasons", []):
        first, last = season["from"], season["to"]
        if first <= shown <= last or (last < first and not last < shown < first):
            found = season["weekly_hours"]
    return found


def is_open(calendar: dict[str, Any], at: datetime) -> bool:
    """Whether the wall clock of the zone shows a time inside a range of today, or of yesterday's over midnight."""
    wall = at.astimezone(zone_named(calendar["time_zone"]))
    shown = wall.isoformat()[11:16]
    today = any(start <= shown < end if start < end else shown >= start for start, end in hours_on(calendar, wall.date()))
    yesterday = hours_on(calendar, wall.date() - timedelta(days=1))
    return today or any(shown < end for start, end in yesterday if end <= start)


def span(start: datetime, end: datetime) -> int:
    """How many slots lie between two instants."""
    return (end - start) // SLOT


def working_slots(calendar: dict[str, Any], start: datetime, count: int) -> Iterator[bool]:
    """For each of the slots after the start, whether it is worked."""
    return (is_open(calendar, start + index * SLOT) for index in range(count))


def ordinary_day(calendar: dict[str, Any]) -> int:
    """The slots of what most weekdays with hours have, the earliest weekday's when they tie; 0 when none has any."""
    worked = [sum(_written(calendar, name, slot) for slot in range(2 * 96)) for name in DAY_NAMES]
    counts = Counter(slots for slots in worked if slots)
    return max(counts, key=lambda slots: counts[slots], default=0)


def _written(calendar: dict[str, Any], weekday: str, slot: int) -> bool:
    """Whether a range that starts on the weekday covers the quarter hour of it or of the next day."""
    ahead, shown = divmod(slot, 96)
    clock = f"{shown // 4:02}:{shown % 4 * 15:02}"
    for start, end in calendar["weekly_hours"].get(weekday, []):
        over = end <= start
        if (clock >= start and (over or clock < end)) if ahead == 0 else (over and clock < end):
            return True
    return False


Window = tuple[datetime, datetime]
"""From when to when time is excused."""


def excused_windows(events: list[dict[str, Any]]) -> list[Window]:
    """What the events excuse, whatever their own time is."""
    return [(datetime.fromisoformat(each["from"]), datetime.fromisoformat(each["to"])) for each in events if each["type"] == "excused"]


def end_of_working_day(calendar: dict[str, Any], start: datetime, number: int) -> datetime | None:
    """The end of the last worked slot that belongs to the n-th working day after the local date of the start."""
    found = _working_day(calendar, local_date(calendar, start), number)
    return None if found is None else found[1]


def promised(calendar: dict[str, Any], start: datetime, target: dict[str, Any], windows: Sequence[Window] = ()) -> datetime | None:
    """When working days are over, with a cut-off and an hour where the target names them: interfaces 3c, sentence by sentence.

    A day on which what falls due lies in an excused window is no working day.
    """
    number, cut_off, by = target["working_days"], target.get("cut_off"), target.get("by")
    day_0 = local_date(calendar, start)
    if number == 0 or cut_off is not None:
        closing = closing_of(calendar, day_0)
        ends = [closing, cut_off and time_on(calendar, day_0, cut_off), by and number == 0 and time_on(calendar, day_0, by)]
        if due_on(calendar, day_0, by, windows) is None or any(end and start >= end for end in ends):
            following = _working_day(calendar, day_0, 1, by, windows)
            if following is None:
                return None
            day_0 = following[0]
    if number == 0:
        return due_on(calendar, day_0, by, windows)
    last = _working_day(calendar, day_0, number, by, windows)
    return None if last is None else last[1]


def due_on(calendar: dict[str, Any], day: date, by: str | None, windows: Sequence[Window]) -> datetime | None:
    """What falls due on a date: its closing or the hour, whichever is earlier; None when it is no working day, or excused."""
    closing = closing_of(calendar, day)
    if closing is None:
        return None
    due = min(closing, time_on(calendar, day, by)) if by else closing
    return None if any(since < due <= until for since, until in windows) else due


def count_of_working_days(calendar: dict[str, Any], start: datetime, end: datetime) -> int:
    """How many working days lie after the local date of the start, up to that of the end."""
    first, last = local_date(calendar, start), local_date(calendar, end)
    return sum(closing_of(calendar, first + timedelta(days=ahead)) is not None for ahead in range(1, (last - first).days + 1))


def local_date(calendar: dict[str, Any], at: datetime) -> date:
    """The date that the calendar's zone shows."""
    return at.astimezone(zone_named(calendar["time_zone"])).date()


def closing_of(calendar: dict[str, Any], day: date) -> datetime | None:
    """The end of the last worked slot that belongs to a date; None when it is no working day."""
    zone = zone_named(calendar["time_zone"])
    ends = [at + SLOT for at in _slots_around(day) if _belongs(calendar, zone, day, at)] if hours_on(calendar, day) else []
    return max(ends, default=None)


def time_on(calendar: dict[str, Any], day: date, time: str) -> datetime:
    """The end of the last slot of which the wall clock shows a time before this one of the date, or an earlier date."""
    zone = zone_named(calendar["time_zone"])
    walls = [(at, at.astimezone(zone).isoformat()) for at in _slots_around(day)]
    return max(at + SLOT for at, wall in walls if (wall[:10], wall[11:16]) < (day.isoformat(), time))


def _working_day(
    calendar: dict[str, Any], after: date, number: int, by: str | None = None, windows: Sequence[Window] = ()
) -> tuple[date, datetime] | None:
    for ahead in range(1, 90):
        day = after + timedelta(days=ahead)
        due = due_on(calendar, day, by, windows)
        number -= due is not None
        if number == 0 and due is not None:
            return day, due
    return None


def _slots_around(day: date) -> list[datetime]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    return [midnight + index * SLOT for index in range(4 * 80)]


def _belongs(calendar: dict[str, Any], zone: ZoneInfo, day: date, at: datetime) -> bool:
    wall = at.astimezone(zone)
    shown = wall.isoformat()[11:16]
    for start, end in hours_on(calendar, day):
        over = end <= start
        if wall.date() == day and shown >= start and (over or shown < end):
            return True
        if over and wall.date() == day + timedelta(days=1) and shown < end:
            return True
    return False


@dataclass(frozen=True, eq=False)
class Beyond:
    """A deadline that the oracle did not see: equal to every instant from the end of its sight on."""

    sight: datetime

    def __eq__(self, other: object) -> bool:
        return isinstance(other, datetime) and other >= self.sight

    def __hash__(self) -> int:
        return 0


PROJECTED = 4 * 96
"""How many slots the oracle looks ahead for a deadline."""

RUNS = ("running", "paused")
ADMITTED = {
    "started": ("none",),
    "paused": ("running",),
    "resumed": ("paused",),
    "owner_changed": RUNS,
    "changed": RUNS,
    "extended": RUNS,
    "stopped": RUNS,
    "reopened": ("stopped",),
    "voided": (*RUNS, "stopped"),
    "restarted": (*RUNS, "stopped"),
}
"""Which states admit which event; an excuse is none of the history."""


@dataclass
class OracleClock:
    """A clock that is walked through its history slot by slot, as interfaces 3b and 3c word it."""

    calendars: dict[str, dict[str, Any]]
    windows: list[Window] = field(default_factory=list)
    state: str = "none"
    calendar: str = ""
    target: dict[str, Any] = field(default_factory=dict)
    started: datetime | None = None
    stopped: datetime | None = None
    owner: str = ""
    party: str = ""
    consumed: int = 0
    excused: int = 0
    reached: bool = False
    breached: datetime | None = None
    never_owed: bool = False
    owners: dict[str, int] = field(default_factory=dict)
    parties: dict[str, int] = field(default_factory=dict)
    worked: list[datetime] = field(default_factory=list)
    reopenings: int = 0
    extensions: int = 0
    rounds: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    fixed: datetime | None = None
    goal: int = 0
    hour: datetime | None = None
    seen: dict[tuple[str, datetime], bool] = field(default_factory=dict)

    @property
    def promises_nothing(self) -> bool:
        return "none" in self.target

    @property
    def outcome(self) -> str:
        if self.breached is not None:
            return "breached"
        if self.promises_nothing and not self.never_owed:
            return "none"
        return {"void": "void", "stopped": "met"}.get(self.state, "open")

    def measure(self) -> None:
        """Finds the fixed instant or the number of slots that the target in force stands for."""
        document = self.calendars[self.calendar]
        assert self.started is not None
        self.fixed, self.goal, self.hour = None, 0, None
        if self.promises_nothing:
            return
        if "working_seconds" in self.target:
            self.goal = int(self.target["working_seconds"]) // SLOT_SECONDS
            return
        if self.target["meaning"] == "working_hours":
            self.goal = self.target["working_days"] * ordinary_day(document)
            return
        until = promised(document, self.started, self.target, self.windows)
        assert until is not None
        if self.target.get("pauses_count"):
            self.goal = sum(self.open(self.started + index * SLOT) for index in range(span(self.started, until)))
            self.hour = until if self.target.get("by") else None
        if self.goal == 0:
            self.fixed = until

    def works(self, at: datetime) -> bool:
        """Whether the calendar in force is open, excused or not; remembered."""
        key = (self.calendar, at)
        if key not in self.seen:
            self.seen[key] = is_open(self.calendars[self.calendar], at)
        return self.seen[key]

    def open(self, at: datetime) -> bool:
        """Whether the calendar in force is open for this clock."""
        return self.works(at) and not any(since <= at < until for since, until in self.windows)

    def apply(self, event: dict[str, Any], at: datetime) -> None:
        kind = event["type"]
        if kind == "excused":
            return
        too_late = kind == "extended" and (self.breached is not None or self.promises_nothing)
        if self.state not in ADMITTED[kind] or too_late:
            self.ignored.append(event["id"])
            return
        match kind:
            case "started":
                self.state, self.started = "running", at
                self.calendar, self.target, self.owner = event["calendar"], event["target"], event["owner"]
            case "paused":
                self.state, self.party = "paused", event["party"]
            case "resumed":
                self.state = "running"
            case "owner_changed":
                self.owner = event["owner"]
            case "stopped":
                self.state, self.stopped = "stopped", at
            case "reopened":
                self.state = "running"
                self.reopenings += 1
            case "changed" | "extended":
                self.calendar = event.get("calendar", self.calendar)
                self.target = event.get("target", self.target)
                self.reached = False
                self.extensions += kind == "extended"
            case "restarted":
                self.begin_another_round(event, at)
            case "voided":
                self.state = "void"
                if not event.get("owed", True) and self.breached is not None:
                    self.breached, self.never_owed = None, True
        if kind in ("started", "changed", "extended", "restarted"):
            self.measure()
        if kind in ("changed", "extended", "reopened") and self.breached is None and not self.promises_nothing:
            consumed_too_much = kind != "reopened" and self.consumed > self.goal
            self.breached = at if (self.fixed < at if self.fixed is not None else consumed_too_much) else None

    def begin_another_round(self, event: dict[str, Any], at: datetime) -> None:
        """Closes the round with what would have been answered just before, and forgets what belongs to it."""
        closed = {
            "started_at": self.started,
            "ended_at": self.stopped if self.state == "stopped" else at,
            "outcome": "superseded" if self.outcome == "open" else self.outcome,
            "deadline": self.deadline(at),
            "elapsed_working_seconds": self.consumed * SLOT_SECONDS,
        }
        self.rounds.append(closed)
        self.state, self.started, self.breached, self.reached = "running", at, None, False
        self.consumed, self.excused, self.worked, self.reopenings, self.extensions = 0, 0, [], 0, 0
        self.calendar = event.get("calendar", self.calendar)
        self.target = event.get("target", self.target)

    def deadline(self, at: datetime) -> datetime | Beyond | None:
        """The deadline as it is answered at this instant."""
        if self.breached is not None or self.state != "running" or self.promises_nothing:
            return self.breached
        alone = replace(self, owners={}, parties={}, worked=[])  # what it will have consumed is no part of the answer
        return project(alone, at, PROJECTED) or Beyond(at + PROJECTED * SLOT)

    def notice(self, at: datetime) -> None:
        """Notes that the target is reached at this very instant."""
        if self.state not in RUNS or self.fixed is not None or self.promises_nothing:
            return
        if self.goal == 0:
            self.reached |= self.state == "running" and self.open(at)
        else:
            self.reached |= self.consumed >= self.goal and (self.hour is None or at >= self.hour)

    def pass_slot(self, at: datetime) -> None:
        """Lets a slot go by: what was due before it and is not stopped is breached."""
        if self.state not in RUNS:
            return
        if self.breached is None and (self.reached if self.fixed is None else self.fixed == at):
            self.breached = at
        slot = self.open(at)
        if self.state == "running":
            self.consumed += slot
            self.excused += self.works(at) and not slot
            self.owners[self.owner] = self.owners.get(self.owner, 0) + slot
            self.worked += [at] * slot
        else:
            self.parties[self.party] = self.parties.get(self.party, 0) + slot

    def overdue(self) -> int:
        """The slots that were consumed beyond the target in force."""
        if self.promises_nothing or self.never_owed:
            return 0
        return max(0, self.consumed - self.goal) if self.fixed is None else sum(at >= self.fixed for at in self.worked)

    def answer(self, at: datetime) -> dict[str, Any]:
        """The fields of the contract, with instants as such."""
        return {
            "state": self.state,
            "outcome": self.outcome,
            "deadline": self.deadline(at),
            "breached_at": self.breached,
            "elapsed_working_seconds": self.consumed * SLOT_SECONDS,
            "overdue_working_seconds": self.overdue() * SLOT_SECONDS,
            "working_seconds_by_owner": {owner: slots * SLOT_SECONDS for owner, slots in self.owners.items()},
            "paused_working_seconds_by_party": {party: slots * SLOT_SECONDS for party, slots in self.parties.items()},
            "reopenings": self.reopenings,
            "extensions": self.extensions,
            "excused_working_seconds": self.excused * SLOT_SECONDS,
            "rounds": self.rounds,
            "ignored": self.ignored,
        }


INSTANTS = ("deadline", "breached_at", "started_at", "ended_at")


def with_instants(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer of the product with instants instead of texts, which may be written in any zone."""
    read = {name: datetime.fromisoformat(value) if name in INSTANTS and value else value for name, value in answer.items()}
    return read | ({"rounds": [with_instants(each) for each in answer["rounds"]]} if "rounds" in answer else {})


def walk(events: list[dict[str, Any]], begin: datetime, as_of: datetime, calendars: dict[str, dict[str, Any]]) -> OracleClock:
    """The clock at `as_of`, from events up to then that are already in the contract's order."""
    clock = OracleClock(calendars, excused_windows(events))
    at, waiting = begin, list(events)
    while True:
        clock.notice(at)
        while waiting and datetime.fromisoformat(waiting[0]["at"]) == at:
            clock.apply(waiting.pop(0), at)
            clock.notice(at)
        if at == as_of:
            return clock
        clock.pass_slot(at)
        at += SLOT


def project(clock: OracleClock, as_of: datetime, slots: int) -> datetime | None:
    """When the clock breaches if nothing more happens, within so many slots."""
    at = as_of
    for _ in range(slots):
        clock.notice(at)
        clock.pass_slot(at)
        if clock.breached is not None:
            return clock.breached
        at += SLOT
    return None


_times = st.integers(0, 95).map(lambda slot: f"{slot // 4:02}:{slot % 4 * 15:02}")
_ends = _times | st.just("24:00")
_days = st.lists(st.tuples(_times, _ends).map(list), max_size=2)
_usual = st.sampled_from(
    [[["09:00", "12:00"], ["13:00", "18:00"]], [["00:00", "24:00"]], [["22:00", "06:00"]], [["01:30", "02:30"], ["02:30", "05:00"]], []]
)


times_of_day = (
    st.fixed_dictionaries({}, optional={"cut_off": _ends, "by": _ends})
    .filter(bool)
    .map(lambda times: {name: "24:00" if time == "00:00" else time for name, time in times.items()})
)
"""A cut-off, an hour by which it has to be done, or both."""


@st.composite
def windows(draw: st.DrawFn) -> tuple[dict[str, Any], datetime]:
    """A calendar document and the beginning of two weeks in which something odd happens to its clocks."""
    zone, begin = draw(st.sampled_from(WINDOWS))
    return draw(calendars(zone, begin)), begin


_some_week = st.lists(_usual | _days, min_size=7, max_size=7).filter(any).map(lambda week: dict(zip(DAY_NAMES, week, strict=True)))


@st.composite
def _patterns(draw: st.DrawFn, dates: st.SearchStrategy[str]) -> dict[str, Any]:
    """Seasons about the two weeks, and alternating weekdays, of which one at most is closed, so that something stays open."""
    days = dates.map(lambda day: day[5:]) | st.sampled_from(("01-01", "02-29", "12-31"))
    seasons = st.builds(lambda first, last, week: {"from": first, "to": last, "weekly_hours": week}, days, days, _some_week)
    open_hours = (_usual | _days).filter(lambda hours: hours != [])
    every_second = [draw(_usual | _days), *draw(st.lists(open_hours, max_size=2))]
    far = st.integers(-30, 30).map(lambda fortnights: timedelta(days=14 * fortnights))
    anchors = [(date.fromisoformat(draw(dates)) + draw(far)).isoformat() for _ in every_second]
    alternating = [{"anchor": anchor, "hours": hours} for anchor, hours in zip(anchors, every_second, strict=True)]
    return {"seasons": draw(st.lists(seasons, max_size=2)), "alternating": alternating}


@st.composite
def calendars(draw: st.DrawFn, zone: str, begin: datetime) -> dict[str, Any]:
    """A calendar document of the zone with special dates in the two weeks after `begin`."""
    dates = st.integers(-1, 15).map(lambda ahead: (begin.date() + timedelta(days=ahead)).isoformat())
    week = draw(st.lists(_usual | _days, min_size=7, max_size=7))
    document: dict[str, Any] = {
        "time_zone": zone,
        "weekly_hours": dict(zip(DAY_NAMES, week, strict=True)),
        "closed_dates": draw(st.lists(dates, max_size=2)),
        "make_up_days": draw(st.lists(dates, max_size=2)),
        "date_hours": draw(st.dictionaries(dates, _days, max_size=2)),
    }
    if draw(st.booleans()):
        document |= draw(_patterns(dates))
    document["closed_dates"] = [day for day in document["closed_dates"] if day not in document["make_up_days"]]  # one or the other
    if draw(st.booleans()):
        document["make_up_hours"] = draw(_usual)
    return document


def instants(begin: datetime, days: int = 14) -> st.SearchStrategy[datetime]:
    """Quarter hours after the beginning, in UTC."""
    return st.integers(0, days * 96).map(lambda slot: begin + slot * SLOT)
