"""Why something happens, for the ids and the envelopes of all that follows from it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from common.contracts.envelope import Received


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happens: a consumed event, a timer, a command. What follows from it derives its ids from `id`.

    `recorded_at` is when all was recorded that what follows from it builds on.
    """

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

    def no_earlier_than(self, instants: Iterable[datetime]) -> "Cause":
        """The same cause of something that builds on what was recorded at these instants too."""
        newest = max(instants, default=self.recorded_at)
        return self if newest <= self.recorded_at else replace(self, recorded_at=newest)

    def replayed(self, replay_of: str) -> "Cause":
        """The same cause, as part of a history that was replayed, or of none."""
        return self if replay_of == self.replay_of else replace(self, replay_of=replay_of)
