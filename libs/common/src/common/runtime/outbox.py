"""The outbox table: events that were decided in a transaction and are sent after it."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import headers_of
from common.contracts.event import Envelope

SHARDS = 16

_INSERT = text("""
INSERT INTO outbox (aggregatetype, aggregateid, type, event_id, payload, headers, shard)
SELECT topic, key, type, event_id, payload, CAST(headers AS jsonb), shard
FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:types AS text[]), CAST(:ids AS text[]),
            CAST(:payloads AS bytea[]), CAST(:headers AS text[]), CAST(:shards AS smallint[]))
     WITH ORDINALITY AS t (topic, key, type, event_id, payload, headers, shard, n)
ORDER BY n
""")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be sent."""

    topic: str
    key: str
    type: str
    event_id: str
    payload: bytes
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, value: bytes, envelope: Envelope, *, topic: str, key: str) -> "Outgoing":
        """The record of an event in binary mode, whose value is `value`."""
        return cls(topic, key, envelope.type, envelope.id, value, tuple(headers_of(envelope, key=key)))

    @property
    def shard(self) -> int:
        """Records of one key are sent by one relay."""
        return zlib.crc32(self.key.encode()) % SHARDS


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
            "headers": [json.dumps(row.headers) for row in rows],
            "shards": [row.shard for row in rows],
        },
    )
