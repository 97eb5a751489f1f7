"""What a case is, on whichever channel and to whichever outlet it came, decides what is promised for it."""

from collections.abc import AsyncIterator
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any

import pytest
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.claims.intake import ServiceRequestReceived
from common.contracts.event import Event
from common.contracts.service_requests import ServiceRequestRegistered
from common.sla.policy import TRAITS, shipped_document

pytestmark = pytest.mark.real

NINE = datetime.fromisoformat("2025-07-07T09:00:00+08:00")
GIVEN = {point.name: point.load() for point in entry_points(group="aftersales.traits")}
KNOWN = {"channel": "hotline", "region": "north", "customer_class": "vip", "outlet": "harbour"}
RECEIVED = ServiceRequestReceived.model_validate(
    {
        **KNOWN,
        "request_id": "R1",
        "category": "noise",
        "customer_id": "K1",
        "nature": "repair",
        "severity": "critical",
        "product": "boiler",
        "handled_by": "E1",
    }
)
REGISTERED = ServiceRequestRegistered(
    **{**RECEIVED.model_dump(exclude={"remarks"}), "route": "work_order", "priority": "urgent", "received_at": NINE, "asset_id": None}
)
LODGED = ComplaintLodged.model_validate({**KNOWN, "complaint_id": "C1", "customer_id": "K1", "category": "noise", "handled_by": "E1"})
CASES: dict[str, tuple[Event, str]] = {
    "intake": (RECEIVED, "closure"),
    "dispatch": (REGISTERED, "completion"),
    "complaints": (LODGED, "verified"),
}


@pytest.fixture
async def service(request: pytest.FixtureRequest, database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on(request.param, database) as found:
        yield found


def policy(service: str, stage: str, when: dict[str, str]) -> Event:
    """The service's own policy with one more promise, of 7 working days, for cases that are so."""
    document: dict[str, Any] = shipped_document(service) | {"version": 2}
    special = {"when": when, "target": {"working_days": 7}, "calendar": "cn"}
    document["stages"] = {**document["stages"], stage: [special, *document["stages"][stage]]}
    return activated("sla-policy", service, 2, document, NINE)


@pytest.mark.parametrize("service", CASES, indirect=True)
async def test_the_clocks_of_a_case_carry_each_trait_that_the_service_says_it_gives(service: ServiceOnDatabase) -> None:
    event, stage = CASES[service.name]
    await service.apply([claim(event, NINE)])
    rows = await service.rows("SELECT clock_id, data -> 'traits' AS traits FROM clock_events WHERE type = 'started'")
    (traits,) = [row["traits"] for row in rows if row["clock_id"].endswith(f":{stage}")]
    assert set(traits) == set(GIVEN[service.name]) <= set(TRAITS)
    assert KNOWN.items() <= traits.items()


@pytest.mark.parametrize("service", CASES, indirect=True)
@pytest.mark.parametrize("trait", KNOWN)
async def test_a_promise_may_depend_on_channel_region_customer_class_and_outlet(service: ServiceOnDatabase, trait: str) -> None:
    event, stage = CASES[service.name]
    other = event.model_copy(
        update={trait: "another", **({"request_id": "R2"} if service.name != "complaints" else {"complaint_id": "C2"})}
    )
    await service.apply([claim(policy(service.name, stage, {trait: KNOWN[trait]}), NINE), claim(event, NINE), claim(other, NINE)])
    rows = await service.rows("SELECT aggregate, deadline FROM clocks WHERE stage = :stage ORDER BY aggregate", stage=stage)
    seven_days = datetime.fromisoformat("2025-07-16T18:00:00+08:00")
    assert [row["deadline"] == seven_days for row in rows] == [True, False]


@pytest.mark.parametrize("service", ["complaints"], indirect=True)
async def test_a_promise_that_could_never_fit_is_refused_by_the_service_too(service: ServiceOnDatabase) -> None:
    event = policy("complaints", "verified", {"severity": "high"})  # of requests, not of complaints
    await service.apply([claim(event, NINE)])
    letters = await service.rows("SELECT rule, field, reason FROM dead_letters")
    assert letters == [{"rule": "bad_document", "field": "data.body.stages", "reason": "no case of this service has a severity"}]


def test_what_a_service_gives_is_known_to_policies_and_each_service_with_clocks_says_it() -> None:
    assert set(GIVEN) == set(CASES)
    assert {trait for traits in GIVEN.values() for trait in traits} == set(TRAITS)
