"""One replica's timers in a process of its own, for the tests that kill it: it notes that it has caught up, and fires.

    python -m tests.faults.timer_worker SERVER_URL DATABASE POLICY.json

It prints a line when it is ready and begins when it reads one. There is no Kafka: its partitions end where its database says
that they were read to.
"""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import text
from tests.faults.waking import FOUR, reminding
from tests.harness import documents_under

from common.contracts.topics import consumed_by
from common.runtime.handling import HandlerTable
from common.runtime.metrics import ChassisMetrics
from common.runtime.timers import TimerWorker
from common.sla.policy import Policy, parse_policy
from common.store import positions
from common.store.database import Database, kind_of
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork

PLACES = [(topic.name, partition) for topic in consumed_by("complaints") for partition in range(topic.partitions)]
_READ_TO = text("SELECT topic, partition, next_offset FROM consumer_progress")


def worker_on(
    database: Database,
    policy: Policy,
    *,
    handlers: HandlerTable = HANDLERS,
    replay_idle: timedelta = timedelta(0),
    metrics: ChassisMetrics | None = None,
) -> TimerWorker:
    """The timers of complaints as the chassis makes them; every replica scans, so that only the fence keeps them apart."""
    return TimerWorker(
        "complaints",
        database,
        handlers,
        UnitOfWork,
        documents_under(policy),
        metrics or ChassisMetrics("complaints", "test", policy.stages, CollectorRegistry()),
        is_leader=lambda: True,
        wake=lambda: None,
        partitions=len(PLACES),
        max_lag_wait=timedelta(minutes=15),
        replay_idle=replay_idle,
    )


async def note_that_all_is_read(database: Database) -> None:
    """What the chassis does twice a second: the database's time first, then how far everything was read."""
    async with database.transaction() as connection:
        at = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        read = {(row.topic, row.partition): row.next_offset for row in await connection.execute(_READ_TO)}
        await positions.note_lag(connection, {place: read.get(place, 0) for place in PLACES}, at)


async def _note_for_ever(database: Database) -> None:
    while True:
        try:
            await note_that_all_is_read(database)
        except Exception as error:  # as the chassis does: on a slow machine a batch holds the positions for longer than a look waits
            if kind_of(error) == "defect":
                raise
        await asyncio.sleep(0.5)


async def _work(server_url: str, name: str, policy: Policy) -> None:
    database = Database(server_url, name)
    await database.ping()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(_note_for_ever(database), worker_on(database, policy, handlers=reminding(*FOUR)).run())


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], sys.argv[2], parse_policy(json.loads(Path(sys.argv[3]).read_text()))))
