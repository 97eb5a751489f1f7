"""What could not be handled; on the topic `<topic>-<service>-dlq`, with where it came from and what was wrong."""

from typing import Annotated

from pydantic import StringConstraints

from common.contracts.event import Event
from common.contracts.fields import Instant, Name, Sentence

MAX_RAW = 64 * 1024
"""How much of a record's value a dead letter keeps; the SHA-256 is that of the whole."""


class DeadLetterRecorded(Event, type="dead_letter.recorded"):
    """One record that a service could not handle: `field` and `rule` say what was wrong, the raw bytes are kept (at most 64 KiB)."""

    letter_id: Name
    service: Name
    topic: Name
    partition: int
    offset: int
    rule: Name
    field: Name
    reason: Sentence
    event_source: Name
    event_id: Name
    event_type: Name
    size: int
    sha256: Name
    raw_base64: Annotated[str, StringConstraints(max_length=(MAX_RAW + 2) // 3 * 4)]
    recorded_at: Instant
