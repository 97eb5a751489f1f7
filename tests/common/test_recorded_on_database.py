"""A decision is recorded no earlier than whatever it builds on, also where that had not come yet and the claim waited for it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from tests.harness import ServiceOnDatabase, claim, service_on

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged, VerificationBegun, VerificationEnded
from common.contracts.claims.dispatch import WorkOrderOpened
from common.contracts.claims.intake import CustomerAnswered, ServiceEnded, ServiceRequestReceived, SurveyAnswered
from common.contracts.complaints import ComplaintReceived
from common.contracts.envelope import Record
from common.contracts.event import Event
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.service_requests import ServiceRequestClosed, ServiceRequestRegistered
from common.contracts.sla_clocks import SlaClockMet
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderCreated, WorkOrderReopened

pytestmark = pytest.mark.real

MONDAY = datetime(2025, 7, 7, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
RECEIVED = ServiceRequestReceived(
    request_id="R1", customer_id="K1", channel="hotline", nature="repair", severity="high", region="north", product="boiler"
)
STEPS = {
    "complaint.received": "complaint.lodged",
    "complaint.acknowledged": "complaint.complainant_told",
    "complaint.verification_started": "complaint.verification_begun",
    "complaint.verified": "complaint.verification_ended",
}
"""What is decided, by the claim that it answers."""


def claims_about(complaint: str) -> list[tuple[Event, datetime]]:
    """What happens to a complaint, each an hour after what came before."""
    said = [
        ComplaintLodged(complaint_id=complaint, customer_id="K1", category="noise", region="north", handled_by="E1"),
        ComplainantTold(complaint_id=complaint, by="E1"),
        VerificationBegun(complaint_id=complaint, by="E1"),
        VerificationEnded(complaint_id=complaint, justified=True, by="E1"),
    ]
    return [(event, MONDAY + number * HOUR) for number, event in enumerate(said)]


def recorded_at(event: Event, at: datetime, instant: datetime) -> Record:
    """The record of what happened at an instant and was recorded at another one."""
    return claim(event, at, known=instant - at)


def registered(recorded: datetime, at: datetime = MONDAY, handled_by: str = "E1") -> Record:
    """Intake has decided that request R1 is a complaint."""
    event = ServiceRequestRegistered(
        request_id="R1",
        customer_id="K1",
        channel="hotline",
        nature="complaint",
        route="complaint",
        severity="high",
        priority="high",
        region="north",
        product="boiler",
        handled_by=handled_by,
        asset_id=None,
        received_at=at,
    )
    return recorded_at(event, at, recorded)


async def recorded(service: ServiceOnDatabase, complaint: str) -> list[tuple[str, datetime]]:
    """What was decided about a complaint, in the order of its numbers, and when each was recorded."""
    found = [event for event in await service.all_published() if event.TYPE in STEPS and event.envelope.subject == complaint]
    return [(event.TYPE, event.envelope.recorded_at) for event in sorted(found, key=lambda one: one.envelope.sequence or 0)]


def as_they_build(order: Sequence[str], arrived: dict[str, datetime]) -> list[tuple[str, datetime]]:
    """Each decision, recorded when the last claim was that it and those before it answer."""
    return [(type, max(arrived[STEPS[one]] for one in order[: number + 1])) for number, type in enumerate(order)]


@pytest.mark.parametrize("at_once", [24, 200], ids=["in batches of one claim a case", "in one batch"])
async def test_in_whatever_order_the_claims_about_a_case_come_no_decision_is_recorded_before_one_that_it_follows(
    at_once: int, database: str
) -> None:
    arrivals = [MONDAY + hours * HOUR for hours in (24, 25, 26, 27)]
    cases = {f"C{number}": order for number, order in enumerate(permutations(range(4)))}
    claims = {complaint: claims_about(complaint) for complaint in cases}
    async with service_on("complaints", database) as complaints:
        records = [
            recorded_at(*claims[complaint][order[place]], at) for place, at in enumerate(arrivals) for complaint, order in cases.items()
        ]
        await complaints.apply(records, at_once=at_once)
        for complaint, order in cases.items():
            arrived = {claims[complaint][one][0].TYPE: at for one, at in zip(order, arrivals, strict=True)}
            found = await recorded(complaints, complaint)
            assert len(found) == len(STEPS)
            assert found == as_they_build([type for type, _ in found], arrived), complaint


@pytest.mark.parametrize("waits", [True, False], ids=["the claim comes first", "the beginning is read first"])
async def test_a_claim_of_before_the_beginning_was_recorded_decides_as_of_the_beginning_whichever_topic_is_read_first(
    waits: bool, database: str
) -> None:
    began = MONDAY + 9 * HOUR
    told = recorded_at(ComplainantTold(complaint_id="R1-c1", by="E1"), MONDAY + HOUR, MONDAY + 2 * HOUR)
    async with service_on("complaints", database) as complaints:
        for record in (told, registered(began)) if waits else (registered(began), told):
            await complaints.apply([record])
        assert await recorded(complaints, "R1-c1") == [("complaint.received", began), ("complaint.acknowledged", began)]
        (met,) = await complaints.published(SlaClockMet)
        assert (met.time, met.envelope.recorded_at) == (MONDAY + HOUR, began)


@pytest.mark.parametrize("waits", [True, False], ids=["the claim comes first", "the reopening is read first"])
async def test_a_second_end_that_was_recorded_before_the_reopening_is_decided_as_of_the_reopening_whichever_topic_is_read_first(
    waits: bool, database: str
) -> None:
    reopened_at = MONDAY + 9 * HOUR
    reopened = WorkOrderReopened(work_order_id="R1-w1", request_id="R1", completed_by="E2", reopened_at=MONDAY + 3 * HOUR)
    reopening = recorded_at(reopened, MONDAY + 3 * HOUR, reopened_at)
    second = recorded_at(ServiceEnded(request_id="R1", by="E1"), MONDAY + 4 * HOUR, MONDAY + 5 * HOUR)
    async with service_on("intake", database) as intake:
        said = [RECEIVED, CustomerAnswered(request_id="R1", by="E1"), ServiceEnded(request_id="R1", by="E1")]
        await intake.apply([claim(event, MONDAY + number * HOUR) for number, event in enumerate(said)])
        for record in (second, reopening) if waits else (reopening, second):
            await intake.apply([record])
        ends = await intake.published(ServiceRequestClosed)
        assert [event.envelope.recorded_at for event in ends] == [MONDAY + 2 * HOUR + timedelta(seconds=1), reopened_at]


@pytest.mark.parametrize("is_late", [True, False], ids=["the survey comes first", "the work is read first"])
async def test_the_last_fact_of_a_case_that_hears_from_two_topics_is_recorded_as_the_newest_it_rests_on_whichever_is_read_first(
    is_late: bool, database: str
) -> None:
    completed = WorkOrderCompleted(work_order_id="R1-w1", request_id="R1", technician="E2", completed_at=MONDAY + HOUR)
    work = recorded_at(completed, MONDAY + HOUR, MONDAY + 3 * HOUR)
    survey = recorded_at(SurveyAnswered(request_id="R1", satisfaction=5), MONDAY + 4 * HOUR, MONDAY + 5 * HOUR)
    async with service_on("intake", database) as intake:
        said = [RECEIVED, CustomerAnswered(request_id="R1", by="E1"), ServiceEnded(request_id="R1", by="E1")]
        await intake.apply([claim(event, MONDAY + number * HOUR) for number, event in enumerate(said)])
        for record in (survey, work) if is_late else (work, survey):
            await intake.apply([record])
        facts = [fact for fact in await intake.published(KpiRecorded) if fact.indicator == "customer_satisfaction"]
        last = max((fact for fact in facts if fact.denominator != "0"), key=lambda fact: fact.revision)
        assert (last.subject, last.envelope.recorded_at) == ("employee:E2", MONDAY + 5 * HOUR)


async def test_a_claim_that_is_refused_after_it_waited_is_answered_as_of_what_it_waited_for(database: str) -> None:
    async with service_on("complaints", database) as complaints:
        early = recorded_at(ComplainantTold(complaint_id="R1-c1", by="E1"), MONDAY - HOUR, MONDAY + HOUR)
        await complaints.apply([early, registered(MONDAY + 9 * HOUR)])
        refused = [event for event in await complaints.all_published() if event.TYPE == "complaint.claim_rejected"]
        assert [event.envelope.recorded_at for event in refused] == [MONDAY + 9 * HOUR]


async def test_what_builds_on_another_case_is_recorded_no_earlier_than_that_one(database: str) -> None:
    opened = WorkOrderOpened(work_order_id="W9", request_id="R1", reason="second_visit", by="E3")
    async with service_on("dispatch", database) as dispatch:
        await dispatch.apply([recorded_at(opened, MONDAY + HOUR, MONDAY + 2 * HOUR), registered(MONDAY + 9 * HOUR)])
        (created,) = await dispatch.published(WorkOrderCreated)
        assert created.envelope.recorded_at == MONDAY + 9 * HOUR


async def test_cases_that_have_nothing_to_do_with_each_other_are_recorded_each_by_itself(database: str) -> None:
    async with service_on("complaints", database) as complaints:
        lodged = [claims_about(complaint)[0] for complaint in ("C1", "C2")]
        await complaints.apply([recorded_at(*lodged[0], MONDAY + 9 * HOUR), recorded_at(*lodged[1], MONDAY + 2 * HOUR)])
        received = await complaints.published(ComplaintReceived)
        assert [event.envelope.recorded_at for event in received] == [MONDAY + 9 * HOUR, MONDAY + 2 * HOUR]
