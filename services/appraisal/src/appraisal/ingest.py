"""`kpi-facts` in: ten thousand a batch, one transaction, set-based. The way of a record is the same as everywhere: read, or a dead letter.

Reading every record twice as strictly as needed would cost more than storing it, so a record that is plainly what we write
ourselves is validated in one step, and everything else takes the chassis' own strict reader.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import structlog
from faststream.exceptions import NackMessage
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from appraisal import fact_store
from appraisal.fact_store import FactRow, key_of, micros
from common.contracts.claims.appraisal import Subject
from common.contracts.envelope import MAX_AHEAD, MAX_BYTES, Received, decode
from common.contracts.event import Envelope
from common.contracts.fields import DecimalString, Word
from common.contracts.kpi_facts import KpiRecorded
from common.kernel.clock import now
from common.kernel.errors import Malformed
from common.runtime import dead_letters, outbox, progress
from common.runtime.chassis import Chassis
from common.runtime.database import kind_of
from common.runtime.dead_letters import DeadLetter
from common.runtime.records import from_kafka

log = structlog.get_logger(__name__)

BATCH = 10_000
_MEMBERS = 8


@with_config(ConfigDict(extra="forbid", strict=True))
class _Fact(TypedDict):
    case_id: str
    indicator: Word
    subject: Subject
    occurrence: Annotated[int, Field(ge=0, lt=2**31)]
    revision: Annotated[int, Field(ge=1, lt=2**31)]
    numerator: DecimalString
    denominator: DecimalString
    source_event_ids: Annotated[list[str], Field(max_length=50)]


_validate = TypeAdapter(_Fact).validate_json
_AHEAD = MAX_AHEAD // timedelta(microseconds=1)
_PLAIN = frozenset(
    ["content-type", *(f"ce_{name}" for name in ("specversion", "id", "source", "type", "subject", "time", "dataschema"))]
    + [f"ce_{name}" for name in ("partitionkey", "recordedtime", "correlationid", "causationid", "replayof")]
)


def read(record: Any) -> FactRow | None:
    """The fact in a record that is plainly one of ours; None for any other, which is read with all care."""
    value = record.value
    if value is None or len(value) > MAX_BYTES or b"\\" in value or value.count(b'":') != _MEMBERS or b'" ' in value or b"\n" in value:
        return None  # an escape, another number of members (perhaps one of them twice) or other spacing
    try:
        names, values = zip(*record.headers, strict=True)
        told = b"\n".join(values).decode("ascii").split("\n")
        headers = dict(zip(names, told, strict=True))
        if not _PLAIN.issuperset(names) or len(headers) != len(names) or not "".join(told).isprintable() or max(map(len, told)) > 256:
            return None
        if (
            headers.get("content-type") != "application/json"
            or headers["ce_type"] != "kpi.recorded"
            or headers["ce_specversion"] != "1.0"
            or not headers["ce_source"]
        ):
            return None
        fact = _validate(value)
        event_id = headers["ce_id"]
        time = micros(datetime.fromisoformat(headers["ce_time"]))
        recorded_at = micros(datetime.fromisoformat(headers["ce_recordedtime"]))
    except (ValidationError, KeyError, ValueError, TypeError):
        return None
    case_id, indicator, subject, occurrence = fact["case_id"], fact["indicator"], fact["subject"], fact["occurrence"]
    if record.key != case_id.encode() or headers.get("ce_subject", case_id) != case_id or not event_id:
        return None
    if not 0 <= time <= record.timestamp * 1000 + _AHEAD or recorded_at < 0:
        return None
    return FactRow(
        key_of(indicator, case_id, subject, occurrence),
        indicator,
        case_id,
        subject,
        occurrence,
        fact["revision"],
        fact["numerator"],
        fact["denominator"],
        time,
        recorded_at,
        event_id,
        "\n".join(fact["source_event_ids"]),
        headers.get("ce_replayof", ""),
    )


def read_with_care(record: Any) -> FactRow | DeadLetter:
    """The same for any record whatsoever: the fact, or why it cannot be read."""
    found = decode(from_kafka(record))
    if not isinstance(found, Received):
        return DeadLetter.unreadable(found)
    event = found.event
    if not isinstance(event, KpiRecorded):
        return DeadLetter.of(found, Malformed("unknown_type", field="ce_type", reason="expected kpi.recorded"), forget=False)
    if event.revision >= 2**31:
        return DeadLetter.of(found, Malformed("number_out_of_range", field="data.revision", reason="at most 2147483647"), forget=False)
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
    newest: dict[bytes, tuple[FactRow, Any]] = {}
    letters: list[DeadLetter] = []
    results: list[tuple[Any, progress.Result]] = []
    for record in batch:
        row = read(record) or read_with_care(record)
        if isinstance(row, DeadLetter):
            letters.append(row)
            results.append((record, "dead"))
            continue
        before = newest.get(row.key)
        if before is None or before[0].revision < row.revision:
            newest[row.key] = (row, record)
        elif before[0].revision == row.revision and before[0].values != row.values:
            letters.append(_contradiction(record))
            results.append((record, "dead"))
        else:
            results.append((record, "duplicate"))
    async with chassis.database.transaction() as connection:
        tally = await progress.begin(connection, {(record.topic, record.partition) for record in batch})
        old = await fact_store.merge(connection, [row for row, _ in newest.values()])
        for key, (_, record) in newest.items():
            if old.get(key):
                letters.append(_contradiction(record))
            results.append((record, "applied" if key not in old else "dead" if old[key] else "duplicate"))
        for record, result in results:
            tally.add(record, result)
        await outbox.insert(connection, await dead_letters.insert(connection, chassis.name, letters, now()))
        await dead_letters.close_repaired(connection, batch[0].topic, [row.event_id for key, (row, _) in newest.items() if key not in old])
        await progress.save(connection, tally)
    chassis.metrics.committed(tally, (), ())
    if letters:
        chassis.relay.wake()


def _contradiction(record: Any) -> DeadLetter:
    problem = Malformed("conflicting_duplicate", field="data.revision", reason="another value is stored under this revision")
    found = decode(from_kafka(record))
    assert isinstance(found, Received)  # it was read as a fact
    return DeadLetter.of(found, problem, forget=False)
