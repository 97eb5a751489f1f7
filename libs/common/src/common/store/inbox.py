"""The inbox table: each event is taken once, whatever Kafka delivers."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Received

Verdict = Literal["new", "duplicate", "conflict"]

_TAKE = text("""
INSERT INTO inbox (source, id, digest)
SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:digests AS bytea[])) AS t (source, id, digest)
ORDER BY 1, 2
ON CONFLICT DO NOTHING
RETURNING source, id
""")
_KNOWN = text("""
SELECT source, id, digest FROM inbox
JOIN unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t (source, id) USING (source, id)
""")
_DIGEST = text("SELECT digest FROM inbox WHERE source = :source AND id = :id")
_FORGET = text("""
DELETE FROM inbox USING unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t (source, id)
WHERE inbox.source = t.source AND inbox.id = t.id
""")


async def take(connection: AsyncConnection, batch: Sequence[Received]) -> list[Verdict]:
    """For each of `batch`: new, a duplicate, or a conflict (the same id with other content). New ones are taken by this transaction."""
    if not batch:
        return []
    first: dict[tuple[str, str], Received] = {}
    for received in batch:
        first.setdefault(_key(received), received)
    keys = {
        "sources": [source for source, _ in first],
        "ids": [id for _, id in first],
    }
    taken = await connection.execute(_TAKE, {**keys, "digests": [received.digest for received in first.values()]})
    new = {(row.source, row.id) for row in taken}
    digests = {key: received.digest for key, received in first.items()}
    if len(new) < len(first):
        known = await connection.execute(_KNOWN, keys)
        digests |= {(row.source, row.id): bytes(row.digest) for row in known}
    verdicts: list[Verdict] = []
    for received in batch:
        key = _key(received)
        if key in new and first[key] is received:
            verdicts.append("new")
        else:
            verdicts.append("duplicate" if digests[key] == received.digest else "conflict")
    return verdicts


async def forget(connection: AsyncConnection, keys: Sequence[tuple[str, str]]) -> None:
    """Lets events go by source and id, so that each may come again as its own repair."""
    if keys:
        await connection.execute(_FORGET, {"sources": [source for source, _ in keys], "ids": [id for _, id in keys]})


async def digest_of(connection: AsyncConnection, source: str, id: str) -> bytes | None:
    """The digest of the content that was taken under an id; None when nothing was."""
    found: bytes | None = (await connection.execute(_DIGEST, {"source": source, "id": id})).scalar_one_or_none()
    return found


def _key(received: Received) -> tuple[str, str]:
    return received.envelope.source, received.envelope.id
