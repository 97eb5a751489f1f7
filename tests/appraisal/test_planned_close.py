"""A close as of an instant that lies ahead is planned: the cycle is woken when it has come, and graded with what is known as of then."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text
from tests.appraisal.department import BASIC, END_OF_Q3, MANAGER, ONE, OTHER, SUPERVISOR, figure, grades, org, time_passes
from tests.harness import ServiceOnDatabase, claim, read_documents_up_to, service_on

from appraisal.repository import UnitOfWork
from common.contracts.claims.appraisal import CycleCloseRequested
from common.contracts.cycles import CycleClaimRejected, CycleClosed, CycleClosePlanned
from common.contracts.envelope import Record
from common.contracts.grades import GradePublished

pytestmark = pytest.mark.real

DAY = timedelta(days=1)
ABOVE = {"B1": "优", "M1": "优"}
"""Who is charged with what the others do."""
KEY = f"2025Q3|{BASIC}"


def day(number: int) -> datetime:
    """So many days after the quarter's end."""
    return END_OF_Q3 + number * DAY


def close(at: datetime, as_of: datetime, *, for_real: bool = False, replay_of: str = "") -> Record:
    """Somebody in charge asks at an instant for a close as of another one."""
    asked = CycleCloseRequested(cycle_key=KEY, cycle="2025Q3", scheme=BASIC, as_of=as_of, for_real=for_real)
    return claim(asked, at, replay_of=replay_of)


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        await service.apply([org(MANAGER, SUPERVISOR, ONE, OTHER), figure("S1")])
        yield service


async def all_is_done(appraisal: ServiceOnDatabase) -> None:
    for _ in range(3):
        await appraisal.let_time_pass()
        await time_passes(appraisal)


async def closed(appraisal: ServiceOnDatabase) -> list[datetime]:
    return [event.as_of for event in await appraisal.published(CycleClosed)]


async def rules(appraisal: ServiceOnDatabase) -> list[str]:
    return [event.rule for event in await appraisal.published(CycleClaimRejected)]


async def status(appraisal: ServiceOnDatabase) -> str:
    (cycle,) = await appraisal.stored(UnitOfWork.cycles)
    return str(cycle.status)


async def test_a_close_as_of_an_instant_ahead_is_planned_and_begins_when_it_has_come(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(day(1), day(3), for_real=True)])
    await time_passes(appraisal)
    assert (await status(appraisal), await closed(appraisal), await grades(appraisal)) == ("planned", [], {})
    (planned,) = await appraisal.published(CycleClosePlanned)
    assert (planned.cycle_key, planned.as_of, planned.for_real, planned.time) == (KEY, day(3), True, day(1))
    await all_is_done(appraisal)
    assert (await status(appraisal), await closed(appraisal), await grades(appraisal)) == ("graded", [day(3)], ABOVE | {"S1": "优"})
    (cycle,) = await appraisal.stored(UnitOfWork.cycles)
    assert (cycle.as_of, cycle.for_real, cycle.plan) == (day(3), True, None)


async def test_a_close_as_of_the_instant_at_which_it_is_asked_for_begins_at_once(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(day(3), day(3))])
    assert (await status(appraisal), await appraisal.published(CycleClosePlanned)) == ("closing", [])


async def test_what_becomes_known_before_the_instant_counts_and_what_becomes_known_after_it_does_not(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(day(1), day(3))])
    before = known_later(figure("S1", "0", case="K2"), day(3) - timedelta(seconds=1))
    after = known_later(figure("S2", case="K3"), day(3) + timedelta(seconds=1))
    await appraisal.apply([before, after])
    await all_is_done(appraisal)
    assert set(await grades(appraisal)) == {"S1", *ABOVE}
    (graded,) = await appraisal.rows("SELECT score FROM grades WHERE subject = 'employee:B1'")
    assert graded["score"] == "50.00", "one of the two figures that were known then was good"


def known_later(record: Record, at: datetime) -> Record:
    """A claim that has come so late."""
    return replace(record, appended_at=at)


@pytest.mark.parametrize("moved_to", [2, 5])
async def test_a_plan_that_is_made_later_takes_the_place_of_the_one_before(appraisal: ServiceOnDatabase, moved_to: int) -> None:
    await appraisal.apply([close(day(1), day(3)), close(day(1) + timedelta(hours=1), day(moved_to))])
    await all_is_done(appraisal)
    assert await closed(appraisal) == [day(moved_to)]


