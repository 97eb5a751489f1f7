"""A cycle is graded in lots: killed between two of them, by two replicas at once, or while more comes in, it ends the same."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.appraisal.department import (
    BASIC,
    DEPARTMENT,
    IN_Q3,
    LATER,
    MANAGER,
    ONE,
    OTHER,
    SUPERVISOR,
    close,
    figure,
    grades,
    org,
    rating,
    stored,
    time_passes,
)
from tests.harness import ServiceOnDatabase, claim, service_on

from appraisal import close_store, jobs, repository
from appraisal.domain.cycle import Cycle
from appraisal.domain.inputs import differing
from appraisal.repository import UnitOfWork
from common.contracts.claims.appraisal import CycleCloseRequested
from common.contracts.cycles import CycleClosed, CycleClosePlanned
from common.contracts.envelope import Record
from common.contracts.grades import GradePublished
from common.kernel.ids import derived_id
from common.store import holes

pytestmark = pytest.mark.real

KEY, WEEK = f"2025Q3|{BASIC}", timedelta(days=7)
AddGrades = Callable[[Any, Mapping[str, list[Any]]], Awaitable[None]]
ADD_GRADES: AddGrades = repository.add_grades


class Killed(BaseException):
    """The process is gone: nobody handles it."""


@pytest.fixture
async def appraisal(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServiceOnDatabase]:
    """A cycle of four people that has come to its watermarks; each is a lot, and each entry of what the close finds a part of its own."""
    monkeypatch.setattr(jobs, "_LOT", 1)
    monkeypatch.setattr(close_store, "_ENTRIES", 1)
    monkeypatch.setattr(close_store, "_PARTS", 2)
    async with service_on("appraisal", database) as service:
        await service.apply([org(MANAGER, SUPERVISOR, ONE, OTHER), figure("S1"), figure("S2", "0"), close()])
        while not any(mark.startswith("kpi-facts/") for cycle in await service.stored(UnitOfWork.cycles) for mark in cycle.watermarks):
            await service.send_decisions()
            await service.run_jobs()
        yield service


def before_lot(monkeypatch: pytest.MonkeyPatch, number: int, happens: Callable[[], Awaitable[None]]) -> None:
    """Lets something happen in the transaction of one lot, before its grades are written."""
    written = 0

    async def add_grades(connection: Any, columns: Mapping[str, list[Any]]) -> None:
        nonlocal written
        if written == number:
            await happens()
        written += 1
        await ADD_GRADES(connection, columns)

    monkeypatch.setattr(repository, "add_grades", add_grades)


async def killed_before_lot(appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch, number: int, scheme: str = BASIC) -> Cycle:
    """The process that closes the cycle under a scheme is gone before it has written this lot."""

    async def die() -> None:
        raise Killed

    before_lot(monkeypatch, number, die)
    running: Any = appraisal.running
    [cycle] = [one for one in await appraisal.stored(UnitOfWork.cycles) if one.scheme == scheme]
    with pytest.raises(Killed):
        await jobs._grade(running, cycle)
    monkeypatch.setattr(repository, "add_grades", ADD_GRADES)
    return cycle


async def check_closed_once(appraisal: ServiceOnDatabase) -> None:
    """Each grade stands there once, under the id that follows from the close and the grade alone."""
    [closed] = await appraisal.published(CycleClosed)
    assert (closed.graded, closed.not_graded) == (4, {})
    assert await grades(appraisal) == {"M1": "差", "B1": "差", "S1": "优", "S2": "差"}
    published = await appraisal.published(GradePublished)
    assert [(one.subject[-2:], one.version) for one in published] == [("B1", 1), ("M1", 1), ("S1", 1), ("S2", 1)]
    cause = f"cycle:{KEY}:{closed.envelope.causation_id}"
    for one in published:
        assert one.envelope.id == derived_id(LATER, "appraisal", f"{cause}:{one.grade_key}", "grade.published", 1)


@pytest.mark.parametrize("lot", range(4))
async def test_a_close_that_is_killed_between_two_lots_is_finished_with_the_same_grades(
    appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch, lot: int
) -> None:
    await killed_before_lot(appraisal, monkeypatch, lot)
    assert len(await appraisal.rows("SELECT 1 FROM grades")) == lot
    await time_passes(appraisal)
    await check_closed_once(appraisal)


@pytest.mark.parametrize("lot", range(1, 4))
async def test_what_becomes_known_between_two_lots_counts_for_nobody_in_this_close_and_for_everybody_in_the_next(
    appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch, lot: int
) -> None:
    """All of it was recorded by the instant of the close, and was not there when it began."""
    await killed_before_lot(appraisal, monkeypatch, lot)
    corrected, one_less = figure("S2", "1", revision=2), org(MANAGER, SUPERVISOR, OTHER, at=IN_Q3)
    await appraisal.apply([corrected, figure("S1", case="C8"), one_less])
    await appraisal.send_decisions()
    await time_passes(appraisal)
    await check_closed_once(appraisal)
    assert await appraisal.rows("SELECT cycle_key FROM close_inputs") == []
    await appraisal.apply([close(as_of=LATER + WEEK)])
    await time_passes(appraisal)
    [_, again] = await appraisal.published(CycleClosed)
    assert (again.graded, await grades(appraisal)) == (3, {"M1": "优", "B1": "优", "S1": "优", "S2": "优"})


@pytest.mark.parametrize(("lot", "grade"), [(0, "优"), (1, "差")])
async def test_a_close_that_had_to_wait_for_the_end_of_a_hole_counts_what_came_back_unless_it_has_published_grades(
    appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch, lot: int, grade: str
) -> None:
    await killed_before_lot(appraisal, monkeypatch, lot)
    async with appraisal.database.transaction() as connection:
        await holes.open(connection, ("kpi-facts", 3), holes.Hole("set_back", 12, 0), None)
    await time_passes(appraisal, rounds=1)
    await appraisal.apply([figure("S2", "1", revision=2)])
    async with appraisal.database.transaction() as connection:
        await holes.accept(connection, by="E1", reason="the records are back", topic=None, partition=None)
    await time_passes(appraisal)
    assert len(await appraisal.published(CycleClosed)) == 1
    assert (await grades(appraisal))["S2"] == grade


async def test_what_an_interrupted_close_has_told_of_ratings_is_told_by_no_earlier_one(
    appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await appraisal.apply([*(rating("B1", one, "80") for one in ("M1", "S1", "S2")), close(scheme=DEPARTMENT)])
    cycle = await killed_before_lot(appraisal, monkeypatch, 1, DEPARTMENT)
    async with appraisal.database.transaction() as connection:
        assert await repository.disclosed(connection, cycle) == {}
        assert set(await repository.disclosed(connection, replace(cycle, requested_by="a later one"))) == {"B1"}


async def test_two_replicas_that_close_one_cycle_at_once_close_it_once(appraisal: ServiceOnDatabase) -> None:
    running: Any = appraisal.running
    [cycle] = await appraisal.stored(UnitOfWork.cycles)
    await asyncio.gather(*(jobs._grade(running, cycle) for _ in range(2)))
    await check_closed_once(appraisal)


async def test_facts_and_claims_come_in_while_a_lot_is_written_and_those_recorded_later_do_not_count(
    appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def more_comes_in() -> None:
        late = [figure("S2", case="C9"), rating("S1", "B1", "10"), close("2025Q2")]
        await appraisal.apply([replace(record, appended_at=LATER + WEEK) for record in late])
        await appraisal.send_decisions()

    before_lot(monkeypatch, 1, more_comes_in)
    running: Any = appraisal.running
    [cycle] = await appraisal.stored(UnitOfWork.cycles)
    await jobs._grade(running, cycle)
    await check_closed_once(appraisal)
    assert len(await appraisal.rows("SELECT DISTINCT key FROM kpi_facts")) == 3


async def test_a_further_close_that_is_asked_for_between_two_lots_follows(
    appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: Any = appraisal.running
    [cycle] = await appraisal.stored(UnitOfWork.cycles)
    publish, published = jobs._Close.publish, 0
    ahead = CycleCloseRequested(cycle_key=KEY, cycle="2025Q3", scheme=BASIC, as_of=LATER + 9 * WEEK)
    planned = claim(ahead, LATER + WEEK)

    async def publish_and_ask(self: Any, lot: Any) -> int | None:
        nonlocal published
        found = await publish(self, lot)
        published += 1
        if published == 2:
            corrected = figure("S2", "1", revision=2)
            in_time = replace(corrected, appended_at=LATER + WEEK / 2)
            await appraisal.apply([in_time, close(as_of=LATER + WEEK), planned])
            await appraisal.send_decisions()
        return found

    monkeypatch.setattr(jobs._Close, "publish", publish_and_ask)
    await jobs._grade(running, cycle)
    await time_passes(appraisal, rounds=6)
    assert [one.as_of for one in await appraisal.published(CycleClosePlanned)] == [LATER + 9 * WEEK]
    assert [closed.as_of for closed in await appraisal.published(CycleClosed)] == [LATER, LATER + WEEK]
    versions = {(one.subject[-2:], one.version): one.grade for one in await appraisal.published(GradePublished)}
    first = {("B1", 1): "差", ("M1", 1): "差", ("S1", 1): "优", ("S2", 1): "差"}
    assert versions == first | {("B1", 2): "优", ("M1", 2): "优", ("S2", 2): "优"}


async def test_a_large_cycle_holds_up_no_other_one(appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    publish, other = jobs._Close.publish, "2025Q2"

    async def publish_when_the_other_is_closed(self: Any, lot: Any) -> int | None:
        async with asyncio.timeout(120):  # only ends what hangs
            while self.cycle.cycle != other and not any(one.cycle == other for one in await appraisal.published(CycleClosed)):
                await appraisal.send_decisions()
                await asyncio.sleep(0.05)
        return await publish(self, lot)

    monkeypatch.setattr(jobs._Close, "publish", publish_when_the_other_is_closed)
    await appraisal.apply([figure("S1", at=IN_Q3 - 12 * WEEK), close(other)])
    await appraisal.send_decisions()
    await appraisal.run_jobs()
    assert [closed.cycle for closed in await appraisal.published(CycleClosed)] == [other, "2025Q3"]


async def test_a_close_that_another_one_has_overtaken_writes_nothing_more(appraisal: ServiceOnDatabase) -> None:
    running: Any = appraisal.running
    [cycle] = await appraisal.stored(UnitOfWork.cycles)
    await jobs._grade(running, replace(cycle, watermarks={"kpi-facts/0": 0}))
    assert await appraisal.rows("SELECT 1 FROM grades") == []


async def test_what_became_known_after_the_instant_of_a_close_does_not_count_although_it_was_there_first(database: str) -> None:
    def known(record: Record, after: timedelta) -> Record:
        return replace(record, appended_at=LATER + after)

    everything = [
        known(org(MANAGER, SUPERVISOR, ONE, OTHER), -2 * WEEK),
        known(rating("S1", "B1", "80"), -WEEK),
        known(rating("S2", "B1", "80"), WEEK),
        known(figure("S1", case="C1"), -WEEK),
        known(figure("S1", "0", case="C1", revision=2), WEEK),
    ]
    async with service_on("appraisal", database) as service:
        await service.apply(everything)
        await service.send_decisions()
        await service.apply([close(scheme=DEPARTMENT)])
        await time_passes(service)
        [closed] = await service.published(CycleClosed)
        assert closed.not_graded == {"B1": "ratings_missing", "S2": "ratings_missing"}
        assert await grades(service) == {"S1": "优"}
        assert differing(await stored(service, "S1")) == []
