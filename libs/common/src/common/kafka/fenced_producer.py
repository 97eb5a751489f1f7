"""A producer that Kafka itself refuses once another one has taken its place: the relay's, without transactions.

A process that was frozen in the middle of sending cannot know that it lost its lease. Kafka can: whoever asks for the
producer id of a transactional id gets an epoch that is one higher, and a partition on which the higher epoch has written
refuses every batch of a lower one. The records themselves are plain idempotent batches: a transaction would put its markers
on the partitions, and a marker takes an offset that nobody ever handles.

aiokafka asks for such an id only for transactions. Here it is asked to, and then told that there are none.
"""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer

from common.kafka.settings import KafkaSettings

log = structlog.get_logger(__name__)

MAX_REQUEST = 2 * 1024 * 1024
"""Bytes of the largest record that is handed to Kafka."""
MAX_BATCH = 128 * 1024
"""Bytes of a batch of several records: fewer than the largest event has, so that every topic that takes that one takes a batch."""
_STOP_SECONDS = 5


async def start(kafka: KafkaSettings, transactional_id: str) -> AIOKafkaProducer:
    """The newest producer of `transactional_id`; older ones send nothing more to a partition on which it has written."""
    producer = AIOKafkaProducer(
        **kafka.client(),
        acks="all",
        transactional_id=kafka.id(transactional_id),
        max_request_size=MAX_REQUEST,
        max_batch_size=MAX_BATCH,
    )
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    producer._txn_manager.transactional_id = None
    return producer


async def abandon(producer: AIOKafkaProducer) -> None:
    """Ends a producer without sending what it still holds; aiokafka's own `stop` would go on trying."""
    producer._closed = True
    sending = producer._sender.sender_task
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            while not sending.done():
                sending.cancel()  # once for itself, and once for each request whose answer it then waits for
                await asyncio.wait([sending], timeout=0.1)
            await producer.client.close()
    except TimeoutError:
        log.warning("producer_left_behind")


__all__ = ["MAX_REQUEST", "abandon", "start"]
