"""What stands on the topic `cycles`: the last close of each cycle with all whom it could not grade."""

from dataclasses import dataclass, field

from common.contracts.cycles import CycleClaimRejected, CycleClosed, CycleClosePlanned, CycleExceptionsListed
from common.contracts.topics import topic_of
from common.kafka.settings import KafkaSettings
from ops.topic_events import TopicEvents

Answer = CycleClosed | CycleClosePlanned | CycleClaimRejected
"""What may follow from the wish to close a cycle."""
TOPIC = topic_of(CycleClosed)


@dataclass(slots=True)
class LastClose:
    """The last close of one cycle, put together from its events."""

    closed: CycleClosed
    not_graded: dict[str, str] = field(default_factory=dict)
    """Who has no grade, and why."""
    unknown_subjects: list[str] = field(default_factory=list)


async def last_closes(kafka: KafkaSettings) -> dict[str, LastClose]:
    """The last close of each cycle by its key."""
    found: dict[str, LastClose] = {}
    async with TopicEvents.on(kafka, TOPIC) as events:
        async for event in events.up_to_now():
            match event:
                case CycleClosed():
                    found[event.cycle_key] = LastClose(event, dict(event.not_graded), list(event.unknown_subjects))
                case CycleExceptionsListed() if event.cycle_key in found and found[event.cycle_key].closed.as_of == event.as_of:
                    found[event.cycle_key].not_graded |= event.not_graded
                    found[event.cycle_key].unknown_subjects += event.unknown_subjects
    return found
