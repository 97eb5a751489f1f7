"""What a claim costs on its way from the claims topic to decisions, clocks and facts, beside the smallest honest peer, in one run.

Ours are the four services as they run anywhere: processes with their inbox, clocks, timers, dead letters, relay and metrics, from the
first claim until nothing is left to do; what they use when there is nothing to do is told apart. The peer is what one writes first: a
session of SQLModel a claim that loads the case, changes it and writes one clock row and one outbox row. It knows no calendar, tells no
duplicate, lets nothing wait, and sends nothing. The figure is CPU time, the Python processes' and PostgreSQL's together, since time on
a shared machine says little; Kafka's is left out, which both use alike. Goals: at most 1.3 ms a claim, and 4 times cheaper than the peer.

    python benchmarks/case_path.py [--claims 20000] [--data ../shared/data]

The claims are those of the Volvo log where it is there, else a simulated quarter's.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from sqlalchemy import Column, DateTime, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlmodel import Field, SQLModel

from common.contracts.topics import EVENTS, SERVICES
from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from devstack import Stack, stack
from ops.platform import Platform
from ops.processes import services
from ops.publishing import Sendable, publish
from ops.replay.mapping import load
from ops.replay.pass_over import Pass
from ops.replay.publishing import records
from ops.replay.table_file import open_table
from ops.simulation.quarter import Plan, simulate

GOAL_MS, GOAL_PEER = 1.3, 4
TOPICS = ("service-request-claims", "work-order-claims", "complaint-claims")
PEER_PART = 10
"""The peer takes every tenth part of the claims: all of them would take all day."""
IDLE_SECONDS = 10
LOOK_SECONDS = 3
"""Each look connects to the four databases, and costs the server as much as some claims do."""
_TICKS = os.sysconf("SC_CLK_TCK")
_SERVER = "the server's own"


class PlainCase(SQLModel, table=True):
    """The peer's case."""

    __tablename__ = "plain_cases"

    id: str = Field(primary_key=True)
    status: str
    steps: int
    changed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class PlainClock(SQLModel, table=True):
    """The peer's clock: one a case, with a deadline that needs no calendar."""

    __tablename__ = "plain_clocks"

    case_id: str = Field(primary_key=True)
    state: str
    deadline: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class PlainOutbox(SQLModel, table=True):
    """What the peer would send."""

    __tablename__ = "plain_outbox"

    id: int | None = Field(default=None, primary_key=True)
    key: str
    type: str
    payload: str


