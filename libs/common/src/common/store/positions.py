"""How far the service has come on each partition, counted in the transaction of the effect, and when it had last caught up.

What a position may be held against, and what becomes of it when Kafka has lost records, stands in `log_holes`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Record
from common.kafka.records import Gap, PositionedRecord, TopicPartition

Result = Literal["applied", "duplicate", "dead", "parked"]

BLIND = timedelta(seconds=4)
"""Who has not been seen to be caught up for longer does not know whether a replayed history was quiet meanwhile."""

_ENSURE = text("""
INSERT INTO consumer_progress (topic, partition)
SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[])) AS t (topic, partition) ORDER BY 1, 2 ON CONFLICT DO NOTHING
""")
_LOCK = text("""
SELECT topic, partition, next_offset, topic_id, halted FROM consumer_progress
JOIN unnest(CAST(:topics AS text[]), CAST(:partitions AS int[])) AS t (topic, partition) USING (topic, partition)
ORDER BY topic, partition FOR UPDATE OF consumer_progress
""")
_ADD = text("""
UPDATE consumer_progress AS p
SET next_offset = greatest(p.next_offset, t.next_offset), events_in = p.events_in + t.events_in, applied = p.applied + t.applied,
    duplicates = p.duplicates + t.duplicates, dead = p.dead + t.dead,
    replayed_at = CASE WHEN :replayed THEN clock_timestamp() ELSE p.replayed_at END,
    last_appended = CASE WHEN t.next_offset > p.next_offset THEN t.last_appended ELSE p.last_appended END,
    seek = p.seek AND t.last_appended IS NULL
FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:next_offsets AS bigint[]), CAST(:events_in AS int[]),
            CAST(:applied AS int[]), CAST(:duplicates AS int[]), CAST(:dead AS int[]), CAST(:last_appended AS bigint[]))
     AS t (topic, partition, next_offset, events_in, applied, duplicates, dead, last_appended)
WHERE p.topic = t.topic AND p.partition = t.partition
""")
_LAG = text("""
UPDATE consumer_progress AS p
SET caught_up_at = CASE WHEN p.next_offset >= t.end_offset THEN CAST(:at AS timestamptz) ELSE p.caught_up_at END,
    behind_since = CASE WHEN p.next_offset >= t.end_offset THEN NULL ELSE coalesce(p.behind_since, CAST(:at AS timestamptz)) END,
    replayed_at = CASE WHEN p.next_offset >= t.end_offset AND p.caught_up_at < CAST(:at AS timestamptz) - CAST(:blind AS interval)
                            AND p.replayed_at IS NOT NULL
                       THEN CAST(:at AS timestamptz) ELSE p.replayed_at END
FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:end_offsets AS bigint[])) AS t (topic, partition, end_offset)
WHERE p.topic = t.topic AND p.partition = t.partition
RETURNING p.topic, p.partition, greatest(t.end_offset - p.next_offset, 0) AS lag
""")
_CAUGHT_UP = text("""
SELECT CASE WHEN count(*) < :expected OR bool_or(caught_up_at IS NULL AND counts) OR EXISTS (SELECT FROM log_holes WHERE ended_at IS NULL)
            THEN NULL
            ELSE coalesce(min(caught_up_at) FILTER (WHERE counts), now()) END AS at
FROM (SELECT caught_up_at, (behind_since IS NULL OR behind_since > now() - CAST(:patience AS interval)) AS counts
      FROM consumer_progress) AS p
