"""What the operator rules, as records for Kafka."""

import asyncio
from dataclasses import dataclass

from common.contracts.envelope import encode
from common.contracts.event import Claim, Envelope
from common.contracts.topics import topic_of
from common.kafka.settings import KafkaSettings
from common.kernel.ids import derived_id
from common.kernel.wall_clock import now
from ops.publishing import publish
from ops.terminal import KAFKA_SECONDS, answered

SOURCE = "/aftersales/operator"


@dataclass(frozen=True, slots=True)
class Ruled:
    """One record: what `publishing` sends."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def record_of(rule: Claim) -> Ruled:
    """The record of a rule that is made now."""
    topic, at = topic_of(type(rule)), now()
    key = topic.key_of(rule)
    envelope = Envelope(derived_id(at, SOURCE, key, rule.model_dump_json()), SOURCE, rule.TYPE, key, at, at)
    value, headers = encode(rule, envelope, key=key)
    return Ruled(topic.name, key, value, tuple(headers))


def send(kafka: KafkaSettings, rule: Claim) -> None:
    """Publishes a rule; a Kafka that is away ends the command with one line and exit 1."""

    async def sent() -> int:
        async with asyncio.timeout(KAFKA_SECONDS):
            return await publish(kafka, [record_of(rule)], total=1)

    answered(sent, kafka=kafka.bootstrap_servers)
