"""Events that are held back: those that came too early wait, those whose aggregate met a defect of ours are parked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Received, decode
from common.runtime import records

_WAIT = text("""
INSERT INTO waiting (source, id, aggregate, event_time, missing, record)
VALUES (:source, :id, :aggregate, :event_time, :missing, CAST(:record AS jsonb))
ON CONFLICT (source, id) DO UPDATE SET missing = excluded.missing
""")
_WAITING = text("""
SELECT source, id, aggregate, missing, record FROM waiting
WHERE aggregate = ANY(CAST(:aggregates AS text[])) ORDER BY event_time, number FOR UPDATE
""")
_STOP_WAITING = text(
    "DELETE FROM waiting USING unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t (source, id) "
    "WHERE waiting.source = t.source AND waiting.id = t.id"
)
_EXPIRED = text("""
DELETE FROM waiting WHERE (source, id) IN (
    SELECT source, id FROM waiting WHERE since < now() - CAST(:limit AS interval) ORDER BY since LIMIT 500 FOR UPDATE SKIP LOCKED)
RETURNING missing, record
""")
_PARK_KEYS = text("""
INSERT INTO parked_keys (aggregate, reason) SELECT unnest(CAST(:aggregates AS text[])), :reason ORDER BY 1 ON CONFLICT DO NOTHING
""")
_PARK = text("""
INSERT INTO parked (aggregate, source, event_id, record) VALUES (:aggregate, :source, :id, CAST(:record AS jsonb)) ON CONFLICT DO NOTHING
""")
_BEHIND = text("SELECT record FROM parked WHERE aggregate = :aggregate ORDER BY id")
_UNPARK = text("DELETE FROM parked WHERE aggregate = :aggregate")
_UNPARK_KEY = text("DELETE FROM parked_keys WHERE aggregate = :aggregate")
_KEEP = text("UPDATE parked_keys SET redrive = false, reason = :reason WHERE aggregate = :aggregate")
_PARKED_KEYS = text("""
SELECT aggregate FROM parked_keys WHERE aggregate = ANY(CAST(:aggregates AS text[])) ORDER BY aggregate FOR UPDATE
""")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One event that waits for an earlier event of `aggregate`."""

    received: Received
    aggregate: str
    missing: str


async def waiting_for(connection: AsyncConnection, aggregates: Iterable[str]) -> list[Waiting]:
    """The events that wait for any of `aggregates`, by event time and arrival (ADR 0008), locked: released here none can expire there."""
    rows = await connection.execute(_WAITING, {"aggregates": sorted(aggregates)})
    found = []
    for row in rows:
        received = decode(records.unpack(row.record))
        assert isinstance(received, Received)  # it was read before it began to wait
        found.append(Waiting(received, row.aggregate, row.missing))
    return found


async def save_waiting(connection: AsyncConnection, waits: Sequence[Waiting], done: Sequence[Received]) -> None:
    """Begins to hold `waits` back, and lets go of `done`."""
    if waits:
        await connection.execute(
            _WAIT,
            [
                {
                    "source": wait.received.envelope.source,
                    "id": wait.received.envelope.id,
                    "aggregate": wait.aggregate,
                    "event_time": wait.received.envelope.time,
                    "missing": wait.missing,
                    "record": records.pack(wait.received.record),
                }
                for wait in waits
            ],
        )
    if done:
        pairs = [(received.envelope.source, received.envelope.id) for received in done]
        await connection.execute(_STOP_WAITING, {"sources": [source for source, _ in pairs], "ids": [id for _, id in pairs]})


async def expired(connection: AsyncConnection, limit: timedelta) -> list[Waiting]:
    """Takes the events that have waited for longer than `limit` out of the table."""
    rows = await connection.execute(_EXPIRED, {"limit": limit})
    found = []
    for row in rows:
        received = decode(records.unpack(row.record))
        assert isinstance(received, Received)
        found.append(Waiting(received, "", row.missing))
    return found


async def parked_among(connection: AsyncConnection, aggregates: Iterable[str]) -> set[str]:
    """Which of `aggregates` are parked; their rows are locked until the transaction ends."""
    return {row.aggregate for row in await connection.execute(_PARKED_KEYS, {"aggregates": sorted(aggregates)})}


async def park(connection: AsyncConnection, parked: Sequence[tuple[str, Received]], reasons: dict[str, str]) -> None:
    """Parks the aggregates of `reasons`, and queues each event behind its aggregate."""
    for aggregate in sorted(reasons):
        await connection.execute(_PARK_KEYS, {"aggregates": [aggregate], "reason": reasons[aggregate]})
    if parked:
        await connection.execute(
            _PARK,
            [
                {
                    "aggregate": aggregate,
                    "source": received.envelope.source,
                    "id": received.envelope.id,
                    "record": records.pack(received.record),
                }
                for aggregate, received in parked
            ],
        )


async def parked_behind(connection: AsyncConnection, aggregate: str) -> list[Received]:
    """The events that queue behind a parked aggregate, in the order in which they came."""
    found = []
    for row in await connection.execute(_BEHIND, {"aggregate": aggregate}):
        received = decode(records.unpack(row.record))
        assert isinstance(received, Received)  # it was read before it was parked
        found.append(received)
    return found


async def unpark(connection: AsyncConnection, aggregate: str) -> None:
    """Lets a parked aggregate go."""
    await connection.execute(_UNPARK, {"aggregate": aggregate})
    await connection.execute(_UNPARK_KEY, {"aggregate": aggregate})


async def keep_parked(connection: AsyncConnection, aggregate: str, reason: str) -> None:
    """The redrive failed again: the aggregate stays parked until somebody asks for the next one."""
    await connection.execute(_KEEP, {"aggregate": aggregate, "reason": reason})
