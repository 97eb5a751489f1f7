"""Two replicas of a service: a claim that waits for what the other replica creates in the same moment is never left waiting."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.faults.kit import A_MINUTE_AGO, Wire, claim, lodged, until
from tests.harness import ServiceOnDatabase, replica_of, service_on

from common.contracts.envelope import Received, Record, decode
from common.kernel.wall_clock import now
from common.store import waiting
from common.store.held_back import HeldBack, InHand

LATER = A_MINUTE_AGO + timedelta(seconds=30)
_BLOCKED = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as found:
        yield found


def told(key: str) -> Wire:
    return claim("complaint.complainant_told", key, id=f"{key}-told", at=LATER, by="E1")


def record(wire: Wire, partition: int = 0, offset: int = 0) -> Record:
    return Record(wire.topic, partition, offset, wire.key, wire.value, wire.headers, now())


async def both_at_once(service: ServiceOnDatabase, one: list[Record], other: list[Record]) -> None:
    """Lets two replicas read what there is, each before the other has committed, as far as they let each other."""
    replicas = [replica_of(service.name, service.database) for _ in range(2)]
    async with service.database.transaction() as gate:
        # whoever reads comes through, whoever writes waits at the gate
        await gate.exec_driver_sql("LOCK TABLE waiting, outbox, complaints IN SHARE MODE")
        work = [asyncio.create_task(replica.consume(records)) for replica, records in zip(replicas, (one, other), strict=True)]

        async def both_wait() -> bool:
            return bool((await service.rows(_BLOCKED))[0]["n"] == len(work))

        await until("both replicas wait for something", both_wait)
    await asyncio.gather(*work)


@pytest.mark.real
@pytest.mark.parametrize("order", [1, -1], ids=["the claim first", "the receipt first"])
async def test_a_claim_does_not_wait_for_a_complaint_that_the_other_replica_creates_meanwhile(
    complaints: ServiceOnDatabase, order: int
) -> None:
    early, receipt = [record(told("C1"))], [record(lodged("C1"), partition=1)]
    await both_at_once(complaints, *((early, receipt)[::order]))
    assert await complaints.rows("SELECT id, missing FROM waiting") == []
    decided = await complaints.rows("SELECT type FROM outbox WHERE aggregatetype = 'complaints' ORDER BY id")
    assert [row["type"] for row in decided] == ["complaint.received", "complaint.acknowledged"]
    counts = await complaints.rows("SELECT sum(events_in)::int AS events_in, sum(applied)::int AS applied FROM consumer_progress")
    assert counts == [{"events_in": 2, "applied": 2}]


@pytest.mark.real
async def test_replicas_that_free_each_others_claims_do_not_wait_for_each_other(complaints: ServiceOnDatabase) -> None:
    # each replica holds the partition on which the claim came that the other one's receipt frees
    await complaints.consumer.consume([record(told("C1"), 0, 0), record(told("C2"), 1, 0)])
    await both_at_once(
        complaints,
        [record(lodged("C2"), 0, 1), record(lodged("C3"), 0, 2)],
        [record(lodged("C1"), 1, 1), record(lodged("C4"), 1, 2)],
    )
    assert await complaints.rows("SELECT id FROM waiting") == []
    counts = await complaints.rows("SELECT events_in, applied, dead FROM consumer_progress WHERE events_in > 0 ORDER BY partition")
    assert counts == [{"events_in": 3, "applied": 3, "dead": 0}] * 2


@pytest.mark.real
async def test_a_claim_that_was_stranded_by_an_older_version_is_found_and_applied(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([record(lodged("C1")), record(told("C9"))])
    early = decode(record(told("C1")))
    assert isinstance(early, Received)
    async with complaints.database.transaction() as connection:
        await waiting.save_waiting(connection, [HeldBack(early, "complaints:C1", waiting.UNKNOWN_AGGREGATE)], (), InHand())
    assert await complaints.consumer.resume_stranded() == 1
    assert await complaints.consumer.resume_stranded() == 0
    assert [row["id"] for row in await complaints.rows("SELECT id FROM waiting")] == ["C9-told"]
    assert "complaint.acknowledged" in {row["type"] for row in await complaints.rows("SELECT type FROM outbox")}
