"""The topics on the broker, held against the topics table: what is missing or different, and making it so."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from common.contracts.topics import TOPICS, Topic, dead_letter_topics
from common.kafka.settings import KafkaSettings
from common.kernel.errors import Transient

_EXISTS = 36
MAX_RECORD = 2 * 1024 * 1024
"""Larger than an event may be, so that a record that is too large arrives and becomes a dead letter instead of a mystery."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a topic of the table, by its name there, is not on the broker as the table says."""

    topic: str
    what: str
    wanted: str
    found: str


def wanted() -> dict[str, tuple[int, dict[str, str]]]:
    """Every topic with its partitions and settings, dead-letter topics included."""
    found = {topic.name: (topic.partitions, _config(topic)) for topic in TOPICS}
    letters = {"cleanup.policy": "delete", "retention.ms": str(90 * 86_400_000), **_COMMON}
    return found | {name: (1, letters) for name, _ in dead_letter_topics()}


_COMMON = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MAX_RECORD)}


def _config(topic: Topic) -> dict[str, str]:
    retention = "-1" if topic.retention is None else str(int(topic.retention.total_seconds() * 1000))
    return {"cleanup.policy": "compact" if topic.compacted else "delete", "retention.ms": retention, **_COMMON}


async def diff(kafka: KafkaSettings) -> list[Difference]:
    """What is missing or different; partitions are only compared, since they are never changed."""
    async with _admin(kafka) as admin:
        return await _diff(admin, kafka)


async def apply(kafka: KafkaSettings, *, replication: int = 1) -> list[Difference]:
    """Creates what is missing and sets what is different; returns what it found. A wrong number of partitions is left as it is."""
    async with _admin(kafka) as admin:
        found = await _diff(admin, kafka)
        table = wanted()
        new = [
            NewTopic(kafka.topic(name), table[name][0], replication, topic_configs=table[name][1])
            for name in sorted({difference.topic for difference in found if difference.what == "topic"})
        ]
        if new:
            answer = await admin.create_topics(new)
            for name, code, *message in answer.topic_errors:  # errors come as values
                if code not in (0, _EXISTS):
                    raise Transient(f"topic {name} was not created: error {code} {message}")
        changed = sorted({difference.topic for difference in found if difference.what not in ("topic", "partitions")})
        if changed:
            # the call replaces the whole set of settings, so all of them are sent
            resources = [ConfigResource(ConfigResourceType.TOPIC, kafka.topic(name), configs=table[name][1]) for name in changed]
            await admin.alter_configs(resources)
        return found


@asynccontextmanager
async def _admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**kafka.client())
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def _diff(admin: AIOKafkaAdminClient, kafka: KafkaSettings) -> list[Difference]:
    """Looks at the topics of this installation only, whatever else stands on the cluster."""
    table = wanted()
    all_of_them = set(await admin.list_topics())
    existing = {name for name in table if kafka.topic(name) in all_of_them}
    found = [Difference(name, "topic", "exists", "missing") for name in table if name not in existing]
    if not existing:
        return found
    on_kafka = [kafka.topic(name) for name in sorted(existing)]
    partitions = {kafka.name_of(topic["topic"]): len(topic["partitions"]) for topic in await admin.describe_topics(on_kafka)}
    configs = {kafka.name_of(topic): settings for topic, settings in (await _configs(admin, on_kafka)).items()}
    for name in sorted(existing):
        count, settings = table[name]
        if partitions[name] != count:
            found.append(Difference(name, "partitions", str(count), str(partitions[name])))
        for key, value in settings.items():
            if configs[name].get(key) != value:
                found.append(Difference(name, key, value, configs[name].get(key, "")))
    return found


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> Mapping[str, Mapping[str, Any]]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for answer in answers for resource in answer.resources}
