"""Closing a cycle: 12 indicators and four rater groups, from 1,000 to 10,000 people, on a real PostgreSQL.

People stand in teams of five under supervisors, these under managers, these under one head; each has four facts an indicator and
is rated by everybody whom the organisation gives: superior, peers, subordinates (the scheme's fourth group, customers, is nobody's).
For each size, in a process of its own: seconds, CPU microseconds a person (the process's and PostgreSQL's together, since time on
a shared machine says little), the longest time for which the event loop did not turn, and how much memory the process grew by.
Beside it stands a floor, `grade_period` alone: the same grades from sums in memory, thrown away. At last the largest cycle is
closed again while facts come in, with a second cycle beside it.

Goals: CPU a person at most 1.25 times from the smallest to the largest size; the loop is never held for more than 200 ms.

    python benchmarks/closing.py [--people 1000 2500 5000 10000]
"""

import argparse
import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.ingest import postgres_cpu
from tests.harness import ServiceOnDatabase, as_aiokafka, claim, service_on

from appraisal import fact_store, ingest, jobs
from appraisal.domain.cycle import Cycle, CycleStatus
from appraisal.domain.grade import grade_period
from appraisal.domain.raters import GroupRatings
from appraisal.domain.rating import Rating, Revision
from appraisal.domain.scheme import scheme_from
from appraisal.domain.sections import Measured
from appraisal.fact_store import FactRow, key_of, micros
from appraisal.repository import UnitOfWork
from common.contracts.kpi_facts import KpiRecorded
from common.kernel.parties import Change, Kind
from common.kernel.staff import Member, Staff
from common.runtime import logging
from common.store import parties
from common.store.aggregates import Row
from common.store.database import Database
from devstack import Stack, stack

T = TypeVar("T")
INDICATORS = tuple(f"indicator_{number:02}" for number in range(12))
FACTS = 4
GROUPS = ("superior", "peer", "subordinate", "customer")
FOUNDED = datetime(2026, 1, 1, tzinfo=UTC)
START, AS_OF = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 10, 12, tzinfo=UTC)
LATER = AS_OF + timedelta(days=30)
HELD_AT_MOST = 0.2


def weights() -> Iterator[dict[str, int]]:
    """Equal weights for each set of groups with the superior; what cannot be shared is the superior's."""
    others = GROUPS[1:]
    for chosen in range(2 ** len(others)):
        there = [group for number, group in enumerate(others) if chosen >> number & 1]
        share = 60 // len(there) if there else 0
        yield {"superior": 100 - share * len(there)} | dict.fromkeys(there, share)


SCHEME = scheme_from(
    {
        "id": "benchmark",
        "version": "1",
        "name": {"zh": "基准", "en": "benchmark"},
        "cycle": {"period": "quarter"},
        "scale": {
            "bands": [
                {"grade": "pass", "en": "pass", "from": "60", "to": "100"},
                {"grade": "fail", "en": "fail", "from": "0", "to": "60"},
            ]
        },
        "sections": [
            {
                "id": "results",
                "zh": "业绩",
                "en": "results",
                "weight": "70",
                "indicators": [{"id": name, "weight": "100/12"} for name in INDICATORS],
            },
            {
                "id": "ability",
                "zh": "能力",
                "en": "ability",
                "weight": "30",
                "raters": {"groups": list(GROUPS), "required": "superior", "weights": list(weights())},
            },
        ],
    }
)


def cycle(name: str, as_of: datetime, requested_by: str) -> Cycle:
    """A cycle that has been asked to close and has come to its watermarks."""
    id, marks = f"{name}|{SCHEME.reference}", {"kpi-facts/0": 0}
    return Cycle(id, name, SCHEME.reference, CycleStatus.CLOSING, as_of, for_real=True, requested_by=requested_by, watermarks=marks)


