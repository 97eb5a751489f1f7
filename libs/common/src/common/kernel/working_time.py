"""Working time on a calendar: deadlines, spans and opening hours, exact to the microsecond (P2, X-05, X-06)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Self

from common.kernel.calendar_json import CalendarParts, read_calendar, write_calendar
from common.kernel.excused import ExcusedTimeline, united
from common.kernel.faults import Fault, Where
from common.kernel.instants import SECOND, ordinal_on, to_micros, written_on
from common.kernel.patterns import Alternating, MonthDay, Pattern, Patterns, Season, Week
from common.kernel.timeline import Hours, Stretch, Timeline
from common.kernel.zones import ZoneInfo, zone_named


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an answer is provisional: it rests on a day `before` the first known one, or on one `since` which days may still change."""

    reason: str
    since: date | None = None
    before: date | None = None


@dataclass(frozen=True)
class Calendar:
    """When somebody works: weekly hours of a zone, patterns in them, closed dates, make-up days (调休) and single dates with other hours.

    Precedence for a local date: `date_hours`, then `make_up_days`, `closed_dates`, `alternating`, `seasons`, `weekly_hours`
    (Monday first); of two seasons or alternating weekdays on one date the later one. `make_up_hours` None means Monday's of the
    season in which the day lies, else of the ordinary week.

    A range belongs to the date on which it starts. What lies before `known_from` or after
    `known_until` is provisional, since there is no notice about it, and so is what lies from the day `unsure_from` of the last
    known year on, since the next notice may change it. All instants that come in must carry a zone; those that
    go out carry the offset of the calendar's zone at that moment.
    """

    time_zone: str
    weekly_hours: Week
    closed_dates: frozenset[date] = frozenset()
    make_up_days: frozenset[date] = frozenset()
    make_up_hours: tuple[Hours, ...] | None = None
    date_hours: Mapping[date, tuple[Hours, ...]] = field(default_factory=dict, hash=False)
    known_until: date | None = None
    known_from: date | None = None
    unsure_from: MonthDay | None = None
    seasons: tuple[Season, ...] = ()
    alternating: tuple[Alternating, ...] = ()
    excused: tuple[Stretch, ...] = ()
    """Windows in which it counts as closed for one clock, in order and apart; no document states them."""

    @classmethod
    def from_json(cls, document: object, where: Where = ("calendar",)) -> Self:
        """The calendar that a document describes (interfaces 3); `Fault` `bad_calendar` names the wrong field."""
        return cls(**read_calendar(document, where))

    def to_json(self) -> dict[str, Any]:
        """The document from which `from_json` makes an equal calendar."""
        parts: CalendarParts = {
            "time_zone": self.time_zone,
            "weekly_hours": self.weekly_hours,
            "closed_dates": self.closed_dates,
            "make_up_days": self.make_up_days,
            "make_up_hours": self.make_up_hours,
            "date_hours": dict(self.date_hours),
            "known_until": self.known_until,
            "known_from": self.known_from,
            "unsure_from": self.unsure_from,
            "seasons": self.seasons,
            "alternating": self.alternating,
        }
        return write_calendar(parts)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone whose wall clock the hours are read from."""
        return zone_named(self.time_zone)

    def excusing(self, windows: Iterable[Stretch]) -> "Calendar":
        """The same calendar, closed in these windows and in no others; a day that closes in one is no working day.

        The windows are microseconds since 1970.
        """
        found = united(windows)
        if found == self.excused:
            return self
        other = replace(self, excused=found)
        other.__dict__["_whole"] = self._whole  # the years that are known in detail stay known
        return other

    @cached_property
    def timeline(self) -> Timeline | ExcusedTimeline:
        """The same calendar as sums of microseconds, for code that counts."""
        return ExcusedTimeline(self._whole, self.excused) if self.excused else self._whole

    def timeline_due(self, by: int | None) -> Timeline | ExcusedTimeline:
        """The same for what has to be done by an hour, in seconds of the day: an excused day is one on which *that* falls into a window."""
        return ExcusedTimeline(self._whole, self.excused, by) if self.excused and by is not None else self.timeline

    @cached_property
    def _whole(self) -> Timeline:
        special: dict[date, tuple[Hours, ...]] = dict.fromkeys(self.closed_dates, ())
        special.update({day: self._make_up_hours_on(day) for day in self.make_up_days})
        special.update(self.date_hours)
        return Timeline(self.zone, self.weekly_hours, special, self._patterns)

    @cached_property
    def _patterns(self) -> Patterns:
        return Patterns(self.seasons, self.alternating)

    def _make_up_hours_on(self, day: date) -> tuple[Hours, ...]:
        if self.make_up_hours is not None:
            return self.make_up_hours
        season = self._patterns.season_on(day.toordinal())
        return (self.weekly_hours if season is None else season.weekly_hours)[0]

    @cached_property
    def ordinary_day(self) -> timedelta:
        """The working time of an ordinary day: what most weekdays with hours have, the earliest weekday's when they tie.

        It is what "n working days" means in the reading n × working hours (X-06); seasons and alternating weekdays do not matter.
        Raises `never_open` when no weekday has hours.
        """
        lengths = Counter(seconds for hours in self.weekly_hours if (seconds := _union(hours)))
        if not lengths:
            raise Fault(("calendar",), "never_open", "no weekday has hours, so there is no ordinary working day")
        return timedelta(seconds=lengths.most_common(1)[0][0])

    def after_working_time(self, start: datetime, amount: timedelta) -> datetime:
        """The first instant at which this much working time has passed; an amount of 0 is due when work goes on next.

        An amount that ends exactly at closing is due at closing. Raises `bad_target` below 0, `never_open` when ten years
        pass without working time.
        """
        micros = micros_of(amount)
        if micros < 0:
            raise Fault(("target",), "bad_target", "a target cannot be negative")
        return self.instant(self.timeline.add(to_micros(start), micros))

    def after_working_days(self, start: datetime, number: int) -> datetime:
        """The end of the last range of the `number`-th working day after the local date of `start` (X-06, the default)."""
        return self.instant(self.end_of_working_day(to_micros(start), number))

    def end_of_working_day(self, start: int, number: int) -> int:
        """The same in microseconds since 1970; 0 working days are due at the next working instant."""
        if number < 0:
            raise Fault(("target",), "bad_target", "a target cannot be negative")
        if number == 0:
            return self.timeline.add(start, 0)
        return self.timeline.working_day(start, ordinal_on(start, self.zone), number)[1]

    def pattern_on(self, day: date) -> Pattern | None:
        """The pattern that gives the local date its hours; None where a special date or the ordinary week does."""
        if day in self.date_hours or day in self.make_up_days or day in self.closed_dates:
            return None
        return self._patterns.on(day.toordinal())

    def working_time_between(self, start: datetime, end: datetime) -> timedelta:
        """The working time in [start, end); raises `end_before_start`."""
        first, last = to_micros(start), to_micros(end)
        if last < first:
            raise Fault(("end",), "end_before_start", "the end lies before the start")
        return timedelta(microseconds=self.timeline.between(first, last))

    def working_days_between(self, start: datetime, end: datetime) -> int:
        """The working days after the local date of `start`, up to that of `end` and with it; raises `end_before_start`."""
        first, last = to_micros(start), to_micros(end)
        if last < first:
            raise Fault(("end",), "end_before_start", "the end lies before the start")
        return self.timeline.number_of_working_days(ordinal_on(first, self.zone), ordinal_on(last, self.zone))

    def is_working(self, at: datetime) -> bool:
        """Whether somebody works at the instant; closing time is closed."""
        return self.timeline.is_working(to_micros(at))

    def is_working_day(self, day: date) -> bool:
        """Whether a range with working time starts on the local date."""
        return bool(self.timeline.stretches_of(day.toordinal()))

    def hours_of(self, day: date) -> tuple[Hours, ...]:
        """The ranges that start on the local date, in order."""
        return self._whole.hours_of(day.toordinal()) if self.is_working_day(day) else ()

    def is_provisional(self, day: date) -> bool:
        """Whether the date is none of those that are known for certain."""
        return self.doubt(day, day) is not None

    def doubt(self, first: date, last: date) -> Doubt | None:
        """Why what rests on the days from `first` to `last` is provisional; None when all of them are known for certain."""
        if self.known_from is not None and first < self.known_from:
            return Doubt(f"nothing is known about the days before {self.known_from}", before=self.known_from)
        if self._certain_until is None or last <= self._certain_until:
            return None
        since = self._certain_until + timedelta(days=1)
        if self._certain_until == self.known_until:
            return Doubt(f"nothing is known yet about the days from {since} on", since=since)
        assert self.known_until is not None  # nothing is certain until a day otherwise
        return Doubt(f"the notice for {self.known_until.year + 1} may still change the days from {since} on", since=since)

    @cached_property
    def _certain_until(self) -> date | None:
        if self.known_until is None or self.unsure_from is None:
            return self.known_until
        month, day = self.unsure_from
        return min(self.known_until, date(self.known_until.year, month, 1) + timedelta(days=day - 2))

    def date_of(self, micros: int) -> date:
        """The local date of an instant."""
        return date.fromordinal(ordinal_on(micros, self.zone))

    def instant(self, micros: int) -> datetime:
        """The instant on the calendar's wall clock, with its offset at that moment."""
        return written_on(micros, self.zone)


def _union(hours: tuple[Hours, ...]) -> int:
    total, reached = 0, 0
    for piece in sorted(hours):
        total += max(0, piece.last - max(reached, piece.start))
        reached = max(reached, piece.last)
    return total


def micros_of(amount: timedelta) -> int:
    """A span as whole microseconds."""
    return (amount.days * 86_400 + amount.seconds) * SECOND + amount.microseconds
