"""Voids, extensions and excused windows while replicas are killed: all that is said is what a calm run says, to the id."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from tests.faults.decisions import first_of_each, read_topic
from tests.faults.kit import Base, Wire, base_of, ends, send, settled, until
from tests.harness import ServiceOnDatabase, activated, claim, id_of, read_documents_up_to, service_on

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    ComplaintPromiseExtended,
    ComplaintPromiseRestarted,
    ComplaintPromisesVoided,
    SolutionFound,
    SolutionTold,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.envelope import Record
from common.contracts.event import Event
from common.contracts.sla_clocks import (
    SlaClockBreached,
    SlaClockCorrected,
    SlaClockExtended,
    SlaClockExtensionRefused,
    SlaClockMet,
    SlaClockRestarted,
    SlaClockRestartRefused,
    SlaClockVoided,
)
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.kernel.wall_clock import now
from common.sla.policy import shipped_document
from common.store import clock_outcomes, clocks, migrations, timers
from common.store.database import Database
from devstack import Stack
from ops.processes import ServiceProcess

SOLUTION = "solution_communicated"
READS = ("reference-documents", "complaint-claims")
TOPICS = ("complaints", "sla-clocks", "kpi-facts")
BEGIN = now() - timedelta(days=25)
"""All is over by now, and lately enough for the ratio that operations watch."""
DAY = timedelta(days=1)
_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_READ = "SELECT coalesce(sum(next_offset), 0)::int FROM consumer_progress WHERE topic = ANY($1)"
_HELD_BACK = "SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM parked) + (SELECT count(*) FROM dead_letters)"
_OUTCOMES = "SELECT outcome, unexcused, count(*) AS number FROM clock_outcomes WHERE stage = :stage GROUP BY 1, 2"

Phase = Sequence[Record]


class Story(NamedTuple):
    """When the solution is told, on which days the promise of three days is made five or begins anew, when it is voided, and if it was
    owed: each at first, and then what becomes known late."""

    solved: float | None = None
    extended: tuple[float, ...] = ()
    restarted: tuple[float, ...] = ()
    voided: float | None = None
    late_solved: float | None = None
    late_extended: float | None = None
    late_restarted: float | None = None
    late_voided: float | None = None
    owed: bool = True


STORIES = (
    Story(solved=2),
    Story(solved=4),
    Story(late_voided=4, owed=False),
    Story(solved=2, voided=1),
    Story(solved=4.5, extended=(2,)),
    Story(solved=4, extended=(3.5,)),
    Story(solved=4, late_extended=2),
    Story(solved=2, late_voided=1),
    Story(late_solved=2.5),
    Story(late_voided=5),
    Story(extended=(1, 2), late_voided=4),
    Story(extended=(1,), late_solved=4.75),
    Story(late_extended=2.5),
    Story(solved=4, restarted=(2,)),
    Story(solved=2, restarted=(2.5,)),
    Story(late_solved=4, restarted=(3.5,)),
    Story(solved=4, extended=(1,), restarted=(2, 3, 3.5)),
    Story(solved=4.5, late_restarted=2.5),
    Story(late_voided=2, restarted=(1, 3)),
)


def policy() -> Record:
    """Promises that end on whatever days this runs: around the clock, and the solution's may be extended once."""
    rule: dict[str, Any] = {"target": {"working_seconds": 86_400}, "calendar": "24x7"}
    document = shipped_document("complaints") | {"version": 2}
    document["stages"] = {stage: [rule] for stage in document["stages"]}
    solution = rule | {"target": _days(3), "indicators": ["in_time_solution", "complaint_handling"]}
    document["stages"][SOLUTION] = [solution | {"extensions": {"at_most": 1, "up_to": _days(5)}, "restarts": 2}]
    return claim(activated("sla-policy", "complaints", 2, document, BEGIN), BEGIN)


def _days(number: int) -> dict[str, Any]:
    return {"working_seconds": number * 86_400}


def window(name: str, version: int, region: str, last: float, *, withdrawn: bool = False) -> Record:
    """No time counts in a region from two days after the beginning on."""
    body = {"from": (BEGIN + 2 * DAY).isoformat(), "to": (BEGIN + last * DAY).isoformat(), "reason": name, "where": {"region": region}}
    control: dict[str, Any] = {"status": "in_force", "author": "E7", "approver": "E8", "approved_on": date(2026, 1, 5)}
    known = BEGIN + (10 + version) * DAY
    return claim(activated("excused-windows", name, version, body | {"withdrawn": withdrawn}, known, **control), known)


