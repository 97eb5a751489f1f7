"""Deadlines a second beside two peers, and all open clocks of a service derived anew after a calendar change.

Peers of a single call: stepping from day to day with the same calendar (what one writes first), and numpy.busday_offset (dates
only: it has no hours and no make-up days, so it names another day around those). Goal: at least five times as many deadlines
a second as day stepping, for targets of working time as the ledger counts them. The second part changes the calendar under
open clocks on a real PostgreSQL and lets the service's own timer worker derive each anew, from the database to the outbox.

    python benchmarks/working_time.py [--deadlines 20000] [--clocks 100000]
"""

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import numpy as np
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.documents import DocumentActivated
from common.contracts.envelope import Record, encode
from common.contracts.event import Envelope, Event
from common.contracts.topics import consumed_by, topic_of
from common.kernel.calendars import built_in
from common.kernel.instants import to_micros
from common.kernel.wall_clock import now
from common.kernel.working_time import Calendar
from common.kernel.zones import zone_named
from common.runtime.consumer import EventConsumer
from common.runtime.metrics import ChassisMetrics
from common.runtime.timers import TimerWorker
from common.sla.policy import load_policy
from common.store import migrations, positions
from common.store.database import Database
from common.store.documents import DocumentsCache
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork
from devstack import stack

GOAL = 5
HOURS = (2, 4, 8, 18, 27, 45, 90)
DAYS = (1, 2, 3, 5, 10)
MICROSECOND = timedelta(microseconds=1)
CLOCKS_OF_ONE = 4
NAMED = {"complaints": ("id",), "clocks": ("id", "aggregate"), "clock_events": ("clock_id",), "timers": ("id", "aggregate")}
"""Where a complaint's id stands in the database."""
_PLACES = [(topic.name, partition) for topic in consumed_by("complaints") for partition in range(topic.partitions)]


class DayStepping:
    """Working time as one writes it first, right in every zone: a day, its hours, how much of them is left, the next day."""

    def __init__(self, calendar: Calendar) -> None:
        self.zone = zone_named(calendar.time_zone)
        self.closed = calendar.closed_dates
        self.week = [tuple((_wall(hours.start), _wall(hours.end)) for hours in day) for day in calendar.weekly_hours]
        self.special = dict.fromkeys(calendar.make_up_days, self.week[0])

    def hours_on(self, day: date) -> tuple[tuple[clock_time, clock_time], ...]:
        """The ranges of a date: make-up days before closed dates before the week."""
        if day in self.special:
            return self.special[day]
        return () if day in self.closed else self.week[day.weekday()]

    def after_time(self, start: datetime, left: timedelta) -> datetime:
        """The instant after so much working time."""
        day = start.astimezone(self.zone).date()
        while True:
            for opens, closes in self.hours_on(day):
                begin = max(start, datetime.combine(day, opens, self.zone).astimezone(UTC))
                end = datetime.combine(day, closes, self.zone).astimezone(UTC)
                if end - begin >= left:
                    return begin + left
                if end > begin:
                    left -= end - begin
            day += timedelta(days=1)

    def after_days(self, start: datetime, days: int) -> datetime:
        """The end of the n-th working day after the day of the start."""
        day = start.astimezone(self.zone).date()
        while days:
            day += timedelta(days=1)
            days -= bool(self.hours_on(day))
        return datetime.combine(day, self.hours_on(day)[-1][1], self.zone)


