"""One year of a calendar in detail: when it is open, in UTC microseconds with their running sum, and its working days."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import accumulate, chain
from operator import gt, itemgetter, sub
from typing import NamedTuple

from common.kernel.instants import DAY, EPOCH_ORDINAL, SECOND, offset_on
from common.kernel.zones import ZoneInfo, changes

_LONG_AGO = -(10**18)

Piece = tuple[int, int]
"""An open stretch [start, end) in microseconds since 1970."""


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


class Outline(NamedTuple):
    """What is remembered of each year: its working time, its working days, and where the first of either begins and the last ends."""

    until: int
    total: int
    opens: int | None
    closes: int
    days: int
    first_day_opens: int | None
    last_day_closes: int


class OpenYear(NamedTuple):
    """One year of UTC in detail, cut at its ends, and the working days whose local dates lie in it."""

    number: int
    since: int
    until: int
    starts: list[int]
    ends: list[int]
    after: list[int]  # working time since the beginning of the year, up to the end of each stretch
    runs_on: bool  # the last stretch goes on in the next year
    days: list[int]  # ordinals of the working days
    day_ends: list[int]  # where the last range of each ends
    outline: Outline


def open_year(zone: ZoneInfo, hours_of: Callable[[int], tuple[Hours, ...]], number: int) -> OpenYear:
    """One year in detail; `hours_of` tells the ranges that begin on a date, by its ordinal."""
    spans = _offsets(zone, number)
    first, last = date(number, 1, 1).toordinal(), date(number, 12, 31).toordinal()
    since, until = (first - EPOCH_ORDINAL) * DAY, (last + 1 - EPOCH_ORDINAL) * DAY
    by_day = [
        (ordinal, pieces)
        for ordinal in range(first - 2, last + 2)  # a date's ranges, over midnight and in any zone, reach so far into the year
        if (pieces := _on_utc(spans, ordinal, _shape(hours_of(ordinal))))
    ]
    united = united_pieces(sorted(chain.from_iterable(pieces for _, pieces in by_day)))
    starts, ends, runs_on = _cut([start for start, _ in united], [end for _, end in united], since, until)
    after = list(accumulate(map(sub, ends, starts)))
    days = [(ordinal, pieces[0][0], pieces[-1][1]) for ordinal, pieces in by_day if first <= ordinal <= last]
    outline = Outline(
        until=until,
        total=after[-1] if after else 0,
        opens=starts[0] if starts else None,
        closes=ends[-1] if ends else _LONG_AGO,
        days=len(days),
        first_day_opens=days[0][1] if days else None,
        last_day_closes=max(map(itemgetter(2), days)) if days else _LONG_AGO,
    )
    day_ends = [end for _, _, end in days]
    return OpenYear(number, since, until, starts, ends, after, runs_on, [ordinal for ordinal, _, _ in days], day_ends, outline)


def pieces_of(zone: ZoneInfo, ordinal: int, hours: tuple[Hours, ...]) -> list[Piece]:
    """When the ranges of the date with this ordinal are open; empty when the clocks skip them."""
    return _on_utc(_offsets(zone, date.fromordinal(ordinal).year), ordinal, _shape(hours)) if hours else []


def local_instant(zone: ZoneInfo, ordinal: int, second: int) -> int:
    """When so many seconds of the date with this ordinal are over on the wall clock, as a range that ends then ends.

    A time that the clocks show twice is over after the second time, one that they skip when they skip it.
    """
    wall = (ordinal - EPOCH_ORDINAL) * DAY + second * SECOND
    spans = _offsets(zone, date.fromordinal(ordinal).year)
    return max(min(until, wall - offset) for since, until, offset in spans if wall - offset > since)


@lru_cache(maxsize=4096)
def _shape(hours: tuple[Hours, ...]) -> list[Piece]:
    """The ranges of a day in microseconds after its midnight, those that overlap as one."""
    return united_pieces(sorted((piece.start * SECOND, piece.last * SECOND) for piece in hours))


def united_pieces(pieces: list[Piece]) -> list[Piece]:
    """Sorted pieces, those that overlap as one; such as only touch stay apart."""
    starts, ends = map(itemgetter(0), pieces[1:]), map(itemgetter(1), pieces)
    if not any(map(gt, ends, starts)):
        return pieces
    found: list[Piece] = []
    for start, end in pieces:
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _cut(starts: list[int], ends: list[int], since: int, until: int) -> tuple[list[int], list[int], bool]:
    """Stretches that follow each other, cut to a span of time, and whether the last one goes on after it."""
    first, last = bisect_right(ends, since), bisect_left(starts, until)
    starts, ends = starts[first:last], ends[first:last]
    if not starts:
        return starts, ends, False
    runs_on = ends[-1] > until
    starts[0], ends[-1] = max(since, starts[0]), min(until, ends[-1])
    return starts, ends, runs_on


def _on_utc(spans: Iterable[tuple[int, int, int]], ordinal: int, shape: Sequence[Piece]) -> list[Piece]:
    midnight = (ordinal - EPOCH_ORDINAL) * DAY
    pieces: list[Piece] = []
    for since, until, offset in spans:
        base = midnight - offset
        if since <= base and base + 2 * DAY <= until:  # so lie most days: nothing of them has to be cut
            pieces += [(base + start, base + end) for start, end in shape]
            continue
        for start, end in shape:
            if (begin := max(since, base + start)) < (stop := min(until, base + end)):
                pieces.append((begin, stop))
    return pieces


@lru_cache(maxsize=4096)
def _offsets(zone: ZoneInfo, year: int) -> tuple[tuple[int, int, int], ...]:
    """The zone's offsets as (since, until, offset), all microseconds, around the dates of a local year."""
    since = (date(year, 1, 1).toordinal() - EPOCH_ORDINAL - 3) * DAY
    until = (date(year, 12, 31).toordinal() - EPOCH_ORDINAL + 6) * DAY
    spans = []
    offset = offset_on(since, zone)
    for change in _changes(zone, since, until):
        if (later := offset_on(change, zone)) != offset:
            spans.append((since, change, offset))
            since, offset = change, later
    spans.append((since, until, offset))
    return tuple(spans)


def _changes(zone: ZoneInfo, since: int, until: int) -> Iterator[int]:
    """The instants in a span of time at which the zone's clocks may change, in order."""
    listed = changes(zone.key)
    for second in listed[bisect_right(listed, since // SECOND) : bisect_left(listed, until // SECOND)]:
        yield second * SECOND
    # What follows the list is a yearly rule, so samples of a week find the change, and a bisection its second.
    for sample in range(max(since, listed[-1] * SECOND if listed else since), until, 7 * DAY):
        low, high = sample // SECOND, (sample + 7 * DAY) // SECOND
        before = offset_on(low * SECOND, zone)
        if offset_on(high * SECOND, zone) == before:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_on(middle * SECOND, zone) == before else (low, middle)
        yield high * SECOND
