"""What is held back: an event that came too early, or whose aggregate met a defect of ours, as its row keeps it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from common.contracts.envelope import Received, decode
from common.kafka import records
from common.store.dead_letters import DeadLetter

log = structlog.get_logger(__name__)

IN_HAND = 16 * 1024 * 1024
"""Characters of the rows whose events a process keeps in memory."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """One event that is held back behind `aggregate`; `missing` says what it waits for, and is empty for a parked one."""

    received: Received
    aggregate: str
    missing: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Its source and id, under which its row stands."""
        return self.received.envelope.source, self.received.envelope.id


class InHand:
    """The events that this process has begun to hold back, each beside the text of its row, which need not be read while it is the same.

    The row counts: what stands in it may have been changed by hand, and then it is read. The oldest are let go beyond 16 MB of text.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[str, Received]] = {}
        self._size = 0

    def keep(self, held: HeldBack, row: str) -> None:
        """Keeps an event whose row is being written."""
        self.let_go(held.key)
        self._kept[held.key] = (row, held.received)
        self._size += len(row)
        while self._size > IN_HAND:
            self.let_go(next(iter(self._kept)))

    def let_go(self, key: tuple[str, str]) -> None:
        """Forgets an event, if it is there."""
        row, _ = self._kept.pop(key, ("", None))
        self._size -= len(row)

    def event(self, key: tuple[str, str], row: str) -> Received | None:
        """The event, as long as its row still says the same."""
        kept, received = self._kept.get(key, ("", None))
        return received if kept == row else None


@dataclass(slots=True)
class HeldBackEvents:
    """What is held back behind some aggregates, as this version reads it."""

    events: list[HeldBack]
    letters: list[DeadLetter]
    """Events that were readable when they came, and are not for this version: each becomes a dead letter."""
    spoilt: dict[str, str]
    """Aggregates with a row that holds no record any more, with the reason: each of them is parked."""

    def add(self, others: "HeldBackEvents") -> None:
        """Takes in what is held back behind other aggregates."""
        self.events += others.events
        self.letters += others.letters
        self.spoilt |= others.spoilt

    @property
    def places(self) -> set[tuple[str, int]]:
        """The topic-partitions on which they came."""
        return {(held.received.record.topic, held.received.record.partition) for held in self.events}


def read(rows: Iterable[Any], in_hand: InHand | None = None) -> HeldBackEvents:
    """The events of rows with `source`, `id`, `aggregate`, `missing` and `record` (its text)."""
    found = HeldBackEvents([], [], {})
    for row in rows:
        try:
            event = (in_hand and in_hand.event((row.source, row.id), row.record)) or decode(records.unpack(row.record))
        except Exception as error:  # whatever the row holds: one row must not stop the others
            log.error("row_unreadable", aggregate=row.aggregate, exc_info=error)
            found.spoilt[row.aggregate] = f"a record held back behind it cannot be read: {type(error).__name__}"
            continue
        if isinstance(event, Received):
            found.events.append(HeldBack(event, row.aggregate, row.missing))
        else:
            found.letters.append(replace(DeadLetter.unreadable(event), source=row.source, event_id=row.id, forget=True))
    return found


def columns(held: Sequence[HeldBack]) -> dict[str, list[str]]:
    """The columns that the rows of `held` have in common."""
    return {
        "sources": [one.received.envelope.source for one in held],
        "ids": [one.received.envelope.id for one in held],
        "aggregates": [one.aggregate for one in held],
        "records": [records.pack(one.received.record) for one in held],
    }
