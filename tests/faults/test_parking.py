"""A defect of ours parks its aggregate: later events queue behind it in order, others run on, a redrive replays them once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from tests.faults.kit import (
    A_MINUTE_AGO,
    Base,
    Counts,
    Wire,
    base_of,
    claim,
    complaints_here,
    failing,
    keys_of_partition,
    lodged,
    send,
    settled,
    until,
)
from tests.harness import ServiceOnDatabase, documents_under, service_on

from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.envelope import Record
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.kernel.wall_clock import now
from common.runtime.consumer import STOP_AFTER, EventConsumer
from common.runtime.handling import Handler
from common.runtime.metrics import ChassisMetrics
from common.sla.policy import load_policy
from common.store import parked, positions
from complaints.repository import UnitOfWork
from devstack import Stack

TOPIC = "complaint-claims"
STEPS = ("complainant_told", "verification_begun", "verification_ended", "solution_found", "solution_told")
DECIDED = (
    "complaint.received",
    "complaint.acknowledged",
    "complaint.verification_started",
    "complaint.verified",
    "complaint.solution_proposed",
    "complaint.solution_communicated",
)
LONG_AGO = now() - timedelta(days=90)


@dataclass(slots=True)
class Defect:
    """What the handlers of this test raise on, until the `deploy` that mends it."""

    keys: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)

    def __call__(self, event: Any) -> bool:
        return event.complaint_id in self.keys and (not self.types or event.TYPE in self.types)

    def mend(self) -> None:
        self.keys.clear()


def steps(key: str, at: Any = A_MINUTE_AGO) -> list[Wire]:
    """All claims about one complaint, in their order."""
    extra: dict[str, dict[str, Any]] = {"verification_ended": {"justified": True}, "solution_found": {"remedy": "repair"}}
    later = [
        claim(f"complaint.{step}", key, id=f"{key}-{step}", at=at + timedelta(seconds=number), by="E1", **extra.get(step, {}))
        for number, step in enumerate(STEPS, 1)
    ]
    return [lodged(key, at=at), *later]


def mixed(*cases: list[Wire]) -> list[Wire]:
    """The claims of several complaints, turn by turn."""
    return [wire for turn in zip(*cases, strict=True) for wire in turn]


def record(wire: Wire) -> Record:
    return Record(wire.topic, 0, 0, wire.key, wire.value, wire.headers, now())


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What was logged; without it each defect would be painted with all its locals, which takes longer than a transaction may."""
    with structlog.testing.capture_logs() as found:
        yield found


@pytest.fixture
def defect() -> Defect:
    return Defect()


@pytest.fixture
async def complaints(database: str, defect: Defect) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as found:
        policy = load_policy("complaints")
        metrics = ChassisMetrics("complaints", "test", policy.stages, CollectorRegistry())
        handlers = failing(defect)
        found.consumer = EventConsumer("complaints", found.database, handlers, UnitOfWork, documents_under(policy), metrics, lambda: None)
        yield found


async def decided(service: ServiceOnDatabase, key: str) -> tuple[str, ...]:
    query = "SELECT type FROM outbox WHERE aggregatetype = 'complaints' AND aggregateid = :key ORDER BY id"
    return tuple(row["type"] for row in await service.rows(query, key=key))


async def queued(service: ServiceOnDatabase) -> list[str]:
    return [row["event_id"] for row in await service.rows("SELECT event_id FROM parked ORDER BY id")]


async def counted(service: ServiceOnDatabase) -> Counts:
    columns = ", ".join(f"sum({name})::int AS {name}" for name in ("events_in", "applied", "duplicates", "dead"))
    (row,) = await service.rows(f"SELECT {columns} FROM consumer_progress")
    return Counts(**row)


