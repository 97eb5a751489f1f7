"""When a calendar is open, as sorted stretches of UTC microseconds with their running sum: one bisection an answer."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from common.kernel.clock_errors import ClockError
from common.kernel.instants import DAY, EPOCH_ORDINAL, SECOND, offset_on, year_of
from common.kernel.zones import ZoneInfo

TEN_YEARS = 3653 * DAY
HUNDRED_YEARS = 36525 * DAY
_MARGIN = 3 * DAY  # a local date's ranges, over midnight and in any zone, lie within so much of its day in UTC


class Hours(NamedTuple):
    """One opening range of a day in seconds after local midnight; an end that is not after its start is the next day's."""

    start: int
    end: int

    @property
    def last(self) -> int:
        """The end counted from the midnight before the start, so always after it (up to 48 h)."""
        return self.end if self.end > self.start else self.end + 86_400

    @property
    def length(self) -> int:
        """Seconds on the wall clock, without regard to daylight saving."""
        return self.last - self.start


class Stretch(NamedTuple):
    """An open stretch [start, end) in microseconds since 1970."""

    start: int
    end: int


class _Table(NamedTuple):
    first_year: int
    last_year: int
    covers_from: int
    covers_to: int
    starts: list[int]
    ends: list[int]
    before: list[int]  # working time before each stretch, from the table's beginning
    after: list[int]  # and after it
    days: list[int]  # ordinals of the working days
    day_ends: list[int]  # where the last range of each ends
    sparse: bool  # somewhere more than ten years pass without working time


class Timeline:
    """Working time of one zone's weekly hours and special dates, from microsecond to microsecond.

    A moment is working when the zone's wall clock shows a time inside a range: minutes that a change of the clocks
    repeats count twice, minutes that it skips not at all. Ranges that overlap count once. The table grows by years as
    questions come, and is replaced as a whole, so threads may share it.
    """

    __slots__ = ("_pieces_of_year", "_special", "_table", "_weekly", "_zone")

    def __init__(self, zone: ZoneInfo, weekly: Sequence[tuple[Hours, ...]], special: Mapping[date, tuple[Hours, ...]]) -> None:
        self._zone = zone
        self._weekly = tuple(weekly)
        self._special = {day.toordinal(): hours for day, hours in special.items()}
        self._pieces_of_year: dict[int, list[tuple[int, list[Stretch]]]] = {}
        self._table: _Table | None = None

    def hours_of(self, ordinal: int) -> tuple[Hours, ...]:
        """The ranges that begin on the date with this ordinal, by precedence of special dates over the week."""
        special = self._special.get(ordinal)
        return self._weekly[(ordinal + 6) % 7] if special is None else special

    def stretches_of(self, ordinal: int) -> list[Stretch]:
        """When the ranges of a date are open; empty when it has none, or when the clocks skip them."""
        hours = self.hours_of(ordinal)
        return _on_utc(_offsets(self._zone, date.fromordinal(ordinal).year), ordinal, hours) if hours else []

    def is_working(self, at: int) -> bool:
        """Whether the calendar is open at the instant; closing time is closed."""
        table = self._covering(at, at)
        index = bisect_right(table.starts, at) - 1
        return index >= 0 and at < table.ends[index]

    def between(self, start: int, end: int) -> int:
        """Working microseconds in [start, end)."""
        table = self._covering(start, end)
        return _passed(table, end) - _passed(table, start)

    def add(self, start: int, amount: int) -> int:
        """The first instant at which `amount` working microseconds have passed since `start`.

        For an amount of 0: the next working instant at or after `start`. Raises `never_open` when ten years pass without
        working time on the way, `bad_target` when it would take more than a hundred years.
        """
        table = self._covering(start, start)
        while True:
            first = bisect_right(table.starts, start) - 1
            if not amount:
                goal = 0
                index = first if first >= 0 and start < table.ends[first] else first + 1
            elif first < 0:
                goal = amount
                index = bisect_left(table.after, goal)
            else:
                end = table.ends[first]
                goal = table.after[first] + amount - (end - start if start < end else 0)
                index = bisect_left(table.after, goal, first)
            if index < len(table.ends):
                break
            self._refuse_endless(start, max(start, table.ends[-1] if table.ends else start), table)
            table = self._grown(table.first_year, table.last_year + max(1, table.last_year - table.first_year))
        if table.sparse:
            _refuse_gap(table.starts, table.ends, start, first + 1, index)
        deadline = table.ends[index] - table.after[index] + goal if amount else max(start, table.starts[index])
        if deadline - start > HUNDRED_YEARS:
            raise _too_far()
        return deadline

    def end_of_working_day(self, start: int, ordinal: int, number: int) -> int:
        """The end of the last range of the `number`-th working day after the date `ordinal`, on which `start` lies."""
        table = self._covering(start, start)
        while True:
            index = bisect_right(table.days, ordinal) + number - 1
            if index < len(table.days):
                break
            self._refuse_endless(start, max(start, table.day_ends[-1] if table.day_ends else start), table)
            table = self._grown(table.first_year, table.last_year + max(1, table.last_year - table.first_year))
        if table.sparse:
            starts = [(day - EPOCH_ORDINAL) * DAY for day in table.days]
            _refuse_gap(starts, table.day_ends, start, index - number + 1, index)
        if table.day_ends[index] - start > HUNDRED_YEARS:
            raise _too_far()
        return table.day_ends[index]

    def working_days(self, start: int, ordinal: int, number: int) -> list[date]:
        """The first working days after the date `ordinal`, on which `start` lies, up to the `number`-th."""
        self.end_of_working_day(start, ordinal, number)
        table = self._covering(start, start)
        first = bisect_right(table.days, ordinal)
        return [date.fromordinal(day) for day in table.days[first : first + number]]

    def open_stretch(self, at: int) -> Stretch:
        """The whole open stretch around a working instant."""
        table = self._covering(at, at)
        index = bisect_right(table.starts, at) - 1
        return Stretch(table.starts[index], table.ends[index])

    def stretches(self, start: int, end: int) -> list[Stretch]:
        """The open stretches between two instants, in order, cut to them."""
        table = self._covering(start, end)
        found = []
        for index in range(max(0, bisect_right(table.starts, start) - 1), len(table.starts)):
            if table.starts[index] >= end:
                break
            piece = Stretch(max(start, table.starts[index]), min(end, table.ends[index]))
            if piece.start < piece.end:
                found.append(piece)
        return found

    def _covering(self, start: int, end: int) -> _Table:
        table = self._table
        if table is not None and table.covers_from <= start and end < table.covers_to:
            return table
        return self._grown(year_of(start - _MARGIN), year_of(end + _MARGIN))

    def _grown(self, first: int, last: int) -> _Table:
        table = self._table
        if table is not None:
            first, last = min(first, table.first_year), max(last, table.last_year)
        self._table = grown = self._built(first, last)
        return grown

    def _built(self, first: int, last: int) -> _Table:
        by_day = [entry for year in range(first, last + 1) for entry in self._year(year)]
        starts: list[int] = []
        ends: list[int] = []
        for start, end in sorted((piece for _, pieces in by_day for piece in pieces), key=itemgetter(0)):
            if ends and start < ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        before, after, total = [], [], 0
        for start, end in zip(starts, ends, strict=True):
            before.append(total)
            total += end - start
            after.append(total)
        return _Table(
            first_year=first,
            last_year=last,
            covers_from=(date(first, 1, 1).toordinal() - EPOCH_ORDINAL) * DAY + _MARGIN,
            covers_to=(date(last + 1, 1, 1).toordinal() - EPOCH_ORDINAL) * DAY - _MARGIN,
            starts=starts,
            ends=ends,
            before=before,
            after=after,
            days=[day for day, _ in by_day],
            day_ends=[max(piece.end for piece in pieces) for _, pieces in by_day],
            sparse=any(later - earlier > TEN_YEARS - 3 * DAY for earlier, later in pairwise(starts)),
        )

    def _year(self, year: int) -> list[tuple[int, list[Stretch]]]:
        found = self._pieces_of_year.get(year)
        if found is None:
            spans = _offsets(self._zone, year)
            days = range(date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal() + 1)
            found = [(day, pieces) for day in days if (hours := self.hours_of(day)) and (pieces := _on_utc(spans, day, hours))]
            self._pieces_of_year[year] = found
        return found

    def _refuse_endless(self, start: int, last_open: int, table: _Table) -> None:
        if table.covers_to - last_open > TEN_YEARS:
            raise _never_open()
        if table.covers_to - start > HUNDRED_YEARS:
            raise _too_far()


