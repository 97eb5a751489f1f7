"""Sending a dead letter's record again, as it was or repaired, and seeing what becomes of it."""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Received, Record, decode
from common.contracts.topics import BY_NAME, consumed_by
from common.kafka.settings import KafkaSettings
from common.kafka.topic_admin import MAX_RECORD
from common.kernel.wall_clock import now
from common.store import dead_letters, inbox, parked, positions, waiting
from ops.held_back import Letter

Outcome = Literal["applied", "waiting", "parked", "dead", "sent", "refused"]


class NotSendable(Exception):
    """The record would not help as it is; the text says why and what can be done."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What is to be different in the record: its value, single headers (without a value: taken away), its key."""

    value: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one letter or parked aggregate."""

    service: str
    id: str
    outcome: Outcome
    note: str


async def prepared(connection: AsyncConnection, kafka: KafkaSettings, letter: Letter, repair: Repair) -> Received:
    """The event that will be sent; NotSendable when the service would only refuse it again."""
    held = letter.held
    if held.closed_at is not None:
        raise NotSendable("it is closed: it was repaired, replaced or closed by hand")
    value = repair.value
    if value is None:
        value = await whole_value(kafka, letter)
    changed = {name.lower() for name in repair.headers}
    headers = [(name, raw) for name, raw in letter.headers if name.lower() not in changed]
    headers += [(name, text.encode()) for name, text in repair.headers.items() if text]
    key = letter.key if repair.key is None else repair.key.encode()
    found = decode(Record(held.topic, held.partition or 0, held.offset or 0, key, value, tuple(headers), now()))
    if not isinstance(found, Received):
        raise NotSendable(f"it would be a dead letter again: {found.problem}. {_advice(letter)}")
    taken = await inbox.digest_of(connection, found.envelope.source, found.envelope.id)
    if taken is not None and taken == found.digest:
        raise NotSendable(f"this very event was applied already: `aftersales dead-letters close {held.id}`")
    if taken is not None:
        raise NotSendable(
            "another content was taken under its id before, so it would be a conflicting duplicate again: "
            f"give it an id of its own with --header ce_id=…, or close it with `aftersales dead-letters close {held.id}`"
        )
    return found


def _advice(letter: Letter) -> str:
    """How such a letter is repaired."""
    save = f"`aftersales dead-letters show {letter.held.id} --save FILE`, mend FILE, `redrive {letter.held.id} --data FILE`"
    field = letter.held.field
    if field == "key":
        return "Give the key that its data asks for with --key."
    if field.startswith("ce_") and not letter.is_structured:
        return f"Give the attribute with --header {field}=…"
    if field == "header":
        return "Take the header away with --header NAME= (nothing after the sign)."
    return f"Repair: {save}."


async def whole_value(kafka: KafkaSettings, letter: Letter) -> bytes:
    """The whole value of the letter's record: as it is kept, or from Kafka; NotSendable when Kafka no longer has it."""
    if not letter.truncated:
        return letter.raw
    held = letter.held
    place = TopicPartition(kafka.topic(held.topic), held.partition)
    gone = (
        f"only its first {len(letter.raw)} of {letter.size} bytes are kept; the record stood at topic {place.topic}, partition "
        f"{held.partition}, offset {held.offset}, and Kafka no longer has it: ask the sender for it, then `redrive --data FILE`"
    )
    async with AIOKafkaConsumer(**kafka.client(), enable_auto_commit=False, max_partition_fetch_bytes=2 * MAX_RECORD) as consumer:
        consumer.assign([place])
        begin, end = (await consumer.beginning_offsets([place]))[place], (await consumer.end_offsets([place]))[place]
        if not begin <= (held.offset or 0) < end:
            raise NotSendable(gone)
        consumer.seek(place, held.offset)
        async with asyncio.timeout(10):
            record = await consumer.getone()
    value: bytes = record.value or b""
    if record.offset != held.offset or hashlib.sha256(value).hexdigest() != letter.sha256:
        raise NotSendable(gone)
    return value


async def send(kafka: KafkaSettings, events: Sequence[Received]) -> list[Record]:
    """Sends the records in this order; returns each with the place where it now stands."""
    sent = []
    async with AIOKafkaProducer(**kafka.client(), acks="all", enable_idempotence=True, max_request_size=MAX_RECORD) as producer:
        for event in events:
            record = event.record
            topic = kafka.topic(record.topic)
            told = await producer.send_and_wait(topic, record.value, key=record.key, headers=list(record.headers))
            sent.append(replace(record, partition=told.partition, offset=told.offset))
    return sent


async def seen(connection: AsyncConnection, letter: Letter, event: Received, sent: Record, end: float) -> Result:
    """What the service made of the record, once it has passed it; "sent" when it has not by the instant `end` of the monotonic clock.

    The letter is closed when its record was applied under another id, which the inbox cannot know to be its repair, and
    when a new letter took its place.
    """
    held = letter.held
    place = f"{sent.topic}/{sent.partition}/{sent.offset}"
    while True:
        passed, halted = await positions.next_offset(connection, (sent.topic, sent.partition))
        if passed > sent.offset:
            break
        if time.monotonic() > end:
            note = "its partition is halted: `aftersales resume`" if halted else "not handled yet"
            return Result(held.service, held.id, "sent", f"at {place}; {note}")
        await asyncio.sleep(0.1)
    if (again := await dead_letters.at(connection, sent.topic, sent.partition, sent.offset)) is not None:
        await dead_letters.close_by_hand(connection, [held.id])
        note = f"now letter {again['id']}: {again['field']}: {again['rule']}: {again['reason']}"
        return Result(held.service, held.id, "dead", note)
    identity = (event.envelope.source, event.envelope.id)
    if (aggregate := await parked.behind_which(connection, *identity)) is not None:
        return Result(held.service, held.id, "parked", f"behind {aggregate}")
    if (missing := await waiting.missing_for(connection, *identity)) is not None:
        return Result(held.service, held.id, "waiting", f"for: {missing}")
    await dead_letters.close_by_hand(connection, [held.id])
    return Result(held.service, held.id, "applied", f"at {place}{_others(held.service, sent.topic)}")


def _others(service: str, topic: str) -> str:
    others = [name for name in BY_NAME[topic].consumers if name != service and BY_NAME[topic] in consumed_by(name)]
    return f"; {', '.join(others)} read it too" if others else ""


async def release(connection: AsyncConnection, service: str, aggregate: str, end: float) -> Result:
    """Asks the service to replay what is parked behind an aggregate, and tells whether it went."""
    events = await parked.ask_redrive(connection, aggregate)
    if events is None:
        return Result(service, aggregate, "refused", "it is not parked any more")
    while (asked := await parked.is_asked(connection, aggregate)) is not None:
        still_to_come, reason = asked
        if not still_to_come:
            return Result(service, aggregate, "parked", f"fails again: {reason}; the traceback is in the log of {service}")
        if time.monotonic() > end:
            return Result(service, aggregate, "sent", "asked; the service has not done it yet")
        await asyncio.sleep(0.1)
    return Result(service, aggregate, "applied", f"{events} events in their old order")


def refused(letter: Letter, problem: NotSendable | KafkaError) -> Result:
    """A letter that was not sent, with the reason."""
    return Result(letter.held.service, letter.held.id, "refused", str(problem))


def as_row(result: Result) -> dict[str, Any]:
    """The result as it is printed."""
    return {"service": result.service, "id": result.id, "outcome": result.outcome, "note": result.note}
