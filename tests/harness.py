"""Any of the four services on a real PostgreSQL, fed with records made by hand: everything but Kafka is the real thing.

    async with service_on("complaints", database) as service:
        await service.apply([claim(ComplaintLodged(complaint_id="C1", …), at=MONDAY_0900)])
        assert await service.published(ComplaintReceived) == [ComplaintReceived(…)]

`database` is the fixture that gives each test an empty database. Where Kafka is asked something, the offsets answer that this module
has given to the records.
"""

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib import resources
from importlib.metadata import entry_points
from typing import Any, Self, TypeVar

from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry
from sqlalchemy import pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from common.contracts.documents import DocumentActivated, DocumentControl, ref_of
from common.contracts.envelope import Received, Record, decode, encode
from common.contracts.event import Envelope, Event
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.topics import BY_NAME, READ_FIRST, consumed_by, topic_of
from common.kernel.ids import derived_id
from common.kernel.reference import EVER
from common.runtime.consumer import EventConsumer
from common.runtime.handling import HandlerTable
from common.runtime.jobs import jobs_in
from common.runtime.metrics import ChassisMetrics
from common.runtime.timers import TimerWorker
from common.sla.policy import Policy, load_policy
from common.store import migrations, positions
from common.store.aggregates import Aggregates
from common.store.database import Database
from common.store.documents import DocumentsCache, policy_preset
from devstack import Stack

A = TypeVar("A")
E = TypeVar("E", bound=Event)
Facts = dict[tuple[str, str], tuple[str, str, datetime]]


def claim(
    event: Event, at: datetime, *, id: str = "", known: timedelta = timedelta(seconds=1), replay_of: str = "", source: str = ""
) -> Record:
    """The record in which `event` arrives, a claim or another service's decision: it happened `at`, and was `known` that much later.

    Without an id it gets one that follows from its content, so that the same call twice makes a duplicate.
    """
    topic = topic_of(type(event))
    key = topic.key_of(event)
    envelope = Envelope(
        id=id or derived_id(at, event.model_dump_json(), event.TYPE),
        source=source or (topic.sources[0] if topic.kind == "decisions" else "/tests"),
        type=event.TYPE,
        subject=key,
        time=at,
        recorded_at=at + known,
        replay_of=replay_of,
    )
    value, headers = encode(event, envelope, key=key)
    return Record(topic.name, 0, 0, key.encode(), value, tuple(headers), at + known)


def activated(
    kind: str,
    name: str,
    version: int,
    body: Mapping[str, Any],
    effective_at: datetime = EVER,
    *,
    applies_to_open: bool = False,
    **control: Any,
) -> DocumentActivated:
    """A version of a document as somebody puts it in force; `control` says who has written and approved it, and when."""
    return DocumentActivated(
        document=ref_of(kind, name, version),
        kind=kind,
        name=name,
        version=version,
        effective_at=effective_at,
        applies_to_open=applies_to_open,
        body=dict(body),
        control=DocumentControl(**control),
    )


@dataclass(slots=True)
class NoKafka:
    """What jobs and readers of facts ask of the running service that they get; Kafka's part of the answers are the given offsets."""

    name: str
    database: Database
    consumer: EventConsumer
    metrics: ChassisMetrics
    own_metrics: Any
    offsets: dict[str, int] = field(default_factory=dict)
    """Where each topic ends: all records stand on its first partition."""
    logged: dict[str, str] = field(default_factory=dict)
    woken: int = 0
    """How often somebody was told that there is something to send."""

    @property
    def relay(self) -> Self:
        """There is none: what is published stays in the outbox, where the tests read it."""
        return self

    def wake(self) -> None:
        """Nobody to wake; it is counted."""
        self.woken += 1

    async def ends_of(self, topics: Collection[str]) -> dict[str, int]:
        """Where each partition ends: `{"kpi-facts/0": 12}`."""
        places = [(topic, partition) for topic in topics for partition in range(BY_NAME[topic].partitions)]
        return {f"{topic}/{partition}": 0 if partition else self.offsets.get(topic, 0) for topic, partition in places}


def id_of(record: Record) -> str:
    """The id of the event that a record holds."""
    return (dict(record.headers)["ce_id"] or b"").decode()


def _without_event_ids(state: Any) -> Any:
    """A stored state without the names of the events behind it, which two cases that are alike do not share."""
    if isinstance(state, list):
        return [_without_event_ids(one) for one in state]
    return {key: _without_event_ids(one) for key, one in state.items() if key != "event_id"} if isinstance(state, dict) else state


