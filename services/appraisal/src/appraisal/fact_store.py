"""The `kpi_facts` table: set-based in, summed out. Its key is the inbox of `kpi-facts`.

Every revision is kept: as of an instant the highest one that was recorded by then counts, whatever came later.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, NamedTuple

from asyncpg import UniqueViolationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from appraisal.documents import KINDS
from appraisal.domain.indicators import Indicator, registry_at
from appraisal.domain.lots import KpiFact, Lot
from appraisal.domain.period import period_named, span_of
from common.kernel.zones import zone_named
from common.store import documents
from common.store.database import driver

_COLUMNS = (
    "key", "indicator", "case_id", "subject", "occurrence", "revision", "numerator", "denominator", "time", "recorded_at", "event_id",
    "source_event_ids", "replay_of", "dimensions",
)  # fmt: skip


Revision = tuple[bytes, int]
"""One revision of one fact: the fact's key and the number."""


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
    dimensions: str
    """A JSON object; equal dimensions have equal texts."""

    @property
    def identity(self) -> Revision:
        """Which revision of which fact it is."""
        return self.key, self.revision

    @property
    def values(self) -> tuple[str, str, int, str]:
        """What two rows of one revision must agree on."""
        return self.numerator, self.denominator, self.time, self.dimensions


def key_of(indicator: str, case_id: str, subject: str, occurrence: int) -> bytes:
    """The fact's identity in 16 bytes: (indicator, case, subject, occurrence)."""
    text = f"{indicator}\x1f{case_id}\x1f{subject}\x1f{occurrence}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


_STAGE = "CREATE TEMP TABLE IF NOT EXISTS kpi_facts_in (LIKE kpi_facts) ON COMMIT DELETE ROWS"
_MERGE = """
INSERT INTO kpi_facts SELECT * FROM kpi_facts_in ON CONFLICT (key, revision) DO NOTHING RETURNING key, revision
"""
_NOT_STORED = """
SELECT i.key, i.revision, (f.numerator, f.denominator, f.time, CAST(f.dimensions AS text))
                          <> (i.numerator, i.denominator, i.time, CAST(i.dimensions AS text)) AS contradicts
FROM kpi_facts_in i JOIN kpi_facts f USING (key, revision)
WHERE NOT EXISTS (SELECT FROM unnest($1::bytea[], $2::int[]) AS s (key, revision) WHERE s.key = i.key AND s.revision = i.revision)
"""


_REVISIONS = text("SELECT key, max(revision) AS revision FROM kpi_facts WHERE key = ANY(CAST(:keys AS bytea[])) GROUP BY key")


async def revisions_of(connection: AsyncConnection, keys: Iterable[bytes]) -> dict[bytes, int]:
    """The newest stored revision of each of these facts that is stored at all."""
    rows = await connection.execute(_REVISIONS, {"keys": sorted(keys)})
    return {bytes(row.key): row.revision for row in rows}


async def merge(connection: AsyncConnection, rows: Sequence[FactRow]) -> dict[Revision, bool]:
    """Stores revisions of facts, each once. Returns those that were stored before, with whether they contradict what is stored."""
    raw = await driver(connection)
    try:
        async with raw.transaction():  # a savepoint: nearly every batch holds new facts only, and goes straight into the table
            await raw.copy_records_to_table("kpi_facts", records=rows, columns=_COLUMNS)
    except UniqueViolationError:
        return await _merge(raw, rows)
    return {}


async def _merge(raw: Any, rows: Sequence[FactRow]) -> dict[Revision, bool]:
    await raw.execute(_STAGE)
    await raw.copy_records_to_table("kpi_facts_in", records=rows, columns=_COLUMNS)
    stored = await raw.fetch(_MERGE)
    if len(stored) == len(rows):
        return {}
    known = await raw.fetch(_NOT_STORED, [row["key"] for row in stored], [row["revision"] for row in stored])
    return {(row["key"], row["revision"]): row["contradicts"] for row in known}


