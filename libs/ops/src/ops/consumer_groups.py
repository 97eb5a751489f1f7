"""The consumer groups of a service, from outside: who is in them, and who reads which partition."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest_v2
from aiokafka.protocol.api import Request

from common.contracts.groups import groups_of
from common.kafka.log_reader import Log, LogReader, coordinator_of
from common.kafka.records import Gap, TopicPartition
from common.kafka.settings import KafkaSettings
from ops.terminal import KAFKA_SECONDS


@dataclass(frozen=True, slots=True)
class Group:
    """One consumer group as Kafka's coordinator knows it; a member that was killed belongs to it until its session ends."""

    name: str
    members: int
    settled: bool
    """Whether it is not about to share out its partitions anew."""
    reads: frozenset[TopicPartition]


async def groups(kafka: KafkaSettings, names: Collection[str]) -> list[Group]:
    """The groups of these names; one that never had a member is empty."""
    client = AIOKafkaClient(**kafka.client())
    try:
        await client.bootstrap()
        found = []
        for name in names:
            node = await coordinator_of(client, kafka.group(name))
            answer = await client.send(node, _Describe(kafka.group(name)))
            found += [_group(kafka, *described) for described in answer.groups]
        return found
    finally:
        await client.close()


class _Describe(Request[DescribeGroupsRequest_v2]):  # type: ignore[misc]  # aiokafka ships no types
    """Describes one group in version 2: aiokafka reads its own version 3 as if it were 2, and stumbles over a second group."""

    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[DescribeGroupsRequest_v2]) -> DescribeGroupsRequest_v2:
        return request_struct_class([self._group])


@dataclass(frozen=True, slots=True)
class Reading:
    """What the groups of one service read, from where they would go on, and where the logs end."""

    reader: LogReader
    logs: Mapping[TopicPartition, Log]
    groups: Sequence[Group]

    async def ahead_of(self, passed: Mapping[TopicPartition, int]) -> list[str]:
        """The partitions whose group would go on beyond what the database has handled, with records in between; `passed` is read last."""
        gaps = {
            place: Gap(passed.get(place, 0), found.committed)
            for place, found in self.logs.items()
            if found.committed is not None and found.committed > max(passed.get(place, 0), found.start)
        }
        return _words(await self.reader.unread(gaps)) if gaps else []

    def unowned(self, passed: Mapping[TopicPartition, int]) -> list[str]:
        """The partitions with lag that no member of a group reads; none while a group shares out its partitions anew."""
        if not all(group.settled for group in self.groups):
            return []
        read = {place for group in self.groups for place in group.reads}
        return _words(place for place, found in self.logs.items() if found.end > passed.get(place, 0) and place not in read)


async def reading_of(kafka: KafkaSettings, service: str) -> Reading | None:
    """The reading of a service; None when Kafka does not say, as when a topic is missing."""
    names = {group: [topic.name for topic in topics] for group, topics in groups_of(service).items()}
    reader = LogReader(kafka, names)
    try:
        async with asyncio.timeout(KAFKA_SECONDS):
            return Reading(reader, await reader.look(), await groups(kafka, names))
    except (KafkaError, OSError, TimeoutError):
        return None
    finally:
        await reader.close()


def _words(places: Iterable[TopicPartition]) -> list[str]:
    return [f"{topic}/{partition}" for topic, partition in sorted(places)]


def _group(kafka: KafkaSettings, *described: Any) -> Group:
    error, name, state, _, _, members = described[:6]
    if error:
        raise for_code(error)(name)
    reads: set[TopicPartition] = set()
    for *_who, assigned in members:
        if isinstance(assigned, bytes) and assigned:
            found = ConsumerProtocolMemberAssignment.decode(assigned)
            reads |= {(kafka.name_of(topic), partition) for topic, partitions in found.assignment for partition in partitions}
    return Group(name.removeprefix(kafka.prefix), len(members), state in ("Stable", "Empty", "Dead"), frozenset(reads))
