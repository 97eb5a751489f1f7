"""The outbox table: events that were decided in a transaction and are sent after it, by the relay (relay.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import headers_of
from common.contracts.event import Envelope
from common.store import lease

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
_UNSENT = text(f"""
SELECT o.*, found > count(*) OVER () OR found = :rows AS more
FROM (SELECT id, row_number() OVER in_order AS number, sum(size) OVER in_order AS bytes, count(*) OVER () AS found
      FROM (SELECT id, octet_length(payload) AS size FROM unsent
            WHERE aggregatetype <> ALL(CAST(:without AS text[]))
                  AND {lease.HELD}
            ORDER BY id LIMIT :rows) AS next
      WINDOW in_order AS (ORDER BY id)) AS bounded
CROSS JOIN LATERAL (SELECT id, aggregatetype, aggregateid, payload, CAST(headers AS text) AS headers, aggregate
                    FROM outbox WHERE outbox.id = bounded.id OFFSET 0) AS o
WHERE number = 1 OR bytes <= :bytes ORDER BY bounded.id
""")  # noqa: S608 - the part that is put in is a constant of ours
_MARK = text("UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY(CAST(:ids AS bigint[]))")
_REFUSE = text("UPDATE outbox SET refused = :reason WHERE id = :id")
_FORGET = text("""
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE published_at < now() - make_interval(days => :days) LIMIT 5000)
""")
_UNHEARD = text(f"SELECT count(*) FROM unsent WHERE {lease.NOBODY}")  # noqa: S608 - the part that is put in is a constant of ours
_BACKLOG = text("""
SELECT count(*) AS unsent, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float AS oldest_seconds,
       (SELECT count(*) FROM outbox WHERE refused IS NOT NULL) AS refused
FROM unsent
""")
_COUNTS = text("SELECT count(published_at) AS published, count(*) - count(published_at) AS unpublished FROM outbox")
_HAS_UNSENT = text("SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL AND aggregatetype = :topic)")
_BY_TOPIC = text("""
SELECT aggregatetype AS topic, count(*) FILTER (WHERE published_at IS NULL) AS unpublished,
       count(refused) AS refused, min(created_at) FILTER (WHERE published_at IS NULL) AS oldest_unpublished,
       count(published_at) AS published, min(published_at) AS published_since, max(published_at) AS last_published
FROM outbox GROUP BY 1 ORDER BY 1
""")
_REFUSED = text("""
SELECT id, aggregatetype AS topic, type, aggregate, refused AS reason, octet_length(payload) AS bytes, created_at AS decided
FROM outbox WHERE refused IS NOT NULL ORDER BY id
""")
_RETRY = text("""
UPDATE outbox SET refused = NULL WHERE id = ANY(CAST(:ids AS bigint[])) AND refused IS NOT NULL
RETURNING id, aggregatetype AS topic, aggregate
""")
_OLDEST = text("SELECT min(published_at) FROM outbox")
# One statement, so that the relay sees all of it or nothing and sends it in the old order; the upper bound leaves out what
# is sent again meanwhile.
_REPUBLISH = text("""
WITH again AS (
    UPDATE outbox SET published_at = NULL
    WHERE published_at >= :since AND published_at <= now() AND (CAST(:topic AS text) IS NULL OR aggregatetype = :topic)
    RETURNING aggregatetype)
SELECT aggregatetype AS topic, count(*) AS events FROM again GROUP BY 1 ORDER BY 1
""")
_ABOUT = text("""
SELECT type, event_id, payload, created_at AS decided_at, published_at
FROM outbox WHERE aggregatetype = :topic AND aggregateid = :key ORDER BY id
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


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is decided and can go out but is not on Kafka yet, for how many seconds at most, and what Kafka will not take."""

    unsent: int
    oldest_seconds: float
    refused: int


async def backlog(connection: AsyncConnection) -> Backlog:
    """What Kafka does not have."""
    return Backlog(**(await connection.execute(_BACKLOG)).mappings().one())


async def unheard(connection: AsyncConnection) -> int:
    """How many events wait while no replica holds the lease that sends them; 0 while one does."""
    found: int = (await connection.execute(_UNHEARD)).scalar_one()
    return found


async def counts(connection: AsyncConnection) -> tuple[int, int]:
    """How many events that are still kept were published, and how many were not yet."""
    row = (await connection.execute(_COUNTS)).one()
    return row.published, row.unpublished


async def has_unsent(connection: AsyncConnection, topic: str) -> bool:
    """Whether events that were decided for a topic are still on their way there."""
    return bool((await connection.execute(_HAS_UNSENT, {"topic": topic})).scalar_one())


async def by_topic(connection: AsyncConnection) -> list[Mapping[str, Any]]:
    """By topic: what is not on Kafka yet, what Kafka will not take, and since when what was sent is kept."""
    return [dict(row) for row in (await connection.execute(_BY_TOPIC)).mappings()]


async def refused(connection: AsyncConnection) -> list[Mapping[str, Any]]:
    """Each event that Kafka will not take, with the reason."""
    return [dict(row) for row in (await connection.execute(_REFUSED)).mappings()]


async def retry(connection: AsyncConnection, ids: Sequence[int]) -> list[Mapping[str, Any]]:
    """Sends refused events again; returns those of `ids` that were refused, with topic and aggregate."""
    return [dict(row) for row in (await connection.execute(_RETRY, {"ids": list(ids)})).mappings()]


async def oldest_sent(connection: AsyncConnection) -> datetime | None:
    """When the oldest event was sent that is still kept."""
    found: datetime | None = (await connection.execute(_OLDEST)).scalar_one()
    return found


async def republish(connection: AsyncConnection, since: datetime, topic: str | None) -> list[Mapping[str, Any]]:
    """Takes back what was sent at or after an instant, so that it goes out again in the old order; returns how much by topic."""
    return [dict(row) for row in (await connection.execute(_REPUBLISH, {"since": since, "topic": topic})).mappings()]


async def about(connection: AsyncConnection, topic: str, key: str) -> list[Mapping[str, Any]]:
    """What was decided about one key, oldest first, as far as it is kept."""
    return [dict(row) for row in (await connection.execute(_ABOUT, {"topic": topic, "key": key})).mappings()]


def _headers(stored: str) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in from_json(stored)]
