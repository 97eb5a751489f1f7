"""Dispatch as it runs, but without Kafka: from records to work orders, clocks, facts and published events."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from tests.harness import ServiceOnDatabase, claim, data_of, service_on

from common.contracts.claims.dispatch import (
    AssignmentMade,
    AssignmentTaken,
    DefectCameBack,
    PriorityJudged,
    TechnicianArrived,
    WorkFinished,
    WorkHeldUp,
    WorkTakenUp,
)
from common.contracts.claims.intake import Nature
from common.contracts.envelope import Record
from common.contracts.event import Event
from common.contracts.fields import Priority
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.service_requests import ServiceRequestRegistered
from common.contracts.sla_clocks import SlaClockBreached, SlaClockMet, SlaClockPaused, SlaClockRederived, SlaClockResumed, SlaClockStarted
from common.contracts.topics import consumed_by
from common.contracts.work_orders import (
    WorkOrderAccepted,
    WorkOrderArrived,
    WorkOrderAssigned,
    WorkOrderClaimRejected,
    WorkOrderCompleted,
    WorkOrderCreated,
    WorkOrderPaused,
    WorkOrderReopened,
    WorkOrderReprioritised,
    WorkOrderResumed,
)
from dispatch.domain.work_order import WorkOrder
from dispatch.handlers import HANDLERS
from dispatch.repository import UnitOfWork

pytestmark = pytest.mark.real

MONDAY = "2025-07-07"


def at(time: str, day: str = MONDAY) -> datetime:
    return datetime.fromisoformat(f"{day}T{time}:00+08:00")


@pytest.fixture
async def dispatch(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("dispatch", database) as service:
        yield service


def registered(request_id: str, when: datetime, *, nature: Nature = "repair", priority: Priority = "urgent") -> Record:
    event = ServiceRequestRegistered(
        request_id=request_id,
        customer_id="K1",
        channel="hotline",
        nature=nature,
        route="work_order" if nature == "repair" else "desk",
        severity="critical",
        priority=priority,
        region="north",
        product="boiler",
        handled_by="E9",
        asset_id=None,
        received_at=when,
    )
    return claim(event, when)


def assigned(order: str, when: datetime, technician: str = "E1", *, id: str = "") -> Record:
    return claim(AssignmentMade(work_order_id=order, technician=technician, team="T1", by="D1"), when, id=id)


def accepted(order: str, when: datetime, by: str = "E1") -> Record:
    return claim(AssignmentTaken(work_order_id=order, by=by), when)


def arrived(order: str, when: datetime) -> Record:
    return claim(TechnicianArrived(work_order_id=order, by="E1"), when)


def held_up(order: str, when: datetime, *, id: str = "") -> Record:
    return claim(WorkHeldUp(work_order_id=order, party="parts", reason="no spare part", by="E1"), when, id=id)


def taken_up(order: str, when: datetime, *, id: str = "") -> Record:
    return claim(WorkTakenUp(work_order_id=order, by="E1"), when, id=id)


def finished(order: str, when: datetime, by: str = "E1") -> Record:
    return claim(WorkFinished(work_order_id=order, by=by), when)


def came_back(order: str, when: datetime) -> Record:
    return claim(DefectCameBack(work_order_id=order, by="D1"), when)


def a_case(request: str, third: Callable[[str, datetime], Record] = accepted) -> list[Record]:
    """An urgent repair: 8 working hours, of which it uses 1 until the assignment, 1 more, then 3 on Monday and 1 on Tuesday."""
    order = f"{request}-w1"
    return [
        registered(request, at("09:00")),
        assigned(order, at("10:00")),
        third(order, at("10:30")),
        held_up(order, at("11:00")),
        taken_up(order, at("15:00")),
        finished(order, at("10:00", "2025-07-08")),
    ]


async def clock(dispatch: ServiceOnDatabase, order: str, stage: str) -> dict[str, Any]:
    (found,) = await dispatch.rows("SELECT * FROM clocks WHERE id = :id", id=f"dispatch:{order}:{stage}")
    return found


async def the_order(dispatch: ServiceOnDatabase) -> WorkOrder:
    (order,) = await dispatch.stored(UnitOfWork.work_orders)
    return order


async def test_an_urgent_repair_goes_from_the_request_to_the_finished_work(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply(a_case("R1"))
    decisions = [event for event in await dispatch.all_published() if event.TYPE.startswith("work_order.")]
    expected = [
        WorkOrderCreated(
            work_order_id="R1-w1", request_id="R1", priority="urgent", region="north", product="boiler", created_at=at("09:00")
        ),
        WorkOrderAssigned(
            work_order_id="R1-w1", request_id="R1", technician="E1", team="T1", reassigned=False, assigned_at=at("10:00"), by="D1"
        ),
        WorkOrderAccepted(work_order_id="R1-w1", request_id="R1", technician="E1", accepted_at=at("10:30")),
        WorkOrderPaused(work_order_id="R1-w1", request_id="R1", party="parts", reason="no spare part", paused_at=at("11:00")),
        WorkOrderResumed(work_order_id="R1-w1", request_id="R1", resumed_at=at("15:00")),
        WorkOrderCompleted(work_order_id="R1-w1", request_id="R1", technician="E1", team="T1", completed_at=at("10:00", "2025-07-08")),
    ]
    assert data_of(decisions) == data_of(expected)
    assert [event.envelope.sequence for event in decisions] == [1, 2, 3, 4, 5, 6]
    assert [event.time for event in decisions][-1] == at("10:00", "2025-07-08")


async def test_both_promises_are_met_and_the_solution_is_credited_to_the_technician(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply(a_case("R1"))
    assignment, completion = await clock(dispatch, "R1-w1", "assignment"), await clock(dispatch, "R1-w1", "completion")
    assert (assignment["outcome"], assignment["closed_at"]) == ("met", at("10:00"))
    assert (completion["outcome"], completion["owner"]) == ("met", "employee:E1")
    met = {event.stage: event.elapsed_working_seconds for event in await dispatch.published(SlaClockMet)}
    assert met == {"assignment": "3600", "completion": str(6 * 3600)}
    assert await dispatch.facts("R1-w1") == {("in_time_solution", "employee:E1"): ("1", "1", at("10:00", "2025-07-08"))}


async def test_a_fact_can_be_asked_by_the_traits_of_the_case_as_they_were_and_by_the_team_of_that_day(
    dispatch: ServiceOnDatabase,
) -> None:
    moved = claim(AssignmentMade(work_order_id="R1-w1", technician="E1", team="T2", by="D1"), at("10:20"))
    judged = claim(PriorityJudged(work_order_id="R1-w1", priority="high", reason="less than it seemed", by="E1"), at("15:00"))
    later = claim(AssignmentMade(work_order_id="R2-w1", technician="E1", team="T3", by="D1"), at("09:30", "2025-07-08"))
    await dispatch.apply([*a_case("R1"), moved, judged, registered("R2", at("09:00")), later])
    fact = max((fact for fact in await dispatch.published(KpiRecorded) if fact.case_id == "R1-w1"), key=lambda fact: fact.revision)
    assert fact.dimensions == {
        "product": "boiler",
        "region": "north",
        "nature": "repair",
        "priority": "high",
        "channel": "hotline",
        "team": "T2",
    }


async def test_whoever_finishes_the_work_of_another_one_is_counted_to_no_team_that_nobody_named(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([*a_case("R1")[:-1], finished("R1-w1", at("10:00", "2025-07-08"), by="E7")])
    [fact] = await dispatch.published(KpiRecorded)
    assert (fact.subject, fact.dimensions.get("team")) == ("employee:E7", None)


async def test_a_fact_names_the_last_fifty_events_of_its_case_as_its_sources(dispatch: ServiceOnDatabase) -> None:
    *before, last = a_case("R1")
    halts = [
        step("R1-w1", at(f"15:{minute:02}"), id=f"{name}{number}")
        for number in range(1, 30)
        for step, name, minute in ((held_up, "h", 2 * number), (taken_up, "t", 2 * number + 1))
    ]
    await dispatch.apply([*before, *halts, last])
    [fact] = await dispatch.published(KpiRecorded)
    assert len(fact.source_event_ids) == 50
    assert {"h29", "t29"} < set(fact.source_event_ids)
    assert not {"h1", "t1"} & set(fact.source_event_ids)


async def test_a_request_that_needs_nobody_on_site_gets_no_work_order(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([registered("R1", at("09:00"), nature="consultation"), registered("R2", at("09:00"), nature="complaint")])
    assert await dispatch.all_published() == []
    assert await dispatch.rows("SELECT id FROM work_orders") == []


async def test_work_that_nobody_finished_in_time_is_breached_at_its_deadline_by_whoever_had_it(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([registered("R1", at("09:00")), assigned("R1-w1", at("09:30"))])
    await dispatch.let_time_pass()
    due = at("17:00")
    breaches = [(breach.stage, breach.time, breach.owner) for breach in await dispatch.published(SlaClockBreached)]
    assert breaches == [("arrival", at("13:00"), "employee:E1"), ("completion", due, "employee:E1")]
    assert await dispatch.facts("R1-w1") == {("in_time_solution", "employee:E1"): ("0", "1", due)}


async def test_work_that_nobody_assigned_is_the_department_s_breach(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([registered("R1", at("09:00"))])
    await dispatch.let_time_pass()
    assert [(event.stage, event.time) for event in await dispatch.published(SlaClockBreached)] == [
        ("assignment", at("10:00")),
        ("arrival", at("13:00")),
        ("completion", at("17:00")),
    ]
    assert list(await dispatch.facts("R1-w1")) == [("in_time_solution", "department:dispatch")]


async def test_a_reassignment_hands_the_time_over_and_says_so(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply(
        [
            registered("R1", at("09:00")),
            assigned("R1-w1", at("09:30")),
            assigned("R1-w1", at("11:00"), technician="E2"),
            finished("R1-w1", at("12:00"), by="E2"),
        ]
    )
    assert [event.reassigned for event in await dispatch.published(WorkOrderAssigned)] == [False, True]
    assert await dispatch.facts("R1-w1") == {("in_time_solution", "employee:E2"): ("1", "1", at("12:00"))}


async def test_each_refusal_is_answered_with_its_rule_and_changes_nothing_else(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([registered("R1", at("09:00")), assigned("R1-w1", at("10:00"))])
    wrong = accepted("R1-w1", at("10:30"), by="E2")
    before = claim(AssignmentMade(work_order_id="R1-w1", technician="E3", team="T1", by="D1"), at("08:00"))
    await dispatch.apply([wrong, before, finished("R1-w1", at("11:00"))])
    await dispatch.apply([assigned("R1-w1", at("12:00"), technician="E2"), finished("R1-w1", at("12:30"))])
    refusals = await dispatch.published(WorkOrderClaimRejected)
    assert [(refusal.rule, refusal.was, refusal.field) for refusal in refusals] == [
        ("accepted_by_the_assigned", "assigned", "by"),
        ("not_before_creation", "created", "ce_time"),
        ("not_after_completion", "completed", ""),
        ("completed_once", "completed", ""),
    ]
    assert refusals[0].claim_type == "work_order.assignment_taken"
    assert refusals[0].claim_id == dict(wrong.headers)["ce_id"].decode()  # type: ignore[union-attr]  # this header is there
    order = await the_order(dispatch)
    assert (order.status, order.technician()) == ("completed", "E1")
    assert await dispatch.rows("SELECT * FROM waiting") == await dispatch.rows("SELECT * FROM dead_letters") == []


async def test_a_defect_that_came_back_opens_the_clock_again_and_is_charged_to_whoever_completed_the_work(
    dispatch: ServiceOnDatabase,
) -> None:
    await dispatch.apply([*a_case("R1"), came_back("R1-w1", at("11:00", "2025-07-10"))])
    (reopening,) = await dispatch.published(WorkOrderReopened)
    assert reopening.completed_by == "E1"
    completion = await clock(dispatch, "R1-w1", "completion")
    assert (completion["outcome"], completion["deadline"]) == ("open", at("13:00", "2025-07-10"))  # 2 of the 8 hours are left
    await dispatch.let_time_pass()
    assert (await clock(dispatch, "R1-w1", "completion"))["outcome"] == "breached"
    assert await dispatch.facts("R1-w1") == {("in_time_solution", "employee:E1"): ("0", "1", at("13:00", "2025-07-10"))}


@pytest.mark.proof
@pytest.mark.parametrize("third", [accepted, arrived])
async def test_any_order_of_arrival_gives_the_same_order_clocks_facts_and_decisions(
    dispatch: ServiceOnDatabase, proof: bool, third: Callable[[str, datetime], Record]
) -> None:
    await dispatch.apply(a_case("R", third))
    names = {f"P{number}": order for number, order in enumerate(permutations(range(6))) if proof or number % 24 == 7}
    await dispatch.apply([a_case(name, third)[place] for name, order in names.items() for place in order])
    assert len(names) == (720 if proof else 30)
    ends = await dispatch.ends(["R-w1", *(f"{name}-w1" for name in names)])
    for name, order in names.items():
        assert ends[f"{name}-w1"] == ends["R-w1"], order
    assert await dispatch.rows("SELECT * FROM waiting") == await dispatch.rows("SELECT * FROM dead_letters") == []


async def test_claims_that_wait_over_many_batches_give_the_same_end(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply(a_case("R"))
    await dispatch.apply(reversed(a_case("B")), at_once=1)
    ends = await dispatch.ends(["B-w1", "R-w1"])
    assert ends["B-w1"] == ends["R-w1"]
    (progress,) = await dispatch.rows("SELECT sum(events_in) AS i, sum(applied) AS a, sum(duplicates + dead) AS d FROM consumer_progress")
    assert progress == {"i": 12, "a": 12, "d": 0}


async def test_the_arrival_stops_its_promise_and_finished_work_does_where_nobody_said_it(dispatch: ServiceOnDatabase) -> None:
    said, unsaid = a_case("R1", arrived), a_case("R2")
    await dispatch.apply([*said, *unsaid])
    clocks = [await clock(dispatch, order, "arrival") for order in ("R1-w1", "R2-w1")]
    assert [(found["outcome"], found["closed_at"]) for found in clocks] == [("met", at("10:30")), ("breached", at("17:00"))]
    (told,) = await dispatch.published(WorkOrderArrived)
    assert (told.work_order_id, told.technician, told.arrived_at) == ("R1-w1", "E1", at("10:30"))
    await dispatch.apply([arrived("R2-w1", at("10:45"))])  # he had only not said it in time
    corrected = await clock(dispatch, "R2-w1", "arrival")
    assert (corrected["outcome"], corrected["closed_at"]) == ("met", at("10:45"))


async def test_an_assignment_that_becomes_known_late_counts_from_when_it_was_made(dispatch: ServiceOnDatabase) -> None:
    late = assigned("R1-w1", at("09:20"))
    await dispatch.apply([registered("R1", at("09:00")), assigned("R1-w1", at("11:00"), technician="E2"), late])
    assignment = await clock(dispatch, "R1-w1", "assignment")
    assert (assignment["outcome"], assignment["closed_at"]) == ("met", at("09:20"))
    assert assignment["used_share"] == Decimal("0.333333")  # 20 of 60 minutes
    assert (await the_order(dispatch)).technician() == "E2"


async def test_a_priority_that_is_judged_anew_gives_the_work_the_promise_that_goes_with_it(dispatch: ServiceOnDatabase) -> None:
    judged = PriorityJudged(work_order_id="R1-w1", priority="urgent", reason="water leaks", by="E1")
    early = claim(judged, at("10:00"))
    await dispatch.apply([early, registered("R1", at("09:00"), priority="low"), assigned("R1-w1", at("09:30"))])
    completion = await clock(dispatch, "R1-w1", "completion")
    assert (completion["traits"]["priority"], completion["deadline"]) == ("urgent", at("17:00"))  # 8 working hours, of which one was used
    (rederived,) = [event for event in await dispatch.published(SlaClockRederived) if event.stage == "completion"]
    assert (rederived.at, rederived.why) == (at("10:00"), "priority urgent")
    assert rederived.was == at("18:00", "2025-07-14")
    (told,) = await dispatch.published(WorkOrderReprioritised)
    assert (told.priority, told.reason, told.by, told.judged_at) == ("urgent", "water leaks", "E1", at("10:00"))
    await dispatch.apply([finished("R1-w1", at("16:00")), claim(judged, at("16:30"))])
    (refused,) = await dispatch.published(WorkOrderClaimRejected)
    assert refused.rule == "not_after_completion"
    assert (await clock(dispatch, "R1-w1", "completion"))["outcome"] == "met"


@pytest.mark.parametrize("early", [False, True], ids=["applied as they come", "held back until the order is known"])
@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
async def test_the_later_of_two_assignments_in_one_second_is_the_one_that_kafka_has_later(
    dispatch: ServiceOnDatabase, ids: tuple[str, str], early: bool
) -> None:
    first, second = (assigned("R1-w1", at("10:00"), technician, id=id) for technician, id in zip(("E1", "E2"), ids, strict=True))
    request = registered("R1", at("09:00"))
    await dispatch.apply([first, second, request] if early else [request, first, second], at_once=1)
    assert (await clock(dispatch, "R1-w1", "completion"))["owner"] == "employee:E2"
    assert (await the_order(dispatch)).technician() == "E2"


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
async def test_a_hold_up_that_ends_in_the_second_in_which_it_began_holds_nothing_up(
    dispatch: ServiceOnDatabase, ids: tuple[str, str]
) -> None:
    held, taken = held_up("R1-w1", at("10:00"), id=ids[0]), taken_up("R1-w1", at("10:00"), id=ids[1])
    await dispatch.apply([registered("R1", at("09:00")), assigned("R1-w1", at("10:00"), id="0"), held, taken])
    completion = await clock(dispatch, "R1-w1", "completion")
    assert (completion["state"], completion["outcome"]) == ("running", "open")
    for kind in (SlaClockPaused, SlaClockResumed):
        assert [event.stage for event in await dispatch.published(kind)] == ["arrival", "completion"]


async def test_what_kafka_delivers_twice_changes_nothing(dispatch: ServiceOnDatabase) -> None:
    case = [*a_case("R1"), came_back("R1-w1", at("11:00", "2025-07-10"))]
    await dispatch.apply(case)
    before = await dispatch.dump()
    await dispatch.apply([*case, *reversed(case)])
    assert await dispatch.dump() == before
    (progress,) = await dispatch.rows("SELECT sum(applied) AS applied, sum(duplicates) AS duplicates FROM consumer_progress")
    assert progress == {"applied": 7, "duplicates": 14}


async def test_the_promise_that_a_clock_starts_with_follows_from_the_priority(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([registered("R1", at("09:00"), priority="normal"), registered("R2", at("09:00"), priority="urgent")])
    deadlines = {(event.aggregate_id, event.stage): event.deadline for event in await dispatch.published(SlaClockStarted)}
    assert deadlines == {
        ("R1-w1", "assignment"): at("13:00"),
        ("R1-w1", "arrival"): at("18:00", "2025-07-08"),
        ("R1-w1", "completion"): at("18:00", "2025-07-10"),
        ("R2-w1", "assignment"): at("10:00"),
        ("R2-w1", "arrival"): at("13:00"),
        ("R2-w1", "completion"): at("17:00"),
    }


def test_every_event_that_dispatch_consumes_has_a_handler() -> None:
    claims = {event for topic in consumed_by("dispatch") for event in topic.events if topic.kind == "claims"}
    handled: set[type[Event]] = set(HANDLERS)
    assert handled == claims | {ServiceRequestRegistered}