def told(case: str, number: int) -> tuple[list[Record], list[Record]]:
    """What is said of one complaint at first, and the one thing of it that becomes known late."""
    story, begin = STORIES[number % len(STORIES)], BEGIN + timedelta(minutes=37 * (number % 60))
    region = ("north", "south")[number // len(STORIES) % 2]

    def when(days: float) -> datetime:
        return begin + days * DAY

    def solved(days: float) -> Record:
        return claim(SolutionTold(complaint_id=case, by="E1"), when(days))

    def extended(days: float) -> Record:
        event = ComplaintPromiseExtended(complaint_id=case, stage=SOLUTION, target=_days(5), reason="part on order", by="E9")
        return claim(event, when(days))

    def restarted(days: float) -> Record:
        return claim(ComplaintPromiseRestarted(complaint_id=case, stage=SOLUTION, reason="next_update", by="E9"), when(days))

    def voided(days: float) -> Record:
        return claim(ComplaintPromisesVoided(complaint_id=case, stages=(SOLUTION,), reason="merged", owed=story.owed, by="E9"), when(days))

    first = [
        claim(ComplaintLodged(complaint_id=case, customer_id="K1", category="noise", region=region, handled_by="E1"), begin),
        claim(ComplainantTold(complaint_id=case, by="E1"), when(0.1)),
        claim(VerificationBegun(complaint_id=case, by="E1"), when(0.2)),
        claim(VerificationEnded(complaint_id=case, justified=True, by="E1"), when(0.3)),
        claim(SolutionFound(complaint_id=case, remedy="repair", by="E1"), when(0.4)),
        *map(extended, story.extended),
        *map(restarted, story.restarted),
        *[voided(days) for days in (story.voided,) if days is not None],
        *[solved(days) for days in (story.solved,) if days is not None],
    ]
    said_late = (
        (solved, story.late_solved),
        (extended, story.late_extended),
        (restarted, story.late_restarted),
        (voided, story.late_voided),
    )
    return first, [say(days) for say, days in said_late if days is not None]


def phases(cases: int) -> list[Phase]:
    """What becomes known one after the other, some of it twice: claims, windows, claims of long ago, and other versions of the windows.

    Of a clock each phase tells one thing, or all before anything of it is known: so it is the same at whichever moment time passes.
    """
    both = [told(f"C{number}", number) for number in range(cases)]
    first, late = ([record for of_one in both for record in of_one[place]] for place in (0, 1))
    windows = [window("typhoon", 1, "south", 4), window("outage", 1, "north", 2.5)]
    others = [window("typhoon", 2, "south", 3.25), window("outage", 2, "north", 2.5, withdrawn=True)]
    return [[policy(), *first, *first[::4]], [*windows, *windows], [*late, *late[::4]], others]


async def calm(service: ServiceOnDatabase, told: Sequence[Phase]) -> None:
    """The service takes one phase after the other, and time passes after each; the policy stood on its topic before the service began."""
    (rules, *first), *later = told
    await read_documents_up_to(service.database, 1)
    await service.apply([rules])
    await read_documents_up_to(service.database, 1)
    for phase in (first, *later):
        await service.apply(phase)
        await service.let_time_pass()


def said(records: Iterable[Record]) -> dict[str, tuple[str, str, bytes | None]]:
    """What stands on a topic, by the id of its event: type, key and data."""
    headers = [(record, dict(record.headers)) for record in records]
    return {id_of(record): ((of["ce_type"] or b"").decode(), (record.key or b"").decode(), record.value) for record, of in headers}


class Killing:
    """Two replicas of complaints, which are killed in the midst of a transaction."""

    def __init__(self, stack: Stack, base: Base, database: Database, replicas: Sequence[ServiceProcess], dice: Random) -> None:
        self.stack, self.base, self.database, self.replicas, self.dice = stack, base, database, replicas, dice
        self.done = 0

    async def through(self, phase: Phase, kills: int, *, most: int) -> None:
        """Sends a phase, kills so many times up to `most` replicas at once, as long as there is work; returns when all has come to rest."""
        async with self._nobody_writes():
            await send(self.stack, [Wire(record.topic, record.key, record.value, record.headers) for record in phase])
            sent = sum([sum((await ends(self.stack, topic)).values()) for topic in READS])
            for replica in self.replicas:
                if replica.process is None:  # the first phase is all there before anybody looks how far there is to read
                    replica.start()
            if kills:
                await self._kill(most, sent)
        for _ in range(kills - 1):
            await asyncio.sleep(self.dice.uniform(0, 2))
            async with self._nobody_writes():
                await self._kill(most, sent)
        await settled(self.stack, self.base, READS)
        await until("no deadline is due, and every clock knows the newest rules", lambda: self._is_at_rest(sent))
        await settled(self.stack, self.base, READS)

    @asynccontextmanager
    async def _nobody_writes(self) -> AsyncIterator[None]:
        """Nobody can add to a ledger: whoever wants to stays in the midst of its transaction."""
        async with base_of(self.stack, "complaints") as other:  # the end of its connection is the end of its lock
            await other.run("BEGIN")
            await other.run("LOCK TABLE clock_events IN SHARE MODE")
            yield

    async def _kill(self, most: int, sent: int) -> None:
        async def somebody_is_stuck() -> bool:
            return bool(await self.base.one(_BLOCKED)) or await self._is_at_rest(sent)

        await until("somebody is in the midst of a transaction, or nothing is left to do", somebody_is_stuck)
        if await self.base.one(_BLOCKED):
            for victim in self.dice.sample(self.replicas, self.dice.randint(1, most)):
                victim.kill()
                victim.start()
                self.done += 1

    async def _is_at_rest(self, sent: int) -> bool:
        async with self.database.reading() as connection:
            revision = await self.base.one("SELECT coalesce(max(rule_number), 0) FROM documents")
            due = (await timers.overdue(connection)).not_parked
            return not due and await self.base.one(_READ, READS) >= sent and not await clocks.stale(connection, revision)


@contextmanager
def replicas(stack: Stack, folder: Path) -> Iterator[list[ServiceProcess]]:
    """Two replicas of complaints that somebody starts; stopped when the block ends."""
    made = [ServiceProcess("complaints", stack.kafka, stack.database_url, folder, replica=number) for number in range(2)]
    try:
        yield made
    finally:
        for one in made:
            one.stop()


@pytest.mark.real
@pytest.mark.proof
async def test_what_replicas_say_while_they_are_killed_is_what_a_calm_run_says(fresh_stack: Stack, tmp_path: Path, proof: bool) -> None:
    cases, kills = (650, (4, 4, 4, 4)) if proof else (2 * len(STORIES), (1, 1, 0, 0))
    told, dice = phases(cases), Random(cases)
    async with base_of(fresh_stack, "postgres") as server:
        for name in ("calm", "shuffled"):
            await server.run(f'CREATE DATABASE "{name}"')
    async with service_on("complaints", fresh_stack.url_of("calm")) as undisturbed:
        await calm(undisturbed, told)
        wanted = {topic: said(await undisturbed.decisions_on(topic)) for topic in TOPICS}
        outcomes = {(row["outcome"], row["unexcused"]): row["number"] for row in await undisturbed.rows(_OUTCOMES, stage=SOLUTION)}
    assert {outcome for outcome, _ in outcomes} == {"met", "breached", "void", "superseded"}
    assert outcomes["met", "breached"] > 0, "windows decide about some"
    kinds: set[type[Event]] = {SlaClockMet, SlaClockBreached, SlaClockCorrected, SlaClockVoided}
    kinds |= {SlaClockExtended, SlaClockExtensionRefused, SlaClockRestarted, SlaClockRestartRefused}
    assert {type for type, _, _ in wanted["sla-clocks"].values()} > {kind.TYPE for kind in kinds}

    await topic_admin.apply(KafkaSettings(fresh_stack.kafka, "tests"))
    database = Database(fresh_stack.database_url, "complaints")
    await database.create_if_missing()
    await migrations.upgrade(database)
    with replicas(fresh_stack, tmp_path) as both:
        async with base_of(fresh_stack, "complaints") as base:
            killing = Killing(fresh_stack, base, database, both, dice)
            for phase, number in zip(told, kills, strict=True):
                await killing.through(phase, number, most=2 if proof else 1)
            assert await base.one(_HELD_BACK) == 0
            taken = {row["id"] for row in await base.rows("SELECT id FROM inbox WHERE source = '/tests'")}
    ids = {id_of(record) for phase in told for record in phase}
    text = f"{len(ids)} claims and documents, {killing.done} × kill -9; {dict(outcomes)}"
    print(f"\n{text}")  # noqa: T201 - the counts are what the proof is for
    assert taken == ids, text
    for topic in TOPICS:
        found = {one.id: (one.type, one.key, one.value) for one in first_of_each(await read_topic(fresh_stack.kafka, topic))}
        assert found == wanted[topic], f"{text}; {topic}: {differences(wanted[topic], found)}"

    (rules, *first), *late = told
    shuffled = [record for phase in (first, *late) for record in phase]
    dice.shuffle(shuffled)
    async with (
        service_on("complaints", fresh_stack.url_of("shuffled")) as other,
        service_on("complaints", fresh_stack.url_of("complaints")) as killed,
    ):
        await calm(other, [[rules, *shuffled[::2]], shuffled])
        assert await lasting(killed, cases) == await lasting(other, cases), text


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    lost, more = [wanted[id] for id in wanted.keys() - found.keys()], [found[id] for id in found.keys() - wanted.keys()]
    others = [(wanted[id], found[id]) for id in wanted.keys() & found.keys() if wanted[id] != found[id]]
    return f"{len(lost)} lost {lost[:3]}, {len(more)} more {more[:3]}, {len(others)} others {others[:3]}"


async def lasting(service: ServiceOnDatabase, cases: int) -> tuple[dict[tuple[str, str], float], dict[str, Any]]:
    """The ratio of promises that were kept, and clocks and facts of each case, as they must be in the end.

    Without facts that were taken back as 0 of 0, which some orders never tell.
    """
    ends = await service.ends(f"C{number}" for number in range(cases))
    for end in ends.values():
        end["facts"] = {place: fact for place, fact in end["facts"].items() if fact[1] != "0"}
    async with service.database.transaction() as connection:
        ratio = await clock_outcomes.compliance(connection)
    assert (SOLUTION, "30d") in ratio
    return ratio, ends
