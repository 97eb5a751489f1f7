"""The outbox relay beside another one, beside records that Kafka refuses, and beside topics that are not there."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import ProducerFenced
from sqlalchemy import text
from tests.faults.kit import until
from tests.harness import ServiceOnDatabase, service_on

from common.kafka.broker import KafkaSettings
from common.runtime.relay import Relay
from common.store import outbox
from common.store.outbox import Outgoing
from devstack import Stack

pytestmark = pytest.mark.real


@pytest.fixture
async def service(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as found:
        yield found


@pytest.fixture
async def topic(stack: Stack) -> str:
    """A compacted topic with one partition that takes records of at most 10,000 bytes."""
    name = f"relayed-{secrets.token_hex(4)}"
    limits = {"cleanup.policy": "compact", "max.message.bytes": "10000"}
    return await made(stack, NewTopic(name, 1, 1, topic_configs=limits))


async def made(stack: Stack, topic: NewTopic) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        await admin.create_topics([topic])
    finally:
        await admin.close()
    return str(topic.name)


def relay(stack: Stack, service: ServiceOnDatabase, owner: str) -> Relay:
    return Relay(service.database, KafkaSettings(stack.kafka, owner), owner, transactional_id=f"{service.database.name}-relay")


async def decide(service: ServiceOnDatabase, *rows: Outgoing) -> None:
    async with service.database.transaction() as connection:
        await outbox.insert(connection, rows)


def event(topic: str, key: str, value: str, *, aggregate: str = "") -> Outgoing:
    return Outgoing(topic, key, "test", f"{key}-{value[:20]}", json.dumps(value).encode(), (("ce_type", "test"),), aggregate)


async def on(stack: Stack, topic: str) -> list[tuple[str, str]]:
    """Key and value of everything that stands on a topic with one partition."""
    place = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka, enable_auto_commit=False, isolation_level="read_committed") as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning()
        end = (await consumer.end_offsets([place]))[place]
        found: list[Any] = []
        while await consumer.position(place) < end:
            found += (await consumer.getmany(place, timeout_ms=500)).get(place, ())
        assert len(found) == end, "an offset that is no record makes a lag that never ends"
        return [(record.key.decode(), json.loads(record.value)) for record in found]


async def take(relay: Relay) -> int:
    await relay.lease.take()
    assert relay.lease.epoch is not None
    return relay.lease.epoch


async def send_all(relay: Relay) -> None:
    while await relay._round():
        pass


async def end_of_the_lease(service: ServiceOnDatabase) -> None:
    async with service.database.transaction() as connection:
        await connection.execute(text("UPDATE relay_lease SET until = clock_timestamp() - interval '1 second'"))


async def end(*relays: Relay) -> None:
    for one in relays:
        await one._drop_producer()


async def test_what_a_relay_had_in_hand_when_it_froze_never_comes_after_what_its_successor_sent(
    stack: Stack, service: ServiceOnDatabase, topic: str
) -> None:
    frozen, successor = relay(stack, service, "frozen"), relay(stack, service, "successor")
    try:
        await decide(service, *(event(topic, f"k{n}", "v1") for n in range(20)))
        epoch = await take(frozen)
        producer = await frozen._producer_of(epoch)
        async with service.database.transaction() as connection:
            in_hand, _ = await outbox.unsent(connection, "frozen", epoch, [])
        assert len(in_hand) == 20

        await end_of_the_lease(service)
        await take(successor)
        await decide(service, *(event(topic, f"k{n}", "v2") for n in range(20)))
        await send_all(successor)

        frozen.lease._until = float("inf")  # it does not know yet how long it was away
        outcome = await frozen._send(producer, epoch, in_hand)
        assert outcome.sent == []
        assert isinstance(outcome.error, ProducerFenced)
        seen = await on(stack, topic)
        assert len(seen) == 40
        assert dict(seen) == {f"k{n}": "v2" for n in range(20)}
    finally:
        await end(frozen, successor)


async def test_a_relay_that_wakes_before_it_had_its_producer_sends_nothing_and_its_successor_goes_on(
    stack: Stack, service: ServiceOnDatabase, topic: str
) -> None:
    frozen, successor = relay(stack, service, "frozen"), relay(stack, service, "successor")
    try:
        await decide(service, event(topic, "k", "v1"))
        epoch = await take(frozen)
        await end_of_the_lease(service)
        await take(successor)
        await send_all(successor)

        await frozen._producer_of(epoch)  # the newest producer, but the lease is another's
        assert await frozen._round() is False
        await decide(service, event(topic, "k", "v2"))
        assert await on(stack, topic) == [("k", "v1")]

        with structlog.testing.capture_logs() as logs:
            running = [asyncio.create_task(successor.run()), asyncio.create_task(successor.lease.hold())]

            async def both_are_there() -> bool:
                return await on(stack, topic) == [("k", "v1"), ("k", "v2")]

            await until("the successor has sent the newer one", both_are_there)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        assert {log["event"] for log in logs} <= {"relay_fenced", "lease_taken"}
    finally:
        await end(frozen, successor)


async def test_a_lease_under_a_clock_that_jumped_ahead_keeps_nobody_out(service: ServiceOnDatabase, stack: Stack) -> None:
    async with service.database.transaction() as connection:
        await connection.execute(text("UPDATE relay_lease SET owner = 'other', until = clock_timestamp() + interval '2 hours'"))
    await take(relay(stack, service, "this"))


async def test_a_lease_that_is_held_is_taken_by_no_other(service: ServiceOnDatabase, stack: Stack) -> None:
    one, other = relay(stack, service, "one"), relay(stack, service, "other")
    await take(one)
    await other.lease.take()
    assert not other.is_leader
    assert one.is_leader
    await one.lease.release()
    await one.lease.take()
    assert not one.is_leader
    await take(other)


async def test_an_event_that_kafka_refuses_parks_its_aggregate_and_holds_back_its_own_key_alone(
    stack: Stack, service: ServiceOnDatabase, topic: str
) -> None:
    sender = relay(stack, service, "sender")
    await decide(
        service,
        event(topic, "a", "first"),
        event(topic, "b", "x" * 20_000, aggregate="complaints:b"),
        event(topic, "b", "behind it"),
        event(topic, "c", "y" * (3 * 1024 * 1024), aggregate="complaints:c"),
        event(topic, "a", "second"),
    )
    await take(sender)
    running = asyncio.create_task(sender.run())
    try:
        await decided_all(service, unsent=3)
        assert await on(stack, topic) == [("a", "first"), ("a", "second")]
        refused = await service.rows("SELECT aggregateid, refused FROM outbox WHERE refused IS NOT NULL ORDER BY id")
        assert refused == [{"aggregateid": key, "refused": "MessageSizeTooLargeError"} for key in ("b", "c")]
        assert await service.rows("SELECT id FROM unsent") == []
        parked = await service.rows("SELECT aggregate, reason FROM parked_keys ORDER BY 1")
        assert parked == [{"aggregate": f"complaints:{key}", "reason": "unsendable_event"} for key in ("b", "c")]

        await allow(stack, topic, 30_000)
        async with service.database.transaction() as connection:
            await connection.execute(text("UPDATE outbox SET refused = NULL WHERE aggregateid = 'b'"))
        await decided_all(service, unsent=1)
        assert [value[:9] for key, value in await on(stack, topic) if key == "b"] == ["x" * 9, "behind it"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await end(sender)


async def test_an_event_never_overtakes_a_refused_one_of_its_key_on_a_topic_that_nobody_has_written_to(
    stack: Stack, service: ServiceOnDatabase, topic: str
) -> None:
    """Kafka compares sequence numbers with those of the producer's last batch on the partition; here it has none."""
    sender = relay(stack, service, "sender")
    await decide(service, event(topic, "k", "x" * 20_000), event(topic, "j", "y" * 126_000), event(topic, "k", "z" * 6_000))
    await take(sender)
    running = asyncio.create_task(sender.run())
    try:
        await until("both are refused", lambda: refused_are(service, 2))
        await decided_all(service, unsent=3)
        assert await on(stack, topic) == []
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await end(sender)


