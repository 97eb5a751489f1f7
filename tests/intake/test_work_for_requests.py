"""Intake learns from dispatch and complaints who did the work, how it ended, and that a defect came back; in whatever order."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import permutations

import pytest
from tests.harness import ServiceOnDatabase, claim, id_of, service_on

from common.contracts.claims.intake import CustomerAnswered, Nature, ServiceEnded, ServiceRequestReceived, SurveyAnswered
from common.contracts.complaints import ComplaintSolutionCommunicated
from common.contracts.envelope import Record
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.service_requests import ServiceRequestClosed, ServiceRequestReopened, ServiceRequestResultRecorded
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderReopened
from common.kernel.works import WorkStep
from intake.repository import UnitOfWork

pytestmark = pytest.mark.real


def at(time: str, day: int = 7) -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


@pytest.fixture
async def intake(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("intake", database) as service:
        yield service


def received(request: str, nature: Nature = "repair") -> Record:
    event = ServiceRequestReceived(
        request_id=request,
        customer_id="K1",
        channel="hotline",
        nature=nature,
        severity="normal",
        region="north",
        product="boiler",
        category="no water",
        outlet="harbour",
    )
    return claim(event, at("09:00"))


def answered(request: str) -> Record:
    return claim(CustomerAnswered(request_id=request, by="E1"), at("09:20"))


def ended(request: str, when: datetime) -> Record:
    return claim(ServiceEnded(request_id=request, by="E2"), when)


def surveyed(request: str, when: datetime, satisfaction: int = 4) -> Record:
    return claim(SurveyAnswered(request_id=request, satisfaction=satisfaction), when)


def completed(request: str, when: datetime, by: str = "T1", *, order: str = "w1", team: str = "team-1") -> Record:
    return claim(
        WorkOrderCompleted(work_order_id=f"{request}-{order}", request_id=request, technician=by, team=team, completed_at=when), when
    )


def came_back(request: str, when: datetime, by: str = "T1", *, order: str = "w1") -> Record:
    return claim(WorkOrderReopened(work_order_id=f"{request}-{order}", request_id=request, completed_by=by, reopened_at=when), when)


def told(request: str, when: datetime, complaint: str = "", by: str = "H1") -> Record:
    event = ComplaintSolutionCommunicated(
        complaint_id=complaint or f"{request}-c1",
        request_id=request,
        communicated_at=when,
        by=by,
        team="team-h",
        justified=True,
        remedy="refund",
    )
    return claim(event, when)


def numbered(record: Record, number: int) -> Record:
    """The decision with its number among those of its work order or complaint."""
    return replace(record, headers=(*record.headers, ("ce_sequence", str(number).encode())))


def opinions(facts: Sequence[KpiRecorded], request: str) -> dict[tuple[str, int], tuple[str, str, datetime, str | None]]:
    """What the surveys of a request count for in the end, by person and closing: points, out of how many, when, in which team."""
    return {place: (one.numerator, one.denominator, one.time, one.dimensions.get("team")) for place, one in last(facts, request).items()}


def last(facts: Sequence[KpiRecorded], request: str) -> dict[tuple[str, int], KpiRecorded]:
    """The highest revisions of the facts of a request's surveys, without those that were taken back."""
    best: dict[tuple[str, int], KpiRecorded] = {}
    for fact in facts:
        place = fact.subject, fact.occurrence
        if fact.case_id == request and fact.indicator == "customer_satisfaction":
            assert place not in best or best[place].revision < fact.revision
            best[place] = fact
    return {place: fact for place, fact in best.items() if fact.denominator != "0"}


async def counted(intake: ServiceOnDatabase, request: str) -> dict[tuple[str, int], tuple[str, str, datetime, str | None]]:
    return opinions(await intake.published(KpiRecorded), request)


def as_called(end: object, name: str) -> str:
    """How a case ended, with its name replaced, also within the ids of its work orders."""
    return str(end).replace(f"{name}-w", "R-w")


async def test_a_survey_is_credited_to_the_technician_of_the_work_and_not_to_whoever_ended_the_service(intake: ServiceOnDatabase) -> None:
    case = [received("R1"), answered("R1"), completed("R1", at("15:00", 9)), ended("R1", at("16:00", 9)), surveyed("R1", at("12:00", 20))]
    await intake.apply(case)
    assert await counted(intake, "R1") == {("employee:T1", 0): ("3", "4", at("16:00", 9), "team-1")}
    (fact,) = [fact for fact in await intake.published(KpiRecorded) if fact.indicator == "customer_satisfaction"]
    assert fact.dimensions == {
        "product": "boiler",
        "region": "north",
        "problem_type": "no water",
        "nature": "repair",
        "priority": "normal",
        "channel": "hotline",
        "outlet": "harbour",
        "team": "team-1",
    }


