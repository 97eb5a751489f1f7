"""What every event of the platform is: frozen data with a type, and the envelope in which it travelled."""

from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from common.contracts.fields import Name


class Envelope(NamedTuple):
    """The CloudEvents attributes of one event, and the extensions that we add to them.

    `time` is when it happened; `recorded_at` when it was recorded: for a claim Kafka's append time, never the sender's
    word, for a decision that of the claim, or of what its aggregate had heard of if that is later. `sequence` counts the events
    of one aggregate, where the topic is keyed by aggregates. `replay_of` names the history that the event was replayed from and
    is handed on to all that it causes.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    recorded_at: datetime
    correlation_id: str = ""
    causation_id: str = ""
    sequence: int | None = None
    replay_of: str = ""


class Event(BaseModel):
    """One thing that happened, as data. Its class names its type and, by itself or by a common parent, the topic on which it travels:
    `class ComplaintAcknowledged(Event, type="complaint.acknowledged", topic="complaints")`.
    """

    # No private attribute of pydantic's, which would cost every event that is made as much again as its fields.
    __slots__ = ("_envelope",)
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    TYPE: ClassVar[str] = ""
    TOPIC: ClassVar[str] = ""
    """The name of its topic, a row of `contracts.topics`."""

    def __init_subclass__(cls, *, type: str = "", topic: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if type:
            cls.TYPE = type
        if topic:
            cls.TOPIC = topic

    @property
    def envelope(self) -> Envelope:
        """The envelope in which the event arrived; an event that was only just made has none yet."""
        found: Envelope | None = getattr(self, "_envelope", None)
        if found is None:
            raise LookupError(f"{self.TYPE} has not travelled: it has no envelope")
        return found

    @property
    def time(self) -> datetime:
        """When it happened."""
        return self.envelope.time

    def in_envelope(self, envelope: Envelope) -> Self:
        """The same event, as received in `envelope`."""
        copy = self.model_copy()
        object.__setattr__(copy, "_envelope", envelope)  # the fields are frozen, and this is none of them
        return copy


class Claim(Event):
    """An inbound event: somebody's word for what happened. A field that we do not know is an error, so that a typing mistake shows."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ClaimRejected(Event):
    """A rule refused a claim: which claim, which rule, which field, and the state that made it refuse.

    Its class says which claims it answers: `topic="complaints", answers="complaint-claims"`.
    """

    ANSWERS: ClassVar[str] = ""
    """The name of the topic whose refused claims it answers."""

    def __init_subclass__(cls, *, answers: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if answers:
            cls.ANSWERS = answers

    claim_id: Name
    claim_type: Name
    rule: Name
    field: Name
    was: Name
