"""Whose time a complaint's is, who is credited with its steps, and what dispatch tells about the work that puts it right."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import permutations

import pytest
from tests.harness import Facts, ServiceOnDatabase, claim, service_on

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    HandlerAssigned,
    SolutionFound,
    SolutionTold,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.claims.intake import Nature
from common.contracts.complaints import (
    ComplaintAssigned,
    ComplaintClaimRejected,
    ComplaintEscalated,
    ComplaintReceived,
    ComplaintRemedyDone,
    ComplaintRemedyFailed,
    ComplaintSolutionCommunicated,
    ComplaintSolutionProposed,
)
from common.contracts.envelope import Record
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.service_requests import ServiceRequestRegistered
from common.contracts.sla_clocks import SlaClockBreached, SlaClockMet
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderReopened

pytestmark = pytest.mark.real


def at(time: str, day: int = 7) -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


FRIDAY, MONDAY_AFTER = at("15:00", 11), at("09:00", 14)


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


def lodged(complaint: str, handled_by: str | None = "E1") -> Record:
    event = ComplaintLodged(
        complaint_id=complaint, customer_id="K1", category="noise", region="north", handled_by=handled_by, request_id="R9"
    )
    return claim(event, at("16:00"))


def handed_to(complaint: str, handler: str, when: datetime, team: str | None = "T2") -> Record:
    return claim(HandlerAssigned(complaint_id=complaint, handled_by=handler, team=team, by="M1"), when)


def steps(complaint: str, by: str = "E2") -> list[Record]:
    return [
        claim(ComplainantTold(complaint_id=complaint, by=by), at("17:00")),
        claim(VerificationBegun(complaint_id=complaint, by=by), at("10:00", 8)),
        claim(VerificationEnded(complaint_id=complaint, justified=True, by=by), at("11:00", 9)),
        claim(SolutionFound(complaint_id=complaint, remedy="repair", by=by), at("12:00", 9)),
        claim(SolutionTold(complaint_id=complaint, by=by), at("17:00", 10)),
    ]


def completed(complaint: str | None, when: datetime = FRIDAY, order: str = "R9-w2") -> Record:
    event = WorkOrderCompleted(work_order_id=order, request_id="R9", complaint_id=complaint, technician="E5", completed_at=when)
    return claim(event, when)


def came_back(complaint: str | None, when: datetime = MONDAY_AFTER) -> Record:
    event = WorkOrderReopened(work_order_id="R9-w2", request_id="R9", complaint_id=complaint, completed_by="E5", reopened_at=when)
    return claim(event, when)


def registered(request: str, nature: Nature, *triggers: str, category: str | None = None) -> Record:
    event = ServiceRequestRegistered(
        request_id=request,
        customer_id="K1",
        channel="hotline",
        nature=nature,
        route="complaint" if nature == "complaint" else "work_order",
        severity="high",
        priority="high",
        region="north",
        product="boiler",
        handled_by="E1",
        asset_id=None,
        received_at=at("16:00"),
        category=category,
        triggers=triggers,
    )
    return claim(event, at("16:00"))


async def test_a_step_is_to_the_credit_of_whoever_takes_it_in_time(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), *steps("C1", by="E2")])
    assert {(event.stage, event.owner) for event in await complaints.published(SlaClockMet)} == {
        (stage, "employee:E2") for stage in ("acknowledged", "verification_started", "verified", "solution_communicated")
    }
    assert set(await complaints.facts("C1")) == {(name, "employee:E2") for name in ("in_time_solution", "complaint_handling")}


async def test_a_promise_that_is_broken_is_the_handler_s_whoever_takes_the_step_later(complaints: ServiceOnDatabase) -> None:
    late = claim(ComplainantTold(complaint_id="C1", by="E2"), at("10:00", 9))
    await complaints.apply([lodged("C1"), late])
    (breach,) = [event for event in await complaints.published(SlaClockBreached) if event.stage == "acknowledged"]
    assert (breach.owner, breach.time) == ("employee:E1", at("18:00", 8))


async def test_from_the_assignment_on_the_time_is_the_new_handler_s_and_facts_name_their_team(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1", handled_by=None), handed_to("C1", "E3", at("09:00", 8))])
    (assigned,) = await complaints.published(ComplaintAssigned)
    assert (assigned.handled_by, assigned.team, assigned.by, assigned.assigned_at) == ("E3", "T2", "M1", at("09:00", 8))
    await complaints.let_time_pass()
    breaches = {event.stage: event.owner for event in await complaints.published(SlaClockBreached)}
    assert set(breaches.values()) == {"employee:E3"}
    facts = await complaints.published(KpiRecorded)
    assert {(fact.subject, fact.dimensions.get("team"), fact.dimensions.get("problem_type")) for fact in facts} == {
        ("employee:E3", "T2", "noise")
    }


async def test_a_handler_who_takes_a_step_in_the_very_moment_of_the_assignment_is_no_other_person(complaints: ServiceOnDatabase) -> None:
    await complaints.apply(
        [lodged("C1"), handed_to("C1", "E3", at("17:00")), claim(ComplainantTold(complaint_id="C1", by="E3"), at("17:00"))]
    )
    query = "SELECT data ->> 'owner' AS owner FROM clock_events WHERE type = 'owner_changed' AND clock_id = :clock"
    rows = await complaints.rows(query, clock="complaints:C1:acknowledged")
    assert [row["owner"] for row in rows] == ["employee:E3"]


async def test_what_was_found_and_decided_is_told_with_the_solution(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), handed_to("C1", "E2", at("16:30")), *steps("C1", by="E2")])
    (proposed,) = await complaints.published(ComplaintSolutionProposed)
    (told,) = await complaints.published(ComplaintSolutionCommunicated)
    assert (proposed.justified, proposed.remedy, proposed.request_id) == (True, "repair", "R9")
    assert (told.justified, told.remedy, told.by, told.team, told.request_id) == (True, "repair", "E2", "T2", "R9")


async def test_a_handler_of_before_the_receipt_is_refused(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), handed_to("C1", "E3", at("15:59"))])
    (refused,) = await complaints.published(ComplaintClaimRejected)
    assert (refused.rule, refused.field) == ("not_before_receipt", "ce_time")


async def test_a_request_that_is_a_major_complaint_is_escalated_in_the_same_moment(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([registered("R1", "complaint", "injury", "media", category="noise")])
    (received,), (escalated,) = await complaints.published(ComplaintReceived), await complaints.published(ComplaintEscalated)
    assert (received.complaint_id, received.category) == ("R1-c1", "noise")
    assert (escalated.triggers, escalated.escalated_at, escalated.time) == (("injury", "media"), at("16:00"), at("16:00"))
    assert "escalated" in {event.stage for event in await complaints.published(SlaClockMet)}
    rows = await complaints.rows("SELECT DISTINCT data -> 'traits' ->> 'category' AS category FROM clock_events WHERE type = 'started'")
    assert rows == [{"category": "noise"}]


async def test_a_request_of_any_nature_opens_a_complaint_where_it_is_a_major_case(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([registered("R1", "repair", "safety"), registered("R2", "repair")])
    assert [(event.complaint_id, event.category) for event in await complaints.published(ComplaintReceived)] == [("R1-c1", "boiler")]
    assert len(await complaints.published(ComplaintEscalated)) == 1


async def test_the_work_that_puts_a_complaint_right_is_told_and_so_is_its_failure(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), *steps("C1"), completed("C1"), came_back("C1"), completed(None, order="R9-w1")])
    (done,), (failed,) = await complaints.published(ComplaintRemedyDone), await complaints.published(ComplaintRemedyFailed)
    assert (done.complaint_id, done.request_id, done.work_order_id, done.done_by, done.done_at) == (
        "C1",
        "R9",
        "R9-w2",
        "E5",
        at("15:00", 11),
    )
    assert (failed.work_order_id, failed.done_by, failed.reopened_at) == ("R9-w2", "E5", at("09:00", 14))
    assert await complaints.rows("SELECT * FROM waiting") == []


async def test_work_that_ended_before_the_complaint_puts_nothing_of_it_right(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), completed("C1", at("15:59")), came_back("C1", at("15:59"))])
    assert [*await complaints.published(ComplaintRemedyDone), *await complaints.published(ComplaintRemedyFailed)] == []


def counts(facts: Facts) -> Facts:
    """The facts that were not taken back."""
    return {about: fact for about, fact in facts.items() if fact[:2] != ("0", "0")}


@pytest.mark.proof
async def test_the_order_of_claims_and_of_dispatch_s_decisions_changes_nothing_in_the_end(
    complaints: ServiceOnDatabase, proof: bool
) -> None:
    def a_case(complaint: str) -> list[Record]:
        told, begun, *others = steps(complaint, by="E3")
        return [
            lodged(complaint),
            handed_to(complaint, "E3", at("16:30")),
            told,
            begun,
            *others[:2],
            completed(complaint),
            came_back(complaint),
        ]

    await complaints.apply(a_case("C"))
    names = {f"P{number}": order for number, order in enumerate(permutations(range(8))) if number % (84 if proof else 2003) == 5}
    for name, order in names.items():
        await complaints.apply([a_case(name)[place] for place in order], at_once=5)
    ends = await complaints.ends(["C", *names])
    for name, order in names.items():
        for part in ("row", "decisions"):
            assert ends[name][part] == ends["C"][part], order
        assert counts(ends[name]["facts"]) == counts(ends["C"]["facts"]), order
    assert await complaints.rows("SELECT * FROM waiting") == await complaints.rows("SELECT * FROM dead_letters") == []
