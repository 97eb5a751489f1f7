"""One claim of the simulated enterprise, with the envelope in which it travels."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from common.contracts.envelope import encode
from common.contracts.event import Claim, Envelope
from common.contracts.topics import topic_of
from common.kernel.ids import derived_id

SOURCE = "/simulator"


@dataclass(frozen=True, slots=True)
class Sent:
    """One record for Kafka: what `publishing` sends."""

    at: datetime
    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(slots=True)
class Ledger:
    """Collects claims and numbers them, so that the same seed gives the same ids."""

    seed: int
    sent: list[Sent] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    def say(self, claim: Claim, at: datetime) -> None:
        """The enterprise says that `claim` happened at `at`."""
        topic = topic_of(type(claim))
        key = topic.key_of(claim)
        self._counts[key] += 1
        id = derived_id(at, SOURCE, self.seed, key, self._counts[key])
        envelope = Envelope(id, SOURCE, claim.TYPE, key, at, at, replay_of=f"simulated:{self.seed}")
        value, headers = encode(claim, envelope, key=key)
        self.sent.append(Sent(at, topic.name, key, value, tuple(headers)))

    def in_order(self) -> Iterator[Sent]:
        """Everything that was said, by when it happened; of one moment, in the order in which it was said."""
        return iter(sorted(self.sent, key=lambda sent: sent.at))
