"""A simulated quarter through the four services while services and servers are killed under it, and a look at what it leaves."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from tests.databases import database
from tests.faults.decisions import Decision, first_of_each, read_topic

from common.contracts.topics import SERVICES, TOPICS, dead_letter_topics, source_of
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from devstack import Stack
from ops.platform import Platform, grades_digest
from ops.processes import ServiceProcess
from ops.simulation.claims import SOURCE, Sent
from ops.simulation.quarter import SCHEME

DECIDED = ("service-requests", "work-orders", "complaints", "ratings", "organisations", "kpi-facts", "sla-clocks")
"""The decision topics whose events follow from the claims alone: two runs of one plan must say the same there."""
GRADED = ("grade-history", "grade-outcomes")
CYCLE = "2026Q3"
_CLAIM_TOPICS = tuple(topic.name for topic in TOPICS if topic.kind == "claims")
_OWNER = {topic.name: topic.consumers[0] for topic in TOPICS if topic.kind == "claims"}
_WRITTEN = "SELECT id, event_id FROM outbox"
_HELD_BACK = "SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM parked) + (SELECT count(*) FROM dead_letters)"


@dataclass(frozen=True, slots=True)
class Kill:
    """kill -9 of a service, of `kafka` or of `postgres`: when it has handled that many records, and a moment later.

    Without a moment a service dies as soon as its next commit is seen, before it can acknowledge or send what it has decided.
    """

    victim: str
    records: int
    moment: float | None
    replica: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """What a run has left behind, in Kafka and in the databases."""

    decisions: Mapping[str, Sequence[Decision]]
    """By topic, each id once, where it stood first."""
    written: Mapping[tuple[str, str], int]
    """By source and id, which decision of its service it is: their order in the outbox."""
    repeated: int
    """Records that stand on a topic once more with the same id."""
    counts: Mapping[str, Mapping[str, int]]
    applied: Mapping[str, int]
    """By claims topic, what its owner has applied."""
    inbox: Mapping[str, frozenset[str]]
    """By service, the ids of the simulator's claims that it has taken."""
    held_back: Mapping[str, int]
    """By service, what waits, is parked or is a dead letter."""
    facts: Mapping[tuple[str, str, str, int], tuple[int, str, str]]
    """What appraisal knows: (indicator, case, subject, occurrence) to (revision, numerator, denominator)."""
    digest: str

    def identities(self, topic: str) -> frozenset[tuple[str, str, str]]:
        """The decisions of a topic, as far as two runs must agree on them."""
        return frozenset(decision.identity for decision in self.decisions[topic])


def kills(seed: int, numbers: Mapping[str, int], handled: Mapping[str, int], replicas: int = 1) -> list[Kill]:
    """`numbers` of kills a victim at random points of its progress, and both servers once; `handled` is what an undisturbed run handled.

    Of several replicas each kill takes one.
    """
    random = Random(seed)
    total = sum(handled.values())
    found = []
    for victim, number in [*numbers.items(), ("kafka", 1), ("postgres", 1)]:
        of_all = handled.get(victim, total)
        shares = sorted(random.uniform(0.05, 0.8) for _ in range(number))
        at_commit = victim in handled
        for share in shares:
            moment = None if at_commit else random.uniform(0, 0.4)
            found.append(Kill(victim, int(of_all * share), moment, random.randrange(replicas) if victim in handled else 0))
            at_commit = victim in handled and not at_commit
    return found


