"""What a Kafka loses: topics and records, deleted as an operator or retention deletes them; and an operator's commands meanwhile."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from tests.faults.kit import until

from common.runtime import topic_admin
from common.runtime.kafka_settings import KafkaSettings
from devstack import Stack
from ops.platform import Platform
from ops.processes import SERVICES

AFTERSALES = Path(sys.executable).parent / "aftersales"


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
    """Exit status and output of an operator's command."""
    environment = Platform(stack.kafka, stack.database_url, SERVICES).environment()

    def run() -> tuple[int, str]:
        done = subprocess.run([AFTERSALES, *words], check=False, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout or done.stderr

    return await asyncio.to_thread(run)


async def what_doctor_finds_bad(stack: Stack) -> set[str]:
    """What doctor finds bad."""
    _, found = await command(stack, "doctor", "--json")
    return {one["what"] for one in json.loads(found) if one["state"] == "bad"}
