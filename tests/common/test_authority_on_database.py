"""A claim by somebody who may not say it is refused in every service, by the organisation and the documents as they were at its time."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from faststream.exceptions import NackMessage
from sqlalchemy import text
from tests.appraisal.department import LATER, MANAGER, NEW_YEAR, ONE, SUPERVISOR, org
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from common.contracts.claims.appraisal import CycleCloseRequested, OrgMember, OrgMemberLeft, OrgMemberTransferred
from common.contracts.claims.dispatch import AssignmentMade
from common.contracts.cycles import CycleClaimRejected
from common.contracts.envelope import Record
from common.contracts.org import OrganisationDescribed, OrganisationMemberTransferred
from common.contracts.service_requests import ServiceRequestRegistered
from common.contracts.work_orders import WorkOrderAssigned, WorkOrderClaimRejected
from common.store import positions

pytestmark = pytest.mark.real

DAY = timedelta(days=1)
HR = OrgMember(employee_id="H1", post="hr_specialist", department="admin", team="hr", roles=["人力资源部"])
DISPATCHER = OrgMember(employee_id="P1", post="specialist", department="service", team="t1", roles=["dispatcher"])
ASKED = {"claims": {"work_order.assignment_made": {"roles": ["派单员"]}}}
SAME = {"roles": {"dispatcher": ["派单员", "调度"]}}


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


@pytest.fixture
async def dispatch(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("dispatch", database) as service:
        yield service


def closing(by: str | None, at: datetime = LATER + DAY) -> Record:
    """Somebody asks to close the third quarter."""
    key = "2025Q3|basic@1"
    return claim(CycleCloseRequested(cycle_key=key, cycle="2025Q3", scheme="basic@1", as_of=at - DAY, by=by), at)


async def refusals(service: ServiceOnDatabase) -> list[tuple[str, str, str]]:
    kinds = CycleClaimRejected if service.name == "appraisal" else WorkOrderClaimRejected
    return [(event.rule, event.field, event.was) for event in await service.published(kinds)]


async def test_a_cycle_is_closed_for_hr_and_for_a_system_but_not_for_just_anybody(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(HR, MANAGER, SUPERVISOR, ONE), closing("S1"), closing("X9")])
    refused = [("not_authorised", "by", "specialist; expected: hr"), ("not_authorised", "by", "nobody who is known; expected: hr")]
    assert await refusals(appraisal) == refused
    assert await appraisal.rows("SELECT id FROM cycles") == []
    await appraisal.apply([closing("H1"), closing(None, LATER + 2 * DAY)])
    assert await refusals(appraisal) == refused
    assert len(await appraisal.rows("SELECT id FROM cycles")) == 1


async def test_nothing_is_asked_of_anybody_while_nobody_has_described_the_organisation(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([closing("S1")])
    assert await refusals(appraisal) == []


async def test_the_role_counts_that_was_held_at_the_time_of_the_claim_whatever_came_later(appraisal: ServiceOnDatabase) -> None:
    moved = OrgMemberTransferred(org_id="hq", member=HR.model_copy(update={"roles": []}))
    late = replace(claim(moved, LATER), appended_at=LATER + 30 * DAY)
    await appraisal.apply([org(HR, MANAGER), late, closing("H1", LATER + DAY)])
    assert await refusals(appraisal) == [], "it was not known yet when the claim was recorded"
    await appraisal.apply([closing("H1", LATER + 40 * DAY)])
    assert await refusals(appraisal) == [("not_authorised", "by", "hr_specialist; expected: hr")]
    await appraisal.apply([claim(OrgMemberLeft(org_id="hq", employee_id="H1"), LATER + 50 * DAY), closing("H1", LATER + 60 * DAY)])
    assert (await refusals(appraisal))[1:] == [("not_authorised", "by", "nobody who is known; expected: hr")]


def described(*members: OrgMember) -> Record:
    event = OrganisationDescribed(org_id="hq", change="c1", effective_at=NEW_YEAR, part=1, parts=1, members=list(members))
    return claim(event, NEW_YEAR)


def without_role(at: datetime) -> Record:
    plain = DISPATCHER.model_copy(update={"roles": []})
    return claim(OrganisationMemberTransferred(org_id="hq", change="c2", effective_at=at, member=plain), at)


def order(request: str, at: datetime) -> Record:
    registered = ServiceRequestRegistered(
        request_id=request,
        customer_id="K1",
        channel="hotline",
        nature="repair",
        route="work_order",
        severity="critical",
        priority="urgent",
        region="north",
        product="boiler",
        handled_by="E9",
        asset_id=None,
        received_at=at,
    )
    return claim(registered, at)


def assigned(request: str, by: str, at: datetime) -> Record:
    return claim(AssignmentMade(work_order_id=f"{request}-w1", technician="S1", team="t1", by=by), at)


async def test_another_service_asks_what_a_document_says_from_its_instant_on(dispatch: ServiceOnDatabase) -> None:
    at = NEW_YEAR + 10 * DAY
    await dispatch.apply([described(DISPATCHER, ONE), *(order(f"R{n}", at) for n in range(1, 6))])
    await dispatch.apply([assigned("R1", "S1", at)])
    documents = [activated("authorities", "standard", 2, ASKED, at + DAY), activated("role-aliases", "standard", 2, SAME, at + DAY)]
    await dispatch.apply([claim(document, at) for document in documents])
    await dispatch.apply([assigned("R2", "S1", at), assigned("R3", "S1", at + DAY), assigned("R4", "P1", at + DAY)])
    assert [event.work_order_id for event in await dispatch.published(WorkOrderAssigned)] == ["R1-w1", "R2-w1", "R4-w1"]
    assert await refusals(dispatch) == [("not_authorised", "by", "specialist; expected: 派单员")]
    await dispatch.apply([without_role(at + 3 * DAY), assigned("R3", "P1", at + 2 * DAY), assigned("R5", "P1", at + 3 * DAY)])
    assert [event.work_order_id for event in await dispatch.published(WorkOrderAssigned)][3:] == ["R3-w1"]
    assert len(await refusals(dispatch)) == 2


async def test_nothing_is_decided_before_the_service_has_read_who_is_what(dispatch: ServiceOnDatabase) -> None:
    at = NEW_YEAR + 10 * DAY
    asked = claim(activated("authorities", "standard", 2, {"claims": {"work_order.assignment_made": {"roles": ["dispatcher"]}}}), at)
    await dispatch.apply([asked, order("R1", at)])
    async with dispatch.database.transaction() as connection:
        now = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        await positions.note_lag(connection, {("organisations", 0): 1}, now)
    with pytest.raises(NackMessage):
        await dispatch.apply([assigned("R1", "S1", at)])
    await dispatch.apply([described(DISPATCHER, ONE)])
    async with dispatch.database.transaction() as connection:
        await positions.note_lag(connection, {("organisations", 0): 1}, now)
    await dispatch.apply([assigned("R1", "S1", at)])
    assert [rule for rule, _, _ in await refusals(dispatch)] == ["not_authorised"]


@pytest.mark.parametrize("order_of", list(permutations(range(3))), ids=str)
async def test_the_order_of_organisation_and_document_does_not_change_the_answer(
    dispatch: ServiceOnDatabase, order_of: tuple[int, ...]
) -> None:
    at = NEW_YEAR + 10 * DAY
    known = [described(DISPATCHER, ONE), without_role(at + 2 * DAY), claim(activated("authorities", "standard", 2, ASKED, at), at)]
    names = claim(activated("role-aliases", "standard", 2, SAME, at), at)
    await dispatch.apply([names, *(known[place] for place in order_of)], at_once=1)
    await dispatch.apply([order("R1", at), assigned("R1", "P1", at + DAY), assigned("R1", "P1", at + 2 * DAY)])
    assert len(await dispatch.published(WorkOrderAssigned)) == 1
    assert await refusals(dispatch) == [("not_authorised", "by", "specialist; expected: 派单员")]
