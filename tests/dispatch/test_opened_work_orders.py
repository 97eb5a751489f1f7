"""A request may need more work orders than its nature calls for."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import permutations

import pytest
from tests.harness import ServiceOnDatabase, claim, service_on

from common.contracts.claims.dispatch import AssignmentMade, WorkFinished, WorkOrderOpened
from common.contracts.claims.intake import Nature
from common.contracts.envelope import Record
from common.contracts.service_requests import ServiceRequestRegistered
from common.contracts.sla_clocks import SlaClockMet
from common.contracts.work_orders import WorkOrderClaimRejected, WorkOrderCompleted, WorkOrderCreated

pytestmark = pytest.mark.real


def at(time: str, day: int = 7) -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


@pytest.fixture
async def dispatch(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("dispatch", database) as service:
        yield service


def registered(request: str, nature: Nature = "repair") -> Record:
    event = ServiceRequestRegistered(
        request_id=request,
        customer_id="K1",
        channel="hotline",
        nature=nature,
        route={"repair": "work_order", "complaint": "complaint"}.get(nature, "desk"),  # type: ignore[arg-type]  # each is a route
        severity="high",
        priority="high",
        region="north",
        product="boiler",
        handled_by=None,
        asset_id=None,
        received_at=at("09:00"),
        category="no water",
    )
    return claim(event, at("09:00"))


def opened(request: str, order: str = "w2", when: datetime | None = None, complaint: str | None = None, id: str = "") -> Record:
    event = WorkOrderOpened(work_order_id=f"{request}-{order}", request_id=request, reason="second visit", complaint_id=complaint, by="D1")
    return claim(event, when or at("14:00"), id=id)


def assigned(order: str) -> Record:
    return claim(AssignmentMade(work_order_id=order, technician="E2", team="T2", by="D1"), at("15:00"))


def finished(order: str) -> Record:
    return claim(WorkFinished(work_order_id=order, by="E2"), at("16:00"))


async def test_a_second_work_order_has_promises_of_its_own_from_its_opening_on(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([registered("R1"), opened("R1"), assigned("R1-w2"), finished("R1-w2")])
    first, second = await dispatch.published(WorkOrderCreated)
    assert (first.work_order_id, first.reason, first.created_at) == ("R1-w1", None, at("09:00"))
    assert (second.work_order_id, second.request_id, second.reason, second.created_at) == ("R1-w2", "R1", "second visit", at("14:00"))
    assert (second.priority, second.region, second.product) == ("high", "north", "boiler")
    met = {event.stage for event in await dispatch.published(SlaClockMet) if event.aggregate_id == "R1-w2"}
    assert met == {"assignment", "arrival", "completion"}
    (done,) = await dispatch.published(WorkOrderCompleted)
    assert (done.request_id, done.technician, done.team, done.complaint_id) == ("R1", "E2", "T2", None)
    assert list(await dispatch.facts("R1-w2")) == [("in_time_solution", "employee:E2")]


@pytest.mark.parametrize(
    ("nature", "complaint", "expected"), [("consultation", None, None), ("complaint", None, "R1-c1"), ("repair", "C7", "C7")]
)
async def test_a_visit_may_follow_from_any_request_and_names_the_complaint_that_it_puts_right(
    nature: Nature, complaint: str | None, expected: str | None, dispatch: ServiceOnDatabase
) -> None:
    await dispatch.apply([registered("R1", nature), opened("R1", complaint=complaint), assigned("R1-w2"), finished("R1-w2")])
    (done,) = await dispatch.published(WorkOrderCompleted)
    assert (done.work_order_id, done.complaint_id) == ("R1-w2", expected)


async def test_a_work_order_that_is_opened_before_its_request_is_known_waits_for_it_in_any_order(dispatch: ServiceOnDatabase) -> None:
    def a_case(request: str) -> list[Record]:
        return [registered(request), opened(request), assigned(f"{request}-w2"), finished(f"{request}-w2")]

    await dispatch.apply(a_case("R"))
    names = {f"P{number}": order for number, order in enumerate(permutations(range(4)))}
    await dispatch.apply([a_case(name)[place] for name, order in names.items() for place in order], at_once=7)
    ends = await dispatch.ends(f"{name}-{order}" for name in ("R", *names) for order in ("w1", "w2"))
    for name, order in names.items():
        for one in ("w1", "w2"):
            assert ends[f"{name}-{one}"] == ends[f"R-{one}"], order
    assert await dispatch.rows("SELECT * FROM waiting") == await dispatch.rows("SELECT * FROM dead_letters") == []


async def test_each_refusal_of_an_opening_is_answered_with_its_rule(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([registered("R1"), opened("R1"), opened("R1", id="again"), opened("R1", "w3", at("08:59")), opened("R1", "w4-w1")])
    refused = [(one.work_order_id, one.rule, one.field, one.was) for one in await dispatch.published(WorkOrderClaimRejected)]
    assert refused == [
        ("R1-w2", "opened_once", "work_order_id", "created"),
        ("R1-w3", "not_before_receipt", "ce_time", ""),
        ("R1-w4-w1", "name_of_a_first_work_order", "work_order_id", ""),
    ]


async def test_work_that_is_opened_at_the_very_instant_of_the_receipt_is_in_order(dispatch: ServiceOnDatabase) -> None:
    await dispatch.apply([registered("R1"), opened("R1", when=at("09:00"))])
    assert len(await dispatch.published(WorkOrderCreated)) == 2


async def test_a_name_that_a_first_work_order_might_need_is_given_to_no_other(dispatch: ServiceOnDatabase) -> None:
    taken = WorkOrderOpened(work_order_id="R2-w1", request_id="R1", reason="second visit", by="D1")
    await dispatch.apply([registered("R1"), claim(taken, at("14:00")), registered("R2")])
    assert [(one.work_order_id, one.request_id) for one in await dispatch.published(WorkOrderCreated)] == [("R1-w1", "R1"), ("R2-w1", "R2")]
