"""What could not be handled; on the topic `<topic>-<service>-dlq`, with where it came from and what was wrong."""

from common.contracts.event import Event
from common.contracts.fields import Instant


class DeadLetterRecorded(Event, type="dead_letter.recorded"):
    """One record that a service could not handle: `field` and `rule` say what was wrong, the raw bytes are kept (at most 64 KiB)."""

    letter_id: str
    service: str
    topic: str
    partition: int
    offset: int
    rule: str
    field: str
    reason: str
    event_source: str
    event_id: str
    event_type: str
    size: int
    sha256: str
    raw_base64: str
    recorded_at: Instant
