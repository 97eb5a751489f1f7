"""What the fault tests share: records as they stand on the wire, and what the servers know afterwards."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from common.contracts.envelope import Record
from common.contracts.topics import source_of
from common.kernel.wall_clock import now
from common.runtime.handling import HandlerTable
from common.runtime.service import Application, service
from complaints.documents import KINDS
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork
from complaints.settings import Settings
from devstack import Stack

A_MINUTE_AGO = now() - timedelta(minutes=1)
"""When things happen, unless a test says otherwise: so late that no clock runs out while the tests look at something else."""

HANGS = 300
"""After so many seconds a test that waits in vain is ended. A slow machine needs none of them: no time decides what a test finds."""

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One record to be sent, whatever it holds."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    def with_header(self, name: str, value: bytes | None) -> "Wire":
        """The same record with one header set."""
        kept = tuple(pair for pair in self.headers if pair[0] != name)
        return replace(self, headers=(*kept, (name, value)))

    def without_header(self, name: str) -> "Wire":
        """The same record without one header."""
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))

    def header(self, name: str) -> str:
        """One header as text."""
        return (dict(self.headers)[name] or b"").decode()

    def with_member(self, name: str, value: object) -> "Wire":
        """The same record with one member of its body set."""
        return replace(self, value=json.dumps({**json.loads(self.value or b""), name: value}).encode())

    def without_member(self, name: str) -> "Wire":
        """The same record without one member of its body."""
        body = json.loads(self.value or b"")
        del body[name]
        return replace(self, value=json.dumps(body).encode())

    def with_raw(self, text: str) -> "Wire":
        """The same record with `text` before the end of its body, as JSON libraries would not write it."""
        return replace(self, value=(self.value or b"")[:-1] + b", " + text.encode() + b"}")

    def structured(self, **changes: object) -> "Wire":
        """The same event in CloudEvents' structured mode; a change to None leaves a member out."""
        attributes = {name.removeprefix("ce_"): (raw or b"").decode() for name, raw in self.headers if name.startswith("ce_")}
        event = {**attributes, "data": json.loads(self.value or b""), **changes}
        kept = {name: found for name, found in event.items() if found is not None}
        return replace(self, value=json.dumps(kept).encode(), headers=(("content-type", b"application/cloudevents+json"),))


def claim(type: str, key: str, *, id: str, at: datetime = A_MINUTE_AGO, topic: str = "complaint-claims", **data: object) -> Wire:
    """A claim about one complaint, as an enterprise system sends it."""
    return wire(topic, type, key, id, at, {"complaint_id": key, **data})


def lodged(key: str, *, id: str = "", at: datetime = A_MINUTE_AGO, **data: object) -> Wire:
    """A complaint that is fine in every way."""
    body: dict[str, Any] = {"customer_id": "K1", "category": "noise", "region": "north", "handled_by": "E1", **data}
    return claim("complaint.lodged", key, id=id or f"{key}-lodged", at=at, **body)


def fact(key: str, *, id: str = "", at: datetime = A_MINUTE_AGO, **data: object) -> Wire:
    """A KPI fact that is fine in every way."""
    body: dict[str, Any] = {"case_id": key, "indicator": "in_time_solution", "subject": "employee:E1", "occurrence": 0, "revision": 1}
    body |= {
        "numerator": "1",
        "denominator": "1",
        "dimensions": {"region": "north", "product": "water heater"},
        "source_event_ids": ["e1"],
        **data,
    }
    made = wire("kpi-facts", "kpi.recorded", key, id or f"{key}-fact", at, body).with_header("ce_source", source_of("dispatch").encode())
    # as we write it ourselves, with these headers in their order and without spaces: the bulk reader has a fast way for it
    said = dict(made.headers)
    said |= {"ce_subject": key.encode(), "ce_dataschema": b"schemas/kpi.recorded.json", "ce_partitionkey": key.encode()}
    said |= {"ce_recordedtime": at.isoformat().encode(), "content-type": b"application/json"}
    names = ("specversion", "id", "source", "type", "subject", "time", "dataschema", "partitionkey", "recordedtime")
    headers = tuple((name, said[name]) for name in (*(f"ce_{name}" for name in names), "content-type"))
    return replace(made, value=json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(), headers=headers)


def wire(topic: str, type: str, key: str, id: str, at: datetime, body: dict[str, Any]) -> Wire:
    """An event in binary mode."""
    attributes = {"specversion": "1.0", "id": id, "source": "/crm", "type": type, "time": at.isoformat()}
    headers = tuple((f"ce_{name}", text.encode()) for name, text in attributes.items())
    return Wire(topic, key.encode(), json.dumps(body).encode(), headers)


def record_of(wire: Wire) -> Record:
    """The record as a consumer gets it now."""
    return Record(wire.topic, 0, 0, wire.key, wire.value, wire.headers, now())


async def send(stack: Stack, wires: Iterable[Wire]) -> list[Place]:
    """Sends the records in this order and tells where each of them stands."""
    async with AIOKafkaProducer(
        bootstrap_servers=stack.kafka, acks="all", enable_idempotence=True, max_request_size=4 * 1024 * 1024, linger_ms=5
    ) as producer:
        futures = [await producer.send(wire.topic, wire.value, key=wire.key, headers=list(wire.headers)) for wire in wires]
        return [(sent.partition, sent.offset) for sent in await asyncio.gather(*futures)]


async def ends(stack: Stack, topic: str) -> dict[int, int]:
    """Where each partition of a topic ends now."""
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka) as consumer:
        return await _ends(consumer, topic)