# A lot's digest is the one that `domain.lots.lot_digest` defines: its canonical JSON is put together here, where the facts are, so
# that a close neither moves nor holds them. Nothing in it has to be escaped: keys, numbers, and words of letters, digits and
# ._:@/()+-; `dimensions` is stored as canonical JSON.
_LOTS = """
WITH known AS (
    SELECT * FROM kpi_facts f
    WHERE time >= $1 AND time < $2 AND recorded_at <= $3
          AND NOT EXISTS (SELECT FROM kpi_facts n WHERE n.key = f.key AND n.revision > f.revision AND n.recorded_at <= $3)
          AND NOT (CAST(numerator AS numeric) = 0 AND CAST(denominator AS numeric) = 0)
), lots AS MATERIALIZED (
    SELECT subject, indicator, max(replay_of) AS replay_of,
           CAST(sum(CAST(numerator AS numeric)) AS text) AS numerator, CAST(sum(CAST(denominator AS numeric)) AS text) AS denominator,
           array_agg(key ORDER BY key) AS keys, array_agg(revision ORDER BY key) AS revisions,
           sha256(convert_to('{"facts":[' || string_agg(
               '{"denominator":"' || denominator || '","dimensions":' || dimensions || ',"id":"' || encode(key, 'hex')
               || '","numerator":"' || numerator || '","revision":"' || revision || '","time":"' || time || '"}', ',' ORDER BY key)
           || '],"indicator":"' || indicator || '","subject":"' || subject || '"}', 'UTF8')) AS digest
    FROM known GROUP BY subject, indicator
), stored AS (
    INSERT INTO fact_lots (digest, keys, revisions) SELECT digest, keys, revisions FROM lots ORDER BY digest ON CONFLICT DO NOTHING
)
SELECT subject, indicator, numerator, denominator, replay_of, digest, cardinality(keys) AS facts FROM lots
"""
_PATIENCE = 600
"""Seconds for the one statement that reads a cycle's facts; nobody waits for it but the close."""
_AT_ONCE = 2_000


async def gather_lots(connection: AsyncConnection, start: datetime, end: datetime, as_of: datetime) -> list[Lot]:
    """The lots of a span of instants with their exact sums, from what was recorded by `as_of`; which facts are in each is stored.

    A fact of 0 of 0 was taken back: there is nothing to count, whoever was credited before.
    """
    raw = await driver(connection)
    for limit in ("statement_timeout", "lock_timeout"):
        await raw.execute(f"SET LOCAL {limit} = '{_PATIENCE}s'")
    cursor = await raw.cursor(_LOTS, micros(start), micros(end), micros(as_of), timeout=_PATIENCE)
    lots: list[Lot] = []
    while rows := await cursor.fetch(_AT_ONCE, timeout=_PATIENCE):
        lots += map(_lot, rows)
    return lots


def _lot(row: Any) -> Lot:
    sums = Fraction(row["numerator"]), Fraction(row["denominator"])
    return Lot(row["subject"], row["indicator"], *sums, _name(row["digest"]), row["replay_of"], row["facts"])


_FACTS_OF = text("""
SELECT l.digest AS lot, f.* FROM fact_lots l, unnest(l.keys, l.revisions) AS o (key, revision) JOIN kpi_facts f USING (key, revision)
WHERE l.digest = ANY(CAST(:digests AS bytea[])) ORDER BY 1, f.time, f.key
""")


async def facts_of_lots(connection: AsyncConnection, digests: Iterable[str]) -> dict[str, list[KpiFact]]:
    """The facts of these lots, by the lot's digest, each in the revision that the lot counted."""
    wanted = [bytes.fromhex(digest.partition(":")[2]) for digest in digests]
    found: dict[str, list[KpiFact]] = {}
    for row in await connection.execute(_FACTS_OF, {"digests": wanted}):
        found.setdefault(_name(row.lot), []).append(_fact(row))
    return found


def _name(digest: bytes) -> str:
    return f"sha256:{bytes(digest).hex()}"


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
        time=row.time,
        source_event_ids=tuple(row.source_event_ids.split("\n")) if row.source_event_ids else (),
        dimensions=row.dimensions,
    )


_FIGURES = text("""
SELECT indicator, split_part(subject, ':', 1) AS about, dimensions ->> CAST(:by AS text) AS value,
       CAST(sum(CAST(numerator AS numeric)) AS text) AS numerator, CAST(sum(CAST(denominator AS numeric)) AS text) AS denominator,
       count(DISTINCT case_id) AS cases
FROM kpi_facts f
WHERE time >= :start AND time < :end AND NOT EXISTS (SELECT FROM kpi_facts n WHERE n.key = f.key AND n.revision > f.revision)
      AND NOT (CAST(numerator AS numeric) = 0 AND CAST(denominator AS numeric) = 0)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")


async def figures(connection: AsyncConnection, cycle: str, by: str, time_zone: str) -> list[dict[str, Any]]:
    """The facts of a period added up by indicator, kind of subject and one dimension, whose `value` is None where it is not known.

    `numerator` and `denominator` are exact; facts that were taken back count for nothing. `unit` and `direction` are those under
    which the indicator is registered at the end of the period, None where it is not. ValueError for what names no period.
    """
    span = span_of(period_named(cycle), zone_named(time_zone))
    rows = await connection.execute(_FIGURES, {"by": by, "start": micros(span.start), "end": micros(span.end)})
    registry = {one.id: one for one in registry_at(await documents.read(connection, KINDS), span.end)}
    return [{**row, **_registered(registry.get(row["indicator"]))} for row in rows.mappings()]


def _registered(one: Indicator | None) -> dict[str, str | None]:
    return {"unit": None, "direction": None} if one is None else {"unit": one.unit, "direction": one.direction}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """An instant in microseconds since 1970, exactly."""
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 10**6 + span.microseconds
