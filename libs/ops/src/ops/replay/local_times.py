"""Local times that the clocks show twice or never: the order of the file says which instant is meant, or the report says that none does."""

from collections.abc import Sequence

from ops.replay.rows import Row

Candidates = tuple[int, int | None]
"""An instant, and the other one that the same local time may mean."""


def settled(case: list[Row]) -> list[Row]:
    """The rows of a case in the order of time, rows of one instant as they stood in the file.

    A row whose local time comes twice or never gets the instant that keeps the order in which the file has the case, oldest
    or newest first. Where that leaves several, it is the first of two hours, or the time after the gap, and the row is marked
    as guessed; so it is where the rows that are sure stand in no order.
    """
    if all(row.other is None for row in case):
        return case
    in_file = sorted(case, key=lambda row: row.number)
    found = readings([(row.at, row.other) for row in in_file])
    if found is None:
        found = readings([(row.at, row.other) for row in reversed(in_file)])
        found = [(row.at, row.other is not None) for row in in_file] if found is None else found[::-1]
    return sorted(row.read_as(at, guessed) for row, (at, guessed) in zip(in_file, found, strict=True))


def readings(times: Sequence[Candidates]) -> list[tuple[int, bool]] | None:
    """For times that stand in order, the instant of each and whether it is a guess; None when no instants are in that order."""
    earliest, reached = [], None
    for at, other in times:
        fits = [found for found in (at, other) if found is not None and (reached is None or found >= reached)]
        if not fits:
            return None
        reached = min(fits)
        earliest.append(reached)
    latest: list[int] = []
    for at, other in reversed(times):
        fits = [found for found in (at, other) if found is not None and (not latest or found <= latest[-1])]
        latest.append(max(fits))
    return [
        # Of an hour that comes twice the first is meant, of one that never comes the time after the gap.
        (high if other is not None and other < at else low, low != high)
        for low, high, (at, other) in zip(earliest, reversed(latest), times, strict=True)
    ]
