"""Where Kafka is, and what our topics, groups and clients are called there.

Contracts, tables, metrics and the command line know a topic by its name in the topics table. On a cluster that is not ours alone
each name has a prefix; it is put on and taken off at the border to Kafka, by what stands here and by nothing else.
"""

import re
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

LONGEST_PREFIX = 100
"""Kafka takes names of 249 characters; the longest of ours has about 40."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where Kafka is, how this client calls itself there, and what stands before every name of this installation."""

    bootstrap_servers: str
    client_id: str
    prefix: str = ""

    def __post_init__(self) -> None:
        valid_prefix(self.prefix)

    def client(self) -> dict[str, Any]:
        """The arguments that producers, consumers and the admin client of aiokafka share."""
        return {"bootstrap_servers": self.bootstrap_servers.split(","), "client_id": self.id(self.client_id)}

    def topic(self, name: str) -> str:
        """What a topic of the topics table is called on this Kafka."""
        return self.prefix + name

    def group(self, name: str) -> str:
        """What a consumer group is called there."""
        return self.prefix + name

    def id(self, name: str) -> str:
        """What a client, a static member or a transactional id is called there."""
        return self.prefix + name

    def name_of(self, topic: str) -> str:
        """The name in the topics table of one of our topics on this Kafka."""
        return topic.removeprefix(self.prefix)

    def named(self, records: tuple[ConsumerRecord, ...]) -> tuple[ConsumerRecord, ...]:
        """The same records with the name of their topic in the topics table."""
        if not self.prefix:
            return records
        return tuple(_with_topic(record, self.name_of(record.topic)) for record in records)


def _with_topic(record: ConsumerRecord, topic: str) -> ConsumerRecord:
    # by position: `replace` takes four times as long, and these come by the ten thousand
    return ConsumerRecord(
        topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.timestamp_type,
        record.key,
        record.value,
        record.checksum,
        record.serialized_key_size,
        record.serialized_value_size,
        record.headers,
    )


def valid_prefix(prefix: str) -> str:
    """`prefix` itself; `ValueError` when Kafka would take no name that begins with it."""
    if not re.fullmatch(rf"[A-Za-z0-9._-]{{0,{LONGEST_PREFIX}}}", prefix):
        raise ValueError(
            f"KAFKA_PREFIX={prefix!r}: letters, digits, '.', '_' and '-' are expected, at most {LONGEST_PREFIX}, such as 'eu.aftersales.'"
        )
    return prefix
