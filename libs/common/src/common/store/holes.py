"""Holes: records that Kafka no longer has, or that nobody will read, although the service has not handled them.

While a hole is open the service has not caught up, so no timer fires and no cycle closes. It ends by a person's word, or by the
records themselves: a log that was set back has its old last record again; what was skipped is read from where the database stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kafka.log_reader import Log, LogReader
from common.kafka.records import Gap, TopicPartition

log = structlog.get_logger(__name__)

Kind = Literal["made_anew", "set_back", "deleted_unread", "skipped"]

_POSITIONS = text("SELECT topic, partition, next_offset, topic_id, last_appended, seek FROM consumer_progress ORDER BY topic, partition")
_LOCKED = text(f"{_POSITIONS} FOR UPDATE")
_BASE = text("""
UPDATE consumer_progress SET topic_id = :topic_id, next_offset = greatest(next_offset, :next_offset)
WHERE topic = :topic AND partition = :partition AND topic_id IS NULL
""")
_SET = text("""
UPDATE consumer_progress SET next_offset = :next_offset, topic_id = :topic_id, last_appended = NULL, seek = true, caught_up_at = NULL
WHERE topic = :topic AND partition = :partition
""")
_SEEK = text("UPDATE consumer_progress SET seek = true WHERE topic = :topic AND partition = :partition")
_PASS = text("UPDATE consumer_progress SET next_offset = :next_offset WHERE topic = :topic AND partition = :partition")
_OPEN = text("""
INSERT INTO log_holes (topic, partition, kind, position_before, position_after, last_appended)
VALUES (:topic, :partition, :kind, :before, :after, :last_appended)
ON CONFLICT (topic, partition, kind) WHERE ended_at IS NULL DO UPDATE SET position_after = excluded.position_after
""")
_FOUND = text("""
SELECT h.id, h.topic, h.partition, h.kind, h.position_before, h.last_appended, p.seek, p.topic_id
FROM log_holes h JOIN consumer_progress p USING (topic, partition) WHERE h.ended_at IS NULL
""")
_END = text("UPDATE log_holes SET ended_at = clock_timestamp(), ended_by = 'records', reason = :reason WHERE id = :id")
_ANY = text("SELECT topic, partition, kind FROM log_holes WHERE ended_at IS NULL ORDER BY found_at LIMIT 1")
_TO_SEEK = text("SELECT topic, partition, next_offset FROM consumer_progress WHERE seek")


@dataclass(frozen=True, slots=True)
class Position:
    """Where the service stands on one partition, by its database."""

    next_offset: int
    topic_id: str | None
    last_appended: int | None
    """The append time of the record before `next_offset`, in milliseconds, where it is known."""
    seek: bool
    """Whether whoever reads the partition has to go to `next_offset` first."""


@dataclass(frozen=True, slots=True)
class Hole:
    """What is missing on one partition, and where the service goes on."""

    kind: Kind
    before: int
    after: int


def hole_in(before: Position | None, now: Position, found: Log) -> Hole | None:
    """The hole between a position and its log, if there is one.

    `before` was read before Kafka was asked, `now` afterwards: a log grows while one looks, and so does what was committed.
    """
    if now.topic_id is not None and now.topic_id != found.topic_id:
        return Hole("made_anew", now.next_offset, found.start)
    if found.start > now.next_offset:
        return Hole("deleted_unread", now.next_offset, found.start)
    if before is not None and before.topic_id is not None and found.end < min(before.next_offset, now.next_offset):
        return Hole("set_back", now.next_offset, found.end)
    if found.committed is not None and found.committed > now.next_offset and not now.seek:
        return Hole("skipped", now.next_offset, found.committed)
    return None


async def positions(connection: AsyncConnection, *, locked: bool = False) -> dict[TopicPartition, Position]:
    """Where the service stands on every partition that it has seen."""
    rows = await connection.execute(_LOCKED if locked else _POSITIONS)
    return {(row.topic, row.partition): Position(row.next_offset, row.topic_id, row.last_appended, row.seek) for row in rows}


async def compare(
    connection: AsyncConnection,
    reader: LogReader,
    before: Mapping[TopicPartition, Position],
    logs: Mapping[TopicPartition, Log],
    refilled: Mapping[TopicPartition, int],
) -> None:
    """Holds every position against its log: opens holes and sets the positions from which counting goes on; ends what has ended.

    `refilled`: where another record stands just before the position than the service has handled, with its append time.
    """
    for place, now in (await positions(connection, locked=True)).items():
        found = logs.get(place)
        if found is None:
            continue
        if now.topic_id is None:
            await connection.execute(
                _BASE, {**_key(place), "topic_id": found.topic_id, "next_offset": 0 if now.next_offset else found.start}
            )
            continue
        hole = hole_in(before.get(place), now, found)
        if hole is None and place in refilled:
            hole = Hole("set_back", now.next_offset, found.start)
        if hole is not None and hole.kind == "skipped" and not await reader.unread({place: Gap(hole.before, hole.after)}):
            await connection.execute(_PASS, {**_key(place), "next_offset": hole.after})
        elif hole is not None:
            await _open(connection, place, hole, now, found)
    await _end(connection, reader, logs)


async def _open(connection: AsyncConnection, place: TopicPartition, hole: Hole, now: Position, found: Log) -> None:
    last_appended = now.last_appended if hole.kind == "set_back" else None
    parts = {"kind": hole.kind, "before": hole.before, "after": hole.after, "last_appended": last_appended}
    await connection.execute(_OPEN, {**_key(place), **parts})
    if hole.kind == "skipped":
        await connection.execute(_SEEK, _key(place))
    else:
        await connection.execute(_SET, {**_key(place), "next_offset": hole.after, "topic_id": found.topic_id})
    log.error("log_hole_found", topic=place[0], partition=place[1], kind=hole.kind, position_before=hole.before, position_after=hole.after)


async def _end(connection: AsyncConnection, reader: LogReader, logs: Mapping[TopicPartition, Log]) -> None:
    """Ends what the records themselves have ended."""
    for hole in list(await connection.execute(_FOUND)):
        place = (hole.topic, hole.partition)
        if hole.kind == "skipped" and not hole.seek:
            await _ended(connection, hole, "the service has gone back and reads what was skipped")
        elif hole.kind == "set_back" and hole.last_appended is not None and place in logs and logs[place].end >= hole.position_before:
            last = hole.position_before - 1
            if (await reader.appended_at({place: last})).get(place) == hole.last_appended:
                await _ended(connection, hole, "the log has the record again that stood last")


async def _ended(connection: AsyncConnection, hole: Any, reason: str) -> None:
    await connection.execute(_END, {"id": hole.id, "reason": reason})
    log.warning("log_hole_ended", topic=hole.topic, partition=hole.partition, kind=hole.kind, reason=reason)


async def open_hole(connection: AsyncConnection) -> str | None:
    """The oldest hole that is open, in words; None when there is none."""
    row = (await connection.execute(_ANY)).one_or_none()
    return None if row is None else f"a hole in {row.topic}/{row.partition} ({row.kind})"


async def to_seek(connection: AsyncConnection) -> dict[TopicPartition, int]:
    """The partitions whose reader has to go somewhere else, and where to."""
    return {(row.topic, row.partition): row.next_offset for row in await connection.execute(_TO_SEEK)}


def _key(place: TopicPartition) -> dict[str, Any]:
    return {"topic": place[0], "partition": place[1]}