async def refused_are(service: ServiceOnDatabase, number: int) -> bool:
    return len(await service.rows("SELECT id FROM outbox WHERE refused IS NOT NULL")) == number


async def decided_all(service: ServiceOnDatabase, *, unsent: int) -> None:
    async with asyncio.timeout(30):
        while len(await service.rows("SELECT id FROM outbox WHERE published_at IS NULL")) > unsent:
            await service_leads(service)
            await asyncio.sleep(0.1)


async def service_leads(service: ServiceOnDatabase) -> None:
    """Renews the lease in the place of `lease.hold`."""
    async with service.database.transaction() as connection:
        await connection.execute(text("UPDATE relay_lease SET until = clock_timestamp() + interval '10 seconds'"))


async def allow(stack: Stack, topic: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        configs = {"cleanup.policy": "compact", "max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])
    finally:
        await admin.close()


async def test_a_topic_that_is_missing_keeps_only_its_own_events_waiting(stack: Stack, service: ServiceOnDatabase, topic: str) -> None:
    sender = relay(stack, service, "sender")
    missing = f"missing-{secrets.token_hex(4)}"
    await decide(service, event(missing, "k", "v1"), event(topic, "k", "v1"))
    await take(sender)
    running = [asyncio.create_task(sender.run()), asyncio.create_task(sender.lease.hold())]
    try:
        await decided_all(service, unsent=1)
        assert await on(stack, topic) == [("k", "v1")]
        await made(stack, NewTopic(missing, 1, 1))
        await decided_all(service, unsent=0)
        assert await on(stack, missing) == [("k", "v1")]
        assert not await service.rows("SELECT id FROM outbox WHERE refused IS NOT NULL")
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await end(sender)


async def test_a_topic_that_is_missing_is_left_alone_for_a_while_and_the_others_do_not_wait_for_it_again(
    stack: Stack, service: ServiceOnDatabase, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.runtime.relay.SHUT_SECONDS", 3600)
    sender = relay(stack, service, "sender")
    await decide(service, event(f"missing-{secrets.token_hex(4)}", "k", "v1"))
    await take(sender)
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(sender.run())
        try:
            for number in (1, 2):
                await decide(service, event(topic, "k", f"v{number}"))
                await decided_all(service, unsent=1)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await end(sender)
    assert await on(stack, topic) == [("k", "v1"), ("k", "v2")]
    assert [log["event"] for log in logs].count("topic_takes_nothing") == 1


async def test_a_round_is_bounded_by_bytes(service: ServiceOnDatabase, stack: Stack) -> None:
    megabyte = "z" * (1024 * 1024)
    await decide(service, *(event("any", f"k{n}", megabyte) for n in range(20)))
    sender = relay(stack, service, "sender")
    epoch = await take(sender)
    async with service.database.transaction() as connection:
        rows, more = await outbox.unsent(connection, "sender", epoch, [])
    assert more
    assert 0 < sum(len(row.payload) for row in rows) <= outbox.BYTES_AT_ONCE
