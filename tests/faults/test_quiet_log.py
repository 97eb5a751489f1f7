"""While Kafka is away, a service says so and does not fill the disk with it."""

import asyncio
from pathlib import Path

import pytest
from tests.faults.kit import lodged, send, until

from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from devstack import Stack
from ops.processes import ServiceProcess, wait_until_ready


@pytest.mark.real
async def test_a_service_without_kafka_says_each_thing_once_and_goes_on_when_kafka_is_back(fresh_stack: Stack, tmp_path: Path) -> None:
    await topic_admin.apply(KafkaSettings(fresh_stack.kafka, "tests"))
    service = ServiceProcess("complaints", fresh_stack.kafka, fresh_stack.database_url, tmp_path)
    try:
        service.start()
        wait_until_ready(service)
        before = len(service.log.read_text().splitlines())
        fresh_stack.kill_kafka()

        async def is_said() -> bool:
            return "lag_unknown" in service.log.read_text()

        await until("it says that it cannot see Kafka", is_said)
        await asyncio.sleep(15)
        said = service.log.read_text().splitlines()[before:]
        assert len(said) < 40, "\n".join(said)
        fresh_stack.start_kafka()
        await send(fresh_stack, [lodged("after the outage")])

        async def ready() -> bool:
            return service.is_ready

        await until("the service is ready again", ready)
    finally:
        assert service.stop() == 0