def _wall(seconds: int) -> clock_time:
    return clock_time(seconds // 3600 % 24, seconds // 60 % 60)


class Asked(NamedTuple):
    """What is called, with which questions, and how many deadlines a call finds."""

    call: Callable[[Any, Any], object]
    questions: Sequence[tuple[Any, Any]]
    each: int = 1


def rates(calls: Mapping[str, Asked]) -> dict[str, float]:
    """Calls a second of CPU time, each the best of seven rounds in turns: on a shared machine the wall clock says little."""
    best = dict.fromkeys(calls, 0.0)
    for _ in range(7):
        for name, asked in calls.items():
            began, call = time.process_time(), asked.call
            for start, amount in asked.questions:
                call(start, amount)
            best[name] = max(best[name], len(asked.questions) * asked.each / (time.process_time() - began))
    return best


def compare(number: int) -> bool:
    """Prints the rates of all peers on the same questions; whether the goal is met."""
    calendar, dice = built_in("cn"), random.Random(1)
    stepping = DayStepping(calendar)
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    starts = [begin + timedelta(seconds=dice.randrange(2 * 365 * 86400)) for _ in range(number)]
    times = [(start, timedelta(hours=dice.choice(HOURS))) for start in starts]
    days = [(start, dice.choice(DAYS)) for start in starts]
    assert all(calendar.after_working_time(*one) == stepping.after_time(*one) for one in times), "the two count differently"
    assert all(calendar.after_working_days(*one) == stepping.after_days(*one) for one in days), "the two count differently"
    whole = [(to_micros(start), amount // MICROSECOND) for start, amount in times]
    print(f"a call each, calendar cn; working time of {', '.join(map(str, HOURS))} h")
    ratio = _table(
        {
            "ours, as the ledger calls it": Asked(calendar.timeline.add, whole),
            "ours, datetimes with their zone": Asked(calendar.after_working_time, times),
            "day stepping": Asked(stepping.after_time, times),
        }
    )
    print(f"working days of {', '.join(map(str, DAYS))}")
    _table(
        {
            "ours, as the ledger calls it": Asked(calendar.end_of_working_day, [(to_micros(start), count) for start, count in days]),
            "ours, datetimes with their zone": Asked(calendar.after_working_days, days),
            "day stepping": Asked(stepping.after_days, days),
            **_numpy(calendar, days),
        }
    )
    print(f"goal: {GOAL} × day stepping for working time: {'met' if ratio >= GOAL else 'missed'} ({ratio:.1f})")
    return ratio >= GOAL


def _table(calls: Mapping[str, Asked]) -> float:
    """Prints the rates beside the first; how many times day stepping that is."""
    found_rates = rates(calls)
    first = next(iter(found_rates.values()))
    print(f"  {'':<34}{'deadlines/s':>14}{'the first is so many times':>30}")
    for name, found in found_rates.items():
        print(f"  {name:<34}{found:>14,.0f}{first / found:>30.2f}")
    return first / found_rates["day stepping"]


def _numpy(calendar: Calendar, days: Sequence[tuple[datetime, int]]) -> dict[str, Asked]:
    """The same for numpy, which knows dates alone; its name says how often it finds another day than the statutory one."""
    known = np.busdaycalendar(holidays=sorted(calendar.closed_dates))
    dates = [(np.datetime64(start.astimezone(calendar.zone).date()), count) for start, count in days]
    starts, counts = np.array([start for start, _ in dates]), np.array([count for _, count in dates])
    found = np.busday_offset(starts, counts, roll="backward", busdaycal=known)
    ours = [np.datetime64(calendar.after_working_days(*one).date()) for one in days]
    wrong = sum(bool(a != b) for a, b in zip(ours, found, strict=True))

    def offset(start: Any, count: Any) -> object:
        return np.busday_offset(start, count, roll="backward", busdaycal=known)

    name = f"numpy, {wrong / len(days):.0%} on another day"
    return {name: Asked(offset, dates), "numpy, the same in one array": Asked(offset, [(starts, counts)], len(days))}


def rederive(clocks: int) -> None:
    """Prints what it takes to derive so many open clocks anew, in a process of its own."""
    with stack(for_benchmark=True) as servers:
        asyncio.run(_prepare(servers.database_url, clocks // CLOCKS_OF_ONE))
        command = [sys.executable, str(Path(__file__)), "--worker", servers.database_url]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert told["moved"] == clocks, told
        print(f"\n{servers.postgres_name}: {clocks:,} open clocks derived anew after a calendar change, from the database to the outbox:")
        print(f"{told['seconds']:.1f} s ({clocks / told['seconds']:,.0f} clocks/s), {told['cpu']:.1f} s CPU in Python, ", end="")
        print(f"{told['first']} MiB before and {told['peak']} MiB at its peak")


def _record(event: Event, at: datetime) -> Record:
    topic = topic_of(type(event))
    key = topic.key_of(event)
    value, headers = encode(event, Envelope(f"{event.TYPE}-{key}", "/benchmark", event.TYPE, key, at, at), key=key)
    return Record(topic.name, 0, 0, key.encode(), value, tuple(headers), at)


async def _prepare(server_url: str, cases: int) -> None:
    """A complaint of a minute ago by way of the service's consumer, copied so many times; then a calendar that moves them all."""
    database = Database(server_url, "complaints")
    await database.create_if_missing()
    await migrations.upgrade(database)
    policy = load_policy("complaints")
    metrics = ChassisMetrics("complaints", "benchmark", policy.stages, CollectorRegistry())
    consumer = EventConsumer("complaints", database, HANDLERS, UnitOfWork, DocumentsCache("complaints"), metrics, lambda: None)
    await _look(database)
    lodged = ComplaintLodged(complaint_id="TEMPLATE", customer_id="K1", category="noise", region="north", handled_by="E1")
    await consumer.consume([_record(lodged, now() - timedelta(minutes=1))])
    connection = await asyncpg.connect(f"{server_url.rpartition('/')[0]}/complaints")
    try:
        for table, columns in NAMED.items():
            await _copy(connection, table, columns, cases - 1)
        await connection.execute("TRUNCATE outbox")
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    await consumer.consume([_record(_calendar(), now())])
    await database.close()


async def _look(database: Database) -> None:
    """All partitions are read to their ends."""
    async with database.transaction() as connection:
        at = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        await positions.note_lag(connection, dict.fromkeys(_PLACES, 0), at)


async def _copy(connection: asyncpg.Connection, table: str, columns: Sequence[str], number: int) -> None:
    """The rows of the template, so many times under other names."""
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = $1"
    names = [row["column_name"] for row in await connection.fetch(query, table)]
    values = [f"replace(\"{name}\", 'TEMPLATE', 'B' || n)" if name in columns else f'"{name}"' for name in names]
    listed = ", ".join(f'"{name}"' for name in names)
    await connection.execute(
        f"INSERT INTO {table} ({listed}) SELECT {', '.join(values)} FROM {table}, generate_series(1, {number}) AS n", timeout=600
    )


def _calendar() -> DocumentActivated:
    """The calendar "cn" with the coming fortnight closed, so that every open deadline moves."""
    document = built_in("cn").to_json()
    coming = [(now() + timedelta(days=ahead)).date().isoformat() for ahead in range(-1, 15)]
    document["closed_dates"] = sorted({*document["closed_dates"], *coming})
    document["make_up_days"] = [day for day in document["make_up_days"] if day not in coming]
    return DocumentActivated(document="calendar/cn@1", kind="calendar", name="cn", version=1, effective_at=now(), body=document)


async def _work(server_url: str) -> None:
    """The worker's own process: rounds until no clock is left, and what they took."""
    database = Database(server_url, "complaints")
    policy = load_policy("complaints")
    worker = TimerWorker(
        "complaints",
        database,
        HANDLERS,
        UnitOfWork,
        DocumentsCache("complaints"),
        ChassisMetrics("complaints", "benchmark", policy.stages, CollectorRegistry()),
        is_leader=lambda: True,
        wake=lambda: None,
        partitions=len(_PLACES),
        max_lag_wait=timedelta(minutes=15),
        replay_idle=timedelta(0),
    )
    await _look(database)
    first, cpu, began = _peak(), time.process_time(), time.monotonic()
    while await worker.fire():
        pass
    seconds, used = time.monotonic() - began, time.process_time() - cpu
    async with database.transaction() as connection:
        moved = (await connection.execute(text("SELECT count(*) FROM outbox WHERE type = 'sla_clock.rederived'"))).scalar_one()
    await database.close()
    print(json.dumps({"seconds": seconds, "cpu": used, "first": first, "peak": _peak(), "moved": moved}))


def _peak() -> int:
    """The most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Runs both parts; exit 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deadlines", type=int, default=20_000)
    parser.add_argument("--clocks", type=int, default=100_000)
    parser.add_argument("--worker", metavar="URL")
    options = parser.parse_args()
    if options.worker:
        asyncio.run(_work(options.worker))
        return
    met = compare(options.deadlines)
    if options.clocks:
        rederive(options.clocks // CLOCKS_OF_ONE * CLOCKS_OF_ONE)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
