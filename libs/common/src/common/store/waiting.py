"""Events that are held back: those that came too early wait, those whose aggregate met a defect of ours are parked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Text, column, exists, func, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Received, decode
from common.kafka import records
from common.store.aggregates import Aggregates
from common.store.dead_letters import DeadLetter

log = structlog.get_logger(__name__)

UNKNOWN_AGGREGATE = "unknown_aggregate"
"""What an event waits for that names an aggregate which does not exist yet."""
IN_HAND = 16 * 1024 * 1024
"""Characters of the rows whose events a process keeps in memory."""

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
_EXPIRED = text("""
SELECT source, id, aggregate, missing, CAST(record AS text) AS record FROM waiting w
WHERE since < now() - CAST(:limit AS interval) AND NOT EXISTS (SELECT FROM parked_keys p WHERE p.aggregate = w.aggregate)
ORDER BY since LIMIT 500 FOR UPDATE SKIP LOCKED
""")
_PARK_KEYS = text("""
INSERT INTO parked_keys (aggregate, reason) SELECT unnest(CAST(:aggregates AS text[])), :reason ORDER BY 1 ON CONFLICT DO NOTHING
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

_WAITS = table("waiting", column("aggregate", Text), column("missing", Text))
_KEYS = table("parked_keys", column("aggregate", Text))


@dataclass(frozen=True, slots=True)
class HeldBack:
    """One event that is held back behind `aggregate`; `missing` says what it waits for, and is empty for a parked one."""

    received: Received
    aggregate: str
    missing: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Its source and id, under which its row stands."""
        return self.received.envelope.source, self.received.envelope.id


class InHand:
    """The events that this process has begun to hold back, each beside the text of its row, which need not be read while it is the same.

    The row counts: what stands in it may have been changed by hand, and then it is read. The oldest are let go beyond 16 MB of text.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[str, Received]] = {}
        self._size = 0

    def keep(self, held: HeldBack, row: str) -> None:
        """Keeps an event whose row is being written."""
        self.let_go(held.key)
        self._kept[held.key] = (row, held.received)
        self._size += len(row)
        while self._size > IN_HAND:
            self.let_go(next(iter(self._kept)))

    def let_go(self, key: tuple[str, str]) -> None:
        """Forgets an event, if it is there."""
        row, _ = self._kept.pop(key, ("", None))
        self._size -= len(row)

    def event(self, key: tuple[str, str], row: str) -> Received | None:
        """The event, as long as its row still says the same."""
        kept, received = self._kept.get(key, ("", None))
        return received if kept == row else None


@dataclass(slots=True)
class HeldBackEvents:
    """What is held back behind some aggregates, as this version reads it."""

    events: list[HeldBack]
    letters: list[DeadLetter]
    """Events that were readable when they came, and are not for this version: each becomes a dead letter."""
    spoilt: dict[str, str]
    """Aggregates with a row that holds no record any more, with the reason: each of them is parked."""

    @property
    def places(self) -> set[tuple[str, int]]:
        """The topic-partitions on which they came."""
        return {(held.received.record.topic, held.received.record.partition) for held in self.events}


def _read(rows: Iterable[Any], in_hand: InHand | None = None) -> HeldBackEvents:
    found = HeldBackEvents([], [], {})
    for row in rows:
        try:
            event = (in_hand and in_hand.event((row.source, row.id), row.record)) or decode(records.unpack(row.record))
        except Exception as error:  # whatever the row holds: one row must not stop the others
            log.error("row_unreadable", aggregate=row.aggregate, exc_info=error)
            found.spoilt[row.aggregate] = f"a record held back behind it cannot be read: {type(error).__name__}"
            continue
        if isinstance(event, Received):
            found.events.append(HeldBack(event, row.aggregate, row.missing))
        else:
            found.letters.append(replace(DeadLetter.unreadable(event), source=row.source, event_id=row.id, forget=True))
    return found


