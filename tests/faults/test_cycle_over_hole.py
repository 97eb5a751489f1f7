"""No cycle is graded over records that nobody has read: it waits for a person's word, and its cut is taken anew."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from tests.faults.kit import Base, Wire, base_of, send, settled, until, wire
from tests.faults.lost import command, make_anew, what_doctor_finds_bad

from appraisal.app import build
from appraisal.settings import Settings
from common.kafka import topic_admin
from common.kafka.settings import KafkaSettings
from common.runtime.service import Application
from devstack import Stack
from ops.platform import Platform

pytestmark = pytest.mark.real

AT = datetime(2026, 2, 2, 2, tzinfo=UTC)
TOPICS = ("org-claims", "kpi-fact-claims", "kpi-facts")


def organisation() -> Wire:
    """A supervisor and a specialist."""
    one = {"post": "supervisor", "department": "service", "team": "t1", "employee_id": "B1", "superior": None}
    other = {**one, "post": "specialist", "employee_id": "S1", "superior": "B1"}
    return wire("org-claims", "org.described", "hq", "org-1", datetime(2026, 1, 1, tzinfo=UTC), {"org_id": "hq", "members": [one, other]})


def figures(numbers: range, at: datetime = AT) -> list[Wire]:
    """Solutions of the specialist, every third of them too late."""
    said = {"indicator": "in_time_solution", "subject": "employee:S1", "denominator": "1"}
    return [
        wire("kpi-fact-claims", "kpi.reported", f"K{n}", f"K{n}", at, {**said, "case_id": f"K{n}", "numerator": str(int(n % 3 > 0))})
        for n in numbers
    ]


@asynccontextmanager
async def appraisal_with_nine_figures(stack: Stack) -> AsyncIterator[tuple[Application, Platform, Base]]:
    """Appraisal in this process, as it stands after the organisation and nine solutions; stopped when the block ends."""
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    application = build(Settings.model_validate({"KAFKA_BOOTSTRAP_SERVERS": stack.kafka, "DATABASE_URL": stack.database_url}))
    await application.start()
    try:
        async with base_of(stack, "appraisal") as base:
            await send(stack, [organisation(), *figures(range(9))])
            await settled(stack, base, TOPICS)
            yield application, Platform(stack.kafka, stack.database_url, ("appraisal",)), base
    finally:
        await application.stop()


async def test_a_cycle_waits_for_the_end_of_a_hole_and_is_then_cut_anew(fresh_stack: Stack) -> None:
    async with appraisal_with_nine_figures(fresh_stack) as (application, platform, base):
        await base.run("UPDATE consumer_progress SET halted = true WHERE topic = 'kpi-facts'")

        async def all_paused() -> bool:
            consumers = application.chassis.broker.consumers()
            return all(consumer.paused() == consumer.assignment() for topics, consumer in consumers if "kpi-facts" in topics)

        await until("the readers of facts stand still", all_paused)
        await send(fresh_stack, figures(range(9, 30)))
        await settled(fresh_stack, base, TOPICS[:2])
        await platform.close_cycle("2026Q1", "basic@1")

        async def cut() -> dict[str, int]:
            found: dict[str, int] = json.loads(await base.one("SELECT state ->> 'watermarks' FROM cycles") or "{}")
            return {place: end for place, end in found.items() if place.startswith("kpi-facts/")}

        await until("the cycle is cut", cut)
        await make_anew(fresh_stack, "kpi-facts")

        async def waits() -> bool:
            return any("kpi-facts" in for_ for for_ in application.chassis.logged.values())

        await until("the cycle says for what it waits", waits)
        assert await base.one("SELECT state ->> 'status' FROM cycles") == "closing"

        async def cut_is_gone() -> bool:
            return not await cut()

        await until("the cut from before the hole is not kept", cut_is_gone)  # it says so a moment before that is committed
        assert await what_doctor_finds_bad(fresh_stack) >= {"appraisal holes", "appraisal cycles"}

        # what the runbook says: the facts are sent again, then a person accepts the hole
        since = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
        assert (await command(fresh_stack, "outbox", "republish", "--service", "appraisal", "--since", since))[0] == 0
        await base.run("UPDATE consumer_progress SET halted = false")
        await settled(fresh_stack, base, TOPICS)
        assert await base.one("SELECT state ->> 'status' FROM cycles") == "closing"
        accept = ("holes", "accept", "--service", "appraisal", "--by", "Wang", "--reason", "sent again from the outbox")
        assert (await command(fresh_stack, *accept))[0] == 0
        await until("the cycle is closed", lambda: base.one("SELECT count(*) FROM cycles WHERE state ->> 'status' = 'graded'"))
        assert await base.one("SELECT count(*) FROM kpi_facts") == 30
        assert sum((await cut()).values()) >= 30, "it was cut where the new topic ended"


async def test_a_cycle_that_cannot_be_read_is_parked_and_the_others_close(fresh_stack: Stack) -> None:
    async with appraisal_with_nine_figures(fresh_stack) as (application, platform, base):
        await platform.close_cycle("2026Q1", "basic@1")
        await until("the cycle is closed", lambda: base.one("SELECT count(*) FROM cycles WHERE state ->> 'status' = 'graded'"))
        spoilt = """state || '{"id": "spoilt", "status": "closing", "watermarks": 7}'"""
        await base.run(f"INSERT INTO cycles (id, sequence, version, state) SELECT 'spoilt', 0, version, {spoilt} FROM cycles")
        await until("it is parked", lambda: base.one("SELECT count(*) FROM parked_keys WHERE aggregate = 'cycles:spoilt'"))
        later = [*figures(range(9, 12), datetime(2026, 5, 4, 2, tzinfo=UTC)), *figures(range(12, 15), datetime(2026, 8, 3, 2, tzinfo=UTC))]
        await send(fresh_stack, later)
        await settled(fresh_stack, base, TOPICS)
        await platform.close_cycle("2026Q2", "basic@1")
        await until("the other one closes", lambda: base.one("SELECT state ->> 'status' = 'graded' FROM cycles WHERE id LIKE '2026Q2%'"))
        assert application.chassis.failed_workers == {}
        # mended and redriven it goes on
        mended = """state || '{"id": "2026Q3|basic@1", "cycle": "2026Q3", "watermarks": {}}'"""
        await base.run(f"UPDATE cycles SET state = {mended}, id = '2026Q3|basic@1' WHERE id = 'spoilt'")
        await base.run("UPDATE parked_keys SET redrive = true")
        await until("the mended one closes", lambda: base.one("SELECT state ->> 'status' = 'graded' FROM cycles WHERE id LIKE '2026Q3%'"))
