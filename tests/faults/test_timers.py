"""Thousands of deadlines and wake-ups within seconds, while the processes that watch them are killed: each comes once, none early."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.faults.kit import until
from tests.faults.timer_worker import note_that_all_is_read, worker_on
from tests.faults.waking import FOUR, reminding
from tests.harness import ServiceOnDatabase, claim, documents_under, service_on

from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.sla_clocks import SlaClockBreached
from common.kernel.wall_clock import now
from common.runtime.consumer import EventConsumer
from common.runtime.handling import HandlerTable
from common.runtime.metrics import ChassisMetrics
from common.sla.policy import Policy, parse_policy
from common.store import positions, timers
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork

pytestmark = pytest.mark.real

STAGES = ("acknowledged", "verification_started", "verified", "solution_communicated")
SECONDS = 3600
POLICY: Mapping[str, Any] = {
    "policy": "complaints",
    "version": 1,
    "stages": {
        stage: [{"target": {"working_seconds": SECONDS}, "calendar": "24x7", "thresholds": [], "indicators": ["in_time_solution"]}]
        for stage in STAGES
    },
}
_FAR: Mapping[str, Any] = {
    **POLICY,
    "stages": {stage: [{"target": {"working_seconds": 300 * 86400}, "calendar": "24x7", "thresholds": []}] for stage in STAGES},
}
"""No deadline comes near: aggregates are woken, and no clock."""
_TOLD = """
SELECT aggregateid AS id, event_id, created_at AS told_at,
       (SELECT (h ->> 1)::timestamptz FROM json_array_elements(headers) h WHERE h ->> 0 = 'ce_time') AS due_at,
       (SELECT (h ->> 1)::timestamptz FROM json_array_elements(headers) h WHERE h ->> 0 = 'ce_recordedtime') AS fired_at
