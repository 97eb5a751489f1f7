"""Local times that the clocks show twice or never: the order of the file says which instant is meant, or the report says that none does."""

from collections.abc import Sequence

from ops.replay.rows import Row
from ops.replay.times import Instant


def settled(case: list[Row]) -> list[Row]:
    """The rows of a case in the order of time, rows of one instant as they stood in the file.

    A row whose local time comes twice or never gets the instant that keeps the order in which the file has the case, oldest
    or newest first; a mere date is not moved before a time of that day that stands before it. Where the order leaves several
    instants, it is the first of two hours, or the time after the gap, and the row is marked as guessed; so it is where the
    rows that are sure stand in no order.
    """
    if all(row.other is None for row in case):
        return case
    in_file = sorted(case, key=lambda row: row.number)
    told = [Instant(row.at, row.other, row.dated) for row in in_file]
    found = readings(told)
    if found is None:
        found = readings(told[::-1])
        found = [(one.at, one.other is not None and not one.dated) for one in told] if found is None else found[::-1]
    return sorted(row.read_as(at, guessed) for row, (at, guessed) in zip(in_file, found, strict=True))


def readings(times: Sequence[Instant]) -> list[tuple[int, bool]] | None:
    """For times that stand in order, the instant of each and whether it is a guess; None when no instants are in that order."""
    earliest: list[int] = []
    for told in times:
        first = told.first_from(earliest[-1] if earliest else None)
        if first is None:
            return None
        earliest.append(first)
    latest: list[int] = []
    for told in reversed(times):
        last = told.last_until(latest[-1] if latest else None)
        assert last is not None  # the earliest are in order, and none of them is after the latest
        latest.append(last)
    return [_chosen(told, low, high) for told, low, high in zip(times, earliest, reversed(latest), strict=True)]


def _chosen(told: Instant, low: int, high: int) -> tuple[int, bool]:
    """Of what the order leaves open: the earliest time of a date, the first of two hours, the time after a gap."""
    if told.dated or told.other is None:
        return low, False
    return (high if told.other < told.at else low), low != high
