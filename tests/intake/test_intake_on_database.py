"""Intake as it runs, but without Kafka: from records to requests, clocks, facts and published events."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import permutations

import pytest
from tests.harness import ServiceOnDatabase, claim, data_of, id_of, service_on

from common.contracts.claims.intake import CustomerAnswered, ServiceEnded, ServiceRequestReceived, Severity, SurveyAnswered
from common.contracts.complaints import ComplaintSolutionCommunicated
from common.contracts.envelope import Record
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.service_requests import (
    ServiceRequestAnswered,
    ServiceRequestClaimRejected,
    ServiceRequestClosed,
    ServiceRequestRegistered,
    SurveyRecorded,
)
from common.contracts.sla_clocks import SlaClockBreached, SlaClockStarted
from common.contracts.topics import consumed_by
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderReopened
from intake.handlers import HANDLERS
from intake.repository import UnitOfWork

pytestmark = pytest.mark.real


def at(time: str, day: int = 7) -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


@pytest.fixture
async def intake(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("intake", database) as service:
        yield service


def received(request: str, when: datetime, *, severity: Severity = "normal", remarks: str = "", id: str = "") -> Record:
    event = ServiceRequestReceived(
        request_id=request,
        customer_id="K1",
        channel="hotline",
        nature="repair",
        severity=severity,
        region="north",
        product="boiler",
        handled_by="E1",
        asset_id="A1",
        customer_class="vip",
        outlet="harbour",
        category="no water",
        remarks=remarks,
    )
    return claim(event, when, id=id)


def answered(request: str, when: datetime, by: str = "E1") -> Record:
    return claim(CustomerAnswered(request_id=request, by=by), when)


def ended(request: str, when: datetime, by: str = "E2") -> Record:
    return claim(ServiceEnded(request_id=request, by=by), when)


def surveyed(request: str, when: datetime, satisfaction: int = 4) -> Record:
    return claim(SurveyAnswered(request_id=request, satisfaction=satisfaction), when)


def a_case(request: str) -> list[Record]:
    return [
        received(request, at("09:00")),
        answered(request, at("09:20"), by="E3"),
        ended(request, at("16:00", 9)),
        surveyed(request, at("12:00", 20)),
    ]


async def test_a_request_goes_from_the_call_to_the_archive_and_the_survey(intake: ServiceOnDatabase) -> None:
    await intake.apply(a_case("R1"))
    decisions = [event for event in await intake.all_published() if event.TYPE.startswith("service_request.")]
    expected = [
        ServiceRequestRegistered(
            request_id="R1",
            customer_id="K1",
            channel="hotline",
            nature="repair",
            route="work_order",
            severity="normal",
            priority="normal",
            region="north",
            product="boiler",
            handled_by="E1",
            asset_id="A1",
            received_at=at("09:00"),
            customer_class="vip",
            outlet="harbour",
            category="no water",
        ),
        ServiceRequestAnswered(request_id="R1", answered_at=at("09:20"), by="E3"),
        ServiceRequestClosed(request_id="R1", closed_at=at("16:00", 9), by="E2"),
        SurveyRecorded(request_id="R1", satisfaction=4, answered_at=at("12:00", 20)),
    ]
    assert data_of(decisions) == data_of(expected)
    assert [event.envelope.sequence for event in decisions] == [1, 2, 3, 4]


async def test_the_response_is_credited_to_whoever_answered_and_the_survey_to_whoever_served_on_the_day_of_the_close(
    intake: ServiceOnDatabase,
) -> None:
    case = a_case("R1")
    await intake.apply(case)
    assert await intake.facts("R1") == {
        ("in_time_response", "employee:E3"): ("1", "1", at("09:20")),
        ("customer_satisfaction", "employee:E2"): ("3", "4", at("16:00", 9)),
    }
    survey = next(fact for fact in await intake.published(KpiRecorded) if fact.indicator == "customer_satisfaction")
    assert survey.source_event_ids == [id_of(case[2]), id_of(case[3])]  # the end of the service, and the answer about it


async def test_a_late_answer_is_a_breach_of_the_handler_who_let_the_time_pass(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1", at("09:00")), answered("R1", at("09:31"), by="E3")])
    (breach,) = await intake.published(SlaClockBreached)
    assert (breach.stage, breach.time, breach.owner) == ("first_response", at("09:30"), "employee:E1")
    assert await intake.facts("R1") == {("in_time_response", "employee:E1"): ("0", "1", at("09:30"))}


async def test_what_nobody_answered_is_breached_by_time_alone(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1", at("17:50")), received("R2", at("17:50"), severity="critical")])
    await intake.let_time_pass()
    breaches = [(event.aggregate_id, event.stage, event.time) for event in await intake.published(SlaClockBreached)]
    assert sorted(breaches) == [  # no order is promised between requests
        ("R1", "closure", at("18:00", 14)),
        ("R1", "first_response", at("09:20", 8)),
        ("R2", "closure", at("18:00", 14)),
        ("R2", "first_response", at("18:20")),  # urgent, so around the clock
    ]
    assert set(await intake.facts("R1")) == {("in_time_response", "employee:E1")}  # the closure feeds no indicator


async def test_an_answer_in_time_that_is_known_late_takes_the_breach_back(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1", at("09:00"))])
    await intake.let_time_pass()
    assert await intake.facts("R1") == {("in_time_response", "employee:E1"): ("0", "1", at("09:30"))}
    await intake.apply([answered("R1", at("09:30"))])  # at the deadline is in time
    assert await intake.facts("R1") == {("in_time_response", "employee:E1"): ("1", "1", at("09:30"))}


async def test_each_refusal_is_answered_with_its_rule_and_changes_nothing_else(intake: ServiceOnDatabase) -> None:
    await intake.apply(a_case("R1"))
    before = await intake.rows("SELECT * FROM clocks ORDER BY id")
    await intake.apply(
        [
            received("R1", at("10:00")),
            answered("R1", at("10:00")),
        ]
    )
    await intake.apply([received("R2", at("09:00")), answered("R2", at("08:00"))])
    refusals = await intake.published(ServiceRequestClaimRejected)
    assert [(refusal.request_id, refusal.rule, refusal.was, refusal.field) for refusal in refusals] == [
        ("R1", "registered_once", "surveyed", "request_id"),
        ("R1", "answered_once", "surveyed", ""),
        ("R2", "not_before_receipt", "registered", "ce_time"),
    ]
    assert await intake.rows("SELECT * FROM clocks WHERE aggregate = 'service_requests:R1' ORDER BY id") == before
    assert len([fact for fact in await intake.published(KpiRecorded) if fact.indicator == "customer_satisfaction"]) == 1


async def test_the_end_waits_for_the_answer_and_the_survey_for_the_end(intake: ServiceOnDatabase) -> None:
    request, answer, end, survey = a_case("R1")
    await intake.apply([request, survey, end])
    assert await intake.rows("SELECT missing FROM waiting ORDER BY event_time") == [{"missing": "answered"}, {"missing": "closed"}]
    assert await intake.published(ServiceRequestClosed) == []
    await intake.apply([answer])
    assert await intake.rows("SELECT * FROM waiting") == []
    assert len(await intake.published(SurveyRecorded)) == 1


async def test_a_second_end_and_a_second_survey_wait_for_a_reopening_which_alone_would_make_them_right(intake: ServiceOnDatabase) -> None:
    await intake.apply(a_case("R1"))
    await intake.apply([ended("R1", at("17:00", 9)), surveyed("R1", at("12:00", 21), satisfaction=1)])
    assert await intake.rows("SELECT missing FROM waiting") == [{"missing": "reopened"}, {"missing": "reopened"}]
    assert await intake.published(ServiceRequestClaimRejected) == []
    assert len([fact for fact in await intake.published(KpiRecorded) if fact.indicator == "customer_satisfaction"]) == 1


async def test_what_waits_says_what_is_missing_by_now(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1", at("09:00")), ended("R1", at("15:00", 9)), ended("R1", at("16:00", 9))])
    assert await intake.rows("SELECT missing FROM waiting") == [{"missing": "answered"}, {"missing": "answered"}]
    await intake.apply([answered("R1", at("09:20"))])
    assert await intake.rows("SELECT event_time, missing FROM waiting") == [{"event_time": at("16:00", 9), "missing": "reopened"}]


async def test_any_order_of_arrival_gives_the_same_request_clocks_facts_and_decisions(intake: ServiceOnDatabase) -> None:
    await intake.apply(a_case("R"))
    names = {f"P{number}": order for number, order in enumerate(permutations(range(4)))}
    await intake.apply([a_case(name)[place] for name, order in names.items() for place in order], at_once=7)
    ends = await intake.ends(["R", *names])
    for name, order in names.items():
        assert ends[name] == ends["R"], order
    assert await intake.rows("SELECT * FROM waiting") == await intake.rows("SELECT * FROM dead_letters") == []


async def test_ends_and_surveys_that_contradict_each_other_give_the_same_credit_in_any_order_of_arrival(intake: ServiceOnDatabase) -> None:
    def claims(request: str) -> list[Record]:
        case = a_case(request)
        return [*case, ended(request, at("15:00", 9), by="E4"), surveyed(request, at("11:00", 20), satisfaction=2)]

    names = {f"P{number}": order for number, order in enumerate(permutations(range(1, 6))) if number % 4 == 1}
    await intake.apply([claims(name)[place] for name, order in names.items() for place in (0, *order)], at_once=9)
    for name, order in names.items():
        facts = {key: value for key, value in (await intake.facts(name)).items() if value[:2] != ("0", "0")}
        assert facts["customer_satisfaction", "employee:E4"] == ("1", "4", at("15:00", 9)), order
        assert ("customer_satisfaction", "employee:E2") not in facts, order
    ends = await intake.ends(names)
    assert all(ends[name]["clocks"] == ends["P1"]["clocks"] for name in names)
    # those that came after an earlier one of their kind wait for a reopening, which would make them right
    waiting = await intake.rows("SELECT event_time, aggregate FROM waiting")
    assert {row["event_time"] for row in waiting} == {at("16:00", 9), at("12:00", 20)}
    assert await intake.rows("SELECT * FROM dead_letters") == []


async def test_what_kafka_delivers_twice_changes_nothing(intake: ServiceOnDatabase) -> None:
    await intake.apply(a_case("R1"))
    before = await intake.dump()
    await intake.apply([*a_case("R1"), *reversed(a_case("R1"))], at_once=3)
    assert await intake.dump() == before


async def test_the_same_id_with_other_content_is_a_dead_letter_and_no_second_request(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1", at("09:00"), id="X"), received("R2", at("09:00"), id="X")])
    assert await intake.rows("SELECT id FROM service_requests") == [{"id": "R1"}]
    assert await intake.rows("SELECT rule, field FROM dead_letters") == [{"rule": "conflicting_duplicate", "field": "ce_id"}]


async def test_the_hotline_s_remarks_are_kept_and_leave_in_no_event(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1", at("09:00"), remarks="Wang Fang, canary lane 7"), *a_case("R1")[1:]])
    assert [request.remarks for request in await intake.stored(UnitOfWork.requests)] == ["Wang Fang, canary lane 7"]
    for row in await intake.rows("SELECT payload, headers FROM outbox"):
        assert b"canary" not in bytes(row["payload"])
        assert "canary" not in str(row["headers"])


async def test_both_clocks_start_at_the_receipt_in_the_name_of_the_handler(intake: ServiceOnDatabase) -> None:
    await intake.apply([received("R1", at("09:00"))])
    started = {event.stage: (event.at, event.owner, event.deadline) for event in await intake.published(SlaClockStarted)}
    assert started == {
        "first_response": (at("09:00"), "employee:E1", at("09:30")),
        "closure": (at("09:00"), "employee:E1", at("18:00", 14)),
    }


def test_every_claim_that_intake_consumes_has_a_handler_and_so_has_what_tells_the_result_of_a_request() -> None:
    claims = {event for topic in consumed_by("intake") for event in topic.events if topic.kind == "claims"}
    assert set(HANDLERS) == claims | {WorkOrderCompleted, WorkOrderReopened, ComplaintSolutionCommunicated}
