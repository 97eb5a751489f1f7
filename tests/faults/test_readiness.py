"""Readiness is about the work: it ends with a dead consume loop, a dead coordination or a database that is away, and comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import structlog
from tests.faults.kit import base_of, complaints_here, lodged, send, settled, until

from common.contracts.groups import groups_of
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.runtime.service import Application
from devstack import Stack

TOPIC = "complaint-claims"


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What was logged, kept from being painted."""
    with structlog.testing.capture_logs() as found:
        yield found


@pytest.fixture
async def application(stack: Stack) -> AsyncIterator[Application]:
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    async with complaints_here(stack) as found:
        await until("the service is ready", is_ready(found))
        partitions = sum(topic.partitions for topic in groups_of("complaints")["complaints"])
        # a member that died in another test has its partitions until its session ends
        await until("every partition is its own", _holds(lambda: len(subscriber_of(found).consumer.assignment()) == partitions))
        yield found


def subscriber_of(application: Application) -> Any:
    """The one that reads cases; another one reads the documents."""
    (found,) = [one for one in application.chassis.broker.subscribers if one.group_id == "complaints"]  # type: ignore[attr-defined]  # all of ours have a group
    return found


async def answer(application: Application) -> tuple[int, str]:
    """What `/health/ready` says, asked through the ASGI side."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send_back(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/health/ready", "headers": [], "query_string": b""}
    await application(scope, receive, send_back)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


def is_ready(application: Application) -> Callable[[], Any]:
    async def ready() -> bool:
        return (await answer(application))[0] == 200

    return ready


@pytest.mark.real
async def test_readiness_ends_with_the_consume_loop_although_the_group_still_holds_its_partitions(application: Application) -> None:
    subscriber = subscriber_of(application)
    (loop,) = [task for task in subscriber.tasks if not task.done()]
    loop.cancel()
    await asyncio.wait([loop])
    assert await application.chassis.broker.ping(5)  # what FastStream itself would look at
    assert len(subscriber.consumer.assignment()) == sum(topic.partitions for topic in groups_of("complaints")["complaints"])
    assert await answer(application) == (503, "complaints: its consume loop has ended\n")

    # as after a restart: a new loop on the same consumer
    subscriber.add_task(subscriber._run_consume_loop, (subscriber.consumer,))
    await until("the service is ready again", is_ready(application))


@pytest.mark.real
async def test_a_loop_that_fails_is_started_again_and_the_dead_one_is_not_counted(stack: Stack, application: Application) -> None:
    subscriber = subscriber_of(application)
    fetch = subscriber.consumer.getmany
    failures = 0

    async def failing_once(*arguments: Any, **options: Any) -> Any:
        nonlocal failures
        if not failures:
            failures += 1
            raise ValueError("the library met something that it did not expect")
        return await fetch(*arguments, **options)

    subscriber.consumer.getmany = failing_once
    await until("the loop has failed", _holds(lambda: failures == 1))
    await until("a new loop runs", _holds(lambda: any(task.done() for task in subscriber.tasks)))
    await until("the service is ready", is_ready(application))
    async with base_of(stack, "complaints") as base:
        await send(stack, [lodged("ready-again")])
        await settled(stack, base, [TOPIC])


@pytest.mark.real
async def test_readiness_ends_with_the_group_coordination(application: Application) -> None:
    coordination = subscriber_of(application).consumer._coordinator._coordination_task
    coordination.cancel()
    await asyncio.wait([coordination])
    assert await answer(application) == (503, "complaints: its group coordination has ended\n")


@pytest.mark.real
async def test_readiness_needs_partitions(application: Application) -> None:
    subscriber_of(application).consumer.unsubscribe()
    assert await answer(application) == (503, "complaints: it has no partitions\n")


@pytest.mark.real
async def test_readiness_ends_while_nobody_sends_what_is_decided(application: Application, stack: Stack) -> None:
    relaying = [task for task in application.chassis._tasks if task.get_name().startswith("relay")]
    for task in relaying:
        task.cancel()
    await asyncio.gather(*relaying, return_exceptions=True)
    async with base_of(stack, "complaints") as base:
        await base.run(
            "INSERT INTO outbox (aggregatetype, aggregateid, type, event_id, payload, headers, aggregate) "
            "VALUES ('complaints', 'C-unheard', 'complaint.received', 'C-unheard', '{}', '[]', '')"
        )
        try:
            await base.run("UPDATE relay_lease SET until = now() + interval '10 seconds'")
            assert (await answer(application))[0] == 200
            await base.run("UPDATE relay_lease SET until = now() - interval '31 seconds'")
            assert await answer(application) == (503, "no replica sends what is decided: 1 events wait\n")
        finally:
            await base.run("DELETE FROM outbox WHERE event_id = 'C-unheard'")


@pytest.mark.real
async def test_readiness_ends_with_the_stop(application: Application) -> None:
    await application.chassis.drain()
    assert await answer(application) == (503, "it is stopping\n")


@pytest.mark.real
async def test_readiness_ends_while_postgres_is_away_and_work_goes_on_when_it_is_back(fresh_stack: Stack) -> None:
    await topic_admin.apply(KafkaSettings(fresh_stack.kafka, "tests"))
    async with complaints_here(fresh_stack) as application:
        await until("the service is ready", is_ready(application))
        fresh_stack.kill_postgres()
        await send(fresh_stack, [lodged(f"C{number}") for number in range(20)])
        status, text = await answer(application)
        assert status == 503
        assert "the database does not answer" in text
        fresh_stack.start_postgres()
        await until("the service is ready again", is_ready(application))
        async with base_of(fresh_stack, "complaints") as base:
            await settled(fresh_stack, base, [TOPIC])
            assert await base.one("SELECT count(*) FROM complaints") == 20


def _holds(found: Callable[[], bool]) -> Callable[[], Any]:
    async def holds() -> bool:
        return found()

    return holds
