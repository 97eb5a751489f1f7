"""What HR says to appraisal is known to another service over Kafka, which judges by it who may say what."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.faults.kit import Wire, base_of, read_topic, send, settled, until, wire

from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from common.kernel.wall_clock import now
from devstack import Stack
from ops.processes import ServiceProcess, wait_until_ready

pytestmark = pytest.mark.real

BEGAN = now() - timedelta(hours=1)
"""When the organisation was as HR first describes it; everything lies behind the services when they start."""
CLERK = {"employee_id": "E1", "post": "complaint_clerk", "department": "service", "team": "t1", "region": "华东", "roles": ["投诉专员"]}
OTHER = {"employee_id": "E2", "post": "specialist", "department": "service", "team": "t1"}


def minute(number: int) -> timedelta:
    return timedelta(minutes=number)


def hr(type: str, at: timedelta, **said: object) -> Wire:
    return wire("org-claims", f"org.{type}", "acme", f"{type}-{at.seconds}", BEGAN + at, {"org_id": "acme", **said})


def document(kind: str, body: dict[str, object]) -> Wire:
    name = f"{kind}/standard@2"
    said = {"document": name, "kind": kind, "name": "standard", "version": 2, "effective_at": BEGAN.isoformat(), "body": body}
    return wire("reference-documents", "document.activated", name, name, BEGAN, said)


def lodged(id: str) -> Wire:
    said = {"complaint_id": id, "customer_id": "K1", "category": "quality", "region": "north", "handled_by": "E1"}
    return wire("complaint-claims", "complaint.lodged", id, f"{id}-lodged", BEGAN + minute(5), said)


def told(id: str, by: str, at: timedelta) -> Wire:
    return wire("complaint-claims", "complaint.complainant_told", id, f"{id}-told", BEGAN + at, {"complaint_id": id, "by": by})


async def test_complaints_knows_from_appraisal_who_may_tell_the_complainant(tmp_path: Path, fresh_stack: Stack) -> None:
    stack = fresh_stack
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"), replication=1)
    asked = {"complaint.complainant_told": {"roles": ["complaint_clerk"]}}
    moved = {**CLERK, "post": "specialist", "roles": []}
    await send(stack, [document("authorities", {"claims": asked}), document("role-aliases", {"roles": {"complaint_clerk": ["投诉专员"]}})])
    await send(stack, [hr("member_transferred", minute(30), member=moved), hr("described", minute(0), members=[CLERK, OTHER])])
    processes = [ServiceProcess(name, stack.kafka, stack.database_url, tmp_path) for name in ("appraisal", "complaints")]
    try:
        for one in processes:
            one.start()
        for one in processes:
            wait_until_ready(one)
        async with base_of(stack, "complaints") as base:

            async def is_known() -> bool:
                return bool(await base.one("SELECT count(*) = 2 FROM organisation_changes"))

            await until("complaints knows the organisation", is_known)
            claims = [told("C1", "E1", minute(10)), told("C2", "E2", minute(10)), told("C3", "E1", minute(40))]
            await send(stack, [*map(lodged, ("C1", "C2", "C3")), *claims])
            await settled(stack, base, ["complaint-claims"])
    finally:
        for one in processes:
            one.stop()
    answers = {read.key: (read.type, read.body.get("was")) for read in await read_topic(stack, "complaints") if "received" not in read.type}
    refused = "complaint.claim_rejected", "specialist; expected: complaint_clerk"
    assert answers == {"C1": ("complaint.acknowledged", None), "C2": refused, "C3": refused}