@pytest.mark.real
@pytest.mark.parametrize("at_once", [1, 200], ids=["one by one", "in one batch"])
async def test_a_defect_parks_its_aggregate_and_nothing_else(complaints: ServiceOnDatabase, defect: Defect, at_once: int) -> None:
    defect.keys, defect.types = {"P1"}, {"complaint.verification_begun"}
    wires = mixed(steps("P1"), steps("P2"), steps("P3"))
    await complaints.apply(map(record, wires), at_once=at_once)
    assert await decided(complaints, "P2") == await decided(complaints, "P3") == DECIDED
    assert await decided(complaints, "P1") == DECIDED[:2]
    assert await queued(complaints) == [f"P1-{step}" for step in STEPS[1:]]
    assert await complaints.rows("SELECT aggregate, reason, redrive FROM parked_keys") == [
        {"aggregate": "complaints:P1", "reason": "ZeroDivisionError", "redrive": False}
    ]
    assert await counted(complaints) == Counts(18, applied=14, duplicates=0, dead=4)

    # what Kafka delivers again, or an impatient sender sends again, does not queue twice
    await complaints.apply(map(record, wires), at_once=at_once)
    assert await counted(complaints) == Counts(36, applied=14, duplicates=18, dead=4)
    assert len(await queued(complaints)) == 4


@pytest.mark.real
async def test_a_redrive_replays_the_queue_in_order_once_and_only_when_the_defect_is_mended(
    complaints: ServiceOnDatabase, defect: Defect
) -> None:
    defect.keys, defect.types = {"P1"}, {"complaint.verification_ended"}
    await complaints.apply(map(record, steps("P1")[:-1]))
    assert await queued(complaints) == [f"P1-{step}" for step in STEPS[2:-1]]

    assert await complaints.rows("UPDATE parked_keys SET redrive = true RETURNING aggregate") == [{"aggregate": "complaints:P1"}]
    assert not await complaints.consumer.redrive("complaints:P1")
    assert await queued(complaints) == [f"P1-{step}" for step in STEPS[2:-1]]
    assert await decided(complaints, "P1") == DECIDED[:3]
    assert await complaints.rows("SELECT redrive FROM parked_keys") == [{"redrive": False}], "it is not tried again unasked"

    defect.mend()
    await complaints.apply(map(record, steps("P1")[-1:]))  # mended, and yet it queues: what came before it is not replayed
    assert await queued(complaints) == [f"P1-{step}" for step in STEPS[2:]]
    assert await complaints.consumer.redrive("complaints:P1")
    assert not await complaints.consumer.redrive("complaints:P1")
    assert await decided(complaints, "P1") == DECIDED
    assert await queued(complaints) == []
    assert await complaints.rows("SELECT aggregate FROM parked_keys") == []
    assert await counted(complaints) == Counts(6, applied=6, duplicates=0, dead=0)


@pytest.mark.real
async def test_the_timers_of_a_parked_aggregate_do_not_fire_until_it_is_free(complaints: ServiceOnDatabase, defect: Defect) -> None:
    defect.keys, defect.types = {"P1"}, {"complaint.complainant_told"}
    wires = mixed(steps("P1", LONG_AGO), steps("P2", LONG_AGO))
    # one transaction, so that no timer can fire between the receipt and the defect
    await complaints.apply(map(record, wires[:4]))
    await complaints.let_time_pass()
    late = "SELECT count(*) FROM outbox WHERE type = 'sla_clock.breached' AND payload::text IS NOT NULL AND headers::text LIKE :id"
    breached = {key: (await complaints.rows(late, id=f"%complaints:{key}:%"))[0]["count"] for key in ("P1", "P2")}
    assert breached == {"P1": 0, "P2": 3}

    defect.mend()
    assert await complaints.consumer.redrive("complaints:P1")
    await complaints.let_time_pass()
    breached = {key: (await complaints.rows(late, id=f"%complaints:{key}:%"))[0]["count"] for key in ("P1", "P2")}
    assert breached == {"P1": 3, "P2": 3}


@pytest.mark.real
async def test_a_claim_that_waited_and_then_meets_a_defect_is_parked_and_not_lost(complaints: ServiceOnDatabase, defect: Defect) -> None:
    defect.keys, defect.types = {"P1"}, {"complaint.complainant_told"}
    first, told, *rest = map(record, steps("P1"))
    await complaints.apply([told, first, *rest])
    assert await complaints.rows("SELECT id FROM waiting") == []
    assert await queued(complaints) == [f"P1-{step}" for step in STEPS]
    defect.mend()
    assert await complaints.consumer.redrive("complaints:P1")
    assert await decided(complaints, "P1") == DECIDED
    assert await counted(complaints) == Counts(6, applied=6, duplicates=0, dead=0)


