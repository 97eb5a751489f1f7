"""Claims on their way to Kafka: in order, in bounded numbers, and the same ones however often a file is replayed."""

import asyncio
from collections import deque
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer

from common.contracts.envelope import encode
from common.contracts.topics import topic_of
from common.runtime.broker import KafkaError, KafkaSettings, missing_topics
from ops.replay.claims import Origin, Planned
from ops.replay.mapping import Mapping
from ops.replay.rows import ReplayStopped

IN_FLIGHT = 2000
"""How many events may be on their way before the oldest of them is waited for."""


def publish(cases: Iterable[list[Planned]], origin: Origin, mapping: Mapping, servers: str) -> int:
    """Publishes the claims of all cases and tells how many Kafka has acknowledged; raises `ReplayStopped`."""
    return asyncio.run(_publish(cases, origin, mapping, KafkaSettings(servers, f"replay-{mapping.name}")))


async def _publish(cases: Iterable[list[Planned]], origin: Origin, mapping: Mapping, kafka: KafkaSettings) -> int:
    topics = {topic_of(rule.claim).name for rule in mapping.claims}
    producer = AIOKafkaProducer(**kafka.client(), acks="all", enable_idempotence=True, linger_ms=20, max_batch_size=128 * 1024)
    try:
        missing = await missing_topics(kafka, topics)
        if missing:
            raise ReplayStopped(f"there is no topic {', '.join(missing)}: aftersales topics apply makes them")
        await producer.start()
        return await _sent(producer, cases, origin)
    except KafkaError as problem:
        raise ReplayStopped(f"Kafka at {kafka.bootstrap_servers}: {problem}") from None
    finally:
        await producer.stop()


async def _sent(producer: AIOKafkaProducer, cases: Iterable[list[Planned]], origin: Origin) -> int:
    under_way: deque[asyncio.Future[object]] = deque()
    sent = 0
    for case in cases:
        for planned in case:
            envelope = origin.envelope(planned)
            value, headers = encode(planned.claim, envelope, key=envelope.subject)
            topic = topic_of(type(planned.claim)).name
            under_way.append(await producer.send(topic, value, key=envelope.subject.encode(), headers=headers))
            sent += 1
            if len(under_way) > IN_FLIGHT:
                await under_way.popleft()
    for future in under_way:
        await future
    return sent
