"""Facts that Kafka delivers again are known: no count rises, whatever superseded what in their batch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from prometheus_client import CollectorRegistry
from sqlalchemy import pool, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.faults.kit import Wire, fact

from appraisal import ingest
from common.kernel.wall_clock import now
from common.runtime.metrics import ChassisMetrics
from common.store import migrations
from common.store.database import Database

pytestmark = pytest.mark.real


def record(offset: int, wire: Wire) -> Any:
    """The record as aiokafka hands it out."""
    appended = int(now().timestamp() * 1000)
    return ConsumerRecord("kpi-facts", 0, offset, appended, 1, wire.key, wire.value, None, 0, 0, wire.headers)


@asynccontextmanager
async def appraisal_on(url: str) -> AsyncIterator[Any]:
    """As much of a running appraisal as storing facts needs: its database, its metrics and its name."""
    server, _, name = url.rpartition("/")
    database = Database(f"{server}/postgres", name)
    engine = create_async_engine(database.url, poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(migrations._upgrade, "appraisal")
    await engine.dispose()
    metrics = ChassisMetrics("appraisal", "test", (), CollectorRegistry())
    try:
        yield SimpleNamespace(name="appraisal", database=database, metrics=metrics, relay=SimpleNamespace(wake=lambda: None))
    finally:
        await database.close()


async def counts(chassis: Any) -> tuple[int, ...]:
    """Events in, applied, duplicates, dead."""
    async with chassis.database.transaction() as connection:
        query = "SELECT sum(events_in)::int, sum(applied)::int, sum(duplicates)::int, sum(dead)::int FROM consumer_progress"
        return tuple((await connection.execute(text(query))).one())


async def test_a_fact_that_its_own_batch_supersedes_is_counted_once_however_often_the_batch_comes(database: str) -> None:
    batch = [
        record(0, fact("c1", id="f1", revision=1)),
        record(1, fact("c1", id="f2", revision=2, numerator="0")),
        record(2, fact("c2", id="f3")),
    ]
    async with appraisal_on(database) as chassis:
        for times in range(3):
            await ingest.store(chassis, batch)
            assert await counts(chassis) == (3, 3, 0, 0), f"delivered {times + 1} times"
        await ingest.store(chassis, [record(2, fact("c2", id="f3")), record(3, fact("c2", id="f4", revision=2))])
        assert await counts(chassis) == (4, 4, 0, 0), "a known fact came again, with one that supersedes it"