@pytest.mark.real
async def test_what_waited_behind_a_claim_that_meets_a_defect_queues_behind_it_and_is_not_lost(
    complaints: ServiceOnDatabase, defect: Defect
) -> None:
    defect.keys, defect.types = {"P1"}, {"complaint.complainant_told"}
    first, told, begun, *rest = map(record, steps("P1"))
    await complaints.apply([told, begun, first, *rest])
    assert await complaints.rows("SELECT id FROM waiting") == []
    assert await queued(complaints) == [f"P1-{step}" for step in STEPS]
    assert await counted(complaints) == Counts(6, applied=1, duplicates=0, dead=5)
    defect.mend()
    assert await complaints.consumer.redrive("complaints:P1")
    assert await decided(complaints, "P1") == DECIDED
    assert await counted(complaints) == Counts(6, applied=6, duplicates=0, dead=0)


@pytest.mark.real
async def test_a_redrive_beside_a_running_batch_waits_for_it_and_never_the_other_way_round(
    complaints: ServiceOnDatabase, defect: Defect
) -> None:
    defect.keys, defect.types = {"P1"}, {"complaint.complainant_told"}
    await complaints.apply(map(record, steps("P1")))
    defect.mend()
    waits = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with complaints.database.transaction() as batch:
        await positions.begin(batch, [(TOPIC, 0)])
        redrive = asyncio.create_task(complaints.consumer.redrive("complaints:P1"))

        async def blocked() -> bool:
            return bool((await complaints.rows(waits))[0]["n"])

        await until("the redrive waits for the batch", blocked)
        assert await parked.parked_among(batch, ["complaints:P1"]) == {"complaints:P1"}
    assert await redrive
    assert await decided(complaints, "P1") == DECIDED


@pytest.mark.real
async def test_events_that_name_no_aggregate_are_parked_by_their_own_key(complaints: ServiceOnDatabase, defect: Defect) -> None:
    def on_any(event: ComplaintLodged, uow: UnitOfWork) -> None:
        if defect(event):
            raise ZeroDivisionError

    defect.keys = {"P1"}
    complaints.consumer.handlers = {ComplaintLodged: Handler(ComplaintLodged, (), on_any)}
    await complaints.apply([record(lodged(key, id=f"{key}-{turn}")) for turn in "ab" for key in ("P1", "P2")])
    assert await queued(complaints) == ["P1-a", "P1-b"]
    assert await counted(complaints) == Counts(4, applied=2, duplicates=0, dead=2)


@pytest.mark.real
async def test_after_the_deploy_the_flag_in_the_table_replays_a_parked_aggregate(stack: Stack, defect: Defect) -> None:
    defect.keys, defect.types = {"Q1"}, {"complaint.complainant_told"}
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    async with complaints_here(stack, failing(defect)) as application, base_of(stack, "complaints") as base:
        await settled(stack, base, [TOPIC])
        await send(stack, mixed(steps("Q1"), steps("Q2")))
        await settled(stack, base, [TOPIC])
        assert await base.one("SELECT count(*) FROM parked WHERE aggregate = 'complaints:Q1'") == 5
        assert application.chassis.ready
    async with complaints_here(stack) as application, base_of(stack, "complaints") as base:
        await settled(stack, base, [TOPIC])
        assert await base.one("SELECT count(*) FROM parked WHERE aggregate = 'complaints:Q1'") == 5
        await base.run("UPDATE parked_keys SET redrive = true WHERE aggregate = 'complaints:Q1'")
        await until("the aggregate is free", _none(base, "SELECT count(*) FROM parked_keys WHERE aggregate = 'complaints:Q1'"))
        rows = await base.rows("SELECT type FROM outbox WHERE aggregatetype = 'complaints' AND aggregateid = 'Q1' ORDER BY id")
        assert tuple(row["type"] for row in rows) == DECIDED
        assert await base.one("SELECT count(*) FROM parked WHERE aggregate = 'complaints:Q1'") == 0


