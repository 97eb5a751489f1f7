"""Complaints as it runs, but without Kafka: from records to complaints, clocks, facts and published events."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest
from tests.harness import ServiceOnDatabase, activated, claim, data_of, service_on

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    SolutionFound,
    SolutionTold,
    Trigger,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.claims.intake import Nature
from common.contracts.complaints import (
    ComplaintAcknowledged,
    ComplaintClaimRejected,
    ComplaintEscalated,
    ComplaintReceived,
    ComplaintSolutionCommunicated,
    ComplaintSolutionProposed,
    ComplaintVerificationStarted,
    ComplaintVerified,
)
from common.contracts.envelope import Record
from common.contracts.service_requests import ServiceRequestRegistered
from common.contracts.sla_clocks import SlaClockBreached, SlaClockCorrected, SlaClockMet
from common.contracts.topics import consumed_by
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderReopened
from common.sla.policy import shipped_document
from complaints.domain.complaint import TRAITS
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork

pytestmark = pytest.mark.real


def at(time: str, day: int = 7) -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


def lodged(complaint: str, when: datetime, *triggers: Trigger) -> Record:
    event = ComplaintLodged(
        complaint_id=complaint, customer_id="K1", category="noise", region="north", handled_by="E1", triggers=tuple(triggers)
    )
    return claim(event, when)


def a_case(complaint: str, *triggers: Trigger) -> list[Record]:
    return [
        lodged(complaint, at("16:00"), *triggers),
        claim(ComplainantTold(complaint_id=complaint, by="E1"), at("17:00")),
        claim(VerificationBegun(complaint_id=complaint, by="E2"), at("10:00", 8)),
        claim(VerificationEnded(complaint_id=complaint, justified=True, by="E2"), at("11:00", 9)),
        claim(SolutionFound(complaint_id=complaint, remedy="replacement", by="E2"), at("12:00", 9)),
        claim(SolutionTold(complaint_id=complaint, by="E1"), at("17:00", 10)),
    ]


def registered(request: str, nature: Nature, outlet: str | None = None) -> Record:
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
        customer_class="vip",
        outlet=outlet,
    )
    return claim(event, at("16:00"))


def hours_of(outlet: str, calendar: dict[str, Any]) -> Record:
    """The operator's policy: as it ships, but that an outlet's solutions are counted on a calendar of its own."""
    document = shipped_document("complaints") | {"version": 2, "calendars": {outlet: calendar}}
    own = {"when": {"outlet": outlet}, "target": {"working_days": 3}, "calendar": outlet}
    stage = "solution_communicated"
    document["stages"] = {**document["stages"], stage: [own, *document["stages"][stage]]}
    return claim(activated("sla-policy", "complaints", 2, document, at("08:00")), at("08:00"))


async def test_a_major_complaint_goes_from_the_customer_to_the_told_solution(complaints: ServiceOnDatabase) -> None:
    await complaints.apply(a_case("C1", "injury"))
    decisions = [event for event in await complaints.all_published() if event.TYPE.startswith("complaint.")]
    expected = [
        ComplaintReceived(
            complaint_id="C1", customer_id="K1", request_id=None, category="noise", region="north", handled_by="E1", received_at=at("16:00")
        ),
        ComplaintEscalated(complaint_id="C1", request_id=None, triggers=("injury",), escalated_at=at("16:00")),
        ComplaintAcknowledged(complaint_id="C1", request_id=None, acknowledged_at=at("17:00"), by="E1"),
        ComplaintVerificationStarted(complaint_id="C1", request_id=None, started_at=at("10:00", 8), by="E2"),
        ComplaintVerified(complaint_id="C1", request_id=None, justified=True, verified_at=at("11:00", 9), by="E2"),
        ComplaintSolutionProposed(
            complaint_id="C1", request_id=None, remedy="replacement", proposed_at=at("12:00", 9), by="E2", justified=True
        ),
        ComplaintSolutionCommunicated(
            complaint_id="C1", request_id=None, communicated_at=at("17:00", 10), by="E1", justified=True, remedy="replacement"
        ),
    ]
    assert data_of(decisions) == data_of(expected)
    assert [event.envelope.sequence for event in decisions] == [1, 2, 3, 4, 5, 6, 7]


async def test_all_promises_are_met_and_the_solution_feeds_two_indicators(complaints: ServiceOnDatabase) -> None:
    await complaints.apply(a_case("C1", "injury"))
    met = {event.stage for event in await complaints.published(SlaClockMet)}
    assert met == {"acknowledged", "verification_started", "verified", "solution_communicated", "escalated"}
    told = ("1", "1", at("17:00", 10))
    assert await complaints.facts("C1") == {("in_time_solution", "employee:E1"): told, ("complaint_handling", "employee:E1"): told}


async def test_a_complaint_may_be_lodged_before_anybody_has_it_and_its_promises_are_the_department_s(complaints: ServiceOnDatabase) -> None:
    told = claim(ComplainantTold(complaint_id="C1", by="E1"), at("17:00"))
    await complaints.apply(
        [claim(ComplaintLodged(complaint_id="C1", customer_id="K1", category="noise", region="north"), at("16:00")), told]
    )
    (received,) = await complaints.published(ComplaintReceived)
    assert received.handled_by is None
    owners = {row["stage"]: row["owner"] for row in await complaints.rows("SELECT stage, owner FROM clocks")}
    assert owners.pop("acknowledged") == "employee:E1"  # whoever took the step
    assert set(owners.values()) == {"department:complaints"}
    await complaints.let_time_pass()
    assert set(await complaints.facts("C1")) == {(name, "department:complaints") for name in ("in_time_solution", "complaint_handling")}


async def test_what_was_found_and_decided_is_kept(complaints: ServiceOnDatabase) -> None:
    await complaints.apply(a_case("C1"))
    (complaint,) = await complaints.stored(UnitOfWork.complaints)
    assert [(taken.step, taken.by, taken.justified, taken.remedy) for taken in complaint.steps] == [
        ("acknowledged", "E1", None, ""),
        ("verification_started", "E2", None, ""),
        ("verified", "E2", True, ""),
        ("solution_proposed", "E2", None, "replacement"),
        ("solution_communicated", "E1", None, ""),
    ]


async def test_a_complaint_without_a_trigger_is_told_to_no_management(complaints: ServiceOnDatabase) -> None:
    await complaints.apply(a_case("C1"))
    assert await complaints.published(ComplaintEscalated) == []
    assert await complaints.rows("SELECT id FROM clocks WHERE stage = 'escalated'") == []


async def test_a_request_that_is_a_complaint_opens_one_and_other_requests_do_not(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([registered("R1", "complaint"), registered("R2", "repair")])
    (opened,) = await complaints.published(ComplaintReceived)
    assert (opened.complaint_id, opened.request_id, opened.received_at) == ("R1-c1", "R1", at("16:00"))
    assert await complaints.rows("SELECT id FROM complaints") == [{"id": "R1-c1"}]


async def test_each_clock_of_a_complaint_that_a_request_opened_has_the_traits_of_the_request(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([registered("R1", "complaint", outlet="harbour")])
    rows = await complaints.rows("SELECT data -> 'traits' AS traits FROM clock_events WHERE type = 'started'")
    traits = {"region": "north", "category": "boiler", "channel": "hotline", "customer_class": "vip", "outlet": "harbour"}
    assert [row["traits"] for row in rows] == [traits] * 4
    assert set(traits) == set(TRAITS)


async def test_an_outlet_may_have_a_calendar_of_its_own(complaints: ServiceOnDatabase) -> None:
    until_eight = {"time_zone": "Asia/Shanghai", "weekly_hours": {day: [["10:00", "20:00"]] for day in ("mon", "tue", "wed", "sat", "sun")}}
    cases = [registered("R1", "complaint", outlet="harbour"), registered("R2", "complaint", outlet="hill"), registered("R3", "complaint")]
    await complaints.apply([hours_of("harbour", until_eight), *cases])
    query = "SELECT aggregate, deadline FROM clocks WHERE stage = 'solution_communicated' ORDER BY aggregate"
    assert [(row["aggregate"], row["deadline"]) for row in await complaints.rows(query)] == [
        ("complaints:R1-c1", at("20:00", 12)),  # Tuesday, Wednesday, and Saturday at the end of its hours
        ("complaints:R2-c1", at("18:00", 10)),
        ("complaints:R3-c1", at("18:00", 10)),
    ]


async def test_what_nobody_did_is_breached_by_time_alone_and_known_late_is_corrected(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1", at("16:00"))])
    await complaints.let_time_pass()
    breaches = {event.stage: event for event in await complaints.published(SlaClockBreached)}
    assert {stage: event.time for stage, event in breaches.items()} == {
        "acknowledged": at("18:00", 8),
        "verification_started": at("18:00", 8),
        "verified": at("18:00", 10),
        "solution_communicated": at("18:00", 10),
    }
    assert await complaints.facts("C1") == {
        (indicator, "employee:E1"): ("0", "1", at("18:00", 10)) for indicator in ("in_time_solution", "complaint_handling")
    }
    await complaints.apply(a_case("C1")[1:2])
    (correction,) = await complaints.published(SlaClockCorrected)
    assert (correction.stage, correction.outcome, correction.supersedes) == ("acknowledged", "met", breaches["acknowledged"].envelope.id)


async def test_each_refusal_is_answered_with_its_rule_and_changes_nothing_else(complaints: ServiceOnDatabase) -> None:
    await complaints.apply(a_case("C1"))
    await complaints.apply(
        [
            lodged("C1", at("18:00")),
            claim(ComplainantTold(complaint_id="C1", by="E1"), at("18:00")),
            claim(SolutionTold(complaint_id="C1", by="E1"), at("18:00", 10)),
        ]
    )
    await complaints.apply([lodged("C2", at("16:00")), claim(ComplainantTold(complaint_id="C2", by="E1"), at("15:00"))])
    refusals = await complaints.published(ComplaintClaimRejected)
    assert [(refusal.complaint_id, refusal.rule, refusal.was, refusal.field) for refusal in refusals] == [
        ("C1", "received_once", "solution_communicated", "complaint_id"),
        ("C1", "acknowledged_once", "solution_communicated", ""),
        ("C1", "solution_communicated_once", "solution_communicated", ""),
        ("C2", "not_before_receipt", "received", "ce_time"),
    ]
    assert len(await complaints.published(ComplaintAcknowledged)) == 1


@pytest.mark.proof
async def test_any_order_of_arrival_gives_the_same_complaint_clocks_facts_and_decisions(complaints: ServiceOnDatabase, proof: bool) -> None:
    await complaints.apply(a_case("C", "fraud"))
    names = {f"P{number}": order for number, order in enumerate(permutations(range(6))) if proof or number % 24 == 11}
    await complaints.apply([a_case(name, "fraud")[place] for name, order in names.items() for place in order], at_once=50)
    assert len(names) == (720 if proof else 30)
    ends = await complaints.ends(["C", *names])
    for name, order in names.items():
        assert ends[name] == ends["C"], order
    assert await complaints.rows("SELECT * FROM waiting") == await complaints.rows("SELECT * FROM dead_letters") == []


async def test_what_kafka_delivers_twice_changes_nothing(complaints: ServiceOnDatabase) -> None:
    await complaints.apply(a_case("C1", "media"))
    before = await complaints.dump()
    await complaints.apply([*a_case("C1", "media"), *reversed(a_case("C1", "media"))], at_once=3)
    assert await complaints.dump() == before


def test_every_event_that_complaints_consumes_has_a_handler() -> None:
    claims = {event for topic in consumed_by("complaints") for event in topic.events if topic.kind == "claims"}
    assert set(HANDLERS) == claims | {ServiceRequestRegistered, WorkOrderCompleted, WorkOrderReopened}


async def test_a_new_trigger_makes_the_next_complaint_a_major_case_without_a_restart(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1", at("16:00"), "data_leak")])
    (refused,) = await complaints.published(ComplaintClaimRejected)
    assert (refused.rule, refused.field) == ("unknown_trigger", "triggers")
    assert refused.was == "injury, safety, fraud, group_complaint, media, regulator"
    body = {"triggers": {"data_leak": {"zh": "数据泄露", "en": "personal data got out"}}}
    await complaints.apply([claim(activated("complaint-triggers", "standard", 2, body, at("17:00")), at("16:30"))])
    await complaints.apply(
        [lodged("C2", at("17:00"), "data_leak"), lodged("C3", at("17:00"), "injury"), lodged("C4", at("16:59"), "injury")]
    )
    escalated = [(event.complaint_id, event.triggers) for event in await complaints.published(ComplaintEscalated)]
    assert escalated == [("C2", ("data_leak",)), ("C4", ("injury",))]


async def test_every_clock_of_a_replayed_case_waits_as_one_of_its_history(complaints: ServiceOnDatabase) -> None:
    event = ComplaintLodged(complaint_id="C1", customer_id="K1", category="noise", region="north", handled_by="E1")
    await complaints.apply([claim(event, at("09:00"), replay_of="history"), lodged("C2", at("09:00"))])
    timers = await complaints.rows("SELECT DISTINCT aggregate, replay_of FROM timers WHERE state = 'armed' ORDER BY aggregate")
    assert timers == [{"aggregate": "complaints:C1", "replay_of": "history"}, {"aggregate": "complaints:C2", "replay_of": ""}]
