"""Waiting events: each came before an earlier one on which it builds, and is tried again when that has come."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Text, column, func, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.store import parked
from common.store.aggregates import Aggregates
from common.store.held_back import HeldBack, HeldBackEvents, InHand, columns, read

UNKNOWN_AGGREGATE = "unknown_aggregate"
"""What an event waits for that names an aggregate which does not exist yet."""

_WAIT = text("""
INSERT INTO waiting (source, id, aggregate, event_time, missing, record)
SELECT source, id, aggregate, event_time, missing, CAST(record AS json)
FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:aggregates AS text[]), CAST(:event_times AS timestamptz[]),
            CAST(:missing AS text[]), CAST(:records AS text[]))
     WITH ORDINALITY AS t (source, id, aggregate, event_time, missing, record, n)
ORDER BY n
ON CONFLICT (source, id) DO UPDATE SET aggregate = excluded.aggregate, missing = excluded.missing
""")
_WAITING = text("""
SELECT source, id, aggregate, missing, CAST(record AS text) AS record FROM waiting
WHERE aggregate = ANY(CAST(:aggregates AS text[])) ORDER BY event_time, number FOR UPDATE
""")
_STOP_WAITING = text(
    "DELETE FROM waiting USING unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t (source, id) "
    "WHERE waiting.source = t.source AND waiting.id = t.id"
)
_EXPIRED = text(f"""
SELECT source, id, aggregate, missing, CAST(record AS text) AS record FROM waiting w
WHERE since < now() - CAST(:limit AS interval) AND {parked.not_parked("w.aggregate")}
ORDER BY since LIMIT 500 FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - the part that is put in is a constant of ours
_LIST = text("""
SELECT id, record->>'topic' AS topic, CAST(record->>'partition' AS int) AS partition, CAST(record->>'offset' AS bigint) AS "offset",
       missing, source, since, aggregate
FROM waiting WHERE CAST(:topic AS text) IS NULL OR record->>'topic' = :topic ORDER BY since, event_time, id
""")
_ANY_FOR_AN_AGGREGATE = text(f"SELECT EXISTS (SELECT FROM waiting WHERE missing = '{UNKNOWN_AGGREGATE}')")  # noqa: S608 - a constant of ours
_MISSING = text("SELECT missing FROM waiting WHERE source = :source AND id = :id")
_COUNT = text("SELECT count(*) FROM waiting")
_BY_TOPIC = text("SELECT record->>'topic' AS topic, count(*) AS n FROM waiting GROUP BY 1")

_WAITS = table("waiting", column("aggregate", Text), column("missing", Text))


async def waiting_for(connection: AsyncConnection, aggregates: Iterable[str], in_hand: InHand | None = None) -> HeldBackEvents:
    """The events that wait for any of `aggregates`, by event time and arrival (ADR 0008), locked: released here none can expire there."""
    return read(await connection.execute(_WAITING, {"aggregates": list(aggregates)}), in_hand)


async def save_waiting(connection: AsyncConnection, waits: Sequence[HeldBack], done: Sequence[tuple[str, str]], in_hand: InHand) -> None:
    """Begins to hold `waits` back, and lets go of those whose source and id are in `done`."""
    if waits:
        row_columns = columns(waits)
        times = [wait.received.envelope.time for wait in waits]
        await connection.execute(_WAIT, {**row_columns, "event_times": times, "missing": [wait.missing for wait in waits]})
        for wait, row in zip(waits, row_columns["records"], strict=True):
            in_hand.keep(wait, row)
    for key in done:
        in_hand.let_go(key)
    await _stop_waiting(connection, done)


async def _stop_waiting(connection: AsyncConnection, done: Sequence[tuple[str, str]]) -> None:
    if done:
        await connection.execute(_STOP_WAITING, {"sources": [source for source, _ in done], "ids": [id for _, id in done]})


async def expired(connection: AsyncConnection, limit: timedelta) -> HeldBackEvents:
    """Takes the events that have waited for longer than `limit` out of the table; what is parked does not expire."""
    found = read(await connection.execute(_EXPIRED, {"limit": limit}))
    await _stop_waiting(connection, [held.key for held in found.events] + [(letter.source, letter.event_id) for letter in found.letters])
    return found


async def any_for_an_aggregate(connection: AsyncConnection) -> bool:
    """Whether any event waits for an aggregate to be created: a look that costs little, where nearly always none does."""
    return bool((await connection.execute(_ANY_FOR_AN_AGGREGATE)).scalar_one())


async def stranded(connection: AsyncConnection, aggregates: Aggregates[Any], limit: int) -> list[str]:
    """Some aggregates of one kind that exist although events still wait for them to be created."""
    prefix, waits = aggregates.ref(""), _WAITS.c
    found = (
        select(waits.aggregate)
        .distinct()
        .join_from(_WAITS, aggregates.table, aggregates.table.c.id == func.substr(waits.aggregate, len(prefix) + 1))
        .where(func.starts_with(waits.aggregate, prefix), waits.missing == UNKNOWN_AGGREGATE)
        .where(text(parked.not_parked("waiting.aggregate")))
        .order_by(waits.aggregate)
        .limit(limit)
    )
    return list((await connection.execute(found)).scalars())


async def listed(connection: AsyncConnection, topic: str | None = None) -> list[Mapping[str, Any]]:
    """Each waiting event, oldest first, with what it waits for; of one topic, or of all."""
    return [dict(row) for row in (await connection.execute(_LIST, {"topic": topic})).mappings()]


async def missing_for(connection: AsyncConnection, source: str, id: str) -> str | None:
    """What one event waits for; None when it does not wait."""
    found: str | None = (await connection.execute(_MISSING, {"source": source, "id": id})).scalar_one_or_none()
    return found


async def count(connection: AsyncConnection) -> int:
    """How many events wait."""
    found: int = (await connection.execute(_COUNT)).scalar_one()
    return found


async def count_by_topic(connection: AsyncConnection) -> dict[str, int]:
    """How many events wait, by the topic on which they came."""
    return {row.topic: row.n for row in await connection.execute(_BY_TOPIC)}