@dataclass(slots=True)
class ServiceOnDatabase:
    """A service without Kafka: `apply` gives it records, the other methods tell what it made of them."""

    name: str
    database: Database
    consumer: EventConsumer
    timers: TimerWorker
    running: NoKafka

    @property
    def offsets(self) -> dict[str, int]:
        """The next offset of each topic."""
        return self.running.offsets

    async def apply(self, records: Iterable[Record], *, at_once: int = 200) -> None:
        """Lets the service consume `records` in this order, `at_once` in a batch; each gets the next offset of its topic."""
        numbered = [self._numbered(record) for record in records]
        for start in range(0, len(numbered), at_once):
            await self.consumer.consume(numbered[start : start + at_once])

    def _numbered(self, record: Record) -> Record:
        offset = self.offsets.get(record.topic, 0)
        self.offsets[record.topic] = offset + 1
        return replace(record, offset=offset)

    async def take_facts(self, records: Iterable[Record]) -> None:
        """Lets appraisal store facts the way that it reads `kpi-facts`: in bulk, one batch."""
        store: Callable[..., Awaitable[None]] = importlib.import_module(f"{self.name}.ingest").store
        await store(self.running, [as_aiokafka(self._numbered(record)) for record in records])

    async def send_decisions(self) -> None:
        """What the relay does: all that was decided counts as sent, and the facts among it come back to the service that reads facts."""
        query = "UPDATE outbox SET published_at = now() WHERE published_at IS NULL RETURNING *"
        sent = [_record_of(row) for row in sorted(await self.rows(query), key=lambda row: row["id"])]
        if facts := [record for record in sent if record.topic == "kpi-facts" and self.name in BY_NAME[record.topic].consumers]:
            await self.take_facts(facts)

    async def decisions_on(self, topic: str) -> list[Record]:
        """The records that the service has decided for one topic, as its readers get them."""
        return [_record_of(row) for row in await self.rows("SELECT * FROM outbox WHERE aggregatetype = :topic ORDER BY id", topic=topic)]

    async def run_jobs(self) -> None:
        """Runs each of the service's jobs once."""
        for job in jobs_in(importlib.import_module(f"{self.name}.jobs")):
            await job.function(self.running)

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

    async def stored(self, aggregates: Aggregates[A]) -> list[A]:
        """Every aggregate of one kind that the service has stored, by id."""
        async with self.database.transaction() as connection:
            return await aggregates.find(connection, text("true"), {})

    async def published(self, kind: type[E]) -> list[E]:
        """The events of one type that the service published, in their order, each with its envelope."""
        return [event for event in await self.all_published() if isinstance(event, kind)]

    async def all_published(self) -> list[Event]:
        """Every event that the service decided, read back as a consumer reads them; dead letters and documents are left out."""
        found = []
        query = "SELECT * FROM outbox WHERE aggregatetype NOT LIKE '%-dlq' AND aggregatetype <> 'reference-documents' ORDER BY id"
        for row in await self.rows(query):
            received = decode(_record_of(row))
            assert isinstance(received, Received), received
            assert received.event is not None
            found.append(received.event)
        return found

    async def facts(self, case: str) -> Facts:
        """What the facts of one case say in the end: (indicator, subject) → (numerator, denominator, the instant they count for)."""
        return best_facts(await self.published(KpiRecorded)).get(case, {})

    async def ends(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """For each case everything that must not depend on the order in which its events arrived, with its own name taken out."""
        (table, *_), events = OWN[self.name], await self.all_published()
        facts = best_facts([event for event in events if isinstance(event, KpiRecorded)])
        rows = {row["id"]: row for row in await self.rows(f"SELECT id, sequence, state - 'id' - 'request_id' AS state FROM {table}")}
        clocks: dict[str, list[dict[str, Any]]] = {}
        columns = "aggregate, stage, state, outcome, deadline, closed_at, owner, used_share"
        for row in await self.rows(f"SELECT {columns} FROM clocks ORDER BY stage"):
            clocks.setdefault(row.pop("aggregate").partition(":")[2], []).append(row)
        rounds = "SELECT aggregate, r.stage, r.round, r.outcome, r.closed_at, r.charged"
        for row in await self.rows(f"{rounds} FROM clock_rounds r JOIN clocks c ON c.id = clock_id ORDER BY 2, 3"):
            clocks[row.pop("aggregate").partition(":")[2]].append(row)
        decisions: dict[str, list[Event]] = {}
        for event in events:
            if topic_of(type(event)).name == table.replace("_", "-"):
                decisions.setdefault(event.envelope.subject, []).append(event)
        return {
            id: {
                "row": (rows[id]["sequence"], _without_event_ids(rows[id]["state"])),
                "clocks": clocks[id],
                "facts": facts.get(id, {}),
                "decisions": plain(decisions[id], "request_id", topic_of(type(decisions[id][0])).key),
            }
            for id in ids
        }

    async def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that the service knows and said, but not how far it has read: equal dumps mean that nothing changed."""
        tables = ("inbox", "outbox", "waiting", "parked", "parked_keys", "dead_letters", "timers", "clocks", "clock_events")
        return {table: await self.rows(f"SELECT * FROM {table} t ORDER BY t::text") for table in (*tables, *OWN[self.name])}


OWN = {
    "intake": ("service_requests",),
    "dispatch": ("work_orders", "known_requests"),
    "complaints": ("complaints",),
    "appraisal": ("organisations", "ratings", "cycles", "grades", "kpi_facts"),
}
"""The tables that each service has for itself."""


@asynccontextmanager
async def service_on(name: str, url: str) -> AsyncIterator[ServiceOnDatabase]:
    """The service `name` on the empty database at `url`, with its own migrations, handlers and policy."""
    server, _, database_name = url.rpartition("/")
    database = Database(f"{server}/postgres", database_name)
    engine = create_async_engine(database.url, poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(migrations._upgrade, name)
    await engine.dispose()
    await read_documents_up_to(database, 0, service=name)
    metrics = _metrics_of(name)
    consumer = replica_of(name, database)
    running = NoKafka(name, database, consumer, metrics, _own_metrics_of(name, metrics))
    try:
        yield ServiceOnDatabase(name, database, consumer, _timers_of(name, database, metrics), running)
    finally:
        await database.close()


def replica_of(name: str, database: Database) -> EventConsumer:
    """What one replica of a service consumes with; several on one database are several replicas."""
    parts = _handlers_of(name), _unit_of_work_of(name), documents_of(name), _metrics_of(name)
    return EventConsumer(name, database, *parts, _nobody_to_wake)


def documents_of(name: str) -> DocumentsCache:
    """The documents of a service as one of its processes knows them."""
    return DocumentsCache(
        name, [kind for point in entry_points(group="aftersales.documents") if point.name == name for kind in point.load()]
    )


def documents_under(policy: Policy) -> DocumentsCache:
    """The documents of a service that ships with this policy instead of its own."""
    service = policy.ref.partition("@")[0]
    return DocumentsCache(service, presets=[policy_preset(service, policy.document)])


async def read_documents_up_to(database: Database, end: int, *, service: str = "") -> None:
    """A look at Kafka found that the topic of reference documents ends at `end`: what comes first has to be read first.

    With `service` the look found nothing else that it has to have read before it decides.
    """
    others = [topic.name for topic in consumed_by(service) if topic.group == READ_FIRST and topic.kind != "rules"]
    async with database.transaction() as connection:
        at = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        await positions.note_lag(connection, {("reference-documents", 0): end, **{(name, 0): 0 for name in others}}, at)


def _timers_of(name: str, database: Database, metrics: ChassisMetrics) -> TimerWorker:
    return TimerWorker(
        name,
        database,
        _handlers_of(name),
        _unit_of_work_of(name),
        documents_of(name),
        metrics,
        is_leader=lambda: True,
        wake=_nobody_to_wake,
        partitions=sum(topic.partitions for topic in consumed_by(name)),
        max_lag_wait=timedelta(minutes=15),
        replay_idle=timedelta(0),
    )


def _metrics_of(name: str) -> ChassisMetrics:
    return ChassisMetrics(name, "test", load_policy(name).stages, CollectorRegistry())


def _own_metrics_of(name: str, metrics: ChassisMetrics) -> Any:
    """What the service's own `metrics.py` declares, where it has one."""
    if not resources.files(name).joinpath("metrics.py").is_file():
        return None
    return importlib.import_module(f"{name}.metrics").declare(metrics.registry)


def _handlers_of(name: str) -> HandlerTable:
    handlers: HandlerTable = importlib.import_module(f"{name}.handlers").HANDLERS
    return handlers


def _unit_of_work_of(name: str) -> Any:
    return importlib.import_module(f"{name}.repository").UnitOfWork


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


def _record_of(row: Any) -> Record:
    """The record in which a row of the outbox would be sent."""
    headers = tuple((name, value.encode()) for name, value in row["headers"])
    return Record(row["aggregatetype"], 0, row["id"], row["aggregateid"].encode(), bytes(row["payload"]), headers, row["created_at"])


def as_aiokafka(record: Record) -> Any:
    """The record as the client of Kafka hands it out."""
    appended = record.timestamp
    return ConsumerRecord(record.topic, record.partition, record.offset, appended, 1, record.key, record.value, None, 0, 0, record.headers)


def best_facts(facts: Iterable[KpiRecorded]) -> dict[str, Facts]:
    """By case, what the facts with the highest revision say, as a consumer has to read them in whatever order they come."""
    best: dict[tuple[str, str, str], KpiRecorded] = {}
    for fact in facts:
        name = f"{fact.indicator}, round {fact.occurrence + 1}" if fact.occurrence else fact.indicator
        place = fact.case_id, name, fact.subject
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
