"""Working time with excused windows in it: between `since` and `until` of each, the calendar counts as closed (interfaces 3c).

A typhoon or an outage of our own is no working time of anybody whose clock it hit, for the past as well.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import date

from common.kernel.faults import Fault
from common.kernel.instants import DAY, EPOCH_ORDINAL
from common.kernel.open_years import united_pieces
from common.kernel.timeline import TEN_YEARS, Stretch, Timeline, near


def united(windows: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Windows in order, those that overlap as one."""
    return tuple(Stretch(*piece) for piece in united_pieces(sorted(windows)))


class ExcusedTimeline:
    """What a `Timeline` answers, with the windows closed. They are in order and do not overlap; both ends are microseconds since 1970.

    A day whose closing lies in a window (after its start, up to its end) is no working day. With an hour `by`, in seconds of the
    day, what falls due at it decides that where it comes before closing.
    """

    __slots__ = ("_base", "_by", "_starts", "_windows")

    def __init__(self, base: Timeline, windows: tuple[Stretch, ...], by: int | None = None) -> None:
        self._base = base
        self._windows = windows
        self._by = by
        self._starts = [window.start for window in windows]

    def is_working(self, at: int) -> bool:
        """Whether the calendar is open at the instant, and no window lies on it."""
        return not self._in_window(at) and self._base.is_working(at)

    def between(self, start: int, end: int) -> int:
        """Working microseconds in [start, end) outside the windows."""
        if end < start:
            return -self.between(end, start)
        hidden = (self._base.between(max(start, window.start), min(end, window.end)) for window in self._over(start, end))
        return self._base.between(start, end) - sum(hidden)

    def add(self, start: int, amount: int) -> int:
        """The first instant at which `amount` working microseconds have passed since `start`; 0 is due at the next working instant.

        Raises `never_open` and `bad_target` as `Timeline.add` does.
        """
        at, left, worked_until = start, amount, start
        for window in self._windows[max(0, bisect_right(self._starts, start) - 1) :]:
            if window.end <= at:
                continue
            if window.start > at:
                done = self._base.between(at, window.start)
                if (done >= left) if amount else done:
                    break
                left -= done
                worked_until = window.start if done else worked_until
            at = window.end
            if at - worked_until > TEN_YEARS:
                raise _never_open()
        reached = self._base.add(at, left)
        if not amount and reached - worked_until > TEN_YEARS:
            raise _never_open()
        return near(start, reached)

    def local_instant(self, ordinal: int, second: int) -> int:
        """When so many seconds of the date with this ordinal are over on the wall clock."""
        return self._base.local_instant(ordinal, second)

    def stretches_of(self, ordinal: int) -> list[Stretch]:
        """When the ranges of a date are open; empty where the date is no working day because of a window."""
        return [] if self._is_excused(ordinal) else self._base.stretches_of(ordinal)

    def working_day(self, start: int, ordinal: int, number: int) -> tuple[int, int]:
        """The `number`-th working day after the date `ordinal`, on which `start` lies: its ordinal, and the end of its last range."""
        day, excused = ordinal, 0
        while True:
            reached, closes = self._base.working_day(start, ordinal, number + excused)
            more = self._excused_days(day, reached)
            day, excused = reached, excused + more
            if not more:
                return day, closes
            if excused > _TEN_YEARS_OF_DAYS:
                raise _never_open()

    def working_days(self, start: int, ordinal: int, number: int) -> list[date]:
        """The first working days after the date `ordinal`, on which `start` lies, up to the `number`-th."""
        reached = self.working_day(start, ordinal, number)[0]
        days = self._base.working_days(start, ordinal, self._base.number_of_working_days(ordinal, reached))
        return [day for day in days if self.stretches_of(day.toordinal())]

    def open_stretch(self, at: int) -> Stretch:
        """The open stretch around a working instant, as far as no window cuts it."""
        whole = self._base.open_stretch(at)
        return next(piece for piece in self.stretches(*whole) if piece.start <= at < piece.end)

    def number_of_working_days(self, after: int, last: int) -> int:
        """How many working days lie after one date and up to another, with that one; both by their ordinals."""
        return self._base.number_of_working_days(after, last) - self._excused_days(after, last)

    def stretches(self, start: int, end: int) -> Iterator[Stretch]:
        """The open stretches between two instants, in order, cut to them and by the windows."""
        at = start
        for window in (*self._over(start, end), Stretch(end, end)):
            if at < window.start:
                yield from self._base.stretches(at, window.start)
            at = max(at, window.end)

    def _over(self, start: int, end: int) -> tuple[Stretch, ...]:
        first = max(0, bisect_right(self._starts, start) - 1)
        return tuple(window for window in self._windows[first : bisect_left(self._starts, end)] if window.end > start)

    def _in_window(self, at: int) -> bool:
        index = bisect_right(self._starts, at) - 1
        return index >= 0 and at < self._windows[index].end

    def _is_excused(self, ordinal: int) -> bool:
        """Whether what falls due on a working day does so in a window; at its end is in it, at its start is not."""
        open_then = self._base.stretches_of(ordinal)
        if not open_then:
            return False
        due = open_then[-1].end
        if self._by is not None:
            due = min(due, self._base.local_instant(ordinal, self._by))
        return self._in_window(due - 1)

    def _excused_days(self, after: int, last: int) -> int:
        """How many working days of the calendar after one date, up to another, are none because of a window."""
        days: set[int] = set()
        for window in self._windows:
            # what falls due on a date lies within three days around its midnight in UTC
            first = max(after + 1, window.start // DAY + EPOCH_ORDINAL - 3)
            days.update(range(first, min(last, window.end // DAY + EPOCH_ORDINAL + 3) + 1))
        return sum(map(self._is_excused, days))


_TEN_YEARS_OF_DAYS = TEN_YEARS // DAY


def _never_open() -> Fault:
    return Fault(("calendar",), "never_open", "with its excused windows the calendar has no working time within ten years")