async def test_work_that_becomes_known_after_the_survey_moves_the_credit_by_a_higher_revision(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1"), answered("R1"), ended("R1", at("16:00", 9)), surveyed("R1", at("12:00", 20))])
    assert await counted(intake, "R1") == {("employee:E2", 0): ("3", "4", at("16:00", 9), None)}
    await intake.apply([completed("R1", at("15:00", 9))])
    assert await counted(intake, "R1") == {("employee:T1", 0): ("3", "4", at("16:00", 9), "team-1")}
    taken_back = [fact for fact in await intake.published(KpiRecorded) if fact.denominator == "0"]
    assert [(fact.subject, fact.numerator, fact.time) for fact in taken_back] == [("employee:E2", "0", at("16:00", 9))]


async def test_of_several_work_orders_the_one_that_finished_last_before_the_closing_has_the_credit(intake: ServiceOnDatabase) -> None:
    works = [
        completed("R1", at("15:00", 8), "T1"),
        completed("R1", at("11:00", 9), "T2", order="w2", team="team-2"),
        completed("R1", at("17:00", 9), "T3", order="w3", team="team-3"),
    ]
    await intake.apply([received("R1"), answered("R1"), *works, ended("R1", at("16:00", 9)), surveyed("R1", at("12:00", 20))])
    assert await counted(intake, "R1") == {("employee:T2", 0): ("3", "4", at("16:00", 9), "team-2")}


async def test_the_result_of_a_request_is_what_dispatch_and_complaints_decided(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1"), completed("R1", at("15:00", 9)), received("R2", "complaint"), told("R2", at("17:00", 9))])
    results = {result.request_id: result for result in await intake.published(ServiceRequestResultRecorded)}
    work, solution = results["R1"], results["R2"]
    assert (work.result, work.work_order_id, work.done_by, work.done_at) == ("work_done", "R1-w1", "T1", at("15:00", 9))
    assert (work.complaint_id, work.remedy, work.justified) == (None, None, None)
    assert (solution.result, solution.complaint_id, solution.done_by, solution.done_at) == ("solution_told", "R2-c1", "H1", at("17:00", 9))
    assert (solution.work_order_id, solution.remedy, solution.justified) == (None, "refund", True)


async def test_a_request_keeps_who_did_its_work_in_which_team_and_the_number_of_each_decision(intake: ServiceOnDatabase) -> None:
    first, again = numbered(completed("R1", at("15:00", 9)), 4), completed("R1", at("15:00", 15))
    back, back_again = numbered(came_back("R1", at("10:00", 14)), 5), came_back("R1", at("10:00", 16))
    solved, unnumbered = numbered(told("R2", at("17:00", 9)), 6), told("R3", at("17:00", 9))
    await intake.apply([received("R1"), first, back, again, back_again])
    await intake.apply([received("R2", "complaint"), solved, received("R3", "complaint"), unnumbered])
    assert [request.work for request in await intake.stored(UnitOfWork.requests)] == [
        (
            WorkStep("R1-w1", at("15:00", 9), 4, "T1", "team-1", id_of(first)),
            WorkStep("R1-w1", at("10:00", 14), 5),
            WorkStep("R1-w1", at("15:00", 15), 0, "T1", "team-1", id_of(again)),
            WorkStep("R1-w1", at("10:00", 16), 0),
        ),
        (WorkStep("R2-c1", at("17:00", 9), 6, "H1", "team-h", id_of(solved)),),
        (WorkStep("R3-c1", at("17:00", 9), 0, "H1", "team-h", id_of(unnumbered)),),
    ]


async def test_a_survey_of_a_complaint_is_about_whoever_told_the_solution(intake: ServiceOnDatabase) -> None:
    case = [received("R1", "complaint"), answered("R1"), told("R1", at("15:00", 9)), ended("R1", at("16:00", 9))]
    await intake.apply([*case, surveyed("R1", at("12:00", 20))])
    assert await counted(intake, "R1") == {("employee:H1", 0): ("3", "4", at("16:00", 9), "team-h")}


async def test_a_complaint_about_a_request_is_not_the_work_that_was_done_for_it(intake: ServiceOnDatabase) -> None:
    case = [received("R1"), answered("R1"), completed("R1", at("15:00", 9)), ended("R1", at("16:00", 9)), surveyed("R1", at("12:00", 20))]
    await intake.apply([*case, told("R1", at("15:30", 9), complaint="C77")])
    assert list(await counted(intake, "R1")) == [("employee:T1", 0)]
    assert len(await intake.published(ServiceRequestResultRecorded)) == 1


async def test_a_decision_about_work_waits_for_its_request(intake: ServiceOnDatabase) -> None:
    await intake.apply([completed("R1", at("15:00", 9)), told("R2", at("15:00", 9))])
    assert await intake.rows("SELECT aggregate, missing FROM waiting ORDER BY aggregate") == [
        {"aggregate": f"service_requests:{name}", "missing": "unknown_aggregate"} for name in ("R1", "R2")
    ]
    await intake.apply([received("R1"), received("R2", "complaint")])
    assert await intake.rows("SELECT * FROM waiting") == []
    assert len(await intake.published(ServiceRequestResultRecorded)) == 2


async def test_a_request_whose_work_is_open_again_waits_for_its_end_again_and_is_surveyed_once_for_each_end(
    intake: ServiceOnDatabase,
) -> None:
    await intake.apply(a_case_that_came_back("R1"))
    (reopened,) = await intake.published(ServiceRequestReopened)
    assert (reopened.work_order_id, reopened.reopened_at, reopened.time) == ("R1-w1", at("10:00", 14), at("10:00", 14))
    assert [closed.closed_at for closed in await intake.published(ServiceRequestClosed)] == [at("16:00", 9), at("16:00", 15)]
    assert await counted(intake, "R1") == {
        ("employee:T1", 0): ("1", "4", at("16:00", 9), "team-1"),
        ("employee:T2", 1): ("4", "4", at("16:00", 15), "team-2"),
    }
    (closure,) = await intake.rows("SELECT state, outcome, closed_at FROM clocks WHERE stage = 'closure'")
    assert (closure["state"], closure["closed_at"]) == ("stopped", at("18:00", 14))  # reopened at 10:00 on its last day


def a_case_that_came_back(request: str) -> list[Record]:
    return [
        received(request),
        answered(request),
        completed(request, at("15:00", 9)),
        ended(request, at("16:00", 9)),
        surveyed(request, at("12:00", 11), 2),
        came_back(request, at("10:00", 14)),
        completed(request, at("15:00", 15), "T2", team="team-2"),
        ended(request, at("16:00", 15)),
        surveyed(request, at("12:00", 20), 5),
    ]


async def test_work_that_is_open_again_before_the_service_has_ended_reopens_nothing(intake: ServiceOnDatabase) -> None:
    first, *_ = case = a_case_that_came_back("R1")
    await intake.apply([first, case[1], case[2], case[5], case[6], case[7], case[8]])
    assert await intake.published(ServiceRequestReopened) == []
    assert await counted(intake, "R1") == {("employee:T2", 0): ("4", "4", at("16:00", 15), "team-2")}


@pytest.mark.proof
async def test_the_order_of_three_topics_changes_neither_request_nor_clocks_facts_revisions_or_decisions(
    intake: ServiceOnDatabase, proof: bool
) -> None:
    await intake.apply(a_case_that_came_back("R"))
    drawn = enumerate(permutations(range(1, 9)))
    names = {f"P{number}": order for number, order in drawn if number % (84 if proof else 2003) == 7}
    cases = {name: a_case_that_came_back(name) for name in names}
    for name, order in names.items():
        await intake.apply([cases[name][place] for place in (0, *order)], at_once=5)
    ends, facts = await intake.ends(["R", *names]), await intake.published(KpiRecorded)
    revisions = sorted(one.revision for one in last(facts, "R").values())
    for name, order in names.items():
        for part in ("row", "clocks", "decisions"):
            assert as_called(ends[name][part], name) == as_called(ends["R"][part], "R"), order
        assert opinions(facts, name) == opinions(facts, "R"), order
        assert sorted(one.revision for one in last(facts, name).values()) == revisions, order
        ids = [id_of(record) for record in cases[name]]
        sources = {occurrence: one.source_event_ids for (_, occurrence), one in last(facts, name).items()}
        assert sources == {0: [ids[2], ids[3], ids[4]], 1: [ids[6], ids[7], ids[8]]}, order
    assert await intake.rows("SELECT * FROM waiting") == await intake.rows("SELECT * FROM dead_letters") == []


async def test_what_dispatch_says_twice_changes_nothing(intake: ServiceOnDatabase) -> None:
    await intake.apply(a_case_that_came_back("R1"))
    before = await intake.dump()
    await intake.apply([*a_case_that_came_back("R1"), *reversed(a_case_that_came_back("R1"))], at_once=3)
    assert await intake.dump() == before
