"""Documents that the operator puts in force, and what else the operator asks for, as records for Kafka."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.contracts.documents import DocumentActivated
from common.contracts.envelope import encode
from common.contracts.event import Envelope, Event
from common.contracts.topics import topic_of
from common.kafka.settings import KafkaSettings
from common.kernel.faults import Fault
from common.kernel.ids import derived_id
from common.kernel.instants import instant_of
from common.kernel.wall_clock import now
from ops.publishing import publish
from ops.terminal import KAFKA_SECONDS, answered, stop

SOURCE = "/aftersales/operator"
SOON = timedelta(seconds=5)
"""From when on a document is effective unless an instant is named: by then every replica knows it."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """One record: what `publishing` sends."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def record_of(event: Event) -> Ruled:
    """The record of a document that is put in force now, or of something else that the operator asks for."""
    topic, at = topic_of(type(event)), now()
    key = topic.key_of(event)
    envelope = Envelope(derived_id(at, SOURCE, key, event.model_dump_json()), SOURCE, event.TYPE, key, at, at)
    value, headers = encode(event, envelope, key=key)
    return Ruled(topic.name, key, value, tuple(headers))


def send(kafka: KafkaSettings, document: DocumentActivated) -> None:
    """Publishes a document; a Kafka that is away ends the command with one line and exit 1."""

    async def sent() -> int:
        async with asyncio.timeout(KAFKA_SECONDS):
            return await publish(kafka, [record_of(document)], total=1)

    answered(sent, kafka=kafka.bootstrap_servers)


def effective_from(given: str | None) -> datetime:
    """The instant of `--effective`; in five seconds where none is named. Ends the command for one of the past."""
    if given is None:
        return now() + SOON
    try:
        at = instant_of(given)
    except Fault as fault:
        stop(f"--effective {given}: {fault.what}", 2)
    if at < now():
        stop(f"--effective {given}: what was decided in the past stays decided", 2)
    return at