FROM outbox WHERE type = 'sla_clock.breached'
"""
_WOKEN = _TOLD.replace("sla_clock.breached", "complaint.escalated")


_BLOCKED = "SELECT count(*) AS number FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_MANY = """
INSERT INTO timers (id, kind, aggregate, reason, due_at, state, version, replay_of)
SELECT 'far ' || n, 'clock', 'complaints:F' || n, '', now() + interval '1 day', 'armed', 1, '' FROM generate_series(1, 20000) AS n
"""


@dataclass(slots=True)
class Workers:
    """Two processes that watch, and others that stand by to take the place of one that is killed."""

    command: list[str]
    standing_by: list[subprocess.Popen[str]] = field(default_factory=list)
    watching: list[subprocess.Popen[str]] = field(default_factory=list)

    def stand_by(self) -> None:
        """Starts one more process, which waits to be told to begin."""
        self.standing_by.append(subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def begin(self) -> None:
        """The one that has stood by longest begins."""
        worker = self.standing_by.pop(0)
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        worker.stdin.write("begin\n")
        worker.stdin.flush()
        self.watching.append(worker)

    def kill(self) -> None:
        """kill -9 of the one that has watched longest; another takes its place at once."""
        worker = self.watching.pop(0)
        assert worker.poll() is None, "it ended by itself"
        _end(worker)
        self.begin()


def _end(worker: subprocess.Popen[str]) -> None:
    worker.kill()
    worker.communicate()


@contextmanager
def workers(database: str, folder: Path, spare: int, policy: Mapping[str, Any] = POLICY) -> Iterator[Workers]:
    """Processes on the database at the URL, two of them for now; all are gone when the block ends."""
    server, _, name = database.rpartition("/")
    file = folder / "policy.json"
    file.write_text(json.dumps(policy))
    found = Workers([sys.executable, "-m", "tests.faults.timer_worker", f"{server}/postgres", name, str(file)])
    try:
        for _ in range(2 + spare):
            found.stand_by()
        yield found
    finally:
        for worker in (*found.standing_by, *found.watching):
            _end(worker)


@pytest.fixture
async def complaints(database: str) -> Any:
    """Complaints with four promises of an hour, day and night."""
    async with service_on("complaints", database) as service:
        yield replace(service, consumer=_consumer_of(service, parse_policy(POLICY), HANDLERS))


def _consumer_of(service: ServiceOnDatabase, policy: Policy, handlers: HandlerTable) -> EventConsumer:
    metrics = ChassisMetrics("complaints", "test", policy.stages, CollectorRegistry())
    return EventConsumer("complaints", service.database, handlers, UnitOfWork, documents_under(policy), metrics, lambda: None)


async def _promise(complaints: ServiceOnDatabase, clocks: int, wait: timedelta, seconds: float) -> None:
    """Complaints whose clocks fall due one after the other within so many seconds, the first of them after `wait`."""
    cases, first = clocks // len(STAGES), now() + wait
    due = [first + timedelta(seconds=seconds) * number / cases for number in range(cases)]
    await complaints.apply(
        claim(
            ComplaintLodged(complaint_id=f"T{number}", customer_id="K1", category="noise", region="north", handled_by="E1"),
            at - timedelta(seconds=SECONDS),
        )
        for number, at in enumerate(due)
    )


async def _kill_while_they_fire(
    running: Workers, service: ServiceOnDatabase, number: int, kills: int, fired: str, due: Callable[[], Awaitable[None]]
) -> None:
    """Lets two workers fire what `due` sets, as the query `fired` counts it, and kills one after the other by how far they are."""
    running.begin()  # whoever is ready takes no time when it is needed
    running.begin()
    await due()

    async def have_fired(number: int) -> bool:
        (found,) = await service.rows(fired)
        return bool(found["number"] >= number)

    for share in sorted(Random(number).uniform(0, 0.9) for _ in range(kills)):
        await until(f"{share:.0%} have fired", partial(have_fired, int(share * number)))
        running.kill()
    await until("all have fired", partial(have_fired, number))
    assert [worker.poll() for worker in running.watching] == [None, None]


def _lateness(told: Sequence[Mapping[str, Any]]) -> str:
    late = sorted((row["fired_at"] - row["due_at"]).total_seconds() for row in told)
    return f"late by p50 {late[len(late) // 2]:.3f} s, p99 {late[len(late) * 99 // 100]:.3f} s, at most {late[-1]:.3f} s"


@pytest.mark.proof
async def test_deadlines_are_broken_once_and_never_early_while_workers_are_killed(
    complaints: ServiceOnDatabase, database: str, tmp_path: Path, proof: bool
) -> None:
    clocks, seconds, kills = (5000, 10.0, 10) if proof else (500, 2.0, 2)
    with workers(database, tmp_path, spare=kills) as running:
        # what is promised after its own deadline fires at once: a slow machine meets more of those, and nothing else changes
        promise = partial(_promise, complaints, clocks, timedelta(seconds=2), seconds)
        fired = "SELECT count(*) AS number FROM clocks WHERE outcome = 'breached'"
        await _kill_while_they_fire(running, complaints, clocks, kills, fired, promise)
    told = await complaints.rows(_TOLD)
    wanted = {f"complaints:T{number}:{stage}" for number in range(clocks // len(STAGES)) for stage in STAGES}
    assert Counter(row["id"] for row in told) == Counter(wanted), "a deadline was missed, or fired twice"
    assert not [row for row in told if row["fired_at"] < row["due_at"] or row["told_at"] < row["due_at"]], "a deadline fired early"
    print(f"\n{clocks} deadlines in {seconds:g} s, {kills} × kill -9: {_lateness(told)}")  # noqa: T201 - the lateness is what the test is run for
    assert await complaints.rows("SELECT outcome, count(*) AS number FROM clocks GROUP BY 1") == [{"outcome": "breached", "number": clocks}]
    facts = await complaints.published(KpiRecorded)
    assert len(facts) == clocks


@pytest.mark.proof
async def test_aggregates_are_woken_once_and_never_early_while_workers_are_killed(
    complaints: ServiceOnDatabase, database: str, tmp_path: Path, proof: bool
) -> None:
    wakes, seconds, kills = (5000, 10.0, 10) if proof else (300, 2.0, 2)
    with workers(database, tmp_path, spare=kills, policy=_FAR) as running:
        reminded = replace(complaints, consumer=_consumer_of(complaints, parse_policy(_FAR), reminding(*FOUR)))
        promise = partial(_promise, reminded, wakes, timedelta(seconds=2), seconds)
        fired = "SELECT count(*) AS number FROM timers WHERE kind = 'wake' AND state = 'fired'"
        await _kill_while_they_fire(running, complaints, wakes, kills, fired, promise)
    woken = await complaints.rows(_WOKEN)
    keys = [f"T{number}" for number in range(wakes // len(FOUR))]
    assert Counter(row["id"] for row in woken) == Counter(dict.fromkeys(keys, len(FOUR))), "a wake-up was missed, or took effect twice"
    assert len({row["event_id"] for row in woken}) == wakes, "each has an id of its own, which follows from its reason"
    assert not [row for row in woken if row["fired_at"] < row["due_at"] or row["told_at"] < row["due_at"]], "a wake-up fired early"
    print(f"\n{wakes} wake-ups in {seconds:g} s, {kills} × kill -9: {_lateness(woken)}")  # noqa: T201 - as above
    numbers = await complaints.rows("SELECT sequence, count(*) AS number FROM complaints GROUP BY 1")
    assert numbers == [{"sequence": 1 + len(FOUR), "number": len(keys)}]


async def test_a_round_reads_only_the_timers_that_are_due(complaints: ServiceOnDatabase) -> None:
    async with complaints.database.transaction() as connection:
        await connection.execute(text(_MANY))
    await complaints.let_time_pass()
    limits = {"caught_up": now(), "at_once": 200, "replay_idle": timedelta(0), "stale_after": positions.CAUGHT_UP_STALE_AFTER}
    async with complaints.database.transaction() as connection:
        await connection.execute(text("ANALYZE timers"))
        plan = "\n".join((await connection.execute(text(f"EXPLAIN {timers._DUE.text}"), limits)).scalars())
    assert "Index Cond: (due_at <" in plan, plan


async def test_a_deadline_that_moves_while_a_worker_is_about_to_fire_it_does_not_fire_anew(complaints: ServiceOnDatabase) -> None:
    await _promise(complaints, len(STAGES), timedelta(minutes=-1), 0)
    await note_that_all_is_read(complaints.database)
    worker = worker_on(complaints.database, parse_policy(POLICY))
    async with complaints.database.transaction() as other:
        await other.execute(text("SELECT FROM complaints FOR UPDATE"))
        firing = asyncio.create_task(worker.fire())

        async def waits() -> bool:
            return firing.done() or bool((await complaints.rows(_BLOCKED))[0]["number"])

        await until("the worker has seen what is due, and waits for the complaint", waits)
        await other.execute(text("UPDATE timers SET due_at = now() + interval '1 day', version = version + 1"))
    with suppress(DBAPIError):  # on a very slow machine the worker has stopped waiting: it has fired nothing either
        await firing
    assert await complaints.rows("SELECT DISTINCT state FROM timers") == [{"state": "armed"}]
    assert await complaints.published(SlaClockBreached) == []
