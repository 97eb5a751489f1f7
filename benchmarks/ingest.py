"""KPI facts from Kafka into PostgreSQL: what an event costs in appraisal, beside three peers, in one run.

Peers: an aiokafka consumer that only parses (nothing stored, so a floor), a FastStream batch consumer with pydantic and one
executemany (what one writes after reading the manuals), and one SQLModel session per event (what one writes first).
The figure is CPU-seconds per million events, the client's and PostgreSQL's together, since time on a shared machine says
little. Goals: at least 100 times cheaper than the naive consumer, and twice as cheap as the FastStream batch.

    python benchmarks/ingest.py [--events 1000000]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlmodel import Field, SQLModel

from appraisal.app import build
from appraisal.settings import Settings
from common.contracts.envelope import encode
from common.contracts.event import Envelope
from common.contracts.kpi_facts import KpiRecorded
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.kernel.ids import derived_id
from common.runtime import logging
from devstack import stack

TOPIC = "kpi-facts"
_TICKS = os.sysconf("SC_CLK_TCK")


class PlainFactRow(SQLModel, table=True):
    """What the peers store: the same columns, the same key."""

    __tablename__ = "plain_facts"

    key: str = Field(primary_key=True)
    indicator: str
    case_id: str
    subject: str
    occurrence: int
    revision: int
    numerator: str
    denominator: str
    time: str
    event_id: str
    source_event_ids: str

    @classmethod
    def of(cls, event: KpiRecorded, headers: dict[str, bytes]) -> "PlainFactRow":
        """The row of one event."""
        return cls(
            key=f"{event.indicator}|{event.case_id}|{event.subject}|{event.occurrence}",
            indicator=event.indicator,
            case_id=event.case_id,
            subject=event.subject,
            occurrence=event.occurrence,
            revision=event.revision,
            numerator=event.numerator,
            denominator=event.denominator,
            time=headers["ce_time"].decode(),
            event_id=headers["ce_id"].decode(),
            source_event_ids=" ".join(event.source_event_ids),
        )


async def fill(kafka: str, events: int) -> None:
    """Puts the events on the topic, as the three services would have."""
    start = datetime(2026, 7, 1, tzinfo=UTC)
    async with AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=20, max_batch_size=256 * 1024) as producer:
        for n in range(events):
            at = start + timedelta(seconds=n % 7_000_000)
            case = f"R{n:08}"
            event = KpiRecorded(
                case_id=case,
                indicator=("in_time_response", "in_time_solution", "customer_satisfaction")[n % 3],
                subject=f"employee:E{n % 3000:04}",
                revision=2,
                numerator="1" if n % 9 else "0",
                denominator="1",
                dimensions={
                    "product": ("refrigerator", "washing machine")[n % 2],
                    "region": "north",
                    "nature": "repair",
                    "team": f"t{n % 50}",
                },
                source_event_ids=[derived_id(at, n, "started"), derived_id(at, n, "stopped")],
            )
            envelope = Envelope(derived_id(at, "fact", n), "/aftersales/intake", event.TYPE, case, at, at, case, derived_id(at, n))
            value, headers = encode(event, envelope, key=case)
            future = await producer.send(TOPIC, value, key=case.encode(), headers=headers)
            if n % 5000 == 0:
                await future
        await producer.flush()


async def parse_only(kafka: str, database_url: str, events: int) -> None:
    """Only reads and validates."""
    del database_url
    validate = TypeAdapter(KpiRecorded).validate_json
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=kafka, group_id="parse-only", auto_offset_reset="earliest", max_partition_fetch_bytes=8 * 1024 * 1024
    ) as consumer:
        seen = 0
        while seen < events:
            for records in (await consumer.getmany(timeout_ms=500, max_records=10_000)).values():
                for record in records:
                    validate(record.value)
                seen += len(records)


async def appraisal(kafka: str, database_url: str, events: int) -> None:
    """The real service, with its inbox, dead letters, progress, relay, jobs and metrics."""
    logging.configure("appraisal", "WARNING")
    settings = Settings(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database_url)
    chassis = build(settings).chassis
    await chassis.broker.start()
    applied = text("SELECT coalesce(sum(applied), 0) FROM consumer_progress WHERE topic = :topic")
    while True:
        await asyncio.sleep(0.2)
        async with chassis.database.transaction() as connection:
            if (await connection.execute(applied, {"topic": TOPIC})).scalar_one() >= events:
                break
    await chassis.drain()
    await chassis.broker.stop()
    await chassis.stop()


async def faststream_batch(kafka: str, database_url: str, events: int) -> None:
    """Batches of 500 through FastStream and pydantic, one executemany with an upsert."""
    broker = KafkaBroker(kafka, logger=None)
    done = asyncio.Event()
    seen = 0
    async with _database(database_url, "faststream_batch") as engine:

        @broker.subscriber(
            TOPIC, batch=True, max_records=500, group_id="faststream", auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR
        )
        async def handle(batch: list[KpiRecorded], message: KafkaMessage) -> None:
            nonlocal seen
            rows = [
                PlainFactRow.of(event, dict(record.headers)).model_dump() for event, record in zip(batch, message.raw_message, strict=True)
            ]
            statement = insert(PlainFactRow)
            newer = statement.on_conflict_do_update(
                index_elements=["key"],
                set_={name: statement.excluded[name] for name in ("revision", "numerator", "denominator", "time", "event_id")},
                where=PlainFactRow.revision < statement.excluded.revision,
            )
            async with engine.begin() as connection:
                await connection.execute(newer, rows)
            seen += len(rows)
            if seen >= events:
                done.set()

        await broker.start()
        await done.wait()
        await broker.stop()


async def naive(kafka: str, database_url: str, events: int) -> None:
    """One record a call, one session, one commit, as the manuals of FastStream and SQLModel begin."""
    broker = KafkaBroker(kafka, logger=None)
    done = asyncio.Event()
    seen = 0
    async with _database(database_url, "naive") as engine:

        @broker.subscriber(TOPIC, group_id="naive", auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR)
        async def handle(event: KpiRecorded, message: KafkaMessage) -> None:
            nonlocal seen
            row = PlainFactRow.of(event, dict(message.raw_message.headers))  # type: ignore[union-attr]  # one record a call
            async with AsyncSession(engine) as session:
                stored = await session.get(PlainFactRow, row.key)
                if stored is None:
                    session.add(row)
                elif stored.revision < row.revision:
                    stored.sqlmodel_update(row)
                await session.commit()
            seen += 1
            if seen >= events:
                done.set()

        await broker.start()
        await done.wait()
        await broker.stop()


@asynccontextmanager
async def _database(database_url: str, name: str) -> AsyncIterator[Any]:
    server = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT")
    async with server.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await server.dispose()
    engine = create_async_engine(f"{database_url.rpartition('/')[0]}/{name}".replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.tables["plain_facts"].create)
    yield engine
    await engine.dispose()


VARIANTS: dict[str, tuple[Callable[[str, str, int], Coroutine[Any, Any, None]], int]] = {
    "parse only": (parse_only, 1),
    "appraisal": (appraisal, 1),
    "FastStream batch, executemany": (faststream_batch, 10),
    "naive, a session an event": (naive, 200),
}
"""Each with the part of the events that it takes: the slow ones would take all day."""


def postgres_cpu(folder: Path) -> float:
    """CPU seconds of the PostgreSQL server and all its processes so far, those that have ended included."""
    postmaster = int((folder / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0])
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if int(stat.parent.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / _TICKS


def main() -> None:
    """Runs every variant and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--variant", choices=VARIANTS)
    parser.add_argument("--servers", nargs=2)
    options = parser.parse_args()
    if options.variant:
        kafka, database_url = options.servers
        run_variant(options.variant, kafka, database_url, options.events)
        return
    with stack(for_benchmark=True) as servers:
        print(f"{servers.kafka_name}, {servers.postgres_name}; {options.events} events on {TOPIC}")
        asyncio.run(topic_admin.apply(KafkaSettings(servers.kafka, "benchmark")))
        asyncio.run(fill(servers.kafka, options.events))
        costs = {name: measured(name, servers, options.events // part) for name, (_, part) in VARIANTS.items()}
    ours = costs["appraisal"]
    print(f"\n{'variant':<32}{'CPU s per million events':>26}{'times appraisal':>18}")
    for name, cost in costs.items():
        print(f"{name:<32}{cost:>26.1f}{cost / ours:>18.2f}")
    goals = {"naive, a session an event": 100, "FastStream batch, executemany": 2}
    missed = [name for name, goal in goals.items() if costs[name] / ours < goal]
    print("goals: " + ("met" if not missed else f"missed against {', '.join(missed)}"))
    sys.exit(1 if missed else 0)


def run_variant(name: str, kafka: str, database_url: str, events: int) -> None:
    """Runs one variant in this process and prints what it used, from before it connected to after it had finished."""
    before = time.process_time()
    began = time.monotonic()
    asyncio.run(VARIANTS[name][0](kafka, database_url, events))
    print(json.dumps({"cpu": time.process_time() - before, "seconds": time.monotonic() - began}))


def measured(name: str, servers: Any, events: int) -> float:
    """CPU-seconds per million events of one variant, the database's included."""
    postgres = postgres_cpu(servers.folder)
    command = [sys.executable, __file__, "--variant", name, "--servers", servers.kafka, servers.database_url, "--events", str(events)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    database = postgres_cpu(servers.folder) - postgres
    print(f"{name:<32}{events:>9} events in {told['seconds']:6.1f} s: CPU {told['cpu']:6.1f} s client, {database:6.1f} s PostgreSQL")
    return float((told["cpu"] + database) / events * 10**6)


if __name__ == "__main__":
    main()
