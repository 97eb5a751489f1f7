"""One row that cannot be read, spoilt or in a shape of another version: its aggregate is parked, and nobody else stands still."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
from tests.faults.kit import A_MINUTE_AGO, Wire, claim, lodged
from tests.harness import ServiceOnDatabase, service_on

from common.contracts.envelope import Record
from common.kafka import records
from common.kernel.wall_clock import now

LATER = A_MINUTE_AGO + timedelta(seconds=30)
LONG_AGO = now() - timedelta(days=90)

SPOILT = {
    "the aggregate's own row": "UPDATE complaints SET state = state || '{\"polished\": 1}' WHERE id = 'C1'",
    "a clock's state": "UPDATE clocks SET kept = '{\"published\": 7}' WHERE aggregate = 'complaints:C1'",
    "a clock's event of an unknown kind": "UPDATE clock_events SET type = 'renamed' WHERE clock_id LIKE 'complaints:C1:%'",
    "a clock's event without its data": "UPDATE clock_events SET data = 'null' WHERE clock_id LIKE 'complaints:C1:%'",
}
MENDED = {
    "the aggregate's own row": "UPDATE complaints SET state = state - 'polished' WHERE id = 'C1'",
    "a clock's state": "UPDATE clocks SET kept = kept.kept FROM kept_clocks kept WHERE kept.id = clocks.id",
    "a clock's event of an unknown kind": "UPDATE clock_events SET type = 'started' WHERE clock_id LIKE 'complaints:C1:%'",
    "a clock's event without its data": (
        "UPDATE clock_events e SET data = kept.data FROM kept_events kept WHERE (kept.clock_id, kept.sequence) = (e.clock_id, e.sequence)"
    ),
}


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as found:
        yield found


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as found:
        yield found


def record(wire: Wire) -> Record:
    return Record(wire.topic, 0, 0, wire.key, wire.value, wire.headers, now())


def told(key: str) -> Record:
    return record(claim("complaint.complainant_told", key, id=f"{key}-told", at=LATER, by="E1"))


def begun(key: str) -> Record:
    return record(claim("complaint.verification_begun", key, id=f"{key}-begun", at=LATER, by="E1"))


async def run(service: ServiceOnDatabase, *statements: str) -> None:
    async with service.database.transaction() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def decided(service: ServiceOnDatabase, key: str) -> list[str]:
    query = "SELECT type FROM outbox WHERE aggregatetype = 'complaints' AND aggregateid = :key ORDER BY id"
    return [row["type"].removeprefix("complaint.") for row in await service.rows(query, key=key)]


async def parked(service: ServiceOnDatabase) -> list[tuple[str, str]]:
    return [(row["aggregate"], row["reason"]) for row in await service.rows("SELECT aggregate, reason FROM parked_keys")]


@pytest.mark.real
@pytest.mark.parametrize("spoilt", SPOILT)
async def test_an_aggregate_that_cannot_be_read_is_parked_and_all_others_go_on(complaints: ServiceOnDatabase, spoilt: str) -> None:
    await complaints.apply([record(lodged("C1")), record(lodged("C2"))])
    await run(
        complaints,
        "CREATE TABLE kept_clocks AS SELECT * FROM clocks",
        "CREATE TABLE kept_events AS SELECT * FROM clock_events",
        SPOILT[spoilt],
    )
    await complaints.apply([told("C1"), told("C2"), begun("C1"), begun("C2")])
    assert await decided(complaints, "C2") == ["received", "acknowledged", "verification_started"]
    assert await decided(complaints, "C1") == ["received"]
    ((aggregate, reason),) = await parked(complaints)
    assert aggregate == "complaints:C1"
    assert "cannot be read" in reason
    assert [row["event_id"] for row in await complaints.rows("SELECT event_id FROM parked ORDER BY id")] == ["C1-told", "C1-begun"]

    assert not await complaints.consumer.redrive("complaints:C1")  # nothing is mended yet, and nothing is lost
    assert await parked(complaints) == [(aggregate, reason)]
    await run(complaints, MENDED[spoilt])
    assert await complaints.consumer.redrive("complaints:C1")
    assert await decided(complaints, "C1") == ["received", "acknowledged", "verification_started"]
    assert await parked(complaints) == []


@pytest.mark.real
@pytest.mark.parametrize("spoilt", SPOILT)
async def test_a_timer_due_on_a_row_that_cannot_be_read_stops_no_other_timer(complaints: ServiceOnDatabase, spoilt: str) -> None:
    await complaints.apply([record(lodged("C1", at=LONG_AGO)), record(lodged("C2", at=LONG_AGO))])
    await run(complaints, SPOILT[spoilt])
    await complaints.let_time_pass()
    breached = "SELECT DISTINCT split_part(id, ':', 2) AS id FROM clocks WHERE outcome = 'breached'"
    assert [row["id"] for row in await complaints.rows(breached)] == ["C2"]
    assert [aggregate for aggregate, _ in await parked(complaints)] == ["complaints:C1"]
    armed = await complaints.rows("SELECT count(*) AS n FROM timers WHERE state = 'armed' AND aggregate = 'complaints:C1'")
    assert armed[0]["n"] > 0  # they fire once it is mended


@pytest.mark.real
async def test_a_held_back_record_that_is_spoilt_parks_its_aggregate_and_does_not_expire(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([told("C1"), told("C2")])
    await run(complaints, "UPDATE waiting SET record = '{\"topic\": 1}' WHERE id = 'C1-told'")
    await complaints.apply([record(lodged("C1")), record(lodged("C2"))])
    assert await decided(complaints, "C2") == ["received", "acknowledged"]
    assert await decided(complaints, "C1") == []
    assert [aggregate for aggregate, _ in await parked(complaints)] == ["complaints:C1"]
    assert not await complaints.consumer.redrive("complaints:C1")
    await run(complaints, "DELETE FROM waiting WHERE id = 'C1-told'")  # as the runbook says: its sender has to send it again
    assert await complaints.consumer.redrive("complaints:C1")
    assert await decided(complaints, "C1") == ["received"]


@pytest.mark.real
async def test_a_held_back_event_that_this_version_no_longer_takes_becomes_a_dead_letter(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([told("C1")])
    older = record(claim("complaint.complainant_called", "C1", id="C1-told", at=LATER, by="E1"))
    await run(complaints, f"UPDATE waiting SET record = '{records.pack(older)}' WHERE id = 'C1-told'")
    await complaints.apply([record(lodged("C1"))])
    assert await decided(complaints, "C1") == ["received"]
    letters = await complaints.rows("SELECT rule, event_id FROM dead_letters")
    assert letters == [{"rule": "unknown_type", "event_id": "C1-told"}]
    assert await complaints.rows("SELECT id FROM waiting") == []
    # the same event, repaired, may come again under its id
    await complaints.apply([told("C1")])
    assert await decided(complaints, "C1") == ["received", "acknowledged"]


@pytest.mark.real
async def test_a_calendar_or_policy_that_cannot_be_read_stops_only_what_counts_on_it(database: str) -> None:
    async with service_on("complaints", database) as first:
        await first.apply([record(lodged("C1"))])
        since = (A_MINUTE_AGO + timedelta(seconds=20)).isoformat()
        policy = f"('sla-policy', 'complaints', 2, 'issued', 90, 90, '{since}', '{since}', false, '{{\"policy\": 5}}', '{{}}', 'p2')"
        calendar = f"('calendar', 'elsewhere', 1, 'issued', 91, 91, '{since}', '{since}', false, '[]', '{{}}', 'c1')"
        columns = "kind, name, version, standing, number, rule_number, effective_at, counts_from, applies_to_open, body, control, event_id"
        await run(first, f"INSERT INTO documents ({columns}) VALUES {policy}, {calendar}")
    async with service_on("complaints", database) as after_a_restart:
        await after_a_restart.apply([told("C1"), record(lodged("C2", at=A_MINUTE_AGO)), record(lodged("C3", at=LATER))])
        assert await decided(after_a_restart, "C1") == ["received", "acknowledged"]
        assert await decided(after_a_restart, "C2") == ["received"]
        assert await decided(after_a_restart, "C3") == []  # no promise is given under another policy by mistake
        assert [aggregate for aggregate, _ in await parked(after_a_restart)] == ["complaints:C3"]