PLANS = (close(day(1), day(6)), close(day(2), day(4)), close(day(3), day(5)))


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_in_whatever_order_plans_arrive_the_newest_is_carried_out_and_the_cycle_ends_the_same(
    appraisal: ServiceOnDatabase, order: Sequence[int]
) -> None:
    for number in order:
        await appraisal.apply([PLANS[number], PLANS[number]])
    await all_is_done(appraisal)
    assert (await closed(appraisal), set(await rules(appraisal))) == ([day(5)], set() if order == (0, 1, 2) else {"a_newer_plan"})
    (row,) = await appraisal.rows("SELECT state - 'watermarks' AS state FROM cycles")
    assert (row["state"]["as_of"], row["state"]["plan"], row["state"]["status"]) == (as_stored(day(5)), None, "graded")
    await appraisal.apply([PLANS[number] for number in order])
    await all_is_done(appraisal)
    assert await closed(appraisal) == [day(5)]


def as_stored(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


async def test_an_older_plan_that_comes_after_the_newer_one_was_carried_out_changes_nothing(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(day(2), day(4))])
    await all_is_done(appraisal)
    await appraisal.apply([close(day(1), day(8))])
    await all_is_done(appraisal)
    assert (await closed(appraisal), await rules(appraisal)) == ([day(4)], ["a_newer_plan"])


async def test_a_claim_that_is_later_than_the_plan_finds_the_cycle_closing(appraisal: ServiceOnDatabase) -> None:
    """Whoever asks after the instant finds what was planned for it, although no timer has fired."""
    await appraisal.apply([close(day(1), day(3)), close(day(4), day(4))])
    (cycle,) = await appraisal.stored(UnitOfWork.cycles)
    assert (cycle.as_of, [one.as_of for one in cycle.waiting]) == (day(3), [day(4)])
    await all_is_done(appraisal)
    assert await closed(appraisal) == [day(3), day(4)]
    assert [grade.version for grade in await appraisal.published(GradePublished)] == [1, 1, 1], "with nothing new there is no new version"


async def test_a_close_that_is_asked_for_before_the_planned_one_leaves_the_plan_in_place(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(day(1), day(3)), close(day(2), day(2))])
    await all_is_done(appraisal)
    assert await closed(appraisal) == [day(2), day(3)]


async def test_a_close_as_of_the_very_instant_that_was_planned_is_made_once(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(day(1), day(3)), close(day(3), day(3))])
    await all_is_done(appraisal)
    (cycle,) = await appraisal.stored(UnitOfWork.cycles)
    assert (await closed(appraisal), cycle.plan, await rules(appraisal)) == ([day(3)], None, [])


async def test_a_graded_cycle_can_be_planned_to_close_again_and_not_as_of_an_instant_before_the_last_close(
    appraisal: ServiceOnDatabase,
) -> None:
    await appraisal.apply([close(day(5), day(5))])
    await all_is_done(appraisal)
    await appraisal.apply([close(day(4), day(5)), close(day(6), day(9))])
    assert (await rules(appraisal), await status(appraisal)) == (["later_than_the_last_close"], "graded")
    await all_is_done(appraisal)
    assert await closed(appraisal) == [day(5), day(9)]


async def test_a_close_is_not_planned_for_an_instant_before_the_end_of_the_cycle(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(END_OF_Q3 - 2 * DAY, END_OF_Q3 - DAY), close(END_OF_Q3 - DAY, END_OF_Q3)])
    assert await rules(appraisal) == ["not_before_its_end"]
    await all_is_done(appraisal)
    assert await closed(appraisal) == [END_OF_Q3]


async def test_a_plan_read_again_after_everything_was_lost_makes_the_same_grades_under_the_same_ids(appraisal: ServiceOnDatabase) -> None:
    story = [org(MANAGER, SUPERVISOR, ONE, OTHER), figure("S1"), close(day(1), day(3), replay_of="log-1")]
    await appraisal.apply(story)
    await all_is_done(appraisal)
    first = await said(appraisal)
    assert {replayed for _, _, replayed in first if "cycle" in _ or "grade" in _} <= {"log-1"}
    async with appraisal.database.transaction() as connection:
        lost = "inbox, outbox, timers, cycles, grades, kpi_facts, organisations, organisation_changes, consumer_progress"
        await connection.execute(text(f"TRUNCATE {lost}"))
    appraisal.offsets.clear()
    await read_documents_up_to(appraisal.database, 0, service="appraisal")
    await appraisal.apply(story)
    await all_is_done(appraisal)
    assert await said(appraisal) == first


async def said(appraisal: ServiceOnDatabase) -> list[Any]:
    events = [event for event in await appraisal.all_published() if not event.TYPE.startswith("kpi")]
    return sorted((event.envelope.id, event.TYPE, event.envelope.replay_of) for event in events)
