"""A service's own consumer on a real PostgreSQL, fed with records made by hand: everything but Kafka is the real thing."""

import importlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry
from sqlalchemy import pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from common.contracts.envelope import Received, Record, decode, encode
from common.contracts.event import Envelope, Event
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.topics import consumed_by, topic_of
from common.kernel.ids import derived_id
from common.runtime.consumer import EventConsumer
from common.runtime.handling import handlers_in
from common.runtime.metrics import ChassisMetrics
from common.runtime.timers import TimerWorker
from common.sla.policy import load_policy
from common.store import migrations, positions
from common.store.database import Database
from devstack import Stack

E = TypeVar("E", bound=Event)
Facts = dict[tuple[str, str], tuple[str, str, datetime]]


def claim(event: Event, at: datetime, *, id: str = "", known: timedelta = timedelta(seconds=1)) -> Record:
    """The record in which `event` arrives, a claim or another service's decision: it happened `at`, and was `known` that much later.

    Without an id it gets one that follows from its content, so that the same call twice makes a duplicate.
    """
    topic = topic_of(type(event))
    key = topic.key_of(event)
    envelope = Envelope(
        id=id or derived_id(at, event.model_dump_json(), event.TYPE),
        source=topic.sources[0] if topic.kind == "decisions" else "/tests",
        type=event.TYPE,
        subject=key,
        time=at,
        recorded_at=at + known,
    )
    value, headers = encode(event, envelope, key=key)
    return Record(topic.name, 0, 0, key.encode(), value, tuple(headers), at + known)


