"""How a close finds its cycle and its organisation in the database, also while another replica or another request is at it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.harness import ServiceOnDatabase, service_on

from appraisal import jobs, repository
from appraisal.domain.cycle import Cycle, CycleStatus
from appraisal.domain.grading import Rating
from appraisal.domain.org import Member, OrgSnapshot
from appraisal.repository import UnitOfWork

pytestmark = pytest.mark.real

AS_OF = datetime(2026, 10, 12, tzinfo=UTC)
KEY = "2026Q3|department-360@1"
CUT = {"kpi-facts/0": 0}
ASKED = Cycle(KEY, "2026Q3", "department-360@1", CycleStatus.CLOSING, AS_OF, for_real=False, requested_by="close-1", watermarks=CUT)


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


@pytest.fixture
async def connection(appraisal: ServiceOnDatabase) -> AsyncIterator[AsyncConnection]:
    """One transaction on appraisal's tables."""
    async with appraisal.database.transaction() as found:
        yield found


def member(employee: str, superior: str | None = None) -> Member:
    return Member(employee, "specialist" if superior else "supervisor", "service", "T1", superior)


def snapshot(org: str, day: int, *members: Member) -> OrgSnapshot:
    at = datetime(2026, 7, day, tzinfo=UTC)
    return OrgSnapshot(f"{org}@{at.isoformat()}", org, at, members)


async def test_a_close_that_was_asked_for_again_meanwhile_is_not_graded_with_the_cut_of_the_one_before(
    connection: AsyncConnection, appraisal: ServiceOnDatabase
) -> None:
    running: Any = appraisal.running
    await UnitOfWork.cycles.write(connection, [(ASKED, 1)], [])
    organisation = snapshot("hq", 1, member("B1"), member("S1", "B1"))
    await UnitOfWork.org_snapshots.write(connection, [(organisation, 1)], [])
    read_before = await repository.cycle_of(connection, KEY)
    again = replace(ASKED, as_of=datetime(2026, 11, 1, tzinfo=UTC), requested_by="close-2", watermarks={})
    await UnitOfWork.cycles.write(connection, [], [(again, 2)])

    await jobs._grade(running, connection, read_before)
    assert await repository.cycle_of(connection, KEY) == again
    assert list(await connection.execute(text("SELECT id FROM outbox"))) == []
    await repository.set_watermarks(connection, read_before, {"kpi-facts/0": 7})
    assert await repository.cycle_of(connection, KEY) == again

    await repository.set_watermarks(connection, again, CUT)
    await jobs._grade(running, connection, await repository.cycle_of(connection, KEY))
    assert (await repository.cycle_of(connection, KEY)).status is CycleStatus.CLOSED


async def test_a_cycle_that_another_replica_has_closed_is_not_closed_again(
    connection: AsyncConnection, appraisal: ServiceOnDatabase
) -> None:
    running: Any = appraisal.running
    await UnitOfWork.cycles.write(connection, [(ASKED.closed(), 1)], [])
    await UnitOfWork.org_snapshots.write(connection, [(snapshot("hq", 1, member("B1")), 1)], [])
    await jobs._one_step(running, connection, KEY)
    assert list(await connection.execute(text("SELECT id FROM outbox"))) == []


async def test_a_cycle_sees_the_latest_picture_of_each_part_of_the_organisation_from_before_its_end(connection: AsyncConnection) -> None:
    old, new = snapshot("north", 1, member("B1"), member("S1", "B1")), snapshot("north", 5, member("B1"), member("S2", "B1"))
    south = snapshot("south", 3, member("B2"), member("S3", "B2"))
    later = snapshot("south", 9, member("B2"))
    await UnitOfWork.org_snapshots.write(connection, [(one, 1) for one in (old, new, south, later)], [])
    assert await repository.org_as_of(connection, datetime(2026, 7, 1, tzinfo=UTC)) is None
    assert await repository.org_as_of(connection, datetime(2026, 7, 2, tzinfo=UTC)) == old
    found = await repository.org_as_of(connection, datetime(2026, 7, 9, tzinfo=UTC))
    assert found is not None
    assert {one.employee_id for one in found.members} == {"B1", "S2", "B2", "S3"}
    assert (found.org_id, found.effective_at) == ("north+south", new.effective_at)


async def test_who_stands_in_two_parts_is_where_the_later_picture_has_him(connection: AsyncConnection) -> None:
    north, south = snapshot("north", 5, member("B1"), member("S1", "B1")), snapshot("south", 3, member("B2"), member("S1", "B2"))
    await UnitOfWork.org_snapshots.write(connection, [(north, 1), (south, 1)], [])
    found = await repository.org_as_of(connection, AS_OF)
    assert found is not None
    assert sorted((one.employee_id, one.superior) for one in found.members) == [("B1", None), ("B2", None), ("S1", "B1")]
    assert found.problem() is None


async def test_ratings_are_those_of_the_cycle_and_the_scheme(connection: AsyncConnection) -> None:
    ratings = [
        Rating(f"{cycle}|{scheme}|S1|B1", "RT", cycle, scheme, "S1", "B1", "88.5")
        for cycle in ("2026Q2", "2026Q3")
        for scheme in ("committee@1", "department-360@1")
    ]
    await UnitOfWork.ratings.write(connection, [(one, 1) for one in ratings], [])
    assert await repository.ratings_of(connection, "2026Q3", "department-360@1") == ratings[-1:]