def _columns(held: Sequence[HeldBack]) -> dict[str, list[str]]:
    return {
        "sources": [one.received.envelope.source for one in held],
        "ids": [one.received.envelope.id for one in held],
        "aggregates": [one.aggregate for one in held],
        "records": [records.pack(one.received.record) for one in held],
    }


async def waiting_for(connection: AsyncConnection, aggregates: Iterable[str], in_hand: InHand | None = None) -> HeldBackEvents:
    """The events that wait for any of `aggregates`, by event time and arrival (ADR 0008), locked: released here none can expire there."""
    return _read(await connection.execute(_WAITING, {"aggregates": sorted(aggregates)}), in_hand)


async def save_waiting(
    connection: AsyncConnection, waits: Sequence[HeldBack], done: Sequence[tuple[str, str]], in_hand: InHand | None = None
) -> None:
    """Begins to hold `waits` back, and lets go of those whose source and id are in `done`."""
    if waits:
        columns = _columns(waits)
        times = [wait.received.envelope.time for wait in waits]
        await connection.execute(_WAIT, {**columns, "event_times": times, "missing": [wait.missing for wait in waits]})
        for wait, row in zip(waits, columns["records"], strict=True):
            if in_hand is not None:
                in_hand.keep(wait, row)
    for key in done:
        if in_hand is not None:
            in_hand.let_go(key)
    if done:
        await connection.execute(_STOP_WAITING, {"sources": [source for source, _ in done], "ids": [id for _, id in done]})


async def expired(connection: AsyncConnection, limit: timedelta) -> HeldBackEvents:
    """Takes the events that have waited for longer than `limit` out of the table; what is parked does not expire."""
    found = _read(await connection.execute(_EXPIRED, {"limit": limit}))
    await save_waiting(connection, (), [held.key for held in found.events] + [(letter.source, letter.event_id) for letter in found.letters])
    return found


async def stranded(connection: AsyncConnection, aggregates: Aggregates[Any], limit: int) -> list[str]:
    """Some aggregates of one kind that exist although events still wait for them to be created."""
    prefix, waits = aggregates.ref(""), _WAITS.c
    found = (
        select(waits.aggregate)
        .distinct()
        .join_from(_WAITS, aggregates.table, aggregates.table.c.id == func.substr(waits.aggregate, len(prefix) + 1))
        .where(func.starts_with(waits.aggregate, prefix), waits.missing == UNKNOWN_AGGREGATE)
        .where(~exists().where(_KEYS.c.aggregate == waits.aggregate))
        .order_by(waits.aggregate)
        .limit(limit)
    )
    return list((await connection.execute(found)).scalars())


async def parked_among(connection: AsyncConnection, aggregates: Iterable[str]) -> set[str]:
    """Which of `aggregates` are parked; their rows are locked until the transaction ends."""
    return {row.aggregate for row in await connection.execute(_PARKED_KEYS, {"aggregates": sorted(aggregates)})}


async def park(connection: AsyncConnection, parked: Sequence[HeldBack], reasons: Mapping[str, str]) -> None:
    """Parks the aggregates of `reasons`, and queues each event behind its aggregate."""
    for aggregate in sorted(reasons):
        await connection.execute(_PARK_KEYS, {"aggregates": [aggregate], "reason": reasons[aggregate]})
    if parked:
        await connection.execute(_PARK, _columns(parked))


async def parked_behind(connection: AsyncConnection, aggregate: str) -> HeldBackEvents:
    """The events that queue behind a parked aggregate, in the order in which they came."""
    return _read(await connection.execute(_BEHIND, {"aggregate": aggregate}))


async def unpark(connection: AsyncConnection, aggregate: str) -> None:
    """Lets a parked aggregate go."""
    await connection.execute(_UNPARK, {"aggregate": aggregate})
    await connection.execute(_UNPARK_KEY, {"aggregate": aggregate})


async def keep_parked(connection: AsyncConnection, aggregate: str, reason: str) -> None:
    """The redrive failed again: the aggregate stays parked until somebody asks for the next one."""
    await connection.execute(_KEEP, {"aggregate": aggregate, "reason": reason})
