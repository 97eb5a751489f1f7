"""Is the process alive, and is it able to do its work: two different questions with two addresses."""

from typing import Any

from faststream.kafka import KafkaBroker

from common.runtime import membership
from common.runtime.database import Database


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
    if not await database.ping():
        found.append("the database does not answer")
    return found
