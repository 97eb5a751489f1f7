"""What an operator is told of a cycle that does not close, on appraisal's real database."""

from collections.abc import AsyncIterator

import pytest
from tests.appraisal.department import BASIC, MANAGER, ONE, SUPERVISOR, close, figure, org
from tests.harness import ServiceOnDatabase, service_on

from appraisal.repository import cycles_asked_for
from common.store import holes, parked
from ops.cycle_waits import waits_of

pytestmark = pytest.mark.real

KEY = f"2025Q3|{BASIC}"


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


async def waits(appraisal: ServiceOnDatabase) -> list[str]:
    """What the one cycle waits for."""
    async with appraisal.database.transaction() as connection:
        (cycle,) = await cycles_asked_for(connection)
        assert cycle["cycle_key"] == KEY
        return await waits_of(connection, cycle)


async def test_a_cycle_without_an_organisation_says_that_it_lacks_one_until_there_is_one(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close()])
    lacking, not_looked = await waits(appraisal)
    assert "organisation described from before the cycle's end" in lacking
    assert "aftersales doctor" in not_looked
    await appraisal.apply([org(MANAGER, SUPERVISOR, ONE)])
    (only,) = await waits(appraisal)
    assert only == not_looked


async def test_a_cycle_names_the_partition_that_is_behind_and_by_how_many_records(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(MANAGER, SUPERVISOR, ONE), figure("S1"), close()])
    appraisal.offsets["kpi-fact-claims"] += 3  # so many stand on Kafka that were not read yet
    await appraisal.run_jobs()
    behind, unsent = await waits(appraisal)
    assert behind.startswith("3 records of kpi-fact-claims, partition 0 (handled up to 1 of 4)")
    assert "aftersales outbox list" in unsent


async def test_nothing_is_left_to_wait_for_when_all_was_handled(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(MANAGER, SUPERVISOR, ONE), close()])
    await appraisal.run_jobs()
    (last,) = await waits(appraisal)
    assert last.startswith("nothing any more")


async def test_a_hole_and_a_parked_cycle_come_first(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(MANAGER, SUPERVISOR, ONE), close()])
    async with appraisal.database.transaction() as connection:
        await holes.open(connection, ("kpi-facts", 3), holes.Hole("made_anew", 12, 0), None)
    first, *_ = await waits(appraisal)
    assert "aftersales holes list" in first
    async with appraisal.database.transaction() as connection:
        await parked.park(connection, (), {f"cycles:{KEY}": "KeyError"})
    (only,) = await waits(appraisal)
    assert "KeyError" in only
    assert f"aftersales dead-letters redrive 'cycles:{KEY}'" in only
