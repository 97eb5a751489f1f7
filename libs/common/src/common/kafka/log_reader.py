"""What Kafka says of the logs that a service reads: which topic it is, where a log begins and ends, what its group has committed.

A client of its own, in no group, so that every partition is seen, whoever owns it.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClusterPartition
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import KafkaError, NodeNotReadyError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

from common.kafka.records import Gap, TopicPartition
from common.kafka.settings import KafkaSettings
from common.kafka.topic_ids import TopicIds, answer_of

_LOOK_SECONDS = 10
_READ_SECONDS = 4
"""How long reading a few records may take: less than a batch may."""


@dataclass(frozen=True, slots=True)
class Log:
    """One partition as Kafka has it now."""

    topic_id: str
    start: int
    end: int
    committed: int | None
    """Where the service's group goes on when it starts anew; None when it never committed."""


class LogReader:
    """Looks at all partitions of the topics that each consumer group of a service reads."""

    def __init__(self, kafka: KafkaSettings, groups: Mapping[str, Collection[str]]) -> None:
        self._kafka = kafka
        self._groups = {kafka.group(group): {kafka.topic(topic) for topic in topics} for group, topics in groups.items()}
        self._consumer: AIOKafkaConsumer | None = None
        self._coordinators: dict[str, int] = {}

    async def look(self) -> dict[TopicPartition, Log]:
        """Every partition that exists; `KafkaError` or `TimeoutError` when Kafka does not answer or a topic is missing."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await self._look()
        except (KafkaError, TimeoutError, OSError):
            await self.close()
            raise

    async def _look(self) -> dict[TopicPartition, Log]:
        consumer = await self._connected()
        found = await self._topics(consumer)
        places = [ClusterPartition(topic, partition) for topic, (_, partitions) in found.items() for partition in partitions]
        starts, ends, *committed = await asyncio.gather(
            consumer.beginning_offsets(places),
            consumer.end_offsets(places),
            *(
                self._committed(consumer, group, [place for place in places if place.topic in topics])
                for group, topics in self._groups.items()
            ),
        )
        if await self._topics(consumer) != found:  # else the offsets of a new topic would be told under the id of the old one
            raise UnknownTopicOrPartitionError("a topic changed while it was looked at")
        by_group: dict[ClusterPartition, int] = {place: offset for offsets in committed for place, offset in offsets.items()}
        return {self._named(place): Log(found[place.topic][0], starts[place], ends[place], by_group.get(place)) for place in places}

    async def _topics(self, consumer: AIOKafkaConsumer) -> dict[str, tuple[str, list[int]]]:
        """The id and the partitions of each topic."""
        answer = answer_of(await _ask(consumer, TopicIds(sorted({topic for topics in self._groups.values() for topic in topics}))))
        for topic, (error, _, _) in answer.items():
            if error:
                raise for_code(error)(topic)
        return {topic: (topic_id, partitions) for topic, (_, topic_id, partitions) in answer.items()}

    async def unread(self, gaps: Mapping[TopicPartition, Gap]) -> list[TopicPartition]:
        """Those gaps in which something stood or stands that was not handled, deleted records included.

        What is left leaves no trace in a position: marks of transactions, and what compaction took away.
        """
        async with asyncio.timeout(_READ_SECONDS), self._open() as consumer:
            starts = await consumer.beginning_offsets([self._there(place) for place in gaps])
            found = []
            for place, gap in gaps.items():
                lost = starts[self._there(place)] > gap.position
                if lost or await _first(consumer, self._there(place), gap.position, gap.first) is not None:
                    found.append(place)
            return found

    async def appended_at(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The append time, in milliseconds since 1970, of the record at each offset; without those where no record stands."""
        if not offsets:
            return {}
        found: dict[TopicPartition, int] = {}
        async with asyncio.timeout(_LOOK_SECONDS), self._open() as consumer:
            for place, offset in offsets.items():
                first = await _first(consumer, self._there(place), offset, offset + 1)
                if first is not None and first.offset == offset:
                    found[place] = first.timestamp
        return found

    async def close(self) -> None:
        """Closes the connection; the next look opens another one."""
        consumer, self._consumer = self._consumer, None
        self._coordinators.clear()
        if consumer is not None:
            await consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = self._open()
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer

    def _there(self, place: TopicPartition) -> ClusterPartition:
        return ClusterPartition(self._kafka.topic(place[0]), place[1])

    def _named(self, found: ClusterPartition) -> TopicPartition:
        return self._kafka.name_of(found.topic), found.partition

    def _open(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self._kafka.client(),
            request_timeout_ms=_LOOK_SECONDS * 1000,
            metadata_max_age_ms=30_000,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=64 * 1024,
        )

    async def _committed(self, consumer: AIOKafkaConsumer, group: str, places: Iterable[ClusterPartition]) -> dict[ClusterPartition, int]:
        if group not in self._coordinators:
            self._coordinators[group] = await coordinator_of(consumer._client, group)
        topics: dict[str, list[int]] = {}
        for place in places:
            topics.setdefault(place.topic, []).append(place.partition)
        answer = await consumer._client.send(self._coordinators[group], OffsetFetchRequest(group, list(topics.items())))
        committed: dict[ClusterPartition, int] = {}
        for topic, partitions in answer.topics:
            for partition, offset, _, error in partitions:
                if error:
                    raise for_code(error)(f"{group}: {topic}/{partition}")
                if offset >= 0:
                    committed[ClusterPartition(topic, partition)] = offset
        return committed


async def _ask(consumer: AIOKafkaConsumer, request: Any) -> Any:
    node = consumer._client.get_random_node()
    if node is None:
        raise NodeNotReadyError("no broker is known")
    return await consumer._client.send(node, request)


async def coordinator_of(client: AIOKafkaClient, group: str) -> int:
    """The broker that keeps the group's offsets. A new cluster first has to make the topic for them."""
    while True:
        try:
            node: int = await client.coordinator_lookup(CoordinationType.GROUP, group)
            if await client.ready(node):
                return node
        except KafkaError as error:
            if not error.retriable:
                raise
        await asyncio.sleep(0.1)


async def _first(consumer: AIOKafkaConsumer, place: ClusterPartition, offset: int, before: int) -> Any:
    """The first record from `offset` on, if one stands before `before`; else None."""
    consumer.assign([place])
    consumer.seek(place, offset)
    while await consumer.position(place) < before:
        for record in (await consumer.getmany(place, timeout_ms=100)).get(place, ()):
            return record if record.offset < before else None
    return None
