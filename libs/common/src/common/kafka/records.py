"""Kafka records between the consumer, the tables that keep them, and the codec."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pydantic_core import from_json, to_json

from common.contracts.envelope import Record

TopicPartition = tuple[str, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PositionedRecord(Protocol):
    """A record that knows where it stood, ours or aiokafka's."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Gap:
    """A batch that begins after the position: `position` is the offset that was to come, `first` the one that came."""

    position: int
    first: int


def from_kafka(raw: Any) -> Record:
    """The record that aiokafka fetched; its timestamp is the broker's append time."""
    return Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        key=raw.key,
        value=raw.value,
        headers=tuple(raw.headers),
        appended_at=_EPOCH + timedelta(milliseconds=raw.timestamp),
    )


def pack(record: Record) -> str:
    """The whole record as JSON text, to be kept in a table and read again by `unpack`."""
    return to_json(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": _text(record.key),
            "value": _text(record.value),
            "headers": [[name, _text(value)] for name, value in record.headers],
            "appended_at": record.appended_at.isoformat(),
        }
    ).decode()


def unpack(packed: str | dict[str, Any]) -> Record:
    """The record that `pack` wrote."""
    found = from_json(packed) if isinstance(packed, str) else packed
    return Record(
        topic=found["topic"],
        partition=found["partition"],
        offset=found["offset"],
        key=_bytes(found["key"]),
        value=_bytes(found["value"]),
        headers=tuple((name, _bytes(value)) for name, value in found["headers"]),
        appended_at=datetime.fromisoformat(found["appended_at"]),
    )


def headers_text(record: Record) -> str:
    """The headers as JSON text that can hold any bytes."""
    return to_json([[name, _text(value)] for name, value in record.headers]).decode()


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
