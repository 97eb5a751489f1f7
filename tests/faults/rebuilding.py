"""What a rebuild has to end with: a look at the four databases, and all records of the topics, delivered as Kafka might deliver them."""

import importlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete
from sqlalchemy import text
from tests.databases import database
from tests.faults.lost import admin_of
from tests.harness import NoKafka, ServiceOnDatabase

from common.contracts.topics import BY_NAME, SERVICES, TOPICS, Topic, consumed_by, dead_letter_topics
from common.kafka import topic_admin
from common.kafka.records import from_kafka
from common.store import positions
from devstack import Stack

_CLOCKS = "SELECT id, state, outcome, deadline, closed_at, owner, used_share, provisional, policy FROM clocks"
_OWN = {
    "intake": {"service_requests": "SELECT id, sequence, state FROM service_requests"},
    "dispatch": {"work_orders": "SELECT id, sequence, state FROM work_orders"},
    "complaints": {"complaints": "SELECT id, sequence, state FROM complaints"},
    "appraisal": {
        "organisations": "SELECT id, state FROM organisations",
        "ratings": "SELECT id, state FROM ratings",
        "cycles": "SELECT id, state - 'watermarks' AS state FROM cycles",
        "grades": "SELECT grade_key || ' v' || version AS id, score, grade, digest, outcomes FROM grades",
        "facts": """SELECT DISTINCT ON (key) encode(key, 'hex') AS id, indicator, case_id, subject, revision, numerator, denominator, time,
                           recorded_at, dimensions FROM kpi_facts ORDER BY key, revision DESC""",
    },
}
_ORGANISATION = """
SELECT change || '/' || part AS id, org_id, kind, effective_at, recorded_at, members, leaver FROM organisation_changes
"""
_LEFT = "SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM parked) + (SELECT count(*) FROM dead_letters)"

Rows = Mapping[str, Mapping[str, str]]
"""By service and table, each row by its id, as text."""
Log = Mapping[TopicPartition, Sequence[ConsumerRecord]]
"""What stands on each partition."""


async def look_at(stack: Stack, names: Mapping[str, str] | None = None) -> Rows:
    """All that must be the same after a rebuild; `names` are the databases where they are not called as the services are."""
    found: dict[str, dict[str, str]] = {}
    for service in SERVICES:
        async with database(stack.database_url, (names or {}).get(service, service)) as connection:
            assert await connection.fetchval(_LEFT) == 0, f"{service} holds something back"
            for table, query in {"clocks": _CLOCKS, "organisation": _ORGANISATION, **_OWN[service]}.items():
                rows = [dict(row) for row in await connection.fetch(query)]
                found[f"{service}.{table}"] = {row["id"]: str(row) for row in rows}
    return found


def differences(wanted: Rows, found: Rows) -> list[str]:
    """What is not the same, a line each."""
    return [
        f"{table} {id}:\n    was {before}\n    is  {after}"
        for table, rows in wanted.items()
        for id in sorted({*rows, *found[table]})
        if (before := rows.get(id)) != (after := found[table].get(id))
    ]


async def expire(stack: Stack) -> int:
    """Retention runs: every record of the topics that are not kept for ever is deleted; how many there were."""
    names = [topic.name for topic in TOPICS if topic.retention is not None] + [name for name, _ in dead_letter_topics()]
    places = [TopicPartition(name, partition) for name in names for partition in range(topic_admin.wanted()[name][0])]
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka, enable_auto_commit=False) as consumer:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
    async with admin_of(stack) as admin:
        await admin.delete_records({place: RecordsToDelete(end) for place, end in ends.items() if end})
    return sum(ends.values())


async def drop_databases(stack: Stack) -> None:
    """Nothing of what the services knew is left."""
    async with database(stack.database_url, "postgres") as connection:
        for service in SERVICES:
            await connection.execute(f'DROP DATABASE "{service}" WITH (FORCE)')


async def everything_on(stack: Stack, topics: Collection[Topic]) -> Log:
    """Every record of some topics, as it stands on each partition."""
    found: dict[TopicPartition, list[ConsumerRecord]] = {}
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka, enable_auto_commit=False, auto_offset_reset="earliest") as consumer:
        places = [TopicPartition(topic.name, partition) for topic in topics for partition in range(topic.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                found.setdefault(place, []).extend(records)
    return found


def shuffled(log: Log, random: Random) -> list[list[ConsumerRecord]]:
    """The records in pieces, partitions in any order among each other and each in its own; about a fifth of the pieces comes again."""
    pieces: list[list[ConsumerRecord]] = []
    left = {place: list(records) for place, records in log.items() if records}
    while left:
        place = random.choice(sorted(left))
        size = random.randint(1, 40)
        piece, left[place] = left[place][:size], left[place][size:]
        pieces.append(piece)
        if random.random() < 0.2:
            pieces.append(random.choice(pieces))
        if not left[place]:
            del left[place]
    return pieces


@dataclass(slots=True)
class AsItStands(NoKafka):
    """A running service that is told where the partitions of the real Kafka end."""

    log_ends: Mapping[tuple[str, int], int] | None = None

    async def ends_of(self, topics: Collection[str]) -> dict[str, int]:
        """Where each partition ends: `{"kpi-facts/0": 12}`."""
        ends = self.log_ends or {}
        places = [(topic, partition) for topic in topics for partition in range(BY_NAME[topic].partitions)]
        return {f"{topic}/{partition}": ends.get((topic, partition), 0) for topic, partition in places}


async def deliver(service: ServiceOnDatabase, log: Log, random: Random) -> int:
    """Lets a service on an empty database handle what it reads, shuffled and in part twice, and whatever time brings; how many records."""
    own = {topic.name: topic for topic in consumed_by(service.name)}
    ends = {(place.topic, place.partition): records[-1].offset + 1 for place, records in log.items() if place.topic in own and records}
    running = service.running
    service.running = AsItStands(running.name, running.database, running.consumer, running.metrics, running.own_metrics, log_ends=ends)
    number = 0
    for rules in (True, False):  # a service looks at nothing else before it knows by which rules
        part = {place: records for place, records in log.items() if place.topic in own and (own[place.topic].kind == "rules") is rules}
        for piece in shuffled(part, random):
            number += len(piece)
            await _handle(service, piece)
    await _let_time_pass(service, ends)
    for _ in range(12 if service.name == "appraisal" else 0):  # a close takes its watermarks in two steps; several follow each other
        await service.run_jobs()
        await service.rows("UPDATE outbox SET published_at = now() WHERE published_at IS NULL RETURNING id")
    return number


async def _handle(service: ServiceOnDatabase, piece: Sequence[ConsumerRecord]) -> None:
    if BY_NAME[piece[0].topic].bulk:
        await importlib.import_module(f"{service.name}.ingest").store(service.running, piece)
    else:
        await service.consumer.consume([from_kafka(record) for record in piece])


async def _let_time_pass(service: ServiceOnDatabase, ends: Mapping[tuple[str, int], int]) -> None:
    """Every timer that is due fires, since the service has handled all there is."""
    places: dict[tuple[str, int], Any] = {(topic.name, n): 0 for topic in consumed_by(service.name) for n in range(topic.partitions)}
    async with service.database.transaction() as connection:
        at = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        await positions.note_lag(connection, {**places, **ends}, at)
    while await service.timers.fire():
        pass
