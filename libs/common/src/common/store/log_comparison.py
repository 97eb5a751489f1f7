"""Holds the positions of a service against the logs on Kafka: finds the holes, and says from where counting goes on."""

from collections.abc import Mapping

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kafka.log_reader import Log, LogReader
from common.kafka.records import Gap, TopicPartition
from common.store import holes, positions
from common.store.holes import Hole, OpenHole
from common.store.positions import Position

log = structlog.get_logger(__name__)


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
    for place, now in (await positions.all_of(connection, locked=True)).items():
        found = logs.get(place)
        if found is None:
            continue
        if now.topic_id is None:
            await positions.see(connection, place, found.topic_id, now.next_offset or found.start)
            continue
        hole = hole_in(before.get(place), now, found)
        if hole is None and place in refilled:
            hole = Hole("set_back", now.next_offset, found.start)
        if hole is not None and hole.kind == "skipped" and not await reader.unread({place: Gap(hole.before, hole.after)}):
            await positions.pass_to(connection, place, hole.after)
        elif hole is not None:
            await _open(connection, place, hole, now, found)
    await _end(connection, reader, logs)


async def _open(connection: AsyncConnection, place: TopicPartition, hole: Hole, now: Position, found: Log) -> None:
    await holes.open(connection, place, hole, now.last_appended if hole.kind == "set_back" else None)
    if hole.kind == "skipped":
        await positions.seek(connection, place)
    else:
        await positions.set_anew(connection, place, hole.after, found.topic_id)
    log.error("log_hole_found", topic=place[0], partition=place[1], kind=hole.kind, position_before=hole.before, position_after=hole.after)


async def _end(connection: AsyncConnection, reader: LogReader, logs: Mapping[TopicPartition, Log]) -> None:
    """Ends what the records themselves have ended."""
    found = await holes.all_open(connection)
    now = await positions.all_of(connection) if found else {}
    for hole in found:
        if hole.kind == "skipped" and hole.place in now and not now[hole.place].seek:
            await _ended(connection, hole, "the service has gone back and reads what was skipped")
        elif hole.kind == "set_back" and await _is_as_before(hole, reader, logs):
            await _ended(connection, hole, "the log has the record again that stood last")


async def _is_as_before(hole: OpenHole, reader: LogReader, logs: Mapping[TopicPartition, Log]) -> bool:
    if hole.last_appended is None or hole.place not in logs or logs[hole.place].end < hole.before:
        return False
    return (await reader.appended_at({hole.place: hole.before - 1})).get(hole.place) == hole.last_appended


async def _ended(connection: AsyncConnection, hole: OpenHole, reason: str) -> None:
    await holes.end(connection, hole, reason)
    topic, partition = hole.place
    log.warning("log_hole_ended", topic=topic, partition=partition, kind=hole.kind, reason=reason)
