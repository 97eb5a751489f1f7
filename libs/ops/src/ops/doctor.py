"""`aftersales doctor`: is everything there, does it run, does it keep up, and what to do where not."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources

import asyncpg
import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from alembic.config import Config
from alembic.script import ScriptDirectory
from rich.table import Table

from common.contracts.topics import SERVICES, TOPICS, consumed_by
from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from ops.connection import database as open_database
from ops.connection import database_address, kafka_settings
from ops.consumer_groups import Reading, reading_of
from ops.diagnosis import Figures, Finding, of_service, of_topics
from ops.terminal import KAFKA_SECONDS, DatabaseOption, JsonOption, KafkaOption, answered, bar, console, place_of, show

app = typer.Typer(add_completion=False)

_PROGRESS = """
SELECT topic, partition, next_offset, halted, extract(epoch FROM now() - behind_since)::float AS behind FROM consumer_progress
"""
_FIGURES = """
SELECT (SELECT CASE WHEN until = '-infinity' OR until > now() + interval '1 minute' THEN 'Infinity'
               ELSE extract(epoch FROM now() - until) END::float FROM relay_lease)
       AS leaderless_seconds,
       (SELECT count(*) FROM outbox WHERE refused IS NOT NULL)::int AS refused,
       (SELECT count(*) FROM dead_letters WHERE closed_at IS NULL)::int AS letters,
       (SELECT count(*) FROM parked_keys)::int AS parked,
       (SELECT count(*) FROM waiting)::int AS waiting,
       (SELECT count(*) FROM unsent)::int AS unpublished,
       (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float FROM unsent)
       AS unpublished_seconds,
       (SELECT count(*) FROM timers WHERE state = 'armed' AND due_at < now())::int AS timers_due,
       (SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0)::float FROM timers WHERE state = 'armed' AND due_at < now())
       AS timer_seconds
"""
_HOLES = """
SELECT kind, topic, count(*)::int AS partitions FROM log_holes WHERE ended_at IS NULL
GROUP BY kind, topic ORDER BY min(found_at)
"""
_CLOSING = "SELECT count(*)::int FROM cycles WHERE state ->> 'status' = 'closing'"
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


async def _figures(connection: asyncpg.Connection, name: str, ends: Ends | None, reading: Reading | None) -> Figures:
    version = await connection.fetchval("SELECT version_num FROM alembic_version")
    partitions = await connection.fetch(_PROGRESS)
    passed = {(row["topic"], row["partition"]): row["next_offset"] for row in partitions}
    has_cycles = await connection.fetchval("SELECT to_regclass('cycles') IS NOT NULL")
    own = {topic.name for topic in consumed_by(name)}
    lag = None if ends is None else sum(max(end - passed.get(place, 0), 0) for place, end in ends.items() if place[0] in own)
    return Figures(
        version=version,
        newest=newest_version(name),
        lag=lag,
        behind_seconds=max((row["behind"] or 0 for row in partitions), default=0),
        halted=sum(row["halted"] for row in partitions),
        holes=[f"{row['topic']} ({row['kind']}, {row['partitions']} partitions)" for row in await connection.fetch(_HOLES)],
        cycles_waiting=await connection.fetchval(_CLOSING) if has_cycles else 0,
        ahead=[] if reading is None else await reading.ahead_of(passed),
        unowned=[] if reading is None else reading.unowned(passed),
        **dict(await connection.fetchrow(_FIGURES)),
    )


def newest_version(service: str) -> str | None:
    """The newest version of the service's tables that is installed here; None where the service is not."""
    try:
        place = resources.files(f"{service}.migrations")
    except ModuleNotFoundError:
        return None
    config = Config()
    config.set_main_option("script_location", str(place))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config).get_current_head()
