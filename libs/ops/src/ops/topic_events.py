"""The events of one topic, read from its beginning or from its end as it is now; what cannot be read is passed over."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from common.contracts.envelope import Received, decode
from common.contracts.event import Event
from common.contracts.topics import Topic
from common.kafka.records import from_kafka
from common.kafka.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class TopicEvents:
    """A reader of a topic, each event with its envelope."""

    kafka: KafkaSettings
    consumer: AIOKafkaConsumer

    @classmethod
    @asynccontextmanager
    async def on(cls, kafka: KafkaSettings, topic: Topic, *, from_the_end: bool = False) -> AsyncIterator[Self]:
        """Reads from the beginning, or from the end as it is now."""
        places = [TopicPartition(kafka.topic(topic.name), partition) for partition in range(topic.partitions)]
        consumer = AIOKafkaConsumer(**kafka.client(), enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(places)
            starts = await (consumer.end_offsets(places) if from_the_end else consumer.beginning_offsets(places))
            for place, offset in starts.items():
                consumer.seek(place, offset)  # a place by name: where the client goes by itself may still be on its way
            yield cls(kafka, consumer)
        finally:
            await consumer.stop()

    async def up_to_now(self) -> AsyncIterator[Event]:
        """Every event up to the end as it is now."""
        places = sorted(self.consumer.assignment())
        ends = await self.consumer.end_offsets(places)
        while [place for place in places if await self.consumer.position(place) < ends[place]]:
            for event in await self._some():
                yield event

    async def first(self, is_it: Callable[[Event], bool]) -> Event:
        """The first event that is what was waited for, for as long as it takes."""
        while True:
            for event in await self._some():
                if is_it(event):
                    return event

    async def _some(self) -> list[Event]:
        batches = (await self.consumer.getmany(timeout_ms=500)).values()
        found = [decode(from_kafka(record)) for batch in batches for record in self.kafka.named(batch)]
        return [one.event for one in found if isinstance(one, Received) and one.event is not None]
