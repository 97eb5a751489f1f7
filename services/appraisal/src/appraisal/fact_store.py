"""The `kpi_facts` table: set-based in, one query out. Its key is the inbox of `kpi-facts`: the highest revision wins."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from asyncpg import UniqueViolationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from appraisal.domain.grading import KpiFact
from common.store.database import driver

_COLUMNS = (
    "key", "indicator", "case_id", "subject", "occurrence", "revision", "numerator", "denominator", "time", "recorded_at", "event_id",
    "source_event_ids", "replay_of",
)  # fmt: skip


class FactRow(NamedTuple):
    """One fact as it is stored; `time` and `recorded_at` in microseconds since 1970, which COPY takes without conversion."""

    key: bytes
    indicator: str
    case_id: str
    subject: str
    occurrence: int
    revision: int
    numerator: str
    denominator: str
    time: int
    recorded_at: int
    event_id: str
    source_event_ids: str
    replay_of: str

    @property
    def values(self) -> tuple[str, str, int]:
        """What two rows of one revision must agree on."""
        return self.numerator, self.denominator, self.time


def key_of(indicator: str, case_id: str, subject: str, occurrence: int) -> bytes:
    """The fact's identity in 16 bytes: (indicator, case, subject, occurrence)."""
    text = f"{indicator}\x1f{case_id}\x1f{subject}\x1f{occurrence}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


_STAGE = "CREATE TEMP TABLE IF NOT EXISTS kpi_facts_in (LIKE kpi_facts) ON COMMIT DELETE ROWS"
_MERGE = """
INSERT INTO kpi_facts SELECT * FROM kpi_facts_in
ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, numerator = excluded.numerator, denominator = excluded.denominator,
    time = excluded.time, recorded_at = excluded.recorded_at, event_id = excluded.event_id,
    source_event_ids = excluded.source_event_ids, replay_of = excluded.replay_of
WHERE kpi_facts.revision < excluded.revision
RETURNING key
"""
_NOT_STORED = """
SELECT i.key, f.revision = i.revision AND (f.numerator, f.denominator, f.time) <> (i.numerator, i.denominator, i.time) AS contradicts
FROM kpi_facts_in i JOIN kpi_facts f USING (key) WHERE key <> ALL($1::bytea[])
"""


_REVISIONS = text("SELECT key, revision FROM kpi_facts WHERE key = ANY(CAST(:keys AS bytea[]))")


async def revisions_of(connection: AsyncConnection, keys: Iterable[bytes]) -> dict[bytes, int]:
    """The newest stored revision of each of these facts that is stored at all."""
    rows = await connection.execute(_REVISIONS, {"keys": sorted(keys)})
    return {bytes(row.key): row.revision for row in rows}


async def merge(connection: AsyncConnection, rows: Sequence[FactRow]) -> dict[bytes, bool]:
    """Stores facts, one a key. Returns those that were not newer than what is stored, with whether they contradict it."""
    raw = await driver(connection)
    try:
        async with raw.transaction():  # a savepoint: nearly every batch holds new facts only, and goes straight into the table
            await raw.copy_records_to_table("kpi_facts", records=rows, columns=_COLUMNS)
    except UniqueViolationError:
        return await _merge(raw, rows)
    return {}


async def _merge(raw: Any, rows: Sequence[FactRow]) -> dict[bytes, bool]:
    await raw.execute(_STAGE)
    await raw.copy_records_to_table("kpi_facts_in", records=rows, columns=_COLUMNS)
    stored = [row["key"] for row in await raw.fetch(_MERGE)]
    if len(stored) == len(rows):
        return {}
    return {row["key"]: row["contradicts"] for row in await raw.fetch(_NOT_STORED, stored)}


_FACTS = text("""
SELECT * FROM kpi_facts WHERE time >= :start AND time < :end AND recorded_at <= :as_of ORDER BY key
""")


async def facts_between(connection: AsyncConnection, start: datetime, end: datetime, as_of: datetime) -> list[KpiFact]:
    """The facts that belong to a span of instants, as far as they were recorded by `as_of`."""
    rows = await connection.execute(_FACTS, {"start": micros(start), "end": micros(end), "as_of": micros(as_of)})
    return [_fact(row) for row in rows]


def _fact(row: Any) -> KpiFact:
    return KpiFact(
        key=bytes(row.key).hex(),
        event_id=row.event_id,
        indicator=row.indicator,
        case_id=row.case_id,
        subject=row.subject,
        revision=row.revision,
        numerator=row.numerator,
        denominator=row.denominator,
        time=datetime.fromtimestamp(row.time // 10**6, UTC).replace(microsecond=row.time % 10**6).isoformat(),
        source_event_ids=tuple(row.source_event_ids.split("\n")) if row.source_event_ids else (),
        replay_of=row.replay_of,
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """An instant in microseconds since 1970, exactly."""
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 10**6 + span.microseconds
