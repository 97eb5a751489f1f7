"""How a close finds its cycle and its organisation in the database, also while another replica or another request is at it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.harness import ServiceOnDatabase, service_on

from appraisal import jobs, repository
from appraisal.domain.cycle import Cycle, CycleStatus
from appraisal.domain.rating import Rating, Revision
from appraisal.domain.year_end import EarlierGrade
from appraisal.repository import UnitOfWork
from appraisal.tables import GradeRow
from common.kernel.parties import Change, Kind, Organisation
from common.kernel.staff import Member
from common.store import parked, parties
from common.store.aggregates import Row

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
    level = "specialist" if superior else "supervisor"
    return Member(employee, level, "service", "T1", superior, level)


def picture(org: str, day: int, *members: Member) -> Change:
    at = datetime(2026, 7, day, tzinfo=UTC)
    return Change(f"{org}-{day}", org, Kind.DESCRIBED, at, at, members)


async def decided(appraisal: ServiceOnDatabase) -> list[Any]:
    """What appraisal has decided, but for the reference documents that it ships."""
    return await appraisal.rows("SELECT type FROM outbox WHERE aggregatetype <> 'reference-documents'")


async def test_a_close_that_was_asked_for_again_meanwhile_is_not_graded_with_the_cut_of_the_one_before(
    appraisal: ServiceOnDatabase,
) -> None:
    running: Any = appraisal.running
    organisation = picture("hq", 1, member("B1"), member("S1", "B1"))
    again = replace(ASKED, as_of=datetime(2026, 11, 1, tzinfo=UTC), requested_by="close-2", watermarks={})
    async with appraisal.database.transaction() as connection:
        await parties.save(connection, [organisation])
        await UnitOfWork.cycles.write(connection, [Row(again, 2)], [])

    await jobs._grade(running, ASKED)
    assert await appraisal.stored(UnitOfWork.cycles) == [again]
    assert await decided(appraisal) == []
    async with appraisal.database.transaction() as connection:
        await repository.set_watermarks(connection, ASKED, {"kpi-facts/0": 7})
        assert await repository.cycle_of(connection, KEY) == again
        await repository.set_watermarks(connection, again, CUT)
    await jobs._grade(running, replace(again, watermarks=CUT))
    assert [cycle.status for cycle in await appraisal.stored(UnitOfWork.cycles)] == [CycleStatus.OPEN], "nobody could be graded"


async def test_a_cycle_that_another_replica_has_closed_is_not_closed_again(appraisal: ServiceOnDatabase) -> None:
    running: Any = appraisal.running
    async with appraisal.database.transaction() as connection:
        await UnitOfWork.cycles.write(connection, [Row(ASKED.closed(), 1)], [])
        await parties.save(connection, [picture("hq", 1, member("B1"))])
    await jobs._one_step(running, KEY)
    assert await decided(appraisal) == []


async def test_a_process_reads_of_the_organisation_what_is_new_and_all_again_where_a_restore_has_taken_some_away(
    connection: AsyncConnection,
) -> None:
    cache = parties.PartiesCache()
    first, second, third = picture("hq", 1, member("B1")), picture("hq", 2, member("B2")), picture("hq", 3, member("B3"))
    for known in ([], [first], [first, second]):
        await parties.save(connection, known)
        assert await cache.now(connection) == Organisation.of(known)
        assert await cache.now(connection) is await cache.now(connection)
    await connection.execute(text("DELETE FROM organisation_changes WHERE change = 'hq-2'"))
    await parties.save(connection, [third])
    assert await cache.now(connection) == Organisation.of([first, third])


async def test_ratings_are_those_of_the_cycle_and_the_scheme(connection: AsyncConnection) -> None:
    ratings = [
        Rating(f"{cycle}|{scheme}|S1|B1", cycle, scheme, "S1", "B1", (Revision("RT", 1, "88.5", AS_OF),))
        for cycle in ("2026Q2", "2026Q3")
        for scheme in ("committee@1", "department-360@1")
    ]
    await UnitOfWork.ratings.write(connection, [Row(one, 1) for one in ratings], [])
    assert await repository.ratings_of(connection, "2026Q3", "department-360@1") == ratings[-1:]


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def row(
    subject: str,
    scheme: str,
    version: int,
    grade: str,
    known: int,
    *,
    cycle: str = "2025Q1",
    score: str | None = "50",
    requested_by: str = "close-1",
    disclosed: dict[str, Any] | None = None,
) -> GradeRow:
    """One version of a grade, of a close as of that day of January."""
    return GradeRow(
        grade_key=f"{cycle}|{scheme}|employee:{subject}",
        version=version,
        cycle_key=f"{cycle}|{scheme}",
        subject=f"employee:{subject}",
        score="50.00",
        grade=grade,
        digest=f"sha256:{scheme}-{version}",
        requested_by=requested_by,
        document={"cycle": cycle, "scheme": scheme, "as_of": day(known).isoformat(), "score_exact": score, "grade": grade},
        inputs={"score_exact": "50", "replay_of": "log:1", "disclosed": disclosed},
        outcomes=[{"outcome_id": f"{scheme}-{version}"}],
        recorded_at=AS_OF,
    )


async def keep(connection: AsyncConnection, *rows: GradeRow) -> None:
    await repository.add_grades(connection, repository.grade_columns(rows))


async def test_of_an_earlier_cycle_counts_the_newest_version_under_the_newest_scheme_that_was_closed_by_then(
    connection: AsyncConnection,
) -> None:
    await keep(
        connection,
        row("S1", "house@1", 1, "差", 1),
        row("S1", "house@1", 2, "中", 2),
        row("S1", "house@2", 1, "良", 2),
        row("S1", "house@10", 1, "优", 3, score=None),
        row("S1", "other@1", 1, "优", 1),
        row("S1", "house@1", 1, "优", 1, cycle="2025Q2"),
        row("S2", "house@1", 1, "差", 1),
        row("S2", "house@1", 2, "中", 3),
    )
    found = {}
    for until in (1, 2, 3):
        earlier = await repository.earlier_grades(connection, "house", ["2025Q1"], day(until))
        found[until] = {number: [(one.grade, one.digest, one.told) for one in grades.values()] for number, grades in earlier.items()}
    assert found == {
        1: {"S1": [("差", "sha256:house@1-1", True)], "S2": [("差", "sha256:house@1-1", True)]},
        2: {"S1": [("良", "sha256:house@2-1", True)], "S2": [("差", "sha256:house@1-1", True)]},
        3: {"S1": [("优", "sha256:house@10-1", False)], "S2": [("中", "sha256:house@1-2", True)]},
    }
    both = await repository.earlier_grades(connection, "house", ["2025Q1", "2025Q2"], day(1))
    assert both["S1"]["2025Q2"] == EarlierGrade("2025Q2", "优", Fraction(50), True, "sha256:house@1-1", "log:1")
    assert await repository.earlier_grades(connection, "house", [], day(3)) == {}


async def test_the_newest_version_of_each_grade_is_the_one_that_the_next_builds_on(connection: AsyncConnection) -> None:
    await keep(connection, row("S1", "house@1", 1, "差", 1), row("S1", "house@1", 2, "中", 2, requested_by="close-2"))
    await keep(connection, row("S2", "house@1", 1, "差", 1))
    keys = ["2025Q1|house@1|employee:S1", "2025Q1|house@1|employee:S9"]
    newest = repository.LatestGrade(2, "sha256:house@1-2", "close-2", [{"outcome_id": "house@1-2"}])
    assert await repository.latest_grades(connection, keys) == {keys[0]: newest}
    assert [one["grade"] for one in await repository.current_grades(connection)] == ["中", "差"]
    assert await repository.grade_counts(connection) == {("house@1", "差"): 2, ("house@1", "中"): 1}


async def test_the_versions_of_a_cycle_are_not_those_of_a_longer_name(connection: AsyncConnection) -> None:
    await keep(connection, row("S1", "house@1", 1, "差", 1), row("S1", "house@1", 1, "优", 1, cycle="2025"))
    await keep(connection, row("S2", "house@1", 1, "中", 1, cycle="2025"))
    [found] = await repository.grade_versions(connection, "employee:S1", "2025")
    assert (found["version"], found["document"]["grade"], found["inputs"]["score_exact"]) == (1, "优", "50")


async def test_what_the_close_that_is_under_way_has_told_is_not_what_earlier_ones_have(connection: AsyncConnection) -> None:
    first: dict[str, Any] = {"sheet": {}, "equations": []}
    second: dict[str, Any] = {"sheet": {}, "equations": [{"B1@1": "1"}]}
    await keep(
        connection,
        row("S1", "department-360@1", 1, "差", 1, cycle="2026Q3", disclosed=first),
        row("S1", "department-360@1", 2, "差", 2, cycle="2026Q3", disclosed=second, requested_by="close-2"),
        row("S2", "department-360@1", 1, "差", 1, cycle="2026Q3"),
        row("S3", "department-360@1", 1, "差", 1, cycle="2026Q2", disclosed=first),
    )
    assert await repository.disclosed(connection, replace(ASKED, requested_by="close-3")) == {"S1": second}
    assert await repository.disclosed(connection, replace(ASKED, requested_by="close-2")) == {"S1": first}


async def test_whoever_looks_at_a_cycle_waits_for_its_close_as_of_the_same_instant_or_before(connection: AsyncConnection) -> None:
    await UnitOfWork.cycles.write(connection, [Row(ASKED, 1)], [])

    async def waits_for(scheme: str = "department-360", cycles: tuple[str, ...] = ("2026Q3",), as_of: datetime = AS_OF) -> str | None:
        return await repository.close_before(connection, scheme, cycles, as_of)

    assert await waits_for() == KEY
    assert await waits_for(as_of=AS_OF - timedelta(microseconds=1)) is None
    assert await waits_for(scheme="basic") is None
    assert await waits_for(cycles=("2026Q2",)) is None
    assert await waits_for(cycles=()) is None
    assert await repository.closing_cycles(connection) == [KEY]
    assert await repository.unfinished(connection) == {"cycles": 1}
    await parked.park(connection, (), {UnitOfWork.cycles.ref(KEY): "KeyError"})
    assert await waits_for() is None, "one that is parked is waited for by nobody"
    assert await repository.closing_cycles(connection) == []
    await UnitOfWork.cycles.write(connection, [], [Row(ASKED.closed(), 1)])
    assert await repository.unfinished(connection) == {"cycles": 0}
