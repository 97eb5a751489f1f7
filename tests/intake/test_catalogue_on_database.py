"""What can be asked for is a document: an item that is activated is used by the next request, and by no earlier one."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from tests.harness import ServiceOnDatabase, activated, claim, documents_of, service_on

from common.contracts.claims.intake import ServiceRequestReceived, Severity
from common.contracts.envelope import Record
from common.contracts.service_requests import ServiceRequestClaimRejected, ServiceRequestRegistered
from common.contracts.triggers import TRIGGERS
from common.kernel.reference import EVER
from common.store.documents import presets_of
from intake.domain.catalogue import CATALOGUE
from intake.domain.triage import TRIAGE

pytestmark = pytest.mark.real

[NATURES] = [preset.body["natures"] for preset in presets_of(CATALOGUE)]
[PRIORITIES] = [preset.body["priorities"] for preset in presets_of(TRIAGE)]
CLEANING = {"zh": "清洗", "en": "cleaning", "route": "work_order", "priority": "low"}


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-06T{time}:00+08:00")


def asked_for(nature: str, when: datetime, *, request: str = "R1", severity: Severity = "normal") -> Record:
    event = ServiceRequestReceived(
        request_id=request, customer_id="K1", channel="hotline", nature=nature, severity=severity, region="north", product="boiler"
    )
    return claim(event, when)


def catalogue(version: int, when: datetime, natures: dict[str, Any]) -> Record:
    return claim(activated("service-catalogue", "standard", version, {"natures": natures}, when), when)


@pytest.fixture
async def intake(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("intake", database) as service:
        yield service


async def registered(intake: ServiceOnDatabase) -> list[tuple[str, str, str, str]]:
    found = await intake.published(ServiceRequestRegistered)
    return [(event.request_id, event.nature, event.route, event.priority) for event in found]


async def test_a_new_item_is_used_by_the_next_request_without_a_restart_and_by_no_earlier_one(intake: ServiceOnDatabase) -> None:
    await intake.apply([asked_for("cleaning", at("09:00"))])
    (refused,) = await intake.published(ServiceRequestClaimRejected)
    assert (refused.rule, refused.field, refused.was) == ("unknown_nature", "nature", ", ".join(NATURES))
    await intake.apply([catalogue(2, at("10:00"), {**NATURES, "cleaning": CLEANING})])
    later = [asked_for("cleaning", at("10:00"), request="R2"), asked_for("cleaning", at("09:59"), request="R3")]
    await intake.apply([*later, asked_for("repair", at("10:01"), request="R4", severity="high")])
    assert await registered(intake) == [("R2", "cleaning", "work_order", "low"), ("R4", "repair", "work_order", "high")]
    assert len(await intake.published(ServiceRequestClaimRejected)) == 2


async def test_a_refusal_names_as_many_known_natures_as_its_256_characters_hold(intake: ServiceOnDatabase) -> None:
    natures = {f"cleaning-of-{number:03}": CLEANING for number in range(40)}
    await intake.apply([catalogue(2, at("10:00"), natures), asked_for("repair", at("10:00"))])
    (refused,) = await intake.published(ServiceRequestClaimRejected)
    assert refused.was == ", ".join(sorted(natures))[:256]


async def test_a_priority_follows_from_the_rules_of_its_own_time(intake: ServiceOnDatabase) -> None:
    strict = {**PRIORITIES, "repair": dict.fromkeys(("low", "normal", "high", "critical"), "urgent")}
    rules = claim(activated("triage-rules", "standard", 2, {"priorities": strict}, at("10:00")), at("10:00"))
    requests = [asked_for("repair", at(time), request=f"R{time}", severity="low") for time in ("09:59", "10:00")]
    await intake.apply([rules, *requests])
    assert [priority for *_, priority in await registered(intake)] == ["low", "urgent"]


async def test_a_catalogue_that_a_release_cannot_read_parks_what_asks_for_it_until_a_readable_one_is_effective(
    intake: ServiceOnDatabase,
) -> None:
    await intake.apply([asked_for("repair", at("09:00"))])
    row = "'service-catalogue', 'standard', 2, 'issued', 90, NULL, :at, :at, false, '{\"natures\": 5}', '{}', 'c2'"
    await intake.rows(f"INSERT INTO documents VALUES ({row}) RETURNING 1", at=at("10:00"))
    intake.consumer.documents = documents_of("intake")
    requests = [asked_for("repair", at("09:59"), request="R2"), asked_for("repair", at("10:00"), request="R3")]
    await intake.apply([*requests, catalogue(3, at("11:00"), NATURES), asked_for("repair", at("11:00"), request="R4")])
    assert [request for request, *_ in await registered(intake)] == ["R1", "R2", "R4"]
    assert await intake.rows("SELECT aggregate FROM parked_keys") == [{"aggregate": "service_requests:R3"}]


async def test_a_trigger_that_the_document_in_force_does_not_know_is_refused_by_intake_already(intake: ServiceOnDatabase) -> None:
    def major(request: str, when: datetime) -> Record:
        event = ServiceRequestReceived(
            request_id=request, customer_id="K1", channel="hotline", nature="repair", severity="low", region="north", product="boiler",
            triggers=("data_leak",),
        )  # fmt: skip
        return claim(event, when)

    body = {"triggers": {"data_leak": {"zh": "数据泄露", "en": "personal data got out"}}}
    document = claim(activated("complaint-triggers", "standard", 2, body, at("10:00")), at("09:00"))
    await intake.apply([document, major("R1", at("09:59")), major("R2", at("10:00"))])
    (refused,) = await intake.published(ServiceRequestClaimRejected)
    assert (refused.request_id, refused.rule, refused.field) == ("R1", "unknown_trigger", "triggers")
    assert [event.triggers for event in await intake.published(ServiceRequestRegistered)] == [("data_leak",)]


async def test_a_kind_by_which_two_services_decide_is_shipped_by_both_and_known_once(intake: ServiceOnDatabase) -> None:
    await intake.apply([asked_for("repair", at("09:00"))])
    query = "SELECT event_id FROM outbox WHERE aggregateid = 'complaint-triggers/standard@1'"
    [own] = await intake.rows(query)
    [preset] = presets_of(TRIGGERS)
    shipped = activated("complaint-triggers", "standard", 1, preset.body, status="shipped")
    before = await intake.rows("SELECT * FROM documents ORDER BY number")
    await intake.apply([claim(shipped, EVER, id=own["event_id"], source="/aftersales/complaints")])  # the same, from complaints
    assert await intake.rows("SELECT * FROM documents ORDER BY number") == before
    assert await intake.rows("SELECT rule FROM dead_letters") == []
