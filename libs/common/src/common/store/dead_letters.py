"""The dead letters: records that a service could not handle, kept with the reason until somebody has repaired them."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.dead_letters import MAX_RAW, DeadLetterRecorded
from common.contracts.envelope import Received, Record, Unreadable, value_of
from common.contracts.event import Envelope
from common.contracts.topics import BY_NAME, source_of
from common.kafka import records
from common.kernel.errors import Malformed
from common.kernel.ids import derived_id
from common.store import inbox
from common.store.outbox import Outgoing


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record with what was wrong. Its id follows from where the record stood, so a redelivery adds nothing."""

    record: Record
    problem: Malformed
    source: str
    event_id: str
    type: str
    forget: bool = False
    """Whether the inbox lets the id go, so that the same event may come again as its own repair."""

    @classmethod
    def unreadable(cls, found: Unreadable) -> "DeadLetter":
        """The letter of a record that could not be read."""
        return cls(found.record, found.problem, found.source, found.id, found.type)

    @classmethod
    def of(cls, received: Received, problem: Malformed, *, forget: bool = False) -> "DeadLetter":
        """The letter of an event that could be read and yet cannot be handled."""
        envelope = received.envelope
        return cls(received.record, problem, envelope.source, envelope.id, envelope.type, forget)

    def id(self, service: str) -> str:
        """`<topic>-<partition>-<offset>`, within the service."""
        return derived_id(self.record.appended_at, service, self.record.topic, self.record.partition, self.record.offset)


_INSERT = text("""
INSERT INTO dead_letters (id, topic, partition, "offset", key, source, event_id, type, rule, field, reason, size, sha256, raw, headers)
SELECT i, tp, p, o, k, s, e, ty, ru, f, re, si, sh, ra, CAST(h AS jsonb)
FROM unnest(CAST(:id AS text[]), CAST(:topic AS text[]), CAST(:partition AS int[]), CAST(:offset AS bigint[]), CAST(:key AS bytea[]),
            CAST(:source AS text[]), CAST(:event_id AS text[]), CAST(:type AS text[]), CAST(:rule AS text[]), CAST(:field AS text[]),
            CAST(:reason AS text[]), CAST(:size AS int[]), CAST(:sha256 AS text[]), CAST(:raw AS bytea[]), CAST(:headers AS text[]))
     AS t (i, tp, p, o, k, s, e, ty, ru, f, re, si, sh, ra, h)
ON CONFLICT DO NOTHING
RETURNING id
""")
_OPEN = text("SELECT EXISTS (SELECT FROM dead_letters WHERE topic = :topic AND closed_at IS NULL AND rule <> 'conflicting_duplicate')")
_CLOSE_BY_ID = text("""
UPDATE dead_letters SET closed_at = now()
WHERE topic = :topic AND closed_at IS NULL AND rule <> 'conflicting_duplicate' AND event_id = ANY(CAST(:ids AS text[]))
""")
_ANY_OPEN = text("SELECT EXISTS (SELECT FROM dead_letters WHERE closed_at IS NULL)")
_CLOSE = text("""
UPDATE dead_letters SET closed_at = now()
FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t (source, id)
WHERE dead_letters.source = t.source AND dead_letters.event_id = t.id AND closed_at IS NULL AND rule <> 'conflicting_duplicate'
""")
_LIST = text("""
SELECT id, topic, partition, "offset", rule, field, reason, source, event_id, type, size, recorded_at AS since, closed_at
FROM dead_letters
WHERE (:closed OR closed_at IS NULL) AND (CAST(:topic AS text) IS NULL OR topic = :topic) AND (CAST(:rule AS text) IS NULL OR rule = :rule)
  AND (CAST(:ids AS text[]) IS NULL OR id = ANY(CAST(:ids AS text[])))
ORDER BY recorded_at, topic, partition, "offset"
""")
_LETTER = text("SELECT *, recorded_at AS since FROM dead_letters WHERE id = :id")
_AT = text("""
SELECT id, rule, field, reason FROM dead_letters WHERE topic = :topic AND partition = :partition AND "offset" = :offset
""")
_CLOSE_BY_HAND = text("""
UPDATE dead_letters SET closed_at = now() WHERE id = ANY(CAST(:ids AS text[])) AND closed_at IS NULL RETURNING id
""")
_BY_RULE = text("SELECT topic, rule, count(*) AS n FROM dead_letters WHERE closed_at IS NULL GROUP BY 1, 2")


