"""`kpi-facts` in: ten thousand a batch, one transaction, set-based. The way of a record is the same as everywhere: read, or a dead letter.

Reading every record twice as strictly as needed would cost more than storing it, so a record that is plainly what we write
ourselves is validated in one step, and everything else takes the chassis' own strict reader.
"""

import asyncio
import json
import random
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from functools import lru_cache
from itertools import combinations
from typing import Annotated, Any

import structlog
from faststream.exceptions import NackMessage
from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec.json import Decoder

from appraisal import fact_store
from appraisal.fact_store import FactRow, Revision, key_of, micros
from common.contracts.claims.appraisal import Subject
from common.contracts.envelope import MAX_AHEAD, MAX_BYTES, Received, decode
from common.contracts.event import Envelope
from common.contracts.fields import DecimalString, DimensionValue, Word, pattern_of
from common.contracts.kpi_facts import DIMENSIONS, KpiRecorded
from common.contracts.topics import topic_of
from common.kafka.records import from_kafka
from common.kernel.errors import Malformed, Transient
from common.kernel.instants import instant_of
from common.kernel.wall_clock import now
from common.runtime.chassis import Chassis
from common.store import dead_letters, outbox, positions
from common.store.database import kind_of
from common.store.dead_letters import DeadLetter
from common.store.record_counts import Result

log = structlog.get_logger(__name__)

BATCH = 10_000
MAX_STEP = 2**16
"""How far a fact's revision may lie above the newest one that is known. Ours rise by 512 with each thing that happens to a clock."""
_MEMBERS = 9
_HIDING = (b"\\", b'" ', b"\n", b"\r", b"\t")
"""What may hide a member from whoever counts them: an escape, or white space between a name and its colon."""


class _Fact(Struct, forbid_unknown_fields=True, gc=False):
    """`KpiRecorded` once more, for the fast reader: msgspec takes a third of pydantic's time, and this is ten thousand records a batch."""

    case_id: str
    indicator: str
    subject: str
    occurrence: Annotated[int, Meta(ge=0, lt=2**31)]
    revision: Annotated[int, Meta(ge=1, lt=2**31)]
    numerator: str
    denominator: str
    dimensions: dict[str, str]
    source_event_ids: Annotated[list[Annotated[str, Meta(max_length=256)]], Meta(max_length=50)]


_validate = Decoder(_Fact).decode
_indicator, _subject, _decimal, _dimension = (
    re.compile(pattern_of(kind)).fullmatch for kind in (Word, Subject, DecimalString, DimensionValue)
)


@lru_cache(100_000)
def _check(indicator: str, subject: str, numerator: str, denominator: str) -> None:
    """Holds spellings against their patterns, each once, since the same few come again and again; ValueError for one that does not fit."""
    if not (_indicator(indicator) and _subject(subject) and _decimal(numerator) and _decimal(denominator)):
        raise ValueError("misspelt")


@lru_cache(100_000)
def _dimensions_text(*dimensions: tuple[str, str]) -> str:
    """One text for equal dimensions, as it is stored; ValueError where a name or a value is none of ours."""
    if not all(name in DIMENSIONS and _dimension(value) for name, value in dimensions):
        raise ValueError("no dimensions of ours")
    return _stored(dict(dimensions))