async def _ends(consumer: AIOKafkaConsumer, topic: str) -> dict[int, int]:
    await consumer._client.force_metadata_update()
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or await _found(consumer, topic))]
    return {place.partition: end for place, end in (await consumer.end_offsets(partitions)).items()}


async def _found(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.set_topics([topic])
    return consumer.partitions_for_topic(topic) or set()


@dataclass(frozen=True, slots=True)
class Read:
    """One record as anybody reads it from Kafka."""

    partition: int
    offset: int
    key: str
    type: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]


async def read_topic(stack: Stack, topic: str) -> list[Read]:
    """Everything that stands on a topic now, by partition and offset."""
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka, enable_auto_commit=False) as consumer:
        where = await _ends(consumer, topic)
        consumer.assign([TopicPartition(topic, partition) for partition in where])
        await consumer.seek_to_beginning()
        found: list[Read] = []
        for partition, end in where.items():
            place = TopicPartition(topic, partition)
            while await consumer.position(place) < end:
                for record in (await consumer.getmany(place, timeout_ms=1000)).get(place, ()):
                    headers = {name: raw.decode() for name, raw in record.headers}
                    key = (record.key or b"").decode()
                    body = json.loads(record.value)
                    found.append(Read(partition, record.offset, key, headers["ce_type"], headers, record.value, body))
        return found


class Base:
    """The database of one service, asked from outside."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def rows(self, statement: str, *arguments: object) -> list[Any]:
        """The rows of a query."""
        found: list[Any] = await self._connection.fetch(statement, *arguments)
        return found

    async def one(self, statement: str, *arguments: object) -> Any:
        """The first value of a query."""
        return await self._connection.fetchval(statement, *arguments)

    async def run(self, statement: str, *arguments: object) -> None:
        """Runs a statement."""
        await self._connection.execute(statement, *arguments)

    async def counts(self, topic: str) -> "Counts":
        """What the service has counted on a topic so far."""
        columns = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in ("events_in", "applied", "duplicates", "dead"))
        (row,) = await self.rows(f"SELECT {columns} FROM consumer_progress WHERE topic = $1", topic)
        return Counts(**dict(row))


@dataclass(frozen=True, slots=True)
class Counts:
    """Events in = applied + duplicates + dead."""

    events_in: int
    applied: int
    duplicates: int
    dead: int

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(
            self.events_in - before.events_in,
            self.applied - before.applied,
            self.duplicates - before.duplicates,
            self.dead - before.dead,
        )


@asynccontextmanager
async def base_of(stack: Stack, name: str) -> AsyncIterator[Base]:
    """The database `name` of the server, for as long as the block lasts."""
    connection = await asyncpg.connect(stack.url_of(name))
    try:
        yield Base(connection)
    finally:
        await connection.close()


async def until(what: str, holds: Callable[[], Awaitable[object]]) -> None:
    """Returns as soon as `holds` does; fails with `what` when it never does."""
    end = time.monotonic() + HANGS
    while not await holds():
        assert time.monotonic() < end, f"after {HANGS} s still not so: {what}"
        await asyncio.sleep(0.05)


async def settled(stack: Stack, base: Base, topics: Sequence[str]) -> None:
    """Waits until the service has handled all that stands on `topics`, and has sent all that it decided."""
    for topic in topics:
        for partition, end in (await ends(stack, topic)).items():

            async def handled(topic: str = topic, partition: int = partition, end: int = end) -> bool:
                at = await base.one("SELECT next_offset FROM consumer_progress WHERE topic = $1 AND partition = $2", topic, partition)
                return (at or 0) >= end

            await until(f"{topic}/{partition} is handled up to {end}", handled)

    async def sent() -> bool:
        return not await base.one("SELECT count(*) FROM outbox WHERE published_at IS NULL")

    await until("the outbox is empty", sent)


@asynccontextmanager
async def complaints_here(
    stack: Stack, handlers: HandlerTable = HANDLERS, *, prepared: Callable[[Application], None] = lambda _: None, **settings: object
) -> AsyncIterator[Application]:
    """The complaints service in this process and event loop, `prepared` before it starts, so that a test can reach into it; stopped
    when the block ends."""
    told = {"KAFKA_BOOTSTRAP_SERVERS": stack.kafka, "DATABASE_URL": stack.database_url, **settings}
    application = service(
        "complaints",
        Settings.model_validate(told),
        handlers=handlers,
        unit_of_work=UnitOfWork,
        documents=KINDS,
    )
    prepared(application)
    await application.start()
    try:
        yield application
    finally:
        await application.stop()


def failing(fails: Callable[[Any], bool]) -> HandlerTable:
    """The handlers of complaints with a defect: a claim for which `fails` says so raises."""

    def defective(use_case: Callable[..., None], event: Any, *arguments: Any) -> None:
        if fails(event):
            raise ZeroDivisionError
        use_case(event, *arguments)

    return HandlerTable({event: replace(handler, use_case=partial(defective, handler.use_case)) for event, handler in HANDLERS.items()})


def keys_of_partition(number: int, count: int, prefix: str, *, partitions: int = 6) -> list[str]:
    """`count` keys that begin with `prefix` and that every producer puts on partition `number`."""
    places = list(range(partitions))
    found: list[str] = []
    for n in itertools.count():
        key = f"{prefix}{n}"
        if DefaultPartitioner()(key.encode(), places, places) == number:
            found.append(key)
        if len(found) == count:
            break
    return found
