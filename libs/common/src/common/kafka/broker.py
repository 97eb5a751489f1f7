"""The connection to Kafka, with every default that loses or doubles something set, and checked."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import BatchSubscriber

from common.kafka import aiokafka_lenient_headers, membership
from common.kafka.settings import KafkaSettings

log = structlog.get_logger(__name__)

BATCH_BYTES = 8 * 1024 * 1024
"""What is handed on at once, and so the most that a transaction holds of its records; a single larger record goes alone."""
REBALANCE_SECONDS = 10
"""Longer than the longest batch: whoever does not let go by then is left behind."""
SESSION_SECONDS = 10
"""After that long without a heartbeat the others have a member's partitions. Not below 10: grading keeps the loop busy for seconds."""
HEARTBEAT_SECONDS = 1
"""How soon the others hear that somebody has left or joined."""


class Broker(KafkaBroker):
    """FastStream's broker that starts only when everything it needs is there."""

    def __init__(self, kafka: KafkaSettings) -> None:
        aiokafka_lenient_headers.read_any()
        membership.be_told()
        super().__init__(
            **kafka.client(),
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            metadata_max_age_ms=30_000,  # by default new partitions and topics that were made anew are not seen for 5 minutes
            graceful_timeout=15.0,
            apply_types=False,
            logger=None,
        )
        self.kafka = kafka
        self.before_start: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        """Waits for what the service needs, checks every subscriber, then consumes."""
        if self.before_start is not None:
            await self.before_start()
        check(self)
        await super().start()

    def consumers(self) -> list[tuple[Sequence[str], Any]]:
        """The topics, by their names in the topics table, and the client of each subscriber that is connected."""
        found: Any = self.subscribers  # all of ours are Kafka subscribers
        return [([self.kafka.name_of(topic) for topic in one.topic_names], one.consumer) for one in found if one.consumer is not None]