""")


@dataclass(slots=True)
class _Counts:
    next_offset: int = 0
    events_in: int = 0
    applied: int = 0
    duplicates: int = 0
    dead: int = 0
    parked: int = 0
    """Those of `dead` that are only held back."""


@dataclass(slots=True)
class RecordCounts:
    """What became of the records of one transaction, by partition: events in = applied + duplicates + dead, always.

    `seen` tells up to where each partition was handled before; a duplicate or a dead letter from before that place is Kafka
    delivering again what we had committed, and is not an event that came in.
    """

    seen: Mapping[TopicPartition, int]
    halted: Collection[TopicPartition] = ()
    """The partitions that an operator has to let go on."""
    gaps: Mapping[TopicPartition, Gap] = field(default_factory=dict)
    """Where the batch begins later than the position; what lies between may be records that nobody has handled."""
    last_appended: Mapping[TopicPartition, int] = field(default_factory=dict)
    """When Kafka appended the last record of the batch, in milliseconds since 1970."""
    counts: dict[TopicPartition, _Counts] = field(default_factory=dict)
    replayed: bool = False
    """Whether any of the records belongs to a replayed history."""

    def add(self, record: PositionedRecord, result: Result) -> None:
        """One record and what became of it; waiting and parked ones count as dead until they are applied."""
        place = (record.topic, record.partition)
        counts = self.counts.setdefault(place, _Counts())
        counts.next_offset = max(counts.next_offset, record.offset + 1)
        if result in ("duplicate", "dead") and self.knows(record):
            return
        counts.events_in += 1
        if result == "applied":
            counts.applied += 1
        elif result == "duplicate":
            counts.duplicates += 1
        else:
            counts.dead += 1
            counts.parked += result == "parked"

    def knows(self, record: PositionedRecord) -> bool:
        """Whether the record was handled before: Kafka delivers it again."""
        return record.offset < self.seen.get((record.topic, record.partition), 0)

    def add_applied(self, records: Iterable[PositionedRecord]) -> None:
        """Many records that were applied: the same as `add` for each, at a tenth of the cost."""
        last: dict[TopicPartition, int] = {}
        number: Counter[TopicPartition] = Counter()
        for record in records:
            place = (record.topic, record.partition)
            number[place] += 1
            last[place] = max(last.get(place, 0), record.offset)
        for place, applied in number.items():
            counts = self.counts.setdefault(place, _Counts())
            counts.next_offset = max(counts.next_offset, last[place] + 1)
            counts.events_in += applied
            counts.applied += applied

    def settle(self, record: Record) -> None:
        """A record that was held back has been applied."""
        counts = self.counts.setdefault((record.topic, record.partition), _Counts())
        counts.applied += 1
        counts.dead -= 1


async def begin(connection: AsyncConnection, places: Iterable[TopicPartition], batch: Iterable[PositionedRecord] = ()) -> RecordCounts:
    """A tally for these partitions, and for those of a batch that came from Kafka; their rows are locked until the transaction ends.

    The batch has each partition's records in their order. The tally says where it leaves a gap; a partition that no look at Kafka
    has seen yet has no position to hold a batch against.
    """
    first: dict[TopicPartition, int] = {}
    last: dict[TopicPartition, PositionedRecord] = {}
    for record in batch:
        place = (record.topic, record.partition)
        if place not in last:
            first[place] = record.offset
        last[place] = record
    keys = _keys(sorted({*places, *last}))
    await connection.execute(_ENSURE, keys)
    rows = {(row.topic, row.partition): row for row in await connection.execute(_LOCK, keys)}
    return RecordCounts(
        seen={place: row.next_offset for place, row in rows.items()},
        halted={place for place, row in rows.items() if row.halted},
        gaps={
            place: Gap(rows[place].next_offset, offset)
            for place, offset in first.items()
            if rows[place].topic_id is not None and offset > rows[place].next_offset
        },
        last_appended={place: record.timestamp for place, record in last.items()},
    )


async def save(connection: AsyncConnection, tally: RecordCounts) -> None:
    """Adds the tally to the table."""
    if not tally.counts:
        return
    places = sorted(tally.counts)
    found = [tally.counts[place] for place in places]
    await connection.execute(
        _ADD,
        {
            **_keys(places),
            "next_offsets": [counts.next_offset for counts in found],
            "events_in": [counts.events_in for counts in found],
            "applied": [counts.applied for counts in found],
            "duplicates": [counts.duplicates for counts in found],
            "dead": [counts.dead for counts in found],
            "last_appended": [tally.last_appended.get(place) for place in places],
            "replayed": tally.replayed,
        },
    )


async def ensure(connection: AsyncConnection, places: Iterable[TopicPartition]) -> None:
    """Positions for partitions that have none yet."""
    await connection.execute(_ENSURE, _keys(sorted(places)))


async def note_lag(connection: AsyncConnection, ends: Mapping[TopicPartition, int], at: datetime) -> dict[TopicPartition, int]:
    """Notes that the partitions ended at `ends` when the database's clock showed `at`; returns the lag in records.

    The quiet of a replayed history is counted anew after a time in which it could not be seen: an outage is no quiet.
    """
    places = sorted(ends)
    await connection.execute(_ENSURE, _keys(places))
    await connection.execute(_LOCK, _keys(places))  # in the same order as a batch does, so that the two never wait for each other
    rows = await connection.execute(_LAG, {**_keys(places), "end_offsets": [ends[place] for place in places], "at": at, "blind": BLIND})
    return {(row.topic, row.partition): row.lag for row in rows}


async def caught_up_at(connection: AsyncConnection, *, expected: int, patience: timedelta) -> datetime | None:
    """The instant up to which the service has certainly seen everything on its `expected` partitions; None before it is known.

    A partition that has been behind for longer than `patience` no longer holds it back.
    """
    found: datetime | None = (await connection.execute(_CAUGHT_UP, {"expected": expected, "patience": patience})).scalar_one()
    return found


def _keys(places: Sequence[TopicPartition]) -> dict[str, list[str] | list[int]]:
    return {"topics": [topic for topic, _ in places], "partitions": [partition for _, partition in places]}
