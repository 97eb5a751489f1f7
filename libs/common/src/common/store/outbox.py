"""The outbox table: events that were decided in a transaction and are sent after it, by the relay (relay.py)."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic_core import from_json, to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import headers_of
from common.contracts.event import Envelope

AT_ONCE = 2000
"""Records that the relay sends before it marks them as sent."""
BYTES_AT_ONCE = 8 * 1024 * 1024
"""Their bytes, in all; one larger record goes alone."""
UNSENDABLE = "unsendable_event"
"""Why an aggregate is parked whose event Kafka will not take."""

_INSERT = text("""
INSERT INTO outbox (aggregatetype, aggregateid, type, event_id, payload, headers, aggregate)
SELECT topic, key, type, event_id, payload, CAST(headers AS json), aggregate
FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:types AS text[]), CAST(:ids AS text[]),
            CAST(:payloads AS bytea[]), CAST(:headers AS text[]), CAST(:aggregates AS text[]))
     WITH ORDINALITY AS t (topic, key, type, event_id, payload, headers, aggregate, n)
ORDER BY n
""")
# The view `unsent` is what can go out: what Kafka has refused holds back the later events of the same key, and of no other.
# What a round may hold is found from the sizes alone; OFFSET 0 has the planner fetch the rows themselves one by one, by their ids.
_UNSENT = text("""
SELECT o.*, found > count(*) OVER () OR found = :rows AS more
FROM (SELECT id, row_number() OVER in_order AS number, sum(size) OVER in_order AS bytes, count(*) OVER () AS found
      FROM (SELECT id, octet_length(payload) AS size FROM unsent
            WHERE aggregatetype <> ALL(CAST(:without AS text[]))
                  AND EXISTS (SELECT FROM relay_lease WHERE owner = :owner AND epoch = :epoch AND until > clock_timestamp())
            ORDER BY id LIMIT :rows) AS next
      WINDOW in_order AS (ORDER BY id)) AS bounded
CROSS JOIN LATERAL (SELECT id, aggregatetype, aggregateid, payload, CAST(headers AS text) AS headers, aggregate
                    FROM outbox WHERE outbox.id = bounded.id OFFSET 0) AS o
WHERE number = 1 OR bytes <= :bytes ORDER BY bounded.id
""")
_MARK = text("UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY(CAST(:ids AS bigint[]))")
_REFUSE = text("UPDATE outbox SET refused = :reason WHERE id = :id")
_FORGET = text("""
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE published_at < now() - make_interval(days => :days) LIMIT 5000)
""")


class Outgoing(NamedTuple):
    """One record to be sent."""

    topic: str
    key: str
    type: str
    event_id: str
    payload: bytes
    headers: tuple[tuple[str, str], ...]
    aggregate: str = ""
    """Whose decision it tells, such as `complaints:C1`: what is parked when Kafka will not take the record. Empty where it is nobody's."""

    @classmethod
    def of(cls, value: bytes, envelope: Envelope, *, topic: str, key: str, aggregate: str = "") -> "Outgoing":
        """The record of an event in binary mode, whose value is `value`."""
        return cls(topic, key, envelope.type, envelope.id, value, tuple(headers_of(envelope, key=key)), aggregate)


async def insert(connection: AsyncConnection, rows: Sequence[Outgoing]) -> None:
    """Puts `rows` into the outbox, in this order; their ids are drawn while the aggregates are locked."""
    if not rows:
        return
    await connection.execute(
        _INSERT,
        {
            "topics": [row.topic for row in rows],
            "keys": [row.key for row in rows],
            "types": [row.type for row in rows],
            "ids": [row.event_id for row in rows],
            "payloads": [row.payload for row in rows],
            "headers": [to_json(row.headers).decode() for row in rows],
            "aggregates": [row.aggregate for row in rows],
        },
    )


class ToSend(NamedTuple):
    """One row of the outbox that Kafka does not have yet."""

    id: int
    topic: str
    key: str
    payload: bytes
    headers: list[tuple[str, bytes]]
    aggregate: str


async def unsent(connection: AsyncConnection, owner: str, epoch: int, without: Sequence[str]) -> tuple[list[ToSend], bool]:
    """The next rows to be sent, but for the topics `without`, and whether there are more; none to who does not hold the lease."""
    values = {"owner": owner, "epoch": epoch, "without": list(without), "rows": AT_ONCE, "bytes": BYTES_AT_ONCE}
    rows = list(await connection.execute(_UNSENT, values))
    found = [ToSend(row.id, row.aggregatetype, row.aggregateid, bytes(row.payload), _headers(row.headers), row.aggregate) for row in rows]
    return found, any(row.more for row in rows)


async def mark(connection: AsyncConnection, sent: Sequence[int], refused: Sequence[tuple[ToSend, str]]) -> None:
    """Notes what Kafka has, and what it will not take, with the reason."""
    if sent:
        await connection.execute(_MARK, {"ids": sent})
    for row, reason in refused:
        await connection.execute(_REFUSE, {"id": row.id, "reason": reason})


async def forget(connection: AsyncConnection, days: int) -> None:
    """Deletes some of what was sent more than `days` ago."""
    await connection.execute(_FORGET, {"days": days})


def _headers(stored: str) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in from_json(stored)]
