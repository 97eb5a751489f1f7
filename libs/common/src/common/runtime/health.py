"""Is the process alive, and is it able to do its work: two different questions with two addresses."""

import asyncio
from typing import Any

from faststream.kafka import KafkaBroker

from common.kafka import membership
from common.store import outbox
from common.store.database import Database, kind_of


def consuming(broker: KafkaBroker) -> list[str]:
    """What keeps the broker's subscribers from consuming, in words; empty when all of them do.

    FastStream's own ping stays green with a dead consumer, so this looks at the consume loop, the coordinator and the
    assignment of each.
    """
    return [f"{subscriber.group_id}: {problem}" for subscriber in broker.subscribers if (problem := _problem(subscriber))]  # type: ignore[attr-defined]  # all of ours have a group


def _problem(subscriber: Any) -> str | None:
    consumer = subscriber.consumer
    if not subscriber.running or consumer is None:
        return "not started"
    if not subscriber.tasks or all(task.done() for task in subscriber.tasks):
        return "its consume loop has ended"
    if membership.fenced(consumer):
        return "another process of its name has its place in the group"
    coordination = getattr(consumer._coordinator, "_coordination_task", None)
    if coordination is not None and coordination.done():
        return "its group coordination has ended"
    if not consumer.assignment():
        return "it has no partitions"
    return None


async def problems(broker: KafkaBroker, database: Database) -> list[str]:
    """Everything that keeps the service from working; empty when it is ready."""
    found = consuming(broker)
    try:
        async with asyncio.timeout(2), database.transaction() as connection:
            if unsent := await outbox.unheard(connection):
                found.append(f"no replica sends what is decided: {unsent} events wait")
    except Exception as error:
        if kind_of(error) == "defect":
            raise
        found.append("the database does not answer")
    return found
