"""What became of the records of one transaction, counted in memory, to be added to the positions with its effect."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from common.contracts.envelope import Record
from common.kafka.records import Gap, PositionedRecord, TopicPartition

Result = Literal["applied", "passed", "duplicate", "dead", "parked"]
"""What becomes of a record; `passed` is one that nobody here handles, which has no inbox row (ADR 0027)."""


@dataclass(slots=True)
class _Counts:
    next_offset: int = 0
    events_in: int = 0
    applied: int = 0
    duplicates: int = 0
    dead: int = 0
    parked: int = 0
    """Those of `dead` that are only held back."""


@dataclass(slots=True)
class RecordCounts:
    """What became of the records of one transaction, by partition: events in = applied + duplicates + dead, always.

    `seen` tells up to where each partition was handled before; from before that place a record that was passed by, a duplicate
    or a dead letter is Kafka delivering again what we had committed, and is not an event that came in.
    """

    seen: Mapping[TopicPartition, int]
    halted: Collection[TopicPartition] = ()
    """The partitions that an operator has to let go on."""
    gaps: Mapping[TopicPartition, Gap] = field(default_factory=dict)
    """Where the batch begins later than the position; what lies between may be records that nobody has handled."""
    last_appended: Mapping[TopicPartition, int] = field(default_factory=dict)
    """When Kafka appended the last record of the batch, in milliseconds since 1970."""
    counts: dict[TopicPartition, _Counts] = field(default_factory=dict)
    replayed: bool = False
    """Whether any of the records belongs to a replayed history."""

    def add(self, record: PositionedRecord, result: Result) -> None:
        """One record and what became of it; passed ones count as applied, waiting and parked ones as dead until they are applied."""
        place = (record.topic, record.partition)
        counts = self.counts.setdefault(place, _Counts())
        counts.next_offset = max(counts.next_offset, record.offset + 1)
        if result in ("passed", "duplicate", "dead") and self.knows(record):
            return
        counts.events_in += 1
        if result in ("applied", "passed"):
            counts.applied += 1
        elif result == "duplicate":
            counts.duplicates += 1
        else:
            counts.dead += 1
            counts.parked += result == "parked"

    def knows(self, record: PositionedRecord) -> bool:
        """Whether the record was handled before: Kafka delivers it again."""
        return record.offset < self.seen.get((record.topic, record.partition), 0)

    def add_applied(self, records: Iterable[PositionedRecord]) -> None:
        """Many records that were applied: the same as `add` for each, at a tenth of the cost."""
        last: dict[TopicPartition, int] = {}
        number: Counter[TopicPartition] = Counter()
        for record in records:
            place = (record.topic, record.partition)
            number[place] += 1
            last[place] = max(last.get(place, 0), record.offset)
        for place, applied in number.items():
            counts = self.counts.setdefault(place, _Counts())
            counts.next_offset = max(counts.next_offset, last[place] + 1)
            counts.events_in += applied
            counts.applied += applied

    def now_applied(self, record: Record) -> None:
        """A record that was held back has been applied."""
        counts = self.counts.setdefault((record.topic, record.partition), _Counts())
        counts.applied += 1
        counts.dead -= 1
