"""What a sender with a coarse clock says of one instant counts in the order in which Kafka has it (ADR 0008)."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from tests.harness import ServiceOnDatabase, claim, service_on

from common.contracts.claims.dispatch import AssignmentMade, WorkHeldUp, WorkTakenUp
from common.contracts.envelope import Record
from common.contracts.service_requests import ServiceRequestRegistered
from common.contracts.sla_clocks import SlaClockPaused, SlaClockResumed

pytestmark = pytest.mark.real

NINE = datetime.fromisoformat("2025-07-07T09:00:00+08:00")
TEN = datetime.fromisoformat("2025-07-07T10:00:00+08:00")


@pytest.fixture
async def dispatch(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("dispatch", database) as service:
        yield service


def registered(request: str) -> Record:
    event = ServiceRequestRegistered(
        request_id=request,
        customer_id="K1",
        channel="hotline",
        nature="repair",
        severity="normal",
        priority="normal",
        region="north",
        product="boiler",
        handled_by="E9",
        asset_id=None,
        received_at=NINE,
    )
    return claim(event, NINE)


def assigned(order: str, technician: str, *, id: str) -> Record:
    return claim(AssignmentMade(work_order_id=order, technician=technician, team="T1", by="D1"), TEN, id=id)


async def owner(service: ServiceOnDatabase, request: str) -> list[str]:
    query = "SELECT owner FROM clocks WHERE aggregate = :aggregate AND stage = 'completion'"
    return [row["owner"] for row in await service.rows(query, aggregate=f"work_orders:{request}-w1")]


@pytest.mark.parametrize("early", [False, True], ids=["applied as they come", "held back until the order is known"])
@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
async def test_the_later_of_two_assignments_in_one_second_is_the_one_that_kafka_has_later(
    dispatch: ServiceOnDatabase, ids: tuple[str, str], early: bool
) -> None:
    first, second = (assigned("R1-w1", technician, id=id) for technician, id in zip(("E1", "E2"), ids, strict=True))
    claims = [first, second, registered("R1")] if early else [registered("R1"), first, second]
    await dispatch.apply(claims, at_once=1)
    assert await owner(dispatch, "R1") == ["employee:E2"]
    assert [row["technician"] for row in await dispatch.rows("SELECT steps -> -1 ->> 'who' AS technician FROM work_orders")] == ["E2"]


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
async def test_a_hold_up_that_ends_in_the_second_in_which_it_began_holds_nothing_up(
    dispatch: ServiceOnDatabase, ids: tuple[str, str]
) -> None:
    held = claim(WorkHeldUp(work_order_id="R1-w1", party="parts", reason="no spare part", by="E1"), TEN, id=ids[0])
    taken = claim(WorkTakenUp(work_order_id="R1-w1", by="E1"), TEN, id=ids[1])
    await dispatch.apply([registered("R1"), assigned("R1-w1", "E1", id="0"), held, taken])
    query = "SELECT state, outcome FROM clocks WHERE stage = 'completion'"
    assert await dispatch.rows(query) == [{"state": "running", "outcome": "open"}]
    for kind in (SlaClockPaused, SlaClockResumed):
        assert [event.stage for event in await dispatch.published(kind)] == ["arrival", "completion"]
