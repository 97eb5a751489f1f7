"""CloudEvents 1.0 over Kafka: binary mode out, binary and structured mode in, both ending in the same event and the same hash."""

import hashlib
import json
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from pydantic import ValidationError

from common.contracts import binding
from common.contracts.event import Envelope, Event
from common.contracts.strict_json import canonical
from common.contracts.topics import BY_NAME, EVENTS, Topic
from common.kernel.errors import Malformed
from common.kernel.faults import Fault
from common.kernel.instants import instant_of
from common.kernel.known_fields import nearest

MAX_BYTES = 256 * 1024
"""The largest event; a larger record is a dead letter."""
MAX_AHEAD = timedelta(minutes=5)
"""How far an event's time may lie after its record's append time."""
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest time of an event: ids sort by time from here on, and calendars do not reach the first years of their era."""

UNKNOWN = "<unknown>"
"""What stands for a name that is none of ours."""
_PRINTED = ("id", "source", "type", "subject", *binding.EXTENSIONS)
_MOST_FAULTS = 10
_MORE = Malformed("bad_value", field="data", reason="and more")  # is counted, not listed


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it came, whatever it holds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    appended_at: datetime

    @property
    def timestamp(self) -> int:
        """When Kafka appended it, in milliseconds since 1970, as Kafka's clients have it."""
        return (self.appended_at - FIRST) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Received:
    """A record that could be read. `event` is None when its type is not known here, or not wanted, which is fine on a decision topic."""

    record: Record
    envelope: Envelope
    event: Event | None
    digest: bytes
    """SHA-256 of the canonical (type, subject, time, data): two records with one id must agree on it. Empty where no data was read."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read, with as much of its identity as could be made out."""

    record: Record
    problem: Malformed
    source: str = ""
    id: str = ""
    type: str = ""


def decode(record: Record, wanted: Container[type[Event]] | None = None) -> Received | Unreadable:
    """The event in `record`, or why it cannot be read; never raises for any bytes.

    Where `wanted` is given, only the headers are read of a decision of any other type, unless they are not what they should be.
    """
    attributes: dict[str, str] = {}
    try:
        return _decode(record, attributes, wanted)
    except Malformed as problem:
        return _unreadable(record, problem, attributes)
    except RecursionError:  # a depth that the parser just bears may be too much for what follows it
        return _unreadable(record, Malformed("too_deep", field="data", reason="nested without end"), attributes)


def _unreadable(record: Record, problem: Malformed, attributes: dict[str, str]) -> Unreadable:
    for name, raw in record.headers:
        known = name.lower().removeprefix("ce_")
        if name.lower() == f"ce_{known}" and known in ("source", "id", "type") and raw is not None:
            attributes.setdefault(known, raw.decode("utf-8", errors="replace"))
    source, id, type = (attributes.get(name, "") for name in ("source", "id", "type"))
    safe = Malformed(problem.rule, field=known_path(problem.field), reason=problem.reason)
    return Unreadable(record, safe, source, id, type)


def _decode(record: Record, attributes: dict[str, str], wanted: Container[type[Event]] | None) -> Received:
    topic = BY_NAME[record.topic]
    if record.value is None:
        raise Malformed("empty", field="data", reason="a record without a value is no event")
    if len(record.value) > MAX_BYTES:
        raise Malformed("too_large", field="data", reason=f"an event has at most {MAX_BYTES} bytes")
    content_type = binding.head(record, attributes)
    if wanted is not None and content_type is not None and (envelope := _unwanted(attributes, record, topic, wanted)) is not None:
        return Received(record, envelope, None, b"")
    data = binding.data(record, content_type, attributes)
    body = canonical(data) if binding.has_data(data) else None
    faults: list[Malformed] = []
    envelope = _envelope(attributes, record, topic, faults)
    event = _event(attributes.get("type", ""), body, topic, faults)
    if envelope is None or body is None or faults:
        raise _together(faults)
    head = canonical([envelope.type, envelope.subject, envelope.time.isoformat()])
    digest = hashlib.sha256(b"%b,%b]" % (head[:-1], body)).digest()
    if event is not None:
        _check_key(event, envelope, record, topic)
        event = event.in_envelope(envelope)
    return Received(record, envelope, event, digest)


