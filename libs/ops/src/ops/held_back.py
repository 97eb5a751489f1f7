"""What a service could not handle yet, read from its database: dead letters, parked aggregates, events that wait."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from common.store import dead_letters, parked, waiting

Kind = Literal["letter", "parked", "waiting"]


@dataclass(frozen=True, slots=True)
class Held:
    """One line of the list. `id` is what `show` and `redrive` take: a letter's id, a parked aggregate, the id of a waiting event."""

    kind: Kind
    service: str
    id: str
    topic: str
    rule: str
    reason: str
    since: datetime
    field: str = ""
    partition: int | None = None
    offset: int | None = None
    source: str = ""
    event_id: str = ""
    type: str = ""
    size: int | None = None
    aggregate: str = ""
    events: int = 1
    closed_at: datetime | None = None

    @property
    def place(self) -> str:
        """Where the record stands on Kafka: `complaint-claims/3/1207`; the topic alone for an aggregate with several."""
        return self.topic if self.offset is None else f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter with what is kept of its record: all of it, or its first 64 KiB (`truncated`)."""

    held: Held
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    raw: bytes
    size: int
    sha256: str

    @property
    def truncated(self) -> bool:
        """Whether the record was larger than what is kept."""
        return len(self.raw) < self.size

    @property
    def is_structured(self) -> bool:
        """Whether the event's attributes stand in the value instead of in the headers."""
        return not any(name.lower() == "ce_specversion" for name, _ in self.headers)


async def held_by(
    connection: AsyncConnection,
    service: str,
    *,
    topic: str | None = None,
    rule: str | None = None,
    closed: bool = False,
    ids: Sequence[str] | None = None,
) -> list[Held]:
    """All that one service holds back, oldest first: letters, then parked aggregates, then waiting events.

    `rule` is a letter's rule, or `parked` or `waiting`, as the metric `aftersales_dead_letters_open` calls it.
    """
    letters = await dead_letters.listed(connection, topic=topic, rule=rule, closed=closed, ids=ids)
    found = [_letter(service, row) for row in letters]
    if rule in (None, "parked"):
        found += [_parked(service, row) for row in await parked.listed(connection, topic)]
    if rule in (None, "waiting"):
        found += [_waiting(service, row) for row in await waiting.listed(connection, topic)]
    return [one for one in found if ids is None or one.id in ids]


async def letter_of(connection: AsyncConnection, service: str, id: str) -> Letter | None:
    """The dead letter of that id."""
    row = await dead_letters.letter(connection, id)
    if row is None:
        return None
    headers = tuple((name, None if text is None else base64.b64decode(text)) for name, text in row["headers"])
    return Letter(_letter(service, row), row["key"], headers, row["raw"], row["size"], row["sha256"])


def _letter(service: str, row: Any) -> Held:
    return Held(
        "letter",
        service,
        row["id"],
        row["topic"],
        row["rule"],
        row["reason"],
        row["since"],
        field=row["field"],
        partition=row["partition"],
        offset=row["offset"],
        source=row["source"],
        event_id=row["event_id"],
        type=row["type"],
        size=row["size"],
        closed_at=row["closed_at"],
    )


def _parked(service: str, row: Any) -> Held:
    asked = "; asked to go again" if row["redrive"] else ""
    reason = f"{row['reason']}, a defect of ours; {row['events']} events behind it{asked}"
    return Held("parked", service, row["id"], row["topic"] or "", "parked", reason, row["since"], aggregate=row["id"], events=row["events"])


def _waiting(service: str, row: Any) -> Held:
    return Held(
        "waiting",
        service,
        row["id"],
        row["topic"],
        "waiting",
        f"waits for: {row['missing']}",
        row["since"],
        partition=row["partition"],
        offset=row["offset"],
        source=row["source"],
        event_id=row["id"],
        aggregate=row["aggregate"],
    )


def as_text(raw: bytes | None) -> str:
    """Bytes for a person: UTF-8 where they are, else with every other byte as `\\xff`."""
    return "" if raw is None else raw.decode("utf-8", errors="backslashreplace")


def headers_as_text(headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, str]]:
    """The headers for a person; one without a value says so."""
    return [(name, "(no value)" if raw is None else as_text(raw)) for name, raw in headers]
