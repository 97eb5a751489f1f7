"""The rows of one round as batches of the producer, one after the other for each partition: one answer of Kafka's a batch, not a row.

A key's rows stand in one partition, so they keep their order, in a batch and from batch to batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from common.kafka.fenced_producer import MAX_REQUEST
from common.store.outbox import ToSend

_partition = DefaultPartitioner()
"""Kafka's own way from a key to its partition."""


@dataclass(frozen=True, slots=True)
class Filled:
    """One batch for one topic-partition: the producer's builder, and the rows that are in it."""

    place: tuple[str, int]
    builder: Any
    rows: list[ToSend] = field(default_factory=list)

    def takes(self, row: ToSend) -> bool:
        """Puts a row into the batch; False when that is full. The first row always fits."""
        if self.builder.append(timestamp=None, key=row.key.encode(), value=row.payload, headers=row.headers) is None:
            return False
        self.rows.append(row)
        return True


def filled(
    producer: AIOKafkaProducer, rows: Sequence[ToSend], partitions: Mapping[str, Sequence[int]], *, alone: bool
) -> tuple[list[Filled], list[tuple[ToSend, str]]]:
    """The rows in batches, or each `alone` in one, in an order in which they can be sent; then the rows that are too large for any.

    What stands behind such a row under its key is left out, and so is a topic without `partitions`.
    """
    batches: list[Filled] = []
    refused: list[tuple[ToSend, str]] = []
    newest: dict[tuple[str, int], Filled] = {}
    places: dict[tuple[str, str], int] = {}
    behind: set[tuple[str, str]] = set()
    for row in rows:
        key = row.topic, row.key
        if not partitions[row.topic] or key in behind:
            continue
        if len(row.payload) > MAX_REQUEST:
            refused.append((row, MessageSizeTooLargeError.__name__))
            behind.add(key)
            continue
        if key not in places:
            places[key] = _partition(row.key.encode(), partitions[row.topic], partitions[row.topic])
        place = row.topic, places[key]
        batch = newest.get(place)
        if batch is None or alone or not batch.takes(row):
            batch = newest[place] = Filled(place, producer.create_batch())
            batch.takes(row)
            batches.append(batch)
    for batch in batches:
        batch.builder.close()  # an open one would wait for more
    return batches, refused
