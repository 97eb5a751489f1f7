"""CloudEvents 1.0 over Kafka: binary mode out, binary and structured mode in, both ending in the same event and the same hash."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from common.contracts.event import Envelope, Event
from common.contracts.strict_json import canonical, strict_json
from common.contracts.topics import BY_NAME, EVENTS, Topic
from common.kernel.errors import Malformed
from common.kernel.instants import NotAnInstant, instant_of

MAX_BYTES = 256 * 1024
"""The largest event; a larger record is a dead letter."""
MAX_AHEAD = timedelta(minutes=5)
"""How far an event's time may lie after its record's append time."""
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest time of an event: ids sort by time from here on, and calendars do not reach the first years of their era."""

_STRUCTURED = "application/cloudevents+json"
_EXTENSIONS = ("partitionkey", "sequence", "correlationid", "causationid", "recordedtime", "replayof")
_ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", *_EXTENSIONS)


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
    """A record that could be read. `event` is None when its type is not known here, which is fine on a decision topic."""

    record: Record
    envelope: Envelope
    event: Event | None
    digest: bytes
    """SHA-256 of the canonical (type, subject, time, data): two records with one id must agree on it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read, with as much of its identity as could be made out."""

    record: Record
    problem: Malformed
    source: str = ""
    id: str = ""
    type: str = ""


def decode(record: Record) -> Received | Unreadable:
    """The event in `record`, or why it cannot be read; never raises for any bytes."""
    attributes: dict[str, str] = {}
    try:
        return _decode(record, attributes)
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
    return Unreadable(record, problem, source, id, type)


def _decode(record: Record, attributes: dict[str, str]) -> Received:
    topic = BY_NAME[record.topic]
    if record.value is None:
        raise Malformed("empty", field="data", reason="a record without a value is no event")
    if len(record.value) > MAX_BYTES:
        raise Malformed("too_large", field="data", reason=f"an event has at most {MAX_BYTES} bytes")
    headers = _text_headers(record)
    if headers.get("content-type", "").split(";")[0].strip().lower() == _STRUCTURED or "ce_specversion" not in headers:
        data = _structured(record.value, attributes)
    else:
        attributes |= {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
        data = strict_json(record.value)
    envelope = _envelope(attributes, record, topic)
    body = canonical(data)
    head = canonical([envelope.type, envelope.subject, envelope.time.isoformat()])
    digest = hashlib.sha256(b"%b,%b]" % (head[:-1], body)).digest()
    event = _event(envelope, body, topic)
    if event is not None:
        _check_key(event, envelope, record, topic)
        event = event.in_envelope(envelope)
    return Received(record, envelope, event, digest)


def _text_headers(record: Record) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, raw in record.headers:
        name = name.lower()
        if not (name.startswith("ce_") or name == "content-type"):
            continue  # a foreign header is none of ours, whatever bytes it holds
        if raw is None:
            raise Malformed("empty", field=_known(name), reason="the header has no value")
        try:
            found[name] = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("bad_encoding", field=_known(name), reason="expected UTF-8") from None
    return found


def _known(name: str) -> str:
    return name if name.removeprefix("ce_") in _ATTRIBUTES or name == "content-type" else "header"


def _structured(value: bytes, attributes: dict[str, str]) -> Any:
    body = strict_json(value, field="event")
    if not isinstance(body, dict):
        raise Malformed("not_an_event", field="event", reason="expected a CloudEvents object or ce_ headers")
    for name, found in body.items():
        if name != "data" and isinstance(found, str | int) and not isinstance(found, bool):
            attributes[name] = str(found)
    if "data" not in body:
        raise Malformed("missing", field="data", reason="the event has no data")
    return body["data"]


def _envelope(attributes: dict[str, str], record: Record, topic: Topic) -> Envelope:
    for name in ("specversion", "id", "source", "type", "time"):
        if not attributes.get(name):
            raise Malformed("missing", field=f"ce_{name}", reason="a required attribute of the event")
    if attributes["specversion"] != "1.0":
        raise Malformed("bad_version", field="ce_specversion", reason="expected 1.0")
    for name in ("id", "source", "type", "subject", *_EXTENSIONS):
        found = attributes.get(name, "")
        if len(found) > 256 or not found.isprintable():
            raise Malformed("bad_attribute", field=f"ce_{name}", reason="at most 256 printable characters")
    if topic.kind == "decisions" and attributes["source"] not in topic.sources:
        reason = f"a decision is believed from its producer alone: {', '.join(topic.sources)}"
        raise Malformed("foreign_source", field="ce_source", reason=reason)
    time = parse_instant(attributes["time"], field="ce_time")
    if time - record.appended_at > MAX_AHEAD:
        raise Malformed("time_ahead", field="ce_time", reason="more than 5 minutes after the record was appended")
    if time < FIRST:
        raise Malformed("time_too_early", field="ce_time", reason="before 1970")
    recorded_at = record.appended_at
    if topic.kind == "decisions" and "recordedtime" in attributes:
        recorded_at = parse_instant(attributes["recordedtime"], field="ce_recordedtime")
    sequence = attributes.get("sequence", "")
    if sequence and not (sequence.isascii() and sequence.isdigit() and len(sequence) < 19):
        raise Malformed("bad_attribute", field="ce_sequence", reason="expected a whole number")
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
    except NotAnInstant as problem:
        raise Malformed("bad_instant", field=field, reason=str(problem)) from None
    except OverflowError:
        raise Malformed("bad_instant", field=field, reason="the year in UTC must lie in 1–9999") from None


def _event(envelope: Envelope, body: bytes, topic: Topic) -> Event | None:
    model = EVENTS.get(envelope.type)
    if model is None or model not in topic.events:
        if topic.kind == "decisions" and model is None:
            return None
        rule = "unknown_type" if model is None else "wrong_topic"
        raise Malformed(rule, field="ce_type", reason=f"{topic.name} takes {', '.join(e.TYPE for e in topic.events)}")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in ("data", *first["loc"]))
        rule = "missing" if first["type"] == "missing" else "unknown_field" if first["type"] == "extra_forbidden" else "bad_value"
        raise Malformed(rule, field=where[:256], reason=f"{first['type']}: {first['msg']}"[:256]) from None


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
    attributes: dict[str, str] = {
        "ce_specversion": "1.0",
        "ce_id": envelope.id,
        "ce_source": envelope.source,
        "ce_type": envelope.type,
        "ce_subject": envelope.subject,
        "ce_time": instant_text(envelope.time),
        "ce_dataschema": f"/schemas/{envelope.type}.json",
        "ce_partitionkey": key,
        "ce_recordedtime": instant_text(envelope.recorded_at),
        "ce_correlationid": envelope.correlation_id,
        "ce_causationid": envelope.causation_id,
        "ce_sequence": "" if envelope.sequence is None else str(envelope.sequence),
        "ce_replayof": envelope.replay_of,
        "content-type": "application/json",
    }
    return [(name, text) for name, text in attributes.items() if text]


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