def _unwanted(attributes: dict[str, str], record: Record, topic: Topic, wanted: Container[type[Event]]) -> Envelope | None:
    """The envelope of a decision that nobody asked for; None for any other event, and where the headers alone show a fault."""
    model = EVENTS.get(attributes.get("type", ""))
    if topic.kind != "decisions" or model in wanted or (model is not None and topic.name != model.TOPIC):
        return None
    if (attributes.get("subject") or "").encode() != record.key:
        return None
    return _envelope(attributes, record, topic, [])


def _together(faults: list[Malformed]) -> Malformed:
    """All faults of one record as one, under the rule and the field of the first."""
    first, *others = faults
    reasons = [first.reason, *(f"{one.field}: {one.rule}: {one.reason}" for one in others[: _MOST_FAULTS - 1])]
    if len(faults) > _MOST_FAULTS:
        reasons.append(f"and {len(faults) - _MOST_FAULTS} more")
    return Malformed(first.rule, field=first.field, reason="; ".join(reasons))


def _envelope(attributes: dict[str, str], record: Record, topic: Topic, faults: list[Malformed]) -> Envelope | None:
    """The envelope, None where one of its attributes is wrong; what is wrong is put to the faults."""

    def wrong(rule: str, name: str, reason: str) -> None:
        faults.append(Malformed(rule, field=f"ce_{name}", reason=reason))

    for name in binding.REQUIRED:
        if not attributes.get(name):
            wrong("missing", name, "a required attribute of the event")
    if attributes.get("specversion", "") not in ("", "1.0"):
        wrong("bad_version", "specversion", "expected 1.0")
    for name in _PRINTED:
        found = attributes.get(name)
        if found and (len(found) > 256 or not found.isprintable()):
            wrong("bad_attribute", name, "at most 256 printable characters")
    if topic.kind == "decisions" and attributes.get("source") and attributes["source"] not in topic.sources:
        wrong("foreign_source", "source", f"a decision is believed from its producer alone: {', '.join(topic.sources)}")
    sequence = attributes.get("sequence", "")
    if sequence and not (sequence.isascii() and sequence.isdigit() and len(sequence) < 19):
        wrong("bad_attribute", "sequence", "expected a whole number")
    time, recorded_at = FIRST, record.appended_at
    try:
        if attributes.get("time"):
            time = parse_instant(attributes["time"], field="ce_time")
        if topic.kind == "decisions" and "recordedtime" in attributes:
            recorded_at = parse_instant(attributes["recordedtime"], field="ce_recordedtime")
    except Malformed as problem:
        faults.append(problem)
    if time - record.appended_at > MAX_AHEAD:
        wrong("time_ahead", "time", "more than 5 minutes after the record was appended")
    if time < FIRST:
        wrong("time_too_early", "time", "before 1970")
    if faults:
        return None
    return Envelope(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=attributes.get("subject", ""),
        time=time,
        recorded_at=recorded_at,
        correlation_id=attributes.get("correlationid", ""),
        causation_id=attributes.get("causationid", ""),
        sequence=int(sequence) if sequence else None,
        replay_of=attributes.get("replayof", ""),
    )


def parse_instant(text: str, *, field: str) -> datetime:
    """An instant in UTC from RFC 3339; what is finer than a microsecond is cut."""
    try:
        return instant_of(text).astimezone(UTC)
    except Fault as fault:
        raise Malformed("bad_instant", field=field, reason=fault.what) from None
    except OverflowError:
        raise Malformed("bad_instant", field=field, reason="the year in UTC must lie in 1–9999") from None


