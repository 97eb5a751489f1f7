"""Parked aggregates: each met a defect of ours, and its events queue behind it until somebody asks for a redrive."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Record
from common.kafka import records
from common.store.held_back import HeldBack, HeldBackEvents, columns, read

_PARK_KEYS = text("""
INSERT INTO parked_keys (aggregate, reason)
SELECT * FROM unnest(CAST(:aggregates AS text[]), CAST(:reasons AS text[])) AS t (aggregate, reason) ORDER BY 1 ON CONFLICT DO NOTHING
""")
_PARK = text("""
INSERT INTO parked (aggregate, source, event_id, record)
SELECT aggregate, source, id, CAST(record AS json)
FROM unnest(CAST(:aggregates AS text[]), CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:records AS text[]))
     WITH ORDINALITY AS t (aggregate, source, id, record, n)
ORDER BY n
ON CONFLICT DO NOTHING
""")
_BEHIND = text("""
SELECT source, event_id AS id, aggregate, '' AS missing, CAST(record AS text) AS record
FROM parked p WHERE aggregate = :aggregate ORDER BY p.id
""")
_UNPARK = text("DELETE FROM parked WHERE aggregate = :aggregate")
_UNPARK_KEY = text("DELETE FROM parked_keys WHERE aggregate = :aggregate")
_KEEP = text("UPDATE parked_keys SET redrive = false, reason = :reason WHERE aggregate = :aggregate")
_PARKED_KEYS = text("""
SELECT aggregate FROM parked_keys WHERE aggregate = ANY(CAST(:aggregates AS text[])) ORDER BY aggregate FOR UPDATE
""")
_NEXT_REDRIVE = text("SELECT aggregate FROM parked_keys WHERE redrive ORDER BY since LIMIT 1")
_REDRIVE = text("""
UPDATE parked_keys SET redrive = true WHERE aggregate = :aggregate
RETURNING (SELECT count(*) FROM parked WHERE aggregate = :aggregate)
""")
_REDRIVE_FOR = text("UPDATE parked_keys SET redrive = true WHERE aggregate = ANY(CAST(:aggregates AS text[])) AND reason = :reason")
_ASKED = text("SELECT redrive, reason FROM parked_keys WHERE aggregate = :aggregate")
_LIST = text("""
SELECT k.aggregate AS id, min(p.record->>'topic') AS topic, k.reason, k.since, count(p.id) AS events, k.redrive
FROM parked_keys k LEFT JOIN parked p USING (aggregate)
GROUP BY k.aggregate
HAVING CAST(:topic AS text) IS NULL OR :topic = ANY(array_agg(p.record->>'topic')) ORDER BY k.since, k.aggregate
""")
_QUEUE = text("SELECT CAST(record AS text) AS record FROM parked WHERE aggregate = :aggregate ORDER BY id")
_BEHIND_WHICH = text("SELECT aggregate FROM parked WHERE source = :source AND event_id = :id")
_COUNT = text("SELECT count(*) FROM parked_keys")
_BY_TOPIC = text("SELECT record->>'topic' AS topic, count(*) AS n FROM parked GROUP BY 1")


def not_parked(column: str) -> str:
    """SQL for another table's statement: the aggregate that `column` names is not parked."""
    return f"NOT EXISTS (SELECT FROM parked_keys AS p WHERE p.aggregate = {column})"


async def parked_among(connection: AsyncConnection, aggregates: Iterable[str]) -> set[str]:
    """Which of `aggregates` are parked; their rows are locked until the transaction ends."""
    return {row.aggregate for row in await connection.execute(_PARKED_KEYS, {"aggregates": list(aggregates)})}


async def park(connection: AsyncConnection, parked: Sequence[HeldBack], reasons: Mapping[str, str]) -> None:
    """Parks the aggregates of `reasons`, and queues each event behind its aggregate."""
    if reasons:
        await connection.execute(_PARK_KEYS, {"aggregates": list(reasons), "reasons": list(reasons.values())})
    if parked:
        await connection.execute(_PARK, columns(parked))


async def parked_behind(connection: AsyncConnection, aggregate: str) -> HeldBackEvents:
    """The events that queue behind a parked aggregate, in the order in which they came."""
    return read(await connection.execute(_BEHIND, {"aggregate": aggregate}))


async def unpark(connection: AsyncConnection, aggregate: str) -> None:
    """Lets a parked aggregate go."""
    await connection.execute(_UNPARK, {"aggregate": aggregate})
    await connection.execute(_UNPARK_KEY, {"aggregate": aggregate})


async def keep_parked(connection: AsyncConnection, aggregate: str, reason: str) -> None:
    """The redrive failed again: the aggregate stays parked until somebody asks for the next one."""
    await connection.execute(_KEEP, {"aggregate": aggregate, "reason": reason})


async def next_redrive(connection: AsyncConnection) -> str | None:
    """The aggregate for whose redrive somebody has asked first, of those that are still parked."""
    found: str | None = (await connection.execute(_NEXT_REDRIVE)).scalar_one_or_none()
    return found


async def ask_redrive(connection: AsyncConnection, aggregate: str) -> int | None:
    """Asks the service for a redrive; returns how many events queue, None when the aggregate is not parked."""
    events: int | None = (await connection.execute(_REDRIVE, {"aggregate": aggregate})).scalar_one_or_none()
    return events


async def ask_redrive_for(connection: AsyncConnection, aggregates: Collection[str], reason: str) -> None:
    """Asks for a redrive of those of `aggregates` that are parked for `reason`."""
    await connection.execute(_REDRIVE_FOR, {"aggregates": list(aggregates), "reason": reason})


async def is_asked(connection: AsyncConnection, aggregate: str) -> tuple[bool, str] | None:
    """Whether a redrive that was asked for is still to come, and why the aggregate is parked; None when it is not."""
    row = (await connection.execute(_ASKED, {"aggregate": aggregate})).one_or_none()
    return None if row is None else (row.redrive, row.reason)


async def listed(connection: AsyncConnection, topic: str | None = None) -> list[Mapping[str, Any]]:
    """Each parked aggregate, oldest first, with its reason and the number of events behind it; of one topic, or of all."""
    return [dict(row) for row in (await connection.execute(_LIST, {"topic": topic})).mappings()]


async def queue_behind(connection: AsyncConnection, aggregate: str) -> list[Record]:
    """The records that queue behind a parked aggregate, in the order in which they came."""
    return [records.unpack(row.record) for row in await connection.execute(_QUEUE, {"aggregate": aggregate})]


async def behind_which(connection: AsyncConnection, source: str, id: str) -> str | None:
    """The parked aggregate behind which an event queues; None when it queues nowhere."""
    found: str | None = (await connection.execute(_BEHIND_WHICH, {"source": source, "id": id})).scalar_one_or_none()
    return found


async def count(connection: AsyncConnection) -> int:
    """How many aggregates are parked."""
    found: int = (await connection.execute(_COUNT)).scalar_one()
    return found


async def count_by_topic(connection: AsyncConnection) -> dict[str, int]:
    """How many events queue behind parked aggregates, by the topic on which they came."""
    return {row.topic: row.n for row in await connection.execute(_BY_TOPIC)}
