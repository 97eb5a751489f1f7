"""Two replicas of one service, as processes: who leaves hands over, who dies is missed, and a name is one process's."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
import structlog
from aiokafka import AIOKafkaConsumer
from tests.counted import PROOF
from tests.faults.kit import Base, base_of, complaints_here, keys_of_partition, lodged, read_topic, send, settled, until

from common.contracts.topics import consumed_by
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.store.lease import LEASE_SECONDS
from devstack import Stack
from ops.consumer_groups import groups
from ops.processes import ServiceProcess, wait_until_ready

pytestmark = pytest.mark.real

TOPIC = "complaint-claims"
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE datname = current_database() AND locktype = 'advisory' AND objsubid = 2 AND granted
"""


@pytest.fixture(autouse=True)
async def topics(stack: Stack) -> None:
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))


@pytest.fixture
async def base(stack: Stack) -> AsyncIterator[Base]:
    """The database of complaints, which the first start of a service has made."""
    async with complaints_here(stack):
        pass
    async with base_of(stack, "complaints") as found:
        yield found


@contextmanager
def replicas(stack: Stack, folder: Path, *names: str, **settings: str) -> Iterator[list[ServiceProcess]]:
    """Processes of complaints of these names, ready, and stopped at the end."""
    made = []
    for number, name in enumerate(names):
        place = folder / str(number)
        place.mkdir()
        made.append(ServiceProcess("complaints", stack.kafka, stack.database_url, place, {"replica": name, **settings}))
    try:
        for one in made:
            one.start()
            wait_until_ready(one)
        yield made
    finally:
        for one in made:
            if one.process is not None and one.process.poll() is None:
                one.process.send_signal(signal.SIGCONT)
            one.stop()


async def one_on_each_partition(stack: Stack, prefix: str) -> None:
    await send(stack, [lodged(key) for number in range(6) for key in keys_of_partition(number, 1, f"{prefix}{number}-")])


async def test_a_replica_that_stops_hands_over_at_once_and_one_that_is_killed_is_missed_after_its_session(
    stack: Stack, base: Base, tmp_path: Path
) -> None:
    with replicas(stack, tmp_path, "0", "1") as (stays, leaves):
        await one_on_each_partition(stack, "before")
        await settled(stack, base, [TOPIC])
        assert leaves.stop() == 0
        (group,) = await groups(KafkaSettings(stack.kafka, "tests"), ["complaints"])
        assert group.members == 1, "it has left the group, which need not wait for the end of its session"
        await one_on_each_partition(stack, "after")
        await settled(stack, base, [TOPIC])
        assert "group_not_left" not in leaves.log.read_text()
        assert stays.is_ready

        leaves.start()
        wait_until_ready(leaves)
        leaves.kill()
        await one_on_each_partition(stack, "killed")
        await settled(stack, base, [TOPIC])


async def test_a_second_process_of_one_name_is_refused_and_one_that_lost_its_name_ends(stack: Stack, base: Base, tmp_path: Path) -> None:
    with replicas(stack, tmp_path, "0") as (first,):
        second = ServiceProcess("complaints", stack.kafka, stack.database_url, tmp_path, {"replica": "0", "start_seconds": "3"})
        second.start()
        assert second.process is not None
        assert await asyncio.to_thread(second.process.wait, 60) == 1
        assert "another process of complaints runs as replica 0" in second.log.read_text()
        await one_on_each_partition(stack, "twin")
        await settled(stack, base, [TOPIC])
        assert first.is_ready

        other = await asyncpg.connect(stack.url_of("complaints"))
        try:
            # as if the connection were lost and somebody had been quicker: it queues for the lock before it is free
            queued = asyncio.create_task(other.execute("SELECT pg_advisory_lock(hashtext('replica'), hashtext('0'))"))
            await base.run(_CUT)
            await queued
            assert first.process is not None
            assert await asyncio.to_thread(first.process.wait, 90) == 1
            assert "replica_name_lost" in first.log.read_text()
        finally:
            await other.close()


async def test_a_replica_that_kafka_has_fenced_is_not_ready_and_says_so(stack: Stack, base: Base) -> None:
    with structlog.testing.capture_logs() as logs:
        async with (
            complaints_here(stack) as application,
            AIOKafkaConsumer(
                *(topic.name for topic in consumed_by("complaints")),
                bootstrap_servers=stack.kafka,
                group_id="complaints",
                group_instance_id="complaints-0",
                enable_auto_commit=False,
            ),
        ):

            async def failed() -> bool:
                return application.chassis.failed

            await until("the service gives up", failed)
            assert "complaints: another process of its name has its place in the group" in await application.chassis.problems()
    assert "replica_fenced" in {log["event"] for log in logs}


_DECIDE = """
INSERT INTO outbox (aggregatetype, aggregateid, type, event_id, payload, headers, aggregate)
SELECT 'complaints', key, $2, key || $2, ('{"pad": "' || repeat('x', 500) || '"}')::bytea,
       jsonb_build_array(jsonb_build_array('ce_type', $2)), ''
FROM unnest($1::text[]) AS key
"""


@pytest.mark.proof
@pytest.mark.parametrize("run", range(10 if PROOF else 1))
async def test_a_process_that_was_frozen_while_it_sent_overwrites_nothing_when_it_wakes(
    stack: Stack, base: Base, tmp_path: Path, run: int
) -> None:
    keys = [f"Z{run}-{number}" for number in range(6000)]

    async def left() -> int:
        found: int = await base.one("SELECT count(*) FROM unsent")
        return found

    with replicas(stack, tmp_path, "0", "1") as (frozen, other):
        await base.run(_DECIDE, keys, "older")

        async def in_the_middle() -> bool:
            return await left() < len(keys)

        await until("the relay has sent a first part and is at the next one", in_the_middle)
        assert frozen.process is not None
        frozen.process.send_signal(signal.SIGSTOP)
        assert await left()
        await asyncio.sleep(LEASE_SECONDS + (50 if PROOF and run % 2 else 2))
        await base.run(_DECIDE, keys, "newer")

        async def all_is_sent() -> bool:
            return not await left()

        await until("the other replica has sent everything", all_is_sent)
        frozen.process.send_signal(signal.SIGCONT)

        async def awake() -> bool:
            return any(word in frozen.log.read_text() for word in ("relay_fenced", "relay_stops_without_its_lease", "lease_lost"))

        await until("the frozen one has found out", awake)
        last = {read.key: read.type for read in await read_topic(stack, "complaints")}
        assert {last[key] for key in keys} == {"newer"}
        assert other.is_ready
