"""`aftersales doctor`: is everything there, does it run, does it keep up, and what to do where not."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict

import asyncpg
import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.topics import SERVICES, TOPICS, consumed_by
from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from common.store import dead_letters, holes, lease, migrations, outbox, parked, positions, timers, waiting
from ops import contributed
from ops.connection import database as open_database
from ops.connection import database_address, kafka_settings
from ops.consumer_groups import Reading, reading_of
from ops.diagnosis import Figures, Finding, of_service, of_topics
from ops.terminal import KAFKA_SECONDS, DatabaseOption, JsonOption, KafkaOption, answered, bar, console, place_of, show

app = typer.Typer(add_completion=False)

_COLOURS = {"ok": "green", "warn": "yellow", "bad": "bold red"}

Ends = Mapping[tuple[str, int], int]


@app.command()
def doctor(kafka: KafkaOption = None, database: DatabaseOption = None, json: JsonOption = False) -> None:
    """Check Kafka, topics, databases and services; a table of ok, warn and bad with what to do, exit 1 when anything is bad."""
    broker, url = kafka_settings(kafka, "doctor"), database_address(database)
    found = answered(lambda: _examined(broker, url), kafka=broker.bootstrap_servers, database_url=url)
    if json:
        show("", [asdict(one) for one in found], (), as_json=True)
    else:
        table = Table("", "what", "found", "what to do")
        for one in found:
            table.add_row(f"[{_COLOURS[one.state]}]{one.state}", one.what, one.found, one.do)
        console().print(table)
    raise typer.Exit(1 if any(one.state == "bad" for one in found) else 0)


async def _examined(broker: KafkaSettings, url: str) -> list[Finding]:
    """Everything that can be looked at; what is away is a finding and hides nothing else."""
    with bar("examining", len(SERVICES) + 1) as step:
        found, ends = await _kafka(broker)
        step(1)
        for name in SERVICES:
            reading = None if ends is None else await reading_of(broker, name)
            found += await _service(name, url, ends, reading)
            step(1)
    return found


async def _kafka(settings: KafkaSettings) -> tuple[list[Finding], Ends | None]:
    try:
        async with asyncio.timeout(KAFKA_SECONDS):
            differences = await topic_admin.diff(settings)
            ends = await _ends(settings, {one.topic for one in differences if one.what in ("topic", "partitions")})
    except (KafkaError, OSError, TimeoutError) as problem:
        return [Finding("bad", f"Kafka at {settings.bootstrap_servers}", f"does not answer: {type(problem).__name__}", "start it")], None
    here = Finding("ok", f"Kafka at {settings.bootstrap_servers}", "answers")
    return [here, *of_topics(differences, len(topic_admin.wanted()))], ends


async def _ends(settings: KafkaSettings, without: set[str]) -> Ends:
    read = [topic for topic in TOPICS if topic.name not in without and any(topic in consumed_by(name) for name in SERVICES)]
    places = [TopicPartition(settings.topic(topic.name), number) for topic in read for number in range(topic.partitions)]
    async with AIOKafkaConsumer(**settings.client()) as consumer:
        return {(settings.name_of(place.topic), place.partition): end for place, end in (await consumer.end_offsets(places)).items()}


async def _service(name: str, url: str, ends: Ends | None, reading: Reading | None) -> list[Finding]:
    where = f"{name} database"
    try:
        async with open_database(url, name) as connection:
            return [*of_service(name, await _figures(connection, name, ends, reading))]
    except asyncpg.InvalidCatalogNameError:
        return [Finding("bad", where, f"there is none on {place_of(url)}", f"start {name}: it makes its own")]
    except asyncpg.UndefinedTableError:
        return [Finding("bad", where, "has no tables", f"start {name}: it makes its own")]
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as problem:
        return [Finding("bad", where, f"{place_of(url)} does not answer or refuses: {type(problem).__name__}", "see its log")]


async def _figures(connection: AsyncConnection, name: str, ends: Ends | None, reading: Reading | None) -> Figures:
    stands = await positions.all_of(connection)
    passed = {place: position.next_offset for place, position in stands.items()}
    own = {topic.name for topic in consumed_by(name)}
    lag = None if ends is None else sum(max(end - passed.get(place, 0), 0) for place, end in ends.items() if place[0] in own)
    backlog, overdue = await outbox.backlog(connection), await timers.overdue(connection)
    return Figures(
        version=await migrations.version(connection),
        newest=migrations.newest(name),
        leaderless_seconds=await lease.leaderless_seconds(connection),
        refused=backlog.refused,
        lag=lag,
        behind_seconds=max((position.behind_seconds for position in stands.values()), default=0),
        halted=sum(position.halted for position in stands.values()),
        letters=sum((await dead_letters.open_by_rule(connection)).values()),
        parked=await parked.count(connection),
        waiting=await waiting.count(connection),
        unpublished=backlog.unsent,
        unpublished_seconds=backlog.oldest_seconds,
        timers_due=overdue.number,
        timer_seconds=overdue.oldest_seconds,
        wake_ups_due=overdue.wake_ups,
        holes=[f"{topic} ({kind}, {number} partitions)" for (topic, kind), number in (await holes.open_by_kind(connection)).items()],
        unfinished=await contributed.unfinished(name, connection),
        ahead=[] if reading is None else await reading.ahead_of(passed),
        unowned=[] if reading is None else reading.unowned(passed),
    )
