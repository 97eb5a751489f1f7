"""The consumer groups of a service, from outside: who is in them, and who reads which partition."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code

from common.contracts.topics import groups_of
from common.runtime.kafka_settings import KafkaSettings
from common.runtime.log_reader import Log, LogReader
from common.runtime.progress import Gap, Place
from ops.terminal import KAFKA_SECONDS


@dataclass(frozen=True, slots=True)
class Group:
    """One consumer group as Kafka's coordinator knows it; a member that was killed belongs to it until its session ends."""

    name: str
    members: int
    settled: bool
    """Whether it is not about to share out its partitions anew."""
    reads: frozenset[Place]


async def groups(kafka: KafkaSettings, names: Collection[str]) -> list[Group]:
    """The groups of these names; one that never had a member is empty."""
    admin = AIOKafkaAdminClient(**kafka.client())
    try:
        await admin.start()
        answers = await admin.describe_consumer_groups([kafka.group(name) for name in names])
        return [_group(kafka, *found) for answer in answers for found in answer.groups]
    finally:
        await admin.close()


@dataclass(frozen=True, slots=True)
class Reading:
    """What the groups of one service read, from where they would go on, and where the logs end."""

    reader: LogReader
    logs: Mapping[Place, Log]
    groups: Sequence[Group]

    async def ahead_of(self, passed: Mapping[Place, int]) -> list[str]:
        """The partitions whose group would go on beyond what the database has handled, with records in between; `passed` is read last."""
        gaps = {
            place: Gap(passed.get(place, 0), found.committed)
            for place, found in self.logs.items()
            if found.committed is not None and found.committed > max(passed.get(place, 0), found.start)
        }
        return _words(await self.reader.unread(gaps)) if gaps else []

    def unowned(self, passed: Mapping[Place, int]) -> list[str]:
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


def _words(places: Iterable[Place]) -> list[str]:
    return [f"{topic}/{partition}" for topic, partition in sorted(places)]


def _group(kafka: KafkaSettings, *described: Any) -> Group:
    error, name, state, _, _, members = described[:6]
    if error:
        raise for_code(error)(name)
    reads: set[Place] = set()
    for *_who, assigned in members:
        if isinstance(assigned, bytes) and assigned:
            found = ConsumerProtocolMemberAssignment.decode(assigned)
            reads |= {(kafka.name_of(topic), partition) for topic, partitions in found.assignment for partition in partitions}
    return Group(name.removeprefix(kafka.prefix), len(members), state in ("Stable", "Empty", "Dead"), frozenset(reads))