async def insert(connection: AsyncConnection, service: str, letters: Sequence[DeadLetter], now: datetime) -> list[Outgoing]:
    """Keeps the letters that are not kept yet, and returns what is to be sent to their topics."""
    if not letters:
        return []
    by_id = {letter.id(service): letter for letter in letters}
    raws = {id: letter.record.value or b"" for id, letter in by_id.items()}
    digests = {id: hashlib.sha256(raw).hexdigest() for id, raw in raws.items()}
    rows = [(id, letter, letter.record) for id, letter in by_id.items()]
    added = await connection.execute(
        _INSERT,
        {
            "id": [id for id, _, _ in rows],
            "topic": [record.topic for _, _, record in rows],
            "partition": [record.partition for _, _, record in rows],
            "offset": [record.offset for _, _, record in rows],
            "key": [record.key for _, _, record in rows],
            "source": [_storable(letter.source) for _, letter, _ in rows],
            "event_id": [_storable(letter.event_id) for _, letter, _ in rows],
            "type": [_storable(letter.type) for _, letter, _ in rows],
            "rule": [letter.problem.rule for _, letter, _ in rows],
            "field": [_storable(letter.problem.field) for _, letter, _ in rows],
            "reason": [_storable(letter.problem.reason, 2000) for _, letter, _ in rows],
            "size": [len(raws[id]) for id, _, _ in rows],
            "sha256": [digests[id] for id, _, _ in rows],
            "raw": [raws[id][:MAX_RAW] for id, _, _ in rows],
            "headers": [records.headers_text(record) for _, _, record in rows],
        },
    )
    await inbox.forget(connection, [(letter.source, letter.event_id) for letter in by_id.values() if letter.forget])
    return [_outgoing(service, row.id, by_id[row.id], digests[row.id], now) for row in added]


async def close(connection: AsyncConnection, repaired: Sequence[Received]) -> None:
    """Closes the open letters under the ids of events that have now been applied: they were the repair.

    Letters of rule `conflicting_duplicate` stay open: applying the first content does not settle the conflict. Costs one look while
    no letter is open.
    """
    if repaired and (await connection.execute(_ANY_OPEN)).scalar_one():
        pairs = [(received.envelope.source, received.envelope.id) for received in repaired]
        await connection.execute(_CLOSE, {"sources": [source for source, _ in pairs], "ids": [id for _, id in pairs]})


async def close_repaired(connection: AsyncConnection, topic: str, event_ids: Sequence[str]) -> None:
    """The same for a topic that is read in bulk, where an event is known by its id alone; costs one look while no letter is open."""
    if (await connection.execute(_OPEN, {"topic": topic})).scalar_one():
        await connection.execute(_CLOSE_BY_ID, {"topic": topic, "ids": list(event_ids)})


async def listed(
    connection: AsyncConnection, *, topic: str | None, rule: str | None, closed: bool, ids: Sequence[str] | None
) -> list[Mapping[str, Any]]:
    """The letters, oldest first, without their records: those that are open or all, of a topic, a rule or some ids, or of any."""
    values = {"topic": topic, "rule": rule, "closed": closed, "ids": None if ids is None else list(ids)}
    return [dict(row) for row in (await connection.execute(_LIST, values)).mappings()]


async def letter(connection: AsyncConnection, id: str) -> Mapping[str, Any] | None:
    """One letter with all that is kept of its record; None when there is none of that id."""
    row = (await connection.execute(_LETTER, {"id": id})).mappings().one_or_none()
    return None if row is None else dict(row)


async def at(connection: AsyncConnection, topic: str, partition: int, offset: int) -> Mapping[str, Any] | None:
    """The id and the problem of the letter whose record stands there; None when that record is no letter."""
    row = (await connection.execute(_AT, {"topic": topic, "partition": partition, "offset": offset})).mappings().one_or_none()
    return None if row is None else dict(row)


async def close_by_hand(connection: AsyncConnection, ids: Sequence[str]) -> list[str]:
    """Closes letters that need no repair; returns the ids of those that were open."""
    return list((await connection.execute(_CLOSE_BY_HAND, {"ids": list(ids)})).scalars())


async def open_by_rule(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """How many letters are open, by topic and rule."""
    return {(row.topic, row.rule): row.n for row in await connection.execute(_BY_RULE)}


def _outgoing(service: str, id: str, letter: DeadLetter, sha256: str, now: datetime) -> Outgoing:
    record = letter.record
    raw = record.value or b""
    event = DeadLetterRecorded(
        letter_id=id,
        service=service,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        rule=letter.problem.rule,
        field=_storable(letter.problem.field),
        reason=_storable(letter.problem.reason, 2000),
        event_source=_storable(letter.source),
        event_id=_storable(letter.event_id),
        event_type=_storable(letter.type),
        size=len(raw),
        sha256=sha256,
        raw_base64=base64.b64encode(raw[:MAX_RAW]).decode(),
        recorded_at=now,
    )
    envelope = Envelope(id, source_of(service), event.TYPE, id, record.appended_at, now)
    return Outgoing.of(value_of(event), envelope, topic=BY_NAME[record.topic].dead_letters(service), key=id)


def _storable(found: str, limit: int = 256) -> str:
    """Text that PostgreSQL and a header can hold: whatever cannot be printed becomes a question mark."""
    return "".join(c if c.isprintable() else "?" for c in found[:limit])