def _event(type: str, body: bytes | None, topic: Topic, faults: list[Malformed]) -> Event | None:
    """The event, None where its type is not known here or its data are wrong; what is wrong is put to the faults."""
    model = EVENTS.get(type)
    if model is None or topic.name != model.TOPIC:
        if type and not (topic.kind == "decisions" and model is None):
            rule = "unknown_type" if model is None else "wrong_topic"
            faults.append(Malformed(rule, field="ce_type", reason=f"{topic.name} takes {', '.join(e.TYPE for e in topic.events)}"))
        model = None
    if body is None:
        faults.append(Malformed("missing", field="data", reason="the event has no data"))
    if model is None or body is None:
        return None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        faults += [_fault(one, model) for one in found[:_MOST_FAULTS]]
        faults += [_MORE] * (len(found) - _MOST_FAULTS)
        return None


def _fault(error: Any, model: type[Event]) -> Malformed:
    where = ".".join(str(part) for part in ("data", *error["loc"]) if part != "[key]")  # pydantic's mark: the name itself is wrong
    if error["type"] == "extra_forbidden":  # the name may be anybody's: only the one that was meant is named
        near = nearest(str(error["loc"][-1]), model.model_fields)
        where = ".".join(str(part) for part in ("data", *error["loc"][:-1], UNKNOWN))
        return Malformed("unknown_field", field=where, reason=f"there is no such field{f'; the nearest is {near}' if near else ''}")
    rule = "missing" if error["type"] == "missing" else "bad_value"
    return Malformed(rule, field=known_path(where), reason=f"{error['type']}: {error['msg']}"[:256])


def known_path(field: str) -> str:
    """The path of a value with only those names in it that are ours: a name that somebody made up may be a person's."""
    return ".".join(part if part in _known_names() or part.isdecimal() else UNKNOWN for part in field.split("."))[:256]


@cache
def _known_names() -> frozenset[str]:
    fields = {name for model in EVENTS.values() for name in model.model_fields}
    attributes = {f"ce_{name}" for name in binding.ATTRIBUTES}
    return frozenset({"data", "data_base64", "event", "key", "header", "content-type", UNKNOWN, *fields, *attributes})


def _check_key(event: Event, envelope: Envelope, record: Record, topic: Topic) -> None:
    expected = topic.key_of(event)
    if record.key != expected.encode():
        raise Malformed("key_mismatch", field="key", reason=f"the record's key must be data.{topic.key}, so that order is kept")
    if envelope.subject not in ("", expected):
        raise Malformed("subject_mismatch", field="ce_subject", reason=f"expected data.{topic.key}")


def encode(event: Event, envelope: Envelope, *, key: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers of `event` in binary mode."""
    return value_of(event), [(name, text.encode()) for name, text in headers_of(envelope, key=key)]


def value_of(event: Event) -> bytes:
    """The value of the record in which `event` travels in binary mode."""
    return event.__pydantic_serializer__.to_json(event)  # what `model_dump_json` does, without asking for its options


def headers_of(envelope: Envelope, *, key: str) -> list[tuple[str, str]]:
    """The headers of the record in which an event travels in binary mode."""
    attributes = (
        ("ce_specversion", "1.0"),
        ("ce_id", envelope.id),
        ("ce_source", envelope.source),
        ("ce_type", envelope.type),
        ("ce_subject", envelope.subject),
        ("ce_time", instant_text(envelope.time)),
        ("ce_dataschema", f"/schemas/{envelope.type}.json"),
        ("ce_partitionkey", key),
        ("ce_recordedtime", instant_text(envelope.recorded_at)),
        ("ce_correlationid", envelope.correlation_id),
        ("ce_causationid", envelope.causation_id),
        ("ce_sequence", "" if envelope.sequence is None else str(envelope.sequence)),
        ("ce_replayof", envelope.replay_of),
        ("content-type", "application/json"),
    )
    return [attribute for attribute in attributes if attribute[1]]


def instant_text(at: datetime) -> str:
    """An instant as it is written everywhere: UTC, with `Z`."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat().replace("+00:00", "Z")


def structured(event: Event, envelope: Envelope) -> bytes:
    """`event` in structured mode: one JSON object that holds everything."""
    head = {
        "specversion": "1.0",
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "subject": envelope.subject,
        "time": instant_text(envelope.time),
        "datacontenttype": "application/json",
    }
    return json.dumps({**head, "data": event.model_dump(mode="json")}, ensure_ascii=False).encode()