def members(people: int) -> list[Member]:
    """One head, managers with ten supervisors each, supervisors with two teams of five each."""
    supervisors = max(people // 11, 1)

    def one(number: str, level: str, department: int, team: int, superior: str | None) -> Member:
        return Member(number, level, f"d{department}", f"t{team}", superior, level=level)

    found = [one("M0", "manager", 0, 0, None)]
    found += [one(f"M{number}", "manager", number, 0, "M0") for number in range(1, supervisors // 10 + 2)]
    found += [one(f"B{number}", "supervisor", number % 7, 0, f"M{number // 10 + 1}") for number in range(supervisors)]
    for number in range(people - len(found)):
        above = number // 10 % supervisors
        found.append(one(f"S{number}", "specialist", above % 7, number // 5, f"B{above}"))
    return found[:people]


def facts(everybody: Iterable[Member]) -> Iterator[FactRow]:
    """The facts of the quarter."""
    at = micros(START + timedelta(days=20))
    for one in everybody:
        for indicator in INDICATORS:
            for number in range(FACTS):
                case, subject = f"R-{one.employee_id}-{number}", f"employee:{one.employee_id}"
                key, missed = key_of(indicator, case, subject, 0), number == len(one.employee_id) % FACTS
                yield FactRow(
                    key, indicator, case, subject, 0, 1, "0" if missed else "1", "1", at + number, at + number, key.hex(), "a\nb", "", "{}"
                )


def ratings(everybody: Iterable[Member]) -> Iterator[Rating]:
    """One rating of everybody by each of their raters."""
    staff = Staff(tuple(everybody))
    for one in staff.members:
        for raters in staff.raters_of(one).values():
            for rater in raters:
                id = f"2026Q3|{SCHEME.reference}|{one.employee_id}|{rater}"
                revision = Revision(f"r-{id}"[:60], 1, "80.5", START)
                yield Rating(id, "2026Q3", SCHEME.reference, one.employee_id, rater, (revision,))


def lots(found: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many."""
    lot: list[T] = []
    for one in found:
        lot.append(one)
        if len(lot) == size:
            yield lot
            lot = []
    if lot:
        yield lot


async def fill(service: ServiceOnDatabase, people: int) -> None:
    """What appraisal would have stored by the end of the quarter."""
    everybody = members(people)
    for number, part in enumerate(lots(everybody, 2_000), 1):
        picture = Change("hq-1", "hq", Kind.DESCRIBED, FOUNDED, START, tuple(part), part=number, parts=(people - 1) // 2_000 + 1)
        async with service.database.transaction() as connection:
            await parties.save(connection, [picture])
    for rated in lots(ratings(everybody), 2_000):
        async with service.database.transaction() as connection:
            await UnitOfWork.ratings.write(connection, [Row(one, 1) for one in rated], [])
    for rows in lots(facts(everybody), 10_000):
        async with service.database.transaction() as connection:
            await fact_store.merge(connection, rows)
    async with service.database.transaction() as connection:
        await connection.execute(text("ANALYZE ratings, kpi_facts"))  # what autovacuum does within a minute


@dataclass(slots=True)
class Held:
    """How long the event loop did not turn, at the longest, while this process had the CPU: waiting for a shared machine is no work."""

    seconds: float = 0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Looks every five milliseconds while the block runs."""

        async def look() -> None:
            while True:
                before, cpu = time.perf_counter(), time.process_time()
                await asyncio.sleep(0.005)
                self.seconds = max(self.seconds, min(time.perf_counter() - before - 0.005, time.process_time() - cpu))

        task = asyncio.create_task(look())
        try:
            yield
        finally:
            task.cancel()


async def close(service: ServiceOnDatabase, *asked: Cycle) -> float:
    """Closes cycles and returns the seconds that it took."""
    async with service.database.transaction() as connection:
        known = {one.id for one in await service.stored(UnitOfWork.cycles)}
        await UnitOfWork.cycles.write(
            connection, [Row(one, 1) for one in asked if one.id not in known], [Row(one, 1) for one in asked if one.id in known]
        )
    began = time.perf_counter()
    await jobs.close_cycles(service.running)  # type: ignore[arg-type]  # what a job asks of the running service, without Kafka
    return time.perf_counter() - began


async def one_size(url: str, folder: Path, people: int, *, is_last: bool) -> dict[str, Any]:
    """What a close of so many people took."""
    vars(jobs)["scheme_at"] = lambda *_: SCHEME  # no shipped scheme has so many indicators
    server, _, name = url.rpartition("/")
    await Database(f"{server}/postgres", name).create_if_missing()
    async with service_on("appraisal", url) as service:
        await fill(service, people)
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # as the chassis does
        cpu = time.process_time() + postgres_cpu(folder)
        memory, held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, Held()
        async with held.watched():
            seconds = await close(service, cycle("2026Q3", AS_OF, "close-1"))
        cpu = time.process_time() + postgres_cpu(folder) - cpu
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        [graded] = await service.rows("SELECT count(*) AS number FROM grades")
        told = {"people": people, "graded": graded["number"], "seconds": seconds, "cpu": cpu, "held": held.seconds, "grown": grown // 1024}
        return told | {"floor": floor()} | (await beside(service) if is_last else {})


async def beside(service: ServiceOnDatabase) -> dict[str, Any]:
    """The same cycle again, with a later instant, while facts come in and a small cycle is closed too."""
    batches = list(lots((as_aiokafka(service._numbered(record)) for record in more_facts(200_000)), 1_000))
    store: Callable[..., Any] = ingest.store

    async def take(until: Callable[[], bool]) -> tuple[int, float]:
        began, taken = time.perf_counter(), 0
        while batches and not until():
            await store(service.running, batches.pop())
            taken += 1_000
        return taken, time.perf_counter() - began

    alone_until = time.perf_counter() + 1
    alone = await take(lambda: time.perf_counter() > alone_until)
    small = asyncio.create_task(_until_closed(service, "2026Q2"))
    closing = asyncio.create_task(close(service, cycle("2026Q3", LATER, "close-2"), cycle("2026Q2", LATER, "close-3")))
    meanwhile = await take(closing.done)
    return {"alone": alone[0] / alone[1], "meanwhile": meanwhile[0] / meanwhile[1], "again": await closing, "small": await small}


async def _until_closed(service: ServiceOnDatabase, name: str) -> float:
    began = time.perf_counter()
    while True:
        await asyncio.sleep(0.1)
        found = [one for one in await service.stored(UnitOfWork.cycles) if one.cycle == name]
        if found and found[0].status is not CycleStatus.CLOSING:
            return time.perf_counter() - began


def more_facts(number: int) -> Iterator[Any]:
    """Facts that become known after the close."""
    event = KpiRecorded(
        case_id="", indicator=INDICATORS[0], subject="employee:S1", revision=1, numerator="1", denominator="1", source_event_ids=["a", "b"]
    )
    for n in range(number):
        yield claim(event.model_copy(update={"case_id": f"L{n}", "subject": f"employee:S{n % 900}"}), LATER + timedelta(seconds=n))


def floor() -> float:
    """Seconds that the pure computation of one grade takes."""
    measured = {name: Measured(Fraction(3), Fraction(4)) for name in INDICATORS}
    groups = {group: GroupRatings((Fraction(161, 2),) * size, size) for group, size in (("superior", 1), ("peer", 4))}
    began = time.process_time()
    for _ in range(1_000):
        grade_period(SCHEME, measured, groups)
    return (time.process_time() - began) / 1_000


def measured(servers: Stack, people: int, *, is_last: bool) -> dict[str, Any]:
    """One size in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--one",
        str(people),
        "--servers",
        servers.url_of(f"closing_{people}"),
        str(servers.folder),
        *(["--last"] if is_last else []),
    ]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]))


def main() -> None:
    """Runs every size and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[1_000, 2_500, 5_000, 10_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--servers", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--last", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        logging.configure("appraisal", "WARNING")
        print(json.dumps(asyncio.run(one_size(options.servers[0], Path(options.servers[1]), options.one, is_last=options.last))))
        return
    with stack(for_benchmark=True) as servers:
        print(f"{servers.postgres_name}; {len(INDICATORS)} indicators, {FACTS} facts of each a person, groups {', '.join(GROUPS)}")
        print(f"{'people':>7}{'graded':>8}{'seconds':>9}{'CPU µs each':>13}{'floor':>7}{'times':>7}{'held ms':>9}{'grown MB':>10}")
        found = []
        for people in options.people:
            one = measured(servers, people, is_last=people == options.people[-1])
            found.append(one)
            each, least = one["cpu"] / people * 1e6, one["floor"] * 1e6
            print(
                f"{people:>7}{one['graded']:>8}{one['seconds']:>9.2f}{each:>13.0f}{least:>7.0f}{each / least:>7.2f}"
                f"{one['held'] * 1e3:>9.0f}{one['grown']:>10}"
            )
    last = found[-1]
    print(
        f"again, with facts coming in and a second cycle beside it: {last['again']:.2f} s; the second one was closed after"
        f" {last['small']:.2f} s; facts a second: {last['meanwhile']:.0f}, alone {last['alone']:.0f}"
    )
    growth = (last["cpu"] / last["people"]) / (found[0]["cpu"] / found[0]["people"])
    held = max(one["held"] for one in found)
    print(
        f"microseconds a person from {found[0]['people']} to {last['people']} people: × {growth:.2f}; loop held at most {held * 1e3:.0f} ms"
    )
    missed = [name for name, is_missed in (("linear", growth > 1.25), ("loop", held > HELD_AT_MOST)) if is_missed]
    print("goals: " + ("met" if not missed else f"missed: {', '.join(missed)}"))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
