"""What became of the records of one transaction: events in = applied + duplicates + dead."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from common.contracts.envelope import Record
from common.store.record_counts import RecordCounts, Result

P0, P1 = ("claims", 0), ("claims", 1)


@dataclass(frozen=True)
class At:
    """A record, of which only the place counts."""

    offset: int
    partition: int = 0
    topic: str = "claims"
    timestamp: int = 0


def figures(tally: RecordCounts, place: tuple[str, int] = P0) -> tuple[int, ...]:
    counts = tally.counts[place]
    return counts.next_offset, counts.events_in, counts.applied, counts.duplicates, counts.dead, counts.parked


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ("applied", (6, 1, 1, 0, 0, 0)),
        ("duplicate", (6, 1, 0, 1, 0, 0)),
        ("dead", (6, 1, 0, 0, 1, 0)),
        ("parked", (6, 1, 0, 0, 1, 1)),
    ],
)
def test_each_record_is_counted_once(result: Result, found: tuple[int, ...]) -> None:
    tally = RecordCounts(seen={P0: 5})
    tally.add(At(5), result)
    assert figures(tally) == found


@pytest.mark.parametrize("result", ["duplicate", "dead"])
def test_what_was_handled_before_comes_in_no_second_time(result: Result) -> None:
    tally = RecordCounts(seen={P0: 5})
    tally.add(At(4), result)
    assert figures(tally) == (5, 0, 0, 0, 0, 0)
    assert [tally.knows(At(4)), tally.knows(At(5)), tally.knows(At(4, partition=1)), tally.knows(At(0, partition=1))] == [
        True,
        False,
        False,
        False,
    ]


def test_the_position_is_after_the_last_record_in_whatever_order_they_are_counted() -> None:
    tally = RecordCounts(seen={})
    for offset in (3, 7, 5):
        tally.add(At(offset), "applied")
    assert figures(tally) == (8, 3, 3, 0, 0, 0)


def test_many_records_at_once_count_as_one_after_the_other() -> None:
    records = [At(3), At(7), At(5), At(0, partition=1)]
    one_by_one, at_once = RecordCounts(seen={}), RecordCounts(seen={})
    for tally in (one_by_one, at_once):
        tally.add(At(9), "dead")
    for record in records:
        one_by_one.add(record, "applied")
    at_once.add_applied(records)
    assert at_once.counts == one_by_one.counts
    assert (figures(at_once), figures(at_once, P1)) == ((10, 4, 3, 0, 1, 0), (1, 1, 1, 0, 0, 0))


def test_a_record_that_was_held_back_is_applied_and_no_longer_dead() -> None:
    tally = RecordCounts(seen={P0: 9})
    held = Record("claims", 0, 4, b"k", b"{}", (), datetime(2026, 7, 6, tzinfo=UTC))
    tally.now_applied(held)
    assert figures(tally) == (0, 0, 1, 0, -1, 0)