def _stored(dimensions: Mapping[Any, str]) -> str:
    return json.dumps(dimensions, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


_SOURCES = {source.encode() for source in topic_of(KpiRecorded).sources}
_AHEAD = MAX_AHEAD // timedelta(microseconds=1)
_HEAD = ("specversion", "id", "source", "type", "subject", "time", "dataschema", "partitionkey", "recordedtime")
_REST = ("correlationid", "causationid", "replayof")
_MAX_HEADER_CHARS = 366
"""The fixed attributes and the instants take 110 characters: up to here, no other one can have more than the 256 that are allowed."""
_WRITTEN_BY_US = {
    (*(f"ce_{name}" for name in (*_HEAD, *rest)), "content-type"): "replayof" in rest
    for size in range(len(_REST) + 1)
    for rest in combinations(_REST, size)
}
"""The headers that `envelope.encode` writes for a fact, in its order, and whether the last one before the content type is `replayof`."""


def read_fast(record: Any) -> FactRow | None:
    """The fact in a record that is plainly one of ours; None for any other, which is read with all care."""
    value = record.value
    if value is None or len(value) > MAX_BYTES or any(mark in value for mark in _HIDING):
        return None
    try:
        names, told = zip(*record.headers, strict=True)
        replayed = _WRITTEN_BY_US[names]
        attributes = b" ".join(told).decode("ascii")
        if len(attributes) > _MAX_HEADER_CHARS or not attributes.isprintable():
            return None
        version, event_id, source, type, subject, time_text, _, _, recorded_text = told[:9]
        fact = _validate(value)
        _check(fact.indicator, fact.subject, fact.numerator, fact.denominator)
        dimensions = _dimensions_text(*fact.dimensions.items())
        time = micros(instant_of(time_text.decode()))
        recorded_at = micros(instant_of(recorded_text.decode()))
    except (ValidationError, DecodeError, KeyError, ValueError, TypeError):
        return None
    case_id, indicator, about, occurrence = fact.case_id, fact.indicator, fact.subject, fact.occurrence
    if value.count(b'":') != _MEMBERS + len(fact.dimensions):
        return None  # another number of members than were read: one of them stands twice
    if (version, type, told[-1], subject, record.key) != (
        b"1.0",
        b"kpi.recorded",
        b"application/json",
        record_key := case_id.encode(),
        record_key,
    ):
        return None
    if source not in _SOURCES or not (event_id and 0 <= time <= record.timestamp * 1000 + _AHEAD and recorded_at >= 0):
        return None
    replay_of = told[-2].decode() if replayed else ""
    key = key_of(indicator, case_id, about, occurrence)
    sources = "\n".join(fact.source_event_ids)
    return FactRow._make(
        (key, indicator, case_id, about, occurrence, fact.revision, fact.numerator, fact.denominator,
         time, recorded_at, event_id.decode(), sources, replay_of, dimensions)
    )  # fmt: skip


def read_strict(record: Any) -> FactRow | DeadLetter:
    """The same for any record whatsoever: the fact, or why it cannot be read."""
    found = decode(from_kafka(record))
    if not isinstance(found, Received):
        return DeadLetter.unreadable(found)
    event = found.event
    if not isinstance(event, KpiRecorded):
        return DeadLetter.of(found, Malformed("unknown_type", field="ce_type", reason="expected kpi.recorded"))
    return _row(event, found.envelope)


def _row(event: KpiRecorded, envelope: Envelope) -> FactRow:
    return FactRow(
        key_of(event.indicator, event.case_id, event.subject, event.occurrence),
        event.indicator,
        event.case_id,
        event.subject,
        event.occurrence,
        event.revision,
        event.numerator,
        event.denominator,
        micros(envelope.time),
        micros(envelope.recorded_at.astimezone(UTC)),
        envelope.id,
        "\n".join(event.source_event_ids),
        envelope.replay_of,
        _stored(event.dimensions),
    )


async def ingest(chassis: Chassis, batch: Sequence[Any]) -> None:
    """Stores a batch; a failing database makes it wait and hand the batch back."""
    try:
        await store(chassis, batch)
    except Exception as error:
        log.warning("facts_wait", error=type(error).__name__, kind=kind_of(error), records=len(batch))
        await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
        raise NackMessage from error


async def store(chassis: Chassis, batch: Sequence[Any]) -> None:
    """Stores a batch in one transaction: facts, dead letters and progress together."""
    read_facts = [(record, read_fast(record) or read_strict(record)) for record in batch]
    new: dict[Revision, tuple[FactRow, Any]] = {}
    letters: list[DeadLetter] = []
    others: list[tuple[Any, Result]] = []
    async with chassis.database.transaction() as connection:
        tally = await positions.begin(connection, (), batch)
        if tally.halted or (tally.gaps and await chassis.watch.reader.unread(tally.gaps)):
            raise Transient("a partition is halted, or records before the batch were not handled")
        far = {row.key for _, row in read_facts if isinstance(row, FactRow) and row.revision > MAX_STEP}
        known = await fact_store.revisions_of(connection, far) if far else {}
        for record, row in read_facts:
            if isinstance(row, FactRow) and row.key in far:
                row = _within_a_step(record, row, known)
            if isinstance(row, DeadLetter):
                letters.append(row)
                others.append((record, "dead"))
                continue
            first, _ = new.setdefault(row.identity, (row, record))
            if first is row:
                continue
            if first.values != row.values:
                letters.append(_contradiction(record))
                others.append((record, "dead"))
            else:
                others.append((record, "duplicate"))
        old = await fact_store.merge(connection, [row for row, _ in new.values()])
        for revision, contradicts in old.items():
            _, record = new.pop(revision)
            others.append((record, "dead" if contradicts else "duplicate"))
            letters += [_contradiction(record)] if contradicts else []
        tally.add_applied(record for _, record in new.values())
        for record, result in others:
            tally.add(record, result)
        await outbox.insert(connection, await dead_letters.insert(connection, chassis.name, letters, now()))
        await dead_letters.close_repaired(connection, batch[0].topic, [row.event_id for row, _ in new.values()])
        await positions.save(connection, tally)
    chassis.metrics.committed(tally, (), ())
    if letters:
        chassis.relay.wake()


def _within_a_step(record: Any, row: FactRow, known: dict[bytes, int]) -> FactRow | DeadLetter:
    """The fact, unless its revision lies too far above the newest one that is known: it could never be corrected again."""
    newest = known.get(row.key, 0)
    if row.revision > newest + MAX_STEP:
        reason = f"at most {MAX_STEP} above the newest revision of the fact, which is {newest}"
        return _letter(record, Malformed("revision_jump", field="data.revision", reason=reason))
    known[row.key] = max(newest, row.revision)
    return row


def _contradiction(record: Any) -> DeadLetter:
    return _letter(record, Malformed("conflicting_duplicate", field="data.revision", reason="another value is stored under this revision"))


def _letter(record: Any, problem: Malformed) -> DeadLetter:
    found = decode(from_kafka(record))
    assert isinstance(found, Received)  # it was read as a fact
    return DeadLetter.of(found, problem)
