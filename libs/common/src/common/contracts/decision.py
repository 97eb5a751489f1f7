"""What we have decided, ready to be sent: its id, why it was decided, and its value, which has a largest size."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, Self

from common.contracts.cause import Cause
from common.contracts.envelope import MAX_BYTES, value_of
from common.contracts.event import Envelope, Event
from common.contracts.topics import Topic, source_of, topic_of
from common.kernel.errors import EventTooLarge
from common.kernel.ids import derived_id


class Decision(NamedTuple):
    """One event of ours on its way to the outbox, to `topic` under `key`; `aggregate` is whose decision it tells."""

    event: Event
    topic: Topic
    key: str
    at: datetime
    id: str
    cause: Cause
    value: bytes
    aggregate: str

    @classmethod
    def of(cls, event: Event, at: datetime, id: str, cause: Cause, aggregate: str) -> Self:
        """The decision; `EventTooLarge` for one that Kafka would never take."""
        value = value_of(event)
        if len(value) > MAX_BYTES:
            raise EventTooLarge(f"{event.TYPE} has {len(value)} bytes, more than the {MAX_BYTES} that an event may have")
        topic = topic_of(type(event))
        return cls(event, topic, topic.key_of(event), at, id, cause, value, aggregate)

    def envelope(self, service: str, sequence: int | None) -> Envelope:
        """What stands on it; `sequence` is its number among the events of its aggregate, where they are numbered."""
        return Envelope(
            id=self.id,
            source=source_of(service),
            type=self.event.TYPE,
            subject=self.key,
            time=self.at,
            recorded_at=self.cause.recorded_at,
            correlation_id=self.cause.correlation_id,
            causation_id=self.cause.event_id or self.cause.id,
            sequence=sequence,
            replay_of=self.cause.replay_of,
        )


def decisions(events: Iterable[tuple[Event, datetime]], cause: Cause, service: str, aggregate: str) -> Iterator[Decision]:
    """What follows from one cause, in order: each id follows from the cause, the type, and the number among those of its type."""
    ordinals: Counter[str] = Counter()
    for event, at in events:
        ordinals[event.TYPE] += 1
        yield Decision.of(event, at, derived_id(at, service, cause.id, event.TYPE, ordinals[event.TYPE]), cause, aggregate)
