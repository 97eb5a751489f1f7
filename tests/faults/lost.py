"""What a Kafka loses: topics and records, deleted as an operator or retention deletes them; and an operator's commands meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from tests.faults.kit import until
from typer.testing import CliRunner

from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from devstack import Stack
from ops import doctor
from ops.main import COMMANDS


@asynccontextmanager
async def admin_of(stack: Stack) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client of the stack's Kafka."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def make_anew(stack: Stack, topic: str) -> None:
    """The topic is deleted, and created again under its name."""
    async with admin_of(stack) as admin:
        await admin.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await admin.list_topics()

        await until(f"{topic} is gone", gone)
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))


async def delete_before(stack: Stack, topic: str, partition: int, offset: int) -> None:
    """Kafka forgets the records of one partition before an offset, as retention does."""
    async with admin_of(stack) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(offset)})


async def command(stack: Stack, *words: str) -> tuple[int, str]:
    """Exit status and output of an operator's command, which runs in a thread: it has an event loop of its own."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": stack.kafka, "DATABASE_URL": stack.database_url}
    module, _, name = COMMANDS[words[0]].target.partition(":")
    app = getattr(import_module(module), name)
    done = await asyncio.to_thread(CliRunner().invoke, app, words[1:], env=environment)
    return done.exit_code, done.output if done.exit_code else done.stdout


async def what_doctor_finds_bad(stack: Stack) -> set[str]:
    """What doctor finds bad; asked without its command, into whose output a service of this process would log."""
    found = await doctor._examined(KafkaSettings(stack.kafka, "tests"), stack.database_url)
    return {one.what for one in found if one.state == "bad"}


async def commit(stack: Stack, topic: str, offsets: dict[int, int]) -> None:
    """Sets the group's offsets; nobody may be in it."""
    async with admin_of(stack) as admin:

        async def empty() -> bool:
            (described,) = await admin.describe_consumer_groups(["complaints"])
            return described.groups[0][2] in ("Empty", "Dead")

        await until("nobody is in the group any more", empty)
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka, group_id="complaints", enable_auto_commit=False) as consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in offsets])
        await consumer.commit({TopicPartition(topic, partition): offset for partition, offset in offsets.items()})


async def committed(stack: Stack, topic: str, partition: int) -> int | None:
    """Where the group goes on."""
    async with admin_of(stack) as admin:
        place = TopicPartition(topic, partition)
        return int((await admin.list_consumer_group_offsets("complaints", partitions=[place]))[place].offset)
