"""Sending many records to Kafka: in the given order for each key, with a bounded number on their way, and a progress bar."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.progress import Progress

from common.kafka.settings import KafkaSettings

IN_FLIGHT = 5000


class Sendable(Protocol):
    """What can be sent."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def value(self) -> bytes: ...
    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]: ...


async def publish(kafka: KafkaSettings, records: Iterable[Sendable], *, total: int | None = None, what: str = "publishing") -> int:
    """Sends every record with an idempotent producer and waits for Kafka to have them all; returns how many."""
    number = 0
    producer = AIOKafkaProducer(**kafka.client(), acks="all", enable_idempotence=True, linger_ms=20, max_batch_size=128 * 1024)
    try:
        await producer.start()
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(what, total=total)
            waiting: list[asyncio.Future[object]] = []
            for record in records:
                topic = kafka.topic(record.topic)
                waiting.append(await producer.send(topic, record.value, key=record.key.encode(), headers=list(record.headers)))
                number += 1
                if len(waiting) == IN_FLIGHT:
                    await asyncio.gather(*waiting)
                    progress.update(task, completed=number)
                    waiting.clear()
            await asyncio.gather(*waiting)
    finally:
        await producer.stop()  # also where it never started: it would complain on its way out
    return number
