"""Holes: records that Kafka no longer has, or that nobody will read, although the service has not handled them.

While a hole is open the service has not caught up, so no timer fires and no cycle closes. It ends by a person's word, or by the
records themselves: a log that was set back has its old last record again; what was skipped is read from where the database stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kafka.records import TopicPartition

Kind = Literal["made_anew", "set_back", "deleted_unread", "skipped"]

ANY_OPEN = "EXISTS (SELECT FROM log_holes WHERE ended_at IS NULL)"
"""SQL for another table's statement: a hole is open."""
_OPEN = text("""
INSERT INTO log_holes (topic, partition, kind, position_before, position_after, last_appended)
VALUES (:topic, :partition, :kind, :before, :after, :last_appended)
ON CONFLICT (topic, partition, kind) WHERE ended_at IS NULL DO UPDATE SET position_after = excluded.position_after
""")
_ALL_OPEN = text("SELECT id, topic, partition, kind, position_before, last_appended FROM log_holes WHERE ended_at IS NULL")
_END = text("UPDATE log_holes SET ended_at = clock_timestamp(), ended_by = 'records', reason = :reason WHERE id = :id")
_OLDEST = text("SELECT topic, partition, kind FROM log_holes WHERE ended_at IS NULL ORDER BY found_at LIMIT 1")
_LIST = text("""
SELECT topic, partition, kind, position_before, position_after, found_at, ended_at, ended_by, reason
FROM log_holes WHERE :ended OR ended_at IS NULL ORDER BY found_at, topic, partition
""")
_ACCEPT = text("""
UPDATE log_holes SET ended_at = clock_timestamp(), ended_by = :by, reason = :reason
WHERE ended_at IS NULL AND (CAST(:topic AS text) IS NULL OR topic = :topic) AND (CAST(:partition AS int) IS NULL OR partition = :partition)
RETURNING topic, partition, kind, position_before, position_after
""")
_END_SKIPPED = text("""
UPDATE log_holes SET ended_at = clock_timestamp(), ended_by = :by, reason = :reason WHERE kind = 'skipped' AND ended_at IS NULL
""")
_BY_KIND = text("SELECT topic, kind, count(*) AS n FROM log_holes WHERE ended_at IS NULL GROUP BY 1, 2 ORDER BY min(found_at)")


@dataclass(frozen=True, slots=True)
class Hole:
    """What is missing on one partition, and where the service goes on."""

    kind: Kind
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class OpenHole:
    """A hole that has not ended. `last_appended`: when the last record before it was appended, in milliseconds, where that is known."""

    id: int
    place: TopicPartition
    kind: Kind
    before: int
    last_appended: int | None


async def open(connection: AsyncConnection, place: TopicPartition, hole: Hole, last_appended: int | None) -> None:
    """Opens a hole; one of the same kind that is open there goes on."""
    values = {"kind": hole.kind, "before": hole.before, "after": hole.after, "last_appended": last_appended}
    await connection.execute(_OPEN, {"topic": place[0], "partition": place[1], **values})


async def all_open(connection: AsyncConnection) -> list[OpenHole]:
    """The holes that are open."""
    return [
        OpenHole(row.id, (row.topic, row.partition), row.kind, row.position_before, row.last_appended)
        for row in await connection.execute(_ALL_OPEN)
    ]


async def end(connection: AsyncConnection, hole: OpenHole, reason: str) -> None:
    """Ends a hole that the records themselves have ended."""
    await connection.execute(_END, {"id": hole.id, "reason": reason})


async def open_hole(connection: AsyncConnection) -> str | None:
    """The oldest hole that is open, in words; None when there is none."""
    row = (await connection.execute(_OLDEST)).one_or_none()
    return None if row is None else f"a hole in {row.topic}/{row.partition} ({row.kind})"


async def listed(connection: AsyncConnection, *, ended: bool) -> list[Mapping[str, Any]]:
    """The open holes, oldest first; with those that have `ended` too, by whom and why."""
    return [dict(row) for row in (await connection.execute(_LIST, {"ended": ended})).mappings()]


async def accept(connection: AsyncConnection, *, by: str, reason: str, topic: str | None, partition: int | None) -> list[Mapping[str, Any]]:
    """Ends open holes by a person's word: those of one topic or partition, or all; returns them."""
    values = {"by": by, "reason": reason, "topic": topic, "partition": partition}
    return [dict(row) for row in (await connection.execute(_ACCEPT, values)).mappings()]


async def end_skipped(connection: AsyncConnection, *, by: str, reason: str) -> None:
    """Ends the holes of records that the service would have passed over, since it was set back before them."""
    await connection.execute(_END_SKIPPED, {"by": by, "reason": reason})


async def open_by_kind(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """How many partitions have an open hole, by topic and kind, the oldest first."""
    return {(row.topic, row.kind): row.n for row in await connection.execute(_BY_KIND)}
