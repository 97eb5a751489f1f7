"""Working time from microsecond to microsecond, year by year: one bisection an answer.

No answer depends on what was asked before, and a year is looked at in detail only where a question begins or ends.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

from common.kernel.faults import Fault
from common.kernel.instants import DAY, EPOCH_ORDINAL, year_of
from common.kernel.open_years import Hours, OpenYear, Outline, local_instant, open_year, pieces_of, united_pieces
from common.kernel.patterns import Alternating, Patterns, Week
from common.kernel.zones import ZoneInfo

__all__ = ["HUNDRED_YEARS", "TEN_YEARS", "Hours", "Stretch", "Timeline"]

TEN_YEARS = 3653 * DAY
HUNDRED_YEARS = 36525 * DAY
_MOST_KEPT = 500_000  # stretches of all calendars together, about 70 MB


class Stretch(NamedTuple):
    """An open stretch [start, end) in microseconds since 1970."""

    start: int
    end: int


class _Kept:
    """The years in detail that the process holds; all are let go when they become too many, and made again when asked for."""

    def __init__(self) -> None:
        self.years: dict[tuple[Timeline, int], OpenYear] = {}
        self.size = 0

    def year(self, timeline: "Timeline", number: int) -> OpenYear:
        found = self.years.get((timeline, number))
        if found is None:
            found = timeline.built(number)
            if self.size > _MOST_KEPT:
                self.years, self.size = {}, 0
            self.years[timeline, number] = found
            self.size += len(found.starts) + len(found.days)
        return found


_kept = _Kept()


class Timeline:
    """Working time of one zone's weekly hours, patterns and special dates, from microsecond to microsecond.

    A moment is working when the zone's wall clock shows a time inside a range: minutes that a change of the clocks
    repeats count twice, minutes that it skips not at all. Ranges that overlap count once. Threads may share it.
    """

    __slots__ = ("_latest", "_outlines", "_patterns", "_special", "_weekly", "_zone")

    def __init__(
        self,
        zone: ZoneInfo,
        weekly: Week,
        special: Mapping[date, tuple[Hours, ...]],
        patterns: Patterns,
    ) -> None:
        self._zone = zone
        self._weekly = weekly
        self._special = {day.toordinal(): hours for day, hours in special.items()}
        self._patterns = patterns
        self._outlines: dict[int, Outline] = {}
        self._latest: OpenYear | None = None

    def hours_of(self, ordinal: int) -> tuple[Hours, ...]:
        """The ranges that begin on the date with this ordinal, by precedence of special dates over patterns over the week."""
        special = self._special.get(ordinal)
        if special is not None:
            return special
        pattern = self._patterns.on(ordinal)
        if isinstance(pattern, Alternating):
            return pattern.hours
        return (self._weekly if pattern is None else pattern.weekly_hours)[(ordinal + 6) % 7]

    def stretches_of(self, ordinal: int) -> list[Stretch]:
        """When the ranges of a date are open; empty when it has none, or when the clocks skip them."""
        return [Stretch(*piece) for piece in pieces_of(self._zone, ordinal, self.hours_of(ordinal))]

    def is_working(self, at: int) -> bool:
        """Whether the calendar is open at the instant; closing time is closed."""
        year = self._around(at)
        index = bisect_right(year.starts, at) - 1
        return index >= 0 and at < year.ends[index]

    def between(self, start: int, end: int) -> int:
        """Working microseconds in [start, end)."""
        year = self._around(start)
        if year.since <= end < year.until:
            return _passed(year, end) - _passed(year, start)
        if end < start:
            return -self.between(end, start)
        last = self._around(end)
        whole = sum(self._outline(number).total for number in range(year.number + 1, last.number))
        return year.outline.total - _passed(year, start) + whole + _passed(last, end)

    def add(self, start: int, amount: int) -> int:
        """The first instant at which `amount` working microseconds have passed since `start`.

        For an amount of 0: the next working instant at or after `start`. Raises `never_open` when ten years pass without
        working time on the way, `bad_target` when it would take more than a hundred years.
        """
        year = self._around(start)
        first = bisect_right(year.starts, start) - 1
        is_open = first >= 0 and start < year.ends[first]
        if amount:
            goal = amount + (year.after[first] - (year.ends[first] - start if is_open else 0) if first >= 0 else 0)
            if goal <= year.outline.total:
                return _reached(year, goal, max(first, 0))
            left = goal - year.outline.total
        elif is_open:
            return start
        elif first + 1 < len(year.starts):
            return year.starts[first + 1]
        else:
            left = 0
        return self._reached_later(start, year, left)

    def local_instant(self, ordinal: int, second: int) -> int:
        """When so many seconds of the date with this ordinal are over on the wall clock (`open_years.local_instant`)."""
        return local_instant(self._zone, ordinal, second)

    def working_day(self, start: int, ordinal: int, number: int) -> tuple[int, int]:
        """The `number`-th working day after the date `ordinal`, on which `start` lies: its ordinal, and the end of its last range.

        For 0 it is the date itself, which has to be a working day.
        """
        year = self._year(date.fromordinal(ordinal).year)
        index = bisect_right(year.days, ordinal) + number - 1
        if index < len(year.days):
            return year.days[index], year.day_ends[index]
        left, closed = index - len(year.days), max(start, year.outline.last_day_closes)
        for later in self._later(start, year.number):
            _refuse_gap(later.until if later.first_day_opens is None else later.first_day_opens, closed)
            if left < later.days:
                reached = self._year(year_of(later.until - 1))
                return reached.days[left], near(start, reached.day_ends[left])
            left, closed = left - later.days, max(closed, later.last_day_closes)
        raise _too_far()

    def working_days(self, start: int, ordinal: int, number: int) -> list[date]:
        """The first working days after the date `ordinal`, on which `start` lies, up to the `number`-th."""
        self.working_day(start, ordinal, number)
        found: list[int] = []
        year = date.fromordinal(ordinal).year
        while len(found) < number:
            days = self._year(year).days
            first = bisect_right(days, ordinal)
            found += days[first : first + number - len(found)]
            year += 1
        return [date.fromordinal(day) for day in found]

    def number_of_working_days(self, after: int, last: int) -> int:
        """How many working days lie after one date and up to another, with that one; both by their ordinals."""
        first_year, last_year = date.fromordinal(after).year, date.fromordinal(last).year
        whole = sum(self._outline(number).days for number in range(first_year, last_year))
        return whole + bisect_right(self._year(last_year).days, last) - bisect_right(self._year(first_year).days, after)

    def open_stretch(self, at: int) -> Stretch:
        """The open stretch around a working instant: the ranges of the days about it that overlap."""
        today = at // DAY + EPOCH_ORDINAL
        near = [piece for day in range(today - 3, today + 3) for piece in pieces_of(self._zone, day, self.hours_of(day))]
        return next(Stretch(start, end) for start, end in united_pieces(sorted(near)) if start <= at < end)

    def stretches(self, start: int, end: int) -> Iterator[Stretch]:
        """The open stretches between two instants, in order, cut to them."""
        held: Stretch | None = None  # what runs on over the end of a year
        for number in range(year_of(start), year_of(end - 1) + 1):
            year = self._year(number)
            for index in range(max(0, bisect_right(year.starts, start) - 1), bisect_left(year.starts, end)):
                piece = Stretch(max(start, year.starts[index]), min(end, year.ends[index]))
                if held is not None:
                    piece = Stretch(held.start, piece.end)
                held = piece if year.runs_on and index == len(year.starts) - 1 else None
                if held is None and piece.start < piece.end:
                    yield piece
        if held is not None:
            yield held

    def built(self, number: int) -> OpenYear:
        """A year in detail, made anew."""
        year = open_year(self._zone, self.hours_of, number)
        self._outlines[number] = year.outline
        return year

    def _around(self, at: int) -> OpenYear:
        latest = self._latest
        if latest is not None and latest.since <= at < latest.until:
            return latest
        return self._year(year_of(at))

    def _year(self, number: int) -> OpenYear:
        self._latest = year = _kept.year(self, number)
        return year

    def _outline(self, number: int) -> Outline:
        return self._outlines.get(number) or self._year(number).outline

    def _later(self, start: int, number: int) -> Iterator[Outline]:
        """The years after one, as long as they can hold a deadline."""
        while self._outline(number).until - start <= HUNDRED_YEARS:
            number += 1
            yield self._outline(number)

    def _reached_later(self, start: int, year: OpenYear, left: int) -> int:
        closed = max(start, year.outline.closes)
        for later in self._later(start, year.number):
            _refuse_gap(later.until if later.opens is None else later.opens, closed)
            if later.opens is not None and left <= later.total:
                return near(start, _reached(self._year(year_of(later.until - 1)), left, 0) if left else later.opens)
            left, closed = left - later.total, max(closed, later.closes)
        raise _too_far()


def _passed(year: OpenYear, at: int) -> int:
    index = bisect_right(year.starts, at) - 1
    return year.after[index] - max(0, year.ends[index] - at) if index >= 0 else 0


def _reached(year: OpenYear, goal: int, first: int) -> int:
    index = bisect_left(year.after, goal, first)
    return year.ends[index] - year.after[index] + goal


def near(start: int, deadline: int) -> int:
    """The deadline; `Fault` `bad_target` where it lies more than a hundred years after the start."""
    if deadline - start > HUNDRED_YEARS:
        raise _too_far()
    return deadline


def _too_far() -> Fault:
    return Fault(("target",), "bad_target", "the deadline lies more than a hundred years ahead")


def _refuse_gap(opens: int, closed: int) -> None:
    if opens - closed > TEN_YEARS:
        raise Fault(("calendar",), "never_open", "the calendar has no working time within ten years")
