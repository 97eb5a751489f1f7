"""The claims of a replay on their way to Kafka: the same records however often a file is replayed."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.contracts.envelope import encode
from common.contracts.topics import topic_of
from common.kafka.broker import KafkaError, KafkaSettings, missing_topics
from ops import publishing
from ops.replay.claims import Origin, Planned
from ops.replay.mapping import LogMapping
from ops.replay.rows import ReplayStopped


@dataclass(frozen=True, slots=True)
class Sent:
    """One record of a replay."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def publish(cases: Iterable[list[Planned]], origin: Origin, mapping: LogMapping, kafka: KafkaSettings) -> int:
    """Publishes the claims of all cases and tells how many Kafka has acknowledged; raises `ReplayStopped`.

    The claims of a case stay in their order, since all that are about one request or work order have one key.
    """
    try:
        return asyncio.run(_publish(cases, origin, mapping, kafka))
    except KafkaError as problem:
        raise ReplayStopped(f"Kafka at {kafka.bootstrap_servers}: {problem}") from None


async def _publish(cases: Iterable[list[Planned]], origin: Origin, mapping: LogMapping, kafka: KafkaSettings) -> int:
    topics = {topic_of(rule.claim).name for rule in mapping.claims}
    missing = await missing_topics(kafka, topics)
    if missing:
        raise ReplayStopped(f"there is no topic {', '.join(missing)}: aftersales topics apply makes them")
    return await publishing.publish(kafka, records(cases, origin), what=f"replaying {mapping.name}")


def records(cases: Iterable[list[Planned]], origin: Origin) -> Iterator[Sent]:
    """The records that the claims of all cases are, in their order."""
    for case in cases:
        for planned in case:
            envelope = origin.envelope(planned)
            value, headers = encode(planned.claim, envelope, key=envelope.subject)
            yield Sent(topic_of(type(planned.claim)).name, envelope.subject, value, tuple(headers))
