"""Why something happens, for the ids and the envelopes of all that follows from it."""

from dataclasses import dataclass
from datetime import datetime

from common.contracts.envelope import Received


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happens: a consumed event, a timer, a command. What follows from it derives its ids from `id`."""

    id: str
    time: datetime
    recorded_at: datetime
    event_id: str = ""
    correlation_id: str = ""
    replay_of: str = ""

    @classmethod
    def of(cls, received: Received) -> "Cause":
        """The cause that a consumed event is."""
        envelope = received.envelope
        return cls(
            id=f"{envelope.source}#{envelope.id}",
            time=envelope.time,
            recorded_at=envelope.recorded_at,
            event_id=envelope.id,
            correlation_id=envelope.correlation_id or envelope.id,
            replay_of=envelope.replay_of,
        )