@pytest.mark.real
async def test_more_than_fifty_defects_in_a_row_halt_their_partition_until_the_mark_is_cleared(stack: Stack, defect: Defect) -> None:
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    broken = keys_of_partition(2, STOP_AFTER + 1, "H")
    good, other = keys_of_partition(2, 1, "G")[0], keys_of_partition(3, 1, "G")[0]
    defect.keys = set(broken)
    halted = "SELECT count(*) FROM consumer_progress WHERE topic = 'complaint-claims' AND partition = 2 AND halted"
    async with complaints_here(stack, failing(defect)), base_of(stack, "complaints") as base:
        await settled(stack, base, [TOPIC])
        await send(stack, [lodged(key) for key in broken[:-1]])
        await settled(stack, base, [TOPIC])
        assert await base.one(halted) == 0  # fifty are not more than fifty
        await send(stack, [lodged(broken[-1])])
        await until("the partition is halted", _some(base, halted))
        await send(stack, [lodged(good), lodged(other)])
        await until("another partition goes on", _some(base, "SELECT count(*) FROM complaints WHERE id = $1", other))
        assert await base.one("SELECT count(*) FROM complaints WHERE id = $1", good) == 0
    defect.mend()
    async with complaints_here(stack), base_of(stack, "complaints") as base:
        # a new process does not go on by itself, although its other partitions do
        another = keys_of_partition(3, 2, "G")[1]
        await send(stack, [lodged(another)])
        await until("another partition goes on", _some(base, "SELECT count(*) FROM complaints WHERE id = $1", another))
        assert await base.one("SELECT count(*) FROM complaints WHERE id = $1", good) == 0
        await base.run("UPDATE consumer_progress SET halted = false")
        await settled(stack, base, [TOPIC])
        assert await base.one("SELECT count(*) FROM complaints WHERE id = $1", good) == 1
        await base.run("UPDATE parked_keys SET redrive = true")
        await until("all are free", _none(base, "SELECT count(*) FROM parked_keys"))
        assert await base.one("SELECT count(*) FROM complaints WHERE id LIKE 'H%'") == len(broken)


@pytest.mark.real
async def test_fifty_defects_are_not_too_many_and_one_success_among_them_begins_a_new_row(
    complaints: ServiceOnDatabase, defect: Defect
) -> None:
    first, second = ([f"{name}{number}" for number in range(STOP_AFTER)] for name in "AB")
    defect.keys = {*first, *second, "C"}
    await complaints.apply(record(lodged(key)) for key in first)
    assert complaints.consumer.halts_wanted() == []
    await complaints.apply(record(lodged(key)) for key in ("good", *second))
    assert complaints.consumer.halts_wanted() == []
    await complaints.apply([record(lodged("C"))])
    assert complaints.consumer.halts_wanted() == [(TOPIC, 0)]


@pytest.mark.real
async def test_defects_are_in_a_row_for_their_partition_whatever_goes_well_elsewhere(complaints: ServiceOnDatabase, defect: Defect) -> None:
    bad, good = [f"B{number}" for number in range(STOP_AFTER + 1)], [f"G{number}" for number in range(STOP_AFTER + 1)]
    defect.keys = set(bad)
    mixed_up = [replace(record(lodged(key)), partition=int(key in bad)) for pair in zip(bad, good, strict=True) for key in pair]
    await complaints.apply(mixed_up)
    assert complaints.consumer.halts_wanted() == [(TOPIC, 1)]
    assert complaints.consumer.halts_wanted() == []  # asked once


def _some(base: Base, count: str, *arguments: object) -> Callable[[], Any]:
    async def found() -> bool:
        return bool(await base.one(count, *arguments))

    return found


def _none(base: Base, count: str) -> Callable[[], Any]:
    async def none() -> bool:
        return not await base.one(count)

    return none
