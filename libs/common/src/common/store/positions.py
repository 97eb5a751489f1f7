"""How far the service has come on each partition, counted in the transaction of the effect, and when it had last caught up.

What a position may be held against, and what becomes of it when Kafka has lost records, stands in `log_comparison`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.topics import READ_FIRST, TOPICS
from common.kafka.records import Gap, PositionedRecord, TopicPartition
from common.store import holes
from common.store.record_counts import RecordCounts

CAUGHT_UP_STALE_AFTER = timedelta(seconds=4)
"""If the service has not been seen caught up for this long, it cannot tell whether the replay was idle, so the idle time starts again."""

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
    replayed_at = CASE WHEN p.next_offset >= t.end_offset AND p.caught_up_at < CAST(:at AS timestamptz) - CAST(:stale_after AS interval)
                            AND p.replayed_at IS NOT NULL
                       THEN CAST(:at AS timestamptz) ELSE p.replayed_at END
FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:end_offsets AS bigint[])) AS t (topic, partition, end_offset)
WHERE p.topic = t.topic AND p.partition = t.partition
RETURNING p.topic, p.partition, greatest(t.end_offset - p.next_offset, 0) AS lag
""")
_CAUGHT_UP = text(f"""
SELECT CASE WHEN count(*) < :expected OR bool_or(caught_up_at IS NULL AND counts) OR {holes.ANY_OPEN}
            THEN NULL
            ELSE coalesce(min(caught_up_at) FILTER (WHERE counts), now()) END AS at
FROM (SELECT caught_up_at, (behind_since IS NULL OR behind_since > now() - CAST(:max_lag_wait AS interval)) AS counts
      FROM consumer_progress) AS p
""")  # noqa: S608 - the part that is put in is a constant of ours
REPLAYED_LATELY = "EXISTS (SELECT FROM consumer_progress WHERE replayed_at > clock_timestamp() - CAST(:replay_idle AS interval))"
"""SQL for another table's statement: a record of a replayed history came within the interval `:replay_idle`."""
_READ_FIRST = ", ".join(f"'{topic.name}'" for topic in TOPICS if topic.group == READ_FIRST)
READS_ALL_DOCUMENTS = f"""
    coalesce((SELECT bool_or(topic = 'reference-documents') AND bool_and(caught_up_at IS NOT NULL AND behind_since IS NULL)
              FROM consumer_progress WHERE topic IN ({_READ_FIRST})), false)
"""  # noqa: S608 - the part that is put in is a constant of ours
"""SQL for another table's statement: the service has read the reference documents, and what HR says, up to their ends as last seen."""
_ALL = text("""
SELECT topic, partition, next_offset, topic_id, last_appended, seek, halted,
       coalesce(extract(epoch FROM now() - behind_since), 0)::float AS behind_seconds
FROM consumer_progress ORDER BY topic, partition
""")
_ALL_LOCKED = text(f"{_ALL} FOR UPDATE")
_SEE = text("""
UPDATE consumer_progress SET topic_id = :topic_id, next_offset = greatest(next_offset, :next_offset)
WHERE topic = :topic AND partition = :partition AND topic_id IS NULL
""")
_SET_ANEW = text("""
UPDATE consumer_progress SET next_offset = :next_offset, topic_id = :topic_id, last_appended = NULL, seek = true, caught_up_at = NULL
WHERE topic = :topic AND partition = :partition
""")
_SEEK = text("UPDATE consumer_progress SET seek = true WHERE topic = :topic AND partition = :partition")
_SOUGHT = text("UPDATE consumer_progress SET seek = false")
_TO_SEEK = text("SELECT topic, partition, next_offset FROM consumer_progress WHERE seek")
_PASS = text("UPDATE consumer_progress SET next_offset = :next_offset WHERE topic = :topic AND partition = :partition")
_HALT = text("UPDATE consumer_progress SET halted = true WHERE topic = :topic AND partition = :partition")
_RESUME = text("UPDATE consumer_progress SET halted = false WHERE halted RETURNING topic, partition")
_HALTED = text("SELECT topic, partition FROM consumer_progress WHERE halted")
_ONE = text("SELECT next_offset, halted FROM consumer_progress WHERE topic = :topic AND partition = :partition")
_TOTALS = text("""
SELECT coalesce(sum(events_in), 0)::bigint AS events_in, coalesce(sum(applied), 0)::bigint AS applied,
       coalesce(sum(duplicates), 0)::bigint AS duplicates, coalesce(sum(dead), 0)::bigint AS dead_letters
FROM consumer_progress
""")
_IS_THERE = text("SELECT to_regclass('consumer_progress') IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Position:
    """Where the service stands on one partition, by its database."""

    next_offset: int
    topic_id: str | None
    last_appended: int | None
    """The append time of the record before `next_offset`, in milliseconds, where it is known."""
    seek: bool
    """Whether whoever reads the partition has to go to `next_offset` first."""
    halted: bool
    """Whether it stands still until an operator lets it go on."""
    behind_seconds: float
    """For how long it has been behind its log; 0 when it is not."""


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
    rows = await _locked(connection, {*places, *last})
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
    places, found = list(tally.counts), list(tally.counts.values())
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
    if wanted := list(places):
        await connection.execute(_ENSURE, _keys(wanted))


async def note_lag(connection: AsyncConnection, ends: Mapping[TopicPartition, int], at: datetime) -> dict[TopicPartition, int]:
    """Notes that the partitions ended at `ends` when the database's clock showed `at`; returns the lag in records.

    The idle time of a replay starts again after a time in which it could not be seen: an outage is no idleness.
    """
    places = list(ends)
    await _locked(connection, places)  # in the same order as a batch does, so that the two never wait for each other
    rows = await connection.execute(
        _LAG, {**_keys(places), "end_offsets": [ends[place] for place in places], "at": at, "stale_after": CAUGHT_UP_STALE_AFTER}
    )
    return {(row.topic, row.partition): row.lag for row in rows}


async def caught_up_at(connection: AsyncConnection, *, expected: int, max_lag_wait: timedelta) -> datetime | None:
    """The instant up to which the service has certainly seen everything on its `expected` partitions; None before it is known.

    A partition that has been behind for longer than `max_lag_wait` no longer holds it back.
    """
    found: datetime | None = (await connection.execute(_CAUGHT_UP, {"expected": expected, "max_lag_wait": max_lag_wait})).scalar_one()
    return found


async def all_of(connection: AsyncConnection, *, locked: bool = False) -> dict[TopicPartition, Position]:
    """Where the service stands on every partition that it has seen; `locked` until the transaction ends."""
    rows = await connection.execute(_ALL_LOCKED if locked else _ALL)
    return {
        (row.topic, row.partition): Position(row.next_offset, row.topic_id, row.last_appended, row.seek, row.halted, row.behind_seconds)
        for row in rows
    }


async def next_offsets(connection: AsyncConnection) -> dict[TopicPartition, int]:
    """Up to where each partition was handled."""
    return {place: position.next_offset for place, position in (await all_of(connection)).items()}


async def next_offset(connection: AsyncConnection, place: TopicPartition) -> tuple[int, bool]:
    """Up to where one partition was handled, and whether it is halted."""
    row = (await connection.execute(_ONE, _key(place))).one_or_none()
    return (0, False) if row is None else (row.next_offset, row.halted)


async def see(connection: AsyncConnection, place: TopicPartition, topic_id: str, next_offset: int) -> None:
    """Notes which topic it is that the service reads, from `next_offset` at least, where no look at Kafka has seen it yet."""
    await connection.execute(_SEE, {**_key(place), "topic_id": topic_id, "next_offset": next_offset})


async def set_anew(connection: AsyncConnection, place: TopicPartition, next_offset: int, topic_id: str) -> None:
    """Lets counting go on from `next_offset` of another log; whoever reads the partition has to go there."""
    await connection.execute(_SET_ANEW, {**_key(place), "next_offset": next_offset, "topic_id": topic_id})


async def pass_to(connection: AsyncConnection, place: TopicPartition, next_offset: int) -> None:
    """Goes on to `next_offset`, before which there is nothing to read."""
    await connection.execute(_PASS, {**_key(place), "next_offset": next_offset})


async def seek(connection: AsyncConnection, place: TopicPartition) -> None:
    """Asks whoever reads the partition to go where the service stands."""
    await connection.execute(_SEEK, _key(place))


async def sought(connection: AsyncConnection) -> None:
    """Nobody has to go anywhere: the groups were set to the positions."""
    await connection.execute(_SOUGHT)


async def to_seek(connection: AsyncConnection) -> dict[TopicPartition, int]:
    """The partitions whose reader has to go somewhere else, and where to."""
    return {(row.topic, row.partition): row.next_offset for row in await connection.execute(_TO_SEEK)}


async def halt(connection: AsyncConnection, place: TopicPartition) -> None:
    """Lets a partition stand still until an operator lets it go on."""
    await connection.execute(_HALT, _key(place))


async def halted(connection: AsyncConnection) -> set[TopicPartition]:
    """The partitions that stand still."""
    return {(row.topic, row.partition) for row in await connection.execute(_HALTED)}


async def resume(connection: AsyncConnection) -> list[TopicPartition]:
    """Lets every partition go on that stands still; returns them."""
    return sorted((row.topic, row.partition) for row in await connection.execute(_RESUME))


async def totals(connection: AsyncConnection) -> dict[str, int]:
    """What became of all that ever came in: `events_in`, `applied`, `duplicates`, `dead_letters`."""
    return dict((await connection.execute(_TOTALS)).mappings().one())


async def is_there(connection: AsyncConnection) -> bool:
    """Whether the service has made its tables yet."""
    return bool((await connection.execute(_IS_THERE)).scalar_one())


async def _locked(connection: AsyncConnection, places: Collection[TopicPartition]) -> dict[TopicPartition, Any]:
    """The rows of partitions, made where there are none yet, and locked in their order."""
    keys = _keys(places)
    rows = {(row.topic, row.partition): row for row in await connection.execute(_LOCK, keys)}
    if len(rows) == len(places):
        return rows
    await connection.execute(_ENSURE, keys)
    return {(row.topic, row.partition): row for row in await connection.execute(_LOCK, keys)}


def _key(place: TopicPartition) -> dict[str, str | int]:
    return {"topic": place[0], "partition": place[1]}


def _keys(places: Collection[TopicPartition]) -> dict[str, list[str] | list[int]]:
    return {"topics": [topic for topic, _ in places], "partitions": [partition for _, partition in places]}