def claims(data: Path, number: int) -> tuple[str, list[Sendable]]:
    """What the claims are, and so many of them."""
    log = data / "volvo_incidents/VINST-new.csv.gz"
    if log.exists():
        replay = Pass(open_table(log), load("volvo"))
        return "the Volvo log", list(islice(records(replay.cases(), replay.origin), number))
    simulated = simulate(Plan(cases=number // 7))
    return "a simulated quarter", list(islice((sent for sent in simulated if sent.topic in TOPICS), number))


async def peer(kafka: str, database_url: str, number: int) -> float:
    """One record a call, one session, one commit; tells the CPU seconds that it took from the first claim to the last."""
    broker = KafkaBroker(kafka, logger=None)
    engine = create_async_engine(f"{database_url.rpartition('/')[0]}/peer".replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    done = asyncio.Event()
    seen, began = 0, 0.0

    @broker.subscriber(*TOPICS, group_id="peer", auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR)
    async def handle(message: KafkaMessage) -> None:
        nonlocal seen, began
        if seen >= number:
            return
        began = began or time.process_time()
        headers = {name: value.decode() for name, value in message.raw_message.headers}  # type: ignore[union-attr]  # one record a call
        event = EVENTS[headers["ce_type"]].model_validate_json(message.body)
        key, at = headers["ce_subject"], datetime.fromisoformat(headers["ce_time"])
        async with AsyncSession(engine) as session:
            case = await session.get(PlainCase, key)
            clock = await session.get(PlainClock, key)
            if case is None or clock is None:
                case, clock = PlainCase(id=key, status="", steps=0, changed_at=at), PlainClock(case_id=key, state="", deadline=at)
            case.status, case.steps, case.changed_at = event.TYPE, case.steps + 1, at
            clock.state, clock.deadline = event.TYPE, at + timedelta(days=1)
            session.add_all([case, clock, PlainOutbox(key=key, type=f"{event.TYPE}.done", payload=event.model_dump_json())])
            await session.commit()
        seen += 1
        if seen >= number:
            done.set()

    await broker.start()
    await done.wait()
    used = time.process_time() - began
    await broker.stop()
    await engine.dispose()
    return used


def run_peer(servers: Stack, number: int) -> float:
    """CPU milliseconds a claim of the peer, in a process of its own."""
    asyncio.run(_create_database(servers.database_url))
    before = sum(postgres_cpu(servers.folder).values())
    command = [sys.executable, __file__, "--peer", servers.kafka, servers.database_url, "--claims", str(number)]
    client = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=900).stdout)
    database = sum(postgres_cpu(servers.folder).values()) - before
    print(f"{'the peer':<14}{client / number * 1000:>10.2f}{database / number * 1000:>10.2f}   {number} claims")
    return (client + database) / number * 1000


async def _create_database(server_url: str) -> None:
    server = create_async_engine(server_url.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT")
    async with server.connect() as connection:
        await connection.execute(text("CREATE DATABASE peer"))
    await server.dispose()


def run_ours(servers: Stack, found: Sequence[Sendable]) -> float:
    """CPU milliseconds a claim of the four services, from when they are ready until nothing is left to do, without what they use idle."""
    with services(servers.kafka, servers.database_url, servers.folder / "services") as running:
        pids = {name: one.process.pid for name, one in running.items() if one.process is not None}
        time.sleep(3)  # what belongs to a start, migrations and the first look at every topic, is over by then
        first = Used.now(pids, servers.folder)
        time.sleep(IDLE_SECONDS)
        before = Used.now(pids, servers.folder)
        platform = Platform(servers.kafka, servers.database_url, SERVICES)
        asyncio.run(publish(platform.settings, found, total=len(found), what="claims"))
        asyncio.run(platform.settled(limit=1800, every=LOOK_SECONDS))
        after = Used.now(pids, servers.folder)
        counts = asyncio.run(platform.counts())
    idle = before.since(first).per_second()
    work = after.since(before).without(idle)
    each = 1000 / len(found)
    print(f"{'CPU ms a claim':<14}{'Python':>10}{'database':>10}")
    for name in SERVICES:
        python, database = work.python[name] * each, work.database.get(name, 0) * each
        print(f"{name:<14}{python:>10.2f}{database:>10.2f}   {counts[name]['published']} events out")
        assert counts[name]["dead_letters"] == 0, counts
    shared = sum(used for name, used in work.database.items() if name not in SERVICES)
    print(f"{'PostgreSQL':<14}{'':>10}{shared * each:>10.2f}   its own processes")
    print(f"{'ours':<14}{sum(work.python.values()) * each:>10.2f}{sum(work.database.values()) * each:>10.2f}   in {work.seconds:.0f} s")
    print(
        f"idle services use {idle.total:.1%} of a core: {idle.total * work.seconds * each:.2f} ms a claim in this time, not counted above"
    )
    return work.total * each


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds by service, in its process and in its database, and the seconds on the clock."""

    python: Mapping[str, float]
    database: Mapping[str, float]
    seconds: float

    @classmethod
    def now(cls, pids: Mapping[str, int], folder: Path) -> "Used":
        """All that was used so far."""
        python = {name: sum(_ticks(pid)[:2]) / _TICKS for name, pid in pids.items()}
        return cls(python, postgres_cpu(folder), time.monotonic())

    def since(self, before: "Used") -> "Used":
        """What was used between two looks."""
        python, database = _less(self.python, before.python), _less(self.database, before.database)
        return Used(python, database, self.seconds - before.seconds)

    def per_second(self) -> "Used":
        """The same for one second."""
        return Used(_times(self.python, 1 / self.seconds), _times(self.database, 1 / self.seconds), 1)

    def without(self, idle: "Used") -> "Used":
        """What is left when so much is taken off for every second."""
        seconds = self.seconds
        return Used(_less(self.python, _times(idle.python, seconds)), _less(self.database, _times(idle.database, seconds)), seconds)

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.python.values()) + sum(self.database.values())


def _less(of: Mapping[str, float], off: Mapping[str, float]) -> dict[str, float]:
    return {name: used - off.get(name, 0) for name, used in of.items()}


def _times(of: Mapping[str, float], factor: float) -> dict[str, float]:
    return {name: used * factor for name, used in of.items()}


def _ticks(pid: int) -> list[int]:
    """CPU of a process in user and kernel mode, then that of its children that have ended."""
    return [int(one) for one in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]]


def postgres_cpu(folder: Path) -> dict[str, float]:
    """CPU seconds of the PostgreSQL server by database; what belongs to none, and processes that have ended, are the server's own."""
    postmaster = int((folder / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0])
    used = {_SERVER: sum(_ticks(postmaster)) / _TICKS}
    for process in _children(postmaster):
        try:
            title, ticks = Path(f"/proc/{process}/cmdline").read_text().split(), _ticks(process)
        except OSError:
            continue  # it ended while we looked
        # a backend is called `postgres: <user> <database> <host>(<port>) …`
        name = title[2] if len(title) > 3 and "(" in title[3] else _SERVER
        used[name] = used.get(name, 0) + sum(ticks[:2]) / _TICKS
    return used


def _children(parent: int) -> Iterable[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                yield int(stat.parent.name)
        except OSError:
            continue


def main() -> None:
    """Runs both and prints what they cost; exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=20_000)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--peer", nargs=2, metavar=("KAFKA", "DATABASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        print(asyncio.run(peer(options.peer[0], options.peer[1], options.claims)))
        return
    what, found = claims(options.data, options.claims)
    with stack(for_benchmark=True) as servers:
        print(f"{servers.kafka_name}, {servers.postgres_name}; {len(found)} claims of {what}")
        asyncio.run(topic_admin.apply(KafkaSettings(servers.kafka, "benchmark")))
        ours = run_ours(servers, found)
        theirs = run_peer(servers, len(found) // PEER_PART)
    print(f"ours {ours:.2f} ms a claim, the peer {theirs:.2f} ms: {theirs / ours:.2f} times ours")
    met = ours <= GOAL_MS and theirs / ours >= GOAL_PEER
    print(f"goals, at most {GOAL_MS} ms a claim and {GOAL_PEER} times cheaper than the peer: {'met' if met else 'missed'}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