@dataclass(slots=True)
class ServiceOnDatabase:
    """A service without Kafka: `apply` gives it records, the other methods tell what it made of them."""

    name: str
    database: Database
    consumer: EventConsumer
    timers: TimerWorker
    offsets: dict[str, int] = field(default_factory=dict)

    async def apply(self, records: Iterable[Record], *, at_once: int = 200) -> None:
        """Lets the service consume `records` in this order, `at_once` in a batch; each gets the next offset of its topic."""
        numbered = [self._numbered(record) for record in records]
        for start in range(0, len(numbered), at_once):
            await self.consumer.consume(numbered[start : start + at_once])

    def _numbered(self, record: Record) -> Record:
        offset = self.offsets.get(record.topic, 0)
        self.offsets[record.topic] = offset + 1
        return replace(record, offset=offset)

    async def let_time_pass(self) -> None:
        """Fires every timer that is due by now, as if the service had caught up on all its partitions."""
        ends = {(topic.name, partition): 0 for topic in consumed_by(self.name) for partition in range(topic.partitions)}
        ends |= {(topic, 0): end for topic, end in self.offsets.items()}
        async with self.database.transaction() as connection:
            at = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
            await positions.note_lag(connection, ends, at)
        while await self.timers.fire():
            pass

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of a query on the service's database."""
        async with self.database.transaction() as connection:
            return [dict(row) for row in (await connection.execute(text(query), values)).mappings()]

    async def published(self, kind: type[E]) -> list[E]:
        """The events of one type that the service published, in their order, each with its envelope."""
        return [event for event in await self.all_published() if isinstance(event, kind)]

    async def all_published(self) -> list[Event]:
        """Every event that the service published but dead letters, read back as a consumer reads them."""
        found = []
        query = "SELECT * FROM outbox WHERE aggregatetype NOT LIKE '%-dlq' ORDER BY id"
        for row in await self.rows(query):
            headers = tuple((name, value.encode()) for name, value in row["headers"])
            received = decode(
                Record(row["aggregatetype"], 0, row["id"], row["aggregateid"].encode(), bytes(row["payload"]), headers, row["created_at"])
            )
            assert isinstance(received, Received), received
            assert received.event is not None
            found.append(received.event)
        return found

    async def facts(self, case: str) -> Facts:
        """What the facts of one case say in the end: (indicator, subject) → (numerator, denominator, the instant they count for)."""
        return best_facts(await self.published(KpiRecorded)).get(case, {})

    async def ends(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """For each case everything that must not depend on the order in which its events arrived, with its own name taken out."""
        table, events = OWN[self.name], await self.all_published()
        facts = best_facts([event for event in events if isinstance(event, KpiRecorded)])
        rows = {row.pop("id"): row for row in await self.rows(f"SELECT * FROM {table}")}
        clocks: dict[str, list[dict[str, Any]]] = {}
        columns = "aggregate, stage, state, outcome, deadline, closed_at, owner, used_share"
        for row in await self.rows(f"SELECT {columns} FROM clocks ORDER BY stage"):
            clocks.setdefault(row.pop("aggregate").partition(":")[2], []).append(row)
        decisions: dict[str, list[Event]] = {}
        for event in events:
            if topic_of(type(event)).name == table.replace("_", "-"):
                decisions.setdefault(event.envelope.subject, []).append(event)
        return {
            id: {
                "row": {name: value for name, value in rows[id].items() if name != "request_id"},
                "clocks": clocks[id],
                "facts": facts.get(id, {}),
                "decisions": plain(decisions[id], "request_id", topic_of(type(decisions[id][0])).key),
            }
            for id in ids
        }

    async def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that the service knows and said, but not how far it has read: equal dumps mean that nothing changed."""
        tables = ("inbox", "outbox", "waiting", "parked", "parked_keys", "dead_letters", "timers", "clocks", "clock_events", OWN[self.name])
        return {table: await self.rows(f"SELECT * FROM {table} t ORDER BY t::text") for table in tables}


OWN = {"intake": "service_requests", "dispatch": "work_orders", "complaints": "complaints"}
"""The table of each service's own aggregates."""


@asynccontextmanager
async def service_on(name: str, url: str) -> AsyncIterator[ServiceOnDatabase]:
    """The service `name` on the empty database at `url`, with its own migrations, handlers and policy."""
    server, _, database_name = url.rpartition("/")
    database = Database(f"{server}/postgres", database_name)
    engine = create_async_engine(database.url, poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(migrations._upgrade, name)
    await engine.dispose()
    policy = load_policy(name)
    metrics = ChassisMetrics(name, "test", policy.stages, CollectorRegistry())
    unit_of_work = importlib.import_module(f"{name}.repository").UnitOfWork
    consumer = replica_of(name, database)
    timers = TimerWorker(
        name,
        database,
        unit_of_work,
        policy,
        metrics,
        leads=lambda: True,
        wake=_nobody_to_wake,
        partitions=sum(topic.partitions for topic in consumed_by(name)),
        patience=timedelta(minutes=15),
        quiet=timedelta(0),
    )
    try:
        yield ServiceOnDatabase(name, database, consumer, timers)
    finally:
        await database.close()


def replica_of(name: str, database: Database) -> EventConsumer:
    """What one replica of a service consumes with; several on one database are several replicas."""
    policy = load_policy(name)
    metrics = ChassisMetrics(name, "test", policy.stages, CollectorRegistry())
    unit_of_work = importlib.import_module(f"{name}.repository").UnitOfWork
    handlers = handlers_in(importlib.import_module(f"{name}.handlers"))
    return EventConsumer(name, database, handlers, unit_of_work, policy, metrics, _nobody_to_wake)


@asynccontextmanager
async def service_at(name: str, stack: Stack) -> AsyncIterator[ServiceOnDatabase]:
    """The service on the database of its own name, which the stack does not have yet: where the commands look for it."""
    created = Database(stack.database_url, name)
    await created.create_if_missing()
    await created.close()
    async with service_on(name, stack.url_of(name)) as service:
        yield service


def _nobody_to_wake() -> None:
    """There is no relay here: what is published stays in the outbox, where the tests read it."""


def best_facts(facts: Iterable[KpiRecorded]) -> dict[str, Facts]:
    """By case, what the facts with the highest revision say, as a consumer has to read them in whatever order they come."""
    best: dict[tuple[str, str, str], KpiRecorded] = {}
    for fact in facts:
        place = fact.case_id, fact.indicator, fact.subject
        if place not in best or fact.revision > best[place].revision:
            best[place] = fact
    found: dict[str, Facts] = {}
    for (case, indicator, subject), fact in best.items():
        found.setdefault(case, {})[indicator, subject] = (fact.numerator, fact.denominator, fact.time)
    return found


def data_of(events: Sequence[Event]) -> list[tuple[str, dict[str, Any]]]:
    """What events say, without the envelopes in which they travelled: (type, data) in their order."""
    return [(event.TYPE, event.model_dump()) for event in events]


def plain(events: Sequence[Event], *without: str) -> list[tuple[str, datetime, dict[str, Any]]]:
    """Events as (type, time, data), sorted, to compare what was said in one order with what was said in another."""
    found = [(event.TYPE, event.time, event.model_dump(exclude=set(without))) for event in events]
    return sorted(found, key=str)