def _passed(table: _Table, at: int) -> int:
    index = bisect_right(table.starts, at) - 1
    return table.before[index] + min(at, table.ends[index]) - table.starts[index] if index >= 0 else 0


def _too_far() -> ClockError:
    return ClockError("bad_target", "target", "the deadline lies more than a hundred years ahead")


def _refuse_gap(starts: Sequence[int], ends: Sequence[int], start: int, first: int, last: int) -> None:
    for index in range(first, last + 1):
        if starts[index] - max(start, ends[index - 1] if index else start) > TEN_YEARS:
            raise _never_open()


def _never_open() -> ClockError:
    return ClockError("never_open", "calendar", "the calendar has no working time within ten years")


def _on_utc(spans: Sequence[tuple[int, int, int]], ordinal: int, hours: Sequence[Hours]) -> list[Stretch]:
    midnight = (ordinal - EPOCH_ORDINAL) * DAY
    pieces = []
    for since, until, offset in spans:
        if midnight + 2 * DAY - offset <= since or midnight - offset >= until:
            continue
        for piece in hours:
            start = max(since, midnight + piece.start * SECOND - offset)
            end = min(until, midnight + piece.last * SECOND - offset)
            if start < end:
                pieces.append(Stretch(start, end))
    return pieces


@lru_cache(maxsize=4096)
def _offsets(zone: ZoneInfo, year: int) -> tuple[tuple[int, int, int], ...]:
    """The zone's offsets as (since, until, offset), all microseconds, around the dates of a local year.

    `zoneinfo` tells offsets but not when they change: half-day samples find the change, a bisection its second (no zone
    changes twice within half a day).
    """
    since = (date(year, 1, 1).toordinal() - EPOCH_ORDINAL - 3) * DAY
    until = (date(year, 12, 31).toordinal() - EPOCH_ORDINAL + 5) * DAY
    spans = []
    offset = offset_on(since, zone)
    for sample in range(since, until, DAY // 2):
        later = offset_on(sample + DAY // 2, zone)
        if later == offset:
            continue
        low, high = sample // SECOND, (sample + DAY // 2) // SECOND
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_on(middle * SECOND, zone) == offset else (low, middle)
        spans.append((since, high * SECOND, offset))
        since, offset = high * SECOND, later
    spans.append((since, until + DAY, offset))
    return tuple(spans)
