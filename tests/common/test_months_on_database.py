"""A month that is over is published once, whatever came late, twice or in another order, and by however many replicas."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.faults.kit import until
from tests.faults.test_timers import workers
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    ComplaintPromiseRestarted,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.envelope import Record
from common.contracts.sla_months import SlaMonthClosed, SlaMonthCorrected
from common.runtime import sql_metrics
from common.sla.policy import shipped_document

pytestmark = pytest.mark.real

Databases = Callable[[], Awaitable[str]]
Month = SlaMonthClosed | SlaMonthCorrected


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


def at(day: str, time: str = "10:00") -> datetime:
    return datetime.fromisoformat(f"2025-{day}T{time}:00+08:00")


def policy(version: int = 2, when: str = "01-01", **objectives: str) -> Record:
    document = {**shipped_document("complaints"), "version": version, "objectives": objectives}
    return claim(activated("sla-policy", "complaints", version, document), at(when))


def lodged(case: str, day: str = "07-07") -> Record:
    return claim(ComplaintLodged(complaint_id=case, customer_id="K1", category="noise", region="north", handled_by="E1"), at(day))


def told(case: str, day: str, time: str = "10:00") -> Record:
    return claim(ComplainantTold(complaint_id=case, by="E1"), at(day, time))


def begun(case: str, day: str) -> Record:
    return claim(VerificationBegun(complaint_id=case, by="E1"), at(day))


async def months(service: ServiceOnDatabase, stage: str = "acknowledged", month: str = "2025-07") -> list[Month]:
    found = [event for event in await service.all_published() if isinstance(event, SlaMonthClosed | SlaMonthCorrected)]
    return [event for event in found if (event.stage, event.month) == (stage, month)]


def figures(event: Month) -> tuple[Any, ...]:
    return event.met, event.breached, event.objective, event.allowed, event.remaining, event.revision


async def last_of_each(service: ServiceOnDatabase) -> dict[str, dict[str, Any]]:
    events = [event for event in await service.all_published() if isinstance(event, SlaMonthClosed | SlaMonthCorrected)]
    return {event.month_key: event.model_dump(exclude={"revision", "supersedes"}) for event in events}


async def test_a_month_that_is_over_is_published_once_with_what_is_left_of_its_budget(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([policy(acknowledged="1/2"), *[lodged(f"C{number}") for number in range(5)]])
    await complaints.apply([told(f"C{number}", "07-08") for number in range(4)])  # the last one is never told
    await complaints.let_time_pass()
    (event,) = await months(complaints)
    assert figures(event) == (4, 1, "1/2", 2, 1, 1)
    assert (event.policy, event.time) == ("complaints@2", at("08-01", "00:00"))
    assert (event.begins_at, event.ends_at) == (at("07-01", "00:00"), at("08-01", "00:00"))
    assert event.envelope.subject == "complaints:acknowledged:2025-07"
    before = await complaints.all_published()
    await complaints.let_time_pass()
    assert len(await complaints.all_published()) == len(before)


async def test_a_month_in_which_nothing_closed_has_no_budget_and_without_an_objective_it_is_not_published(
    complaints: ServiceOnDatabase,
) -> None:
    await complaints.apply([policy(acknowledged="1/2"), lodged("C1"), told("C1", "07-08")])
    await complaints.let_time_pass()
    (august,) = await months(complaints, month="2025-08")
    assert figures(august) == (0, 0, "1/2", None, None, 1)
    (verified,) = await months(complaints, stage="verified")  # breached in July, and no objective is set
    assert figures(verified) == (0, 1, None, None, None, 1)
    assert await months(complaints, stage="verified", month="2025-08") == []
    assert await months(complaints, stage="escalated") == []  # no clock of this stage ever ran
    assert await months(complaints, month="2025-06") == []


async def test_a_clock_of_long_ago_brings_no_empty_months_from_before_the_first_objective(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([policy(acknowledged="1/2")])
    old = ComplaintLodged(complaint_id="C1", customer_id="K1", category="noise", region="north", handled_by="E1")
    await complaints.apply([claim(old, datetime.fromisoformat("1999-07-07T10:00:00+08:00")), lodged("C2")])
    await complaints.let_time_pass()
    assert [event.breached for event in await months(complaints, month="1999-07")] == [1]
    rows = await complaints.rows(
        "SELECT min(month) AS first, count(*) AS n FROM sla_months WHERE stage = 'acknowledged' AND month < '2025-07'"
    )
    assert dict(rows[0]) == {"first": "1999-07", "n": 7}, "1999-07, and 2025 up to June, which has an objective"


async def test_what_changes_nothing_about_an_outcome_has_no_month_counted(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), told("C1", "07-08")])
    await complaints.let_time_pass()
    await complaints.apply([told("C1", "07-09")])  # the first one counts
    assert await complaints.rows("SELECT stage FROM clock_days_changed") == []
    await complaints.apply([told("C1", "07-08", "09:00")])
    assert [dict(row) for row in await complaints.rows("SELECT DISTINCT stage FROM clock_days_changed")] == [{"stage": "acknowledged"}]


async def test_what_becomes_known_late_corrects_the_month_and_says_what_it_supersedes(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([policy(acknowledged="1/2"), lodged("C1"), lodged("C2"), told("C2", "07-08")])
    await complaints.let_time_pass()
    late = told("C1", "07-08", "17:00")
    await complaints.apply([late])
    await complaints.apply([late])
    await complaints.let_time_pass()
    first, second = await months(complaints)
    assert [figures(first), figures(second)] == [(1, 1, "1/2", 1, 0, 1), (2, 0, "1/2", 1, 1, 2)]
    assert isinstance(second, SlaMonthCorrected)
    assert second.supersedes == first.envelope.id
    await complaints.apply([lodged("C3", "07-01"), told("C3", "07-01", "11:00")])  # a case that nobody knew of
    await complaints.let_time_pass()
    *_, third = await months(complaints)
    assert (figures(third), third.time) == ((3, 0, "1/2", 1, 1, 3), at("08-01", "00:00"))


async def test_an_outcome_that_moves_to_another_month_corrects_both(complaints: ServiceOnDatabase) -> None:
    ended = VerificationEnded(complaint_id="C1", justified=True, by="E1")
    await complaints.apply([lodged("C1", "07-30"), begun("C1", "07-30"), claim(ended, at("08-04", "11:00"))])
    await complaints.let_time_pass()
    assert [figures(event)[:2] for event in await months(complaints, "verified", "2025-08")] == [(1, 0)]
    assert await months(complaints, "verified") == []
    await complaints.apply([claim(ended, at("07-30", "17:00"))])
    await complaints.let_time_pass()
    assert [figures(event)[:2] for event in await months(complaints, "verified", "2025-08")] == [(1, 0), (0, 0)]
    assert [figures(event)[:2] for event in await months(complaints, "verified")] == [(1, 0)]


async def test_each_round_of_a_promise_counts_in_the_month_in_which_it_was_kept_or_broken(complaints: ServiceOnDatabase) -> None:
    document = {**shipped_document("complaints"), "version": 2}
    (usual,) = document["stages"]["acknowledged"]
    document["stages"] = {**document["stages"], "acknowledged": [{**usual, "restarts": 1}]}
    await complaints.apply([claim(activated("sla-policy", "complaints", 2, document), at("01-01")), lodged("C1", "07-30")])
    anew = ComplaintPromiseRestarted(complaint_id="C1", stage="acknowledged", reason="next_update")
    await complaints.apply([claim(anew, at("08-04")), told("C1", "08-04", "11:00")])
    await complaints.let_time_pass()
    assert [figures(event)[:2] for event in await months(complaints)] == [(0, 1)]
    assert [figures(event)[:2] for event in await months(complaints, month="2025-08")] == [(1, 0)]
    await complaints.apply([told("C1", "07-30", "10:30")])  # the first round was kept after all
    await complaints.let_time_pass()
    assert [figures(event)[:2] for event in await months(complaints)] == [(0, 1), (1, 0)]


async def test_the_last_word_on_every_month_is_the_same_for_any_order_of_arrival(
    complaints: ServiceOnDatabase, databases: Databases
) -> None:
    parts: Sequence[list[Record]] = (
        [lodged("C1", "07-31"), lodged("C2", "07-29")],
        [told("C1", "08-01"), told("C2", "07-30")],
        [begun("C2", "08-20"), told("C1", "08-01")],
    )
    await complaints.apply([policy(acknowledged="1/2"), *[record for part in parts for record in part]])
    await complaints.let_time_pass()
    expected = await last_of_each(complaints)
    assert expected["complaints:acknowledged:2025-07"]["met"] == 1
    assert expected["complaints:verification_started:2025-08"]["breached"] == 1
    for order in permutations(parts):
        async with service_on("complaints", await databases()) as another:
            await another.apply([policy(acknowledged="1/2")])
            for part in order:
                await another.apply(part)
                await another.let_time_pass()
            assert await last_of_each(another) == expected


async def test_a_database_that_is_built_anew_publishes_the_same_under_the_same_ids(
    complaints: ServiceOnDatabase, databases: Databases
) -> None:
    records = [policy(acknowledged="1/2"), lodged("C1"), told("C1", "07-08"), lodged("C2"), begun("C1", "07-09")]

    def ids(events: Sequence[Any]) -> set[tuple[str, str]]:
        return {(event.month_key, event.envelope.id) for event in events}

    await complaints.apply(records)
    await complaints.let_time_pass()
    async with service_on("complaints", await databases()) as anew:
        await anew.apply(records, at_once=1)
        await anew.let_time_pass()
        assert ids(await anew.published(SlaMonthClosed)) == ids(await complaints.published(SlaMonthClosed))
        assert await anew.published(SlaMonthCorrected) == []


async def test_the_running_month_shows_what_is_left_and_nothing_before_something_closed(complaints: ServiceOnDatabase) -> None:
    names = ("aftersales_sla_objective_ratio", "aftersales_sla_budget_remaining", "aftersales_sla_month_closed")

    async def shown() -> dict[str, dict[tuple[str, str], float]]:
        async with complaints.database.transaction() as connection:
            rulebook = (await complaints.consumer.documents.now(connection)).rulebook
            await sql_metrics.refresh(connection, metrics, rulebook)
        return {
            family.name: {(one.labels["stage"], one.labels.get("outcome", "")): one.value for one in family.samples}
            for family in metrics.registry.collect()
            if family.name in names
        }

    metrics = complaints.running.metrics
    await complaints.apply([policy(acknowledged="3/4", escalated="1")])
    objectives = {("acknowledged", ""): 0.75, ("escalated", ""): 1.0}
    assert await shown() == dict(zip(names, (objectives, {}, {}), strict=True))
    moment = await database_time(complaints)
    for number in range(5):
        case = ComplaintLodged(complaint_id=f"C{number}", customer_id="K1", category="noise", region="north", handled_by="E1")
        await complaints.apply([claim(case, moment), claim(ComplainantTold(complaint_id=f"C{number}", by="E1"), moment)])
    closed = {("acknowledged", "met"): 5.0, ("acknowledged", "breached"): 0.0}
    assert await shown() == dict(zip(names, (objectives, {("acknowledged", ""): 1.0}, closed), strict=True))
    sql_metrics.clear(metrics)
    assert not [one for family in metrics.registry.collect() if family.name in names for one in family.samples]


async def database_time(service: ServiceOnDatabase) -> datetime:
    (row,) = await service.rows("SELECT date_trunc('second', now()) AS now")
    found: datetime = row["now"]
    return found


@pytest.mark.proof
async def test_each_month_is_published_in_one_chain_while_those_who_publish_are_killed(
    complaints: ServiceOnDatabase, database: str, tmp_path: Path, proof: bool
) -> None:
    kills = 30 if proof else 3
    dice, written = Random(kills), 0
    with workers(database, tmp_path, spare=kills, policy=shipped_document("complaints")) as running:
        running.begin()
        running.begin()
        for _ in range(kills):
            seen, before = len(await months(complaints)), written
            while len(await months(complaints)) == seen or written < before + 2:  # what comes late makes July another one each time
                case = f"C{written}"
                await complaints.apply([lodged(case), told(case, "07-08"), begun(case, "07-08" if written % 3 else "07-20")])
                written += 1
                await asyncio.sleep(dice.uniform(0, 0.5))
            running.kill()

        async def is_known() -> bool:
            found = await months(complaints)
            return bool(found) and found[-1].met == written

        await until("July has all that came late", is_known)
    await complaints.let_time_pass()
    chain = await months(complaints)
    assert [event.revision for event in chain] == list(range(1, len(chain) + 1))
    corrected = [event for event in chain if isinstance(event, SlaMonthCorrected)]
    assert [event.supersedes for event in corrected] == [event.envelope.id for event in chain[:-1]]
    assert figures(chain[-1])[:2] == (written, 0)
    begins = (await months(complaints, stage="verification_started"))[-1]
    assert figures(begins)[:2] == (written - -(-written // 3), -(-written // 3))
    print(f"\n{len(chain)} versions of one month, {kills} × kill -9")  # noqa: T201 - the counts are what the proof is for


async def test_two_that_publish_at_once_publish_each_month_once(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([policy(acknowledged="1/2"), *[lodged(f"C{number}") for number in range(20)]])
    while await complaints.rows("SELECT id FROM timers WHERE state = 'armed' AND due_at < now()"):
        await asyncio.gather(complaints.let_time_pass(), complaints.let_time_pass())
    await asyncio.gather(*[complaints.let_time_pass() for _ in range(4)])
    keys = [event.month_key for event in await complaints.published(SlaMonthClosed)]
    assert len(keys) == len(set(keys)) > 10
    assert await complaints.published(SlaMonthCorrected) == []


async def test_nothing_is_published_before_everything_that_has_come_was_handled(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1")])
    assert await complaints.timers.fire() == 0  # no look at Kafka has seen the service caught up
    assert await complaints.published(SlaMonthClosed) == []
    await complaints.let_time_pass()
    assert await complaints.published(SlaMonthClosed) != []


async def test_an_objective_that_begins_after_a_month_changes_nothing_in_it(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([policy(2, acknowledged="1/2"), lodged("C1"), told("C1", "07-08")])
    await complaints.let_time_pass()
    await complaints.apply([policy(3, "10-15", acknowledged="3/4")])
    await complaints.let_time_pass()
    assert [event.objective for event in await months(complaints)] == ["1/2"]
    assert [event.objective for event in await months(complaints, month="2025-10")] == ["1/2", "3/4"]  # was known late, and corrected