class _WaitsForTheBatch(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Lets partitions go only after the running batch and its acknowledgement; without it a joining member doubles the batch."""

    def __init__(self, busy: asyncio.Lock) -> None:
        self._busy = busy

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        try:
            async with asyncio.timeout(REBALANCE_SECONDS - 1), self._busy:
                pass
        except TimeoutError:
            log.warning("partitions_left_with_a_batch_running", partitions=len(revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        pass


def subscribe(
    broker: Broker,
    topics: Iterable[str],
    *,
    group: str,
    replica: str,
    max_records: int,
    handle: Callable[[tuple[Any, ...]], Awaitable[None]],
) -> BatchSubscriber:
    """One subscriber for `topics`: `handle` gets raw records, bounded by number and bytes; what it raised for comes again.

    Topics, group and replica are named as everywhere in our code, in the records too.
    """
    kafka, busy = broker.kafka, asyncio.Lock()
    subscriber = broker.subscriber(
        *(kafka.topic(topic) for topic in topics),
        batch=True,
        group_id=kafka.group(group),
        group_instance_id=kafka.id(f"{group}-{replica}"),
        ack_policy=AckPolicy.NACK_ON_ERROR,
        auto_offset_reset="earliest",
        max_records=max_records,
        batch_timeout_ms=100,
        max_partition_fetch_bytes=BATCH_BYTES if max_records > 1000 else BATCH_BYTES // 4,
        fetch_max_bytes=2 * BATCH_BYTES,  # what is fetched ahead is held in memory too, and by default it is 50 MB
        rebalance_timeout_ms=REBALANCE_SECONDS * 1000,
        session_timeout_ms=SESSION_SECONDS * 1000,
        heartbeat_interval_ms=HEARTBEAT_SECONDS * 1000,
        max_poll_interval_ms=600_000,
        listener=_WaitsForTheBatch(busy),
        parser=_unread,
        decoder=_undecoded,
        title=group,
    )
    subscriber(_consuming(kafka, busy, handle))
    return subscriber


async def _unread(batch: Any, original: Any) -> Any:
    # FastStream decodes headers and bodies before any handler runs, and one bad record would drop its whole batch:
    # it gets to see neither, and of a large batch one record is enough for its log lines.
    message = await original((_Bare(batch[0].topic, batch[0].offset, batch[0].timestamp),))
    message.raw_message = batch
    return message


async def _undecoded(message: Any, original: Any) -> Any:  # noqa: ARG001 - FastStream tells by the signature that it is ours
    return message


def _consuming(
    kafka: KafkaSettings, busy: asyncio.Lock, handle: Callable[[tuple[Any, ...]], Awaitable[None]]
) -> Callable[[Any], Awaitable[None]]:
    """What FastStream calls with each batch: `handle` gets it in parts, and Kafka hears that it was handled."""
    handled = 0

    async def consume(message: Any) -> None:
        nonlocal handled
        async with busy:
            for part in in_parts(kafka.named(message.raw_message)):
                await handle(part)
                handled += sum(map(_size, part))
                if handled > 4 * BATCH_BYTES:  # errors hold records in cycles, and the collector counts objects, not megabytes
                    handled = 0
                    gc.collect()
            async with asyncio.timeout(REBALANCE_SECONDS / 2):
                await message.ack()

    return consume


def in_parts(batch: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The records of a batch in their order, in parts of at most 8 MB: many, and each may be a megabyte."""
    part: list[Any] = []
    size = 0
    for record in batch:
        if part and size + _size(record) > BATCH_BYTES:
            yield tuple(part)
            part, size = [], 0
        part.append(record)
        size += _size(record)
    if part:
        yield tuple(part)


def _size(record: Any) -> int:
    return len(record.value or b"")


@dataclass(frozen=True, slots=True)
class _Bare:
    """What FastStream sees of a record."""

    topic: str
    offset: int
    timestamp: int
    value: bytes = b""
    headers: tuple[()] = ()


def check(broker: KafkaBroker) -> None:
    """`ValueError` for a subscriber whose settings would lose records or let them pass each other."""
    for subscriber in broker.subscribers:
        name = getattr(subscriber, "group_id", None)
        if not name:
            raise ValueError("a subscriber without a group commits nothing")
        if not isinstance(subscriber, BatchSubscriber):
            raise ValueError(f"{name}: records are taken in batches, by one worker")
        if subscriber.ack_policy is not AckPolicy.NACK_ON_ERROR:
            raise ValueError(f"{name}: only NACK_ON_ERROR keeps the records of a failed batch")
        if subscriber._connection_args["auto_offset_reset"] != "earliest":
            raise ValueError(f"{name}: a new group must start with the earliest record")


async def missing_topics(kafka: KafkaSettings, wanted: Iterable[str]) -> list[str]:
    """Which of `wanted` do not exist, as they would be called on Kafka; `KafkaError` when it cannot be reached."""
    admin = AIOKafkaAdminClient(**kafka.client(), request_timeout_ms=5000)
    try:
        await admin.start()
        return sorted({kafka.topic(name) for name in wanted} - set(await admin.list_topics()))
    finally:
        await admin.close()


__all__ = ["Broker", "KafkaError", "KafkaSettings", "check", "missing_topics", "subscribe"]


def consuming(broker: KafkaBroker) -> list[str]:
    """What keeps the broker's subscribers from consuming, in words; empty when all of them do.

    FastStream's own ping stays green with a dead consumer, so this looks at the consume loop, the coordinator and the
    assignment of each.
    """
    return [f"{subscriber.group_id}: {problem}" for subscriber in broker.subscribers if (problem := _problem(subscriber))]  # type: ignore[attr-defined]  # all of ours have a group


def _problem(subscriber: Any) -> str | None:
    consumer = subscriber.consumer
    if not subscriber.running or consumer is None:
        return "not started"
    if not subscriber.tasks or all(task.done() for task in subscriber.tasks):
        return "its consume loop has ended"
    if membership.fenced(consumer):
        return "another process of its name has its place in the group"
    coordination = getattr(consumer._coordinator, "_coordination_task", None)
    if coordination is not None and coordination.done():
        return "its group coordination has ended"
    if not consumer.assignment() and sum(len(consumer.partitions_for_topic(name) or ()) for name in subscriber.topic_names) != 1:
        return "it has no partitions"  # of a single one another replica may be the reader
    return None