@dataclass(slots=True)
class Watch:
    """How many records each service has handled by now, by topic."""

    database_url: str
    handled: dict[str, dict[str, int]] = field(default_factory=lambda: {service: {} for service in SERVICES})
    closely: set[str] = field(default_factory=set)
    """The services whose next commit somebody waits for."""

    async def look(self) -> None:
        """Looks again and again until it is cancelled; a database that is away is looked at later."""
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(self._look_at(service))

    async def _look_at(self, service: str) -> None:
        while True:
            try:
                async with database(self.database_url, service) as connection:
                    while True:
                        rows = await connection.fetch("SELECT topic, sum(next_offset)::int FROM consumer_progress GROUP BY topic")
                        self.handled[service] = dict(rows)
                        await asyncio.sleep(0 if service in self.closely else 0.03)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await asyncio.sleep(0.03)

    def of(self, victim: str) -> int:
        """What a service has handled, or all of them together."""
        services = [victim] if victim in self.handled else list(self.handled)
        return sum(sum(self.handled[service].values()) for service in services)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Returns when `is_so`."""
        while not is_so():  # noqa: ASYNC110 - what is watched is a database, which sets no event
            await asyncio.sleep(0.002)

    async def next_commit(self, service: str) -> None:
        """Returns as soon as a service has handled more than now."""
        before = self.of(service)
        self.closely.add(service)
        await self.until(lambda: self.of(service) > before)
        self.closely.remove(service)


async def publish_paced(kafka: str, sent: Sequence[Sent], watch: Watch) -> None:
    """Publishes each claims topic in its order, never far ahead of what was handled: the services are at work all the time."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, request_timeout_ms=60_000) as producer:

        async def publish(topic: str) -> None:
            records = [record for record in sent if record.topic == topic]
            ahead = max(len(records) // 12, 5)
            futures = []
            for number, record in enumerate(records):
                await watch.until(lambda number=number: watch.handled[_OWNER[topic]].get(topic, 0) >= number - ahead)  # type: ignore[misc]  # the default binds this number
                futures.append(await producer.send(topic, record.value, key=record.key.encode(), headers=list(record.headers)))
            await asyncio.gather(*futures)

        await asyncio.gather(*(publish(topic) for topic in _CLAIM_TOPICS))


async def disturb(stack: Stack, services: Mapping[str, ServiceProcess], planned: Sequence[Kill], watch: Watch, done: list[str]) -> None:
    """Carries out the kills, each victim's in their order; adds what was done to `done`, in words."""

    async def kill_in_turn(victim: str) -> None:
        before = -1
        for kill in (kill for kill in planned if kill.victim == victim):
            due = max(kill.records, before + 1)  # a killed service must have come back to be killed again
            await watch.until(lambda due=due: watch.of(victim) >= due)  # type: ignore[misc]  # the default binds this number
            await (watch.next_commit(victim) if kill.moment is None else asyncio.sleep(kill.moment))
            before = watch.of(victim)
            title = f"{victim}-{kill.replica}" if kill.replica else victim
            done.append(f"{title} after {before}")
            if victim == "kafka":
                stack.kill_kafka()
                await asyncio.to_thread(stack.start_kafka)
            elif victim == "postgres":
                stack.kill_postgres()
                await asyncio.to_thread(stack.start_postgres)
            else:
                services[title].kill()
                services[title].start()

    await asyncio.gather(*(kill_in_turn(victim) for victim in dict.fromkeys(kill.victim for kill in planned)))


async def play(
    stack: Stack, services: Mapping[str, ServiceProcess], sent: Sequence[Sent], planned: Sequence[Kill] = (), *, limit: float = 120
) -> list[str]:
    """Publishes the claims, kills as planned, closes the cycle, and returns what was killed once everything has come to rest."""
    platform = Platform(stack.kafka, stack.database_url, SERVICES)
    watch = Watch(stack.database_url)
    done: list[str] = []
    try:
        async with asyncio.timeout(limit), asyncio.TaskGroup() as group:
            looking = group.create_task(watch.look())
            at_work = [publish_paced(stack.kafka, sent, watch), disturb(stack, services, planned, watch, done)]
            await asyncio.wait([group.create_task(work) for work in at_work])
            looking.cancel()
        await platform.settled(90)
        await platform.close_cycle(CYCLE, SCHEME, for_real=True)
        await platform.settled(60)
    except TimeoutError as late:
        pytest.fail(f"stuck: {late}; killed {', '.join(done)}; handled {watch.handled}")
    return done


async def look_at(stack: Stack) -> Left:
    """What a run has left."""
    platform = Platform(stack.kafka, stack.database_url, SERVICES)
    decisions, repeated = {}, 0
    for topic in (*DECIDED, *GRADED):
        found = await read_topic(stack.kafka, topic)
        decisions[topic] = first_of_each(found)
        repeated += len(found) - len(decisions[topic])
    inbox: dict[str, frozenset[str]] = {}
    held_back: dict[str, int] = {}
    applied: dict[str, int] = {}
    written: dict[tuple[str, str], int] = {}
    for service in SERVICES:
        async with database(stack.database_url, service) as connection:
            written |= {(source_of(service), row["event_id"]): row["id"] for row in await connection.fetch(_WRITTEN)}
            inbox[service] = frozenset(row["id"] for row in await connection.fetch("SELECT id FROM inbox WHERE source = $1", SOURCE))
            held_back[service] = await connection.fetchval(_HELD_BACK)
            progress = await connection.fetch("SELECT topic, sum(applied)::int AS applied FROM consumer_progress GROUP BY topic")
            applied |= {row["topic"]: row["applied"] for row in progress if row["topic"] in _CLAIM_TOPICS}
    async with database(stack.database_url, "appraisal") as connection:
        rows = await connection.fetch("SELECT DISTINCT ON (key) * FROM kpi_facts ORDER BY key, revision DESC")
    facts = {
        (row["indicator"], row["case_id"], row["subject"], row["occurrence"]): (row["revision"], row["numerator"], row["denominator"])
        for row in rows
    }
    digest = grades_digest(await platform.grades())
    return Left(decisions, written, repeated, await platform.counts(), applied, inbox, held_back, facts, digest)


async def clear(stack: Stack) -> None:
    """Forgets everything: each topic is new and empty, and no service has a database. Nothing may run."""
    kafka = KafkaSettings(stack.kafka, "clearing")
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    try:
        wanted = [topic.name for topic in TOPICS] + [name for name, _ in dead_letter_topics()]
        await admin.delete_topics([name for name in await admin.list_topics() if name in wanted])
    finally:
        await admin.close()
    connection = await asyncpg.connect(stack.database_url)
    try:
        for service in SERVICES:
            await connection.execute(f'DROP DATABASE IF EXISTS "{service}" WITH (FORCE)')
    finally:
        await connection.close()
    await topic_admin.apply(kafka)
