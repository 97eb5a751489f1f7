"""The consumer groups of a service, from outside: who is in them, and who reads which partition."""

from collections.abc import Collection
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import for_code

from common.runtime.broker import KafkaSettings
from common.runtime.progress import Place


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
        answers = await admin.describe_consumer_groups(list(names))
        return [_group(*found) for answer in answers for found in answer.groups]
    finally:
        await admin.close()


def _group(error: int, name: str, state: str, _type: str, _protocol: str, members: list[tuple[object, ...]], *_: object) -> Group:
    if error:
        raise for_code(error)(name)
    reads: set[Place] = set()
    for *_who, assigned in members:
        if isinstance(assigned, bytes) and assigned:
            found = ConsumerProtocolMemberAssignment.decode(assigned)
            reads |= {(topic, partition) for topic, partitions in found.assignment for partition in partitions}
    return Group(name, len(members), state in ("Stable", "Empty", "Dead"), frozenset(reads))
