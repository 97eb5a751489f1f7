"""`aftersales sla report`: the promises of a period as they were kept, told apart by what one asks for."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from tests.harness import ServiceOnDatabase, activated, claim, service_at
from typer.testing import CliRunner, Result

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged, VerificationBegun, VerificationEnded
from common.contracts.envelope import Record
from common.sla.policy import shipped_document
from devstack import Stack
from ops.sla import app

PERIOD = ("--from", "2025-07-07", "--to", "2025-07-08", "--service", "complaints")


def at(day: int, time: str) -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


def a_case(name: str, region: str, *, told: datetime, begun: datetime) -> list[Record]:
    """A complaint of Friday the 4th, of which two promises are due on Monday at 18:00, and two on Wednesday."""
    lodged = ComplaintLodged(complaint_id=name, customer_id="K1", category="noise", region=region, handled_by="E1")
    return [
        claim(lodged, at(4, "16:30")),
        claim(ComplainantTold(complaint_id=name, by="E1"), told),
        claim(VerificationBegun(complaint_id=name, by="E2"), begun),
    ]


@pytest.fixture
async def complaints(clean_stack: Stack) -> AsyncIterator[ServiceOnDatabase]:
    async with service_at("complaints", clean_stack) as service:
        await service.apply(
            [
                *a_case("C1", "north", told=at(7, "10:00"), begun=at(9, "10:00")),  # breached on the 7th, whenever it was done
                *a_case("C2", "south", told=at(7, "17:59"), begun=at(7, "18:00")),
                *a_case("C3", "south", told=at(4, "17:00"), begun=at(7, "11:00")),  # acknowledged before the period
                claim(VerificationEnded(complaint_id="C3", justified=True, by="E2"), at(8, "18:00")),
            ]
        )
        yield service


def call(stack: Stack, *words: str) -> Result:
    return CliRunner().invoke(app, ["report", *words], env={"DATABASE_URL": stack.database_url})


def rows(stack: Stack, *words: str) -> list[dict[str, Any]]:
    result = call(stack, *PERIOD, *words, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.mark.real
def test_each_stage_has_its_met_its_breached_and_its_open_clocks_by_event_time(complaints: ServiceOnDatabase, clean_stack: Stack) -> None:
    found = {row["stage"]: (row["met"], row["breached"], row["compliance"], row["percent"], row["open"]) for row in rows(clean_stack)}
    assert found == {
        "acknowledged": (2, 0, "1", "100.0", 0),
        "verification_started": (2, 1, "2/3", "66.6", 0),
        "verified": (1, 0, "1", "100.0", 2),
        "solution_communicated": (0, 0, None, None, 3),
    }


@pytest.mark.real
def test_a_stage_is_told_apart_by_region_and_by_the_person_who_is_charged(complaints: ServiceOnDatabase, clean_stack: Stack) -> None:
    by_region = {row["region"]: (row["met"], row["breached"]) for row in rows(clean_stack, "--by", "region") if row["stage"] == "verified"}
    assert by_region == {"north": (0, 0), "south": (1, 0)}
    (breached,) = [row for row in rows(clean_stack, "--by", "person") if row["breached"]]
    assert (breached["stage"], breached["person"]) == (
        "verification_started",
        "employee:E2",
    )  # who began it in time has it from then on (ADR 0025)
    assert {row["policy"] for row in rows(clean_stack, "--by", "policy")} == {"complaints@1"}


@pytest.mark.real
def test_the_days_are_those_of_the_zone_and_of_no_service_that_has_no_database_yet(
    complaints: ServiceOnDatabase, clean_stack: Stack
) -> None:
    one_day = ["--from", "2025-07-07", "--to", "2025-07-07", "--time-zone", "Pacific/Kiritimati", "--json"]  # it ends at 18:00 of Shanghai
    result = call(clean_stack, *one_day)
    assert "intake has no database yet." in result.stderr
    found = {row["stage"]: row["met"] + row["breached"] for row in json.loads(result.stdout)}
    assert found["verification_started"] == 1
    table = call(clean_stack, *PERIOD).stdout
    assert "66.6" in table
    assert "SLA 2025-07-07 to 2025-07-08, Asia/Shanghai" in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "7.7.2025"], "--from 7.7.2025: a date like 2026-10-01 between 1900 and 2299 is expected."),
        (["--from", "2025-07-07", "--to", "2025-07-06"], "--to lies before --from."),
        (["--from", "2025-07-07", "--time-zone", "Mars/Base"], "--time-zone Mars/Base: no such zone"),
        (["--from", "2025-07-07", "--service", "catering"], "There is no service 'catering'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_database_is_asked(words: list[str], said: str) -> None:
    refused = CliRunner().invoke(app, ["report", *words], env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/postgres"})
    assert (refused.exit_code, said in refused.stderr) == (2, True), refused.output


@pytest.mark.real
async def test_a_month_shows_its_objective_and_what_is_left_of_the_budget(complaints: ServiceOnDatabase, clean_stack: Stack) -> None:
    document = {**shipped_document("complaints"), "version": 2, "objectives": {"verification_started": "2/3", "escalated": "1"}}
    await complaints.apply([claim(activated("sla-policy", "complaints", 2, document), at(7, "12:00"))])
    result = await asyncio.to_thread(call, clean_stack, "--month", "2025-07", "--service", "complaints", "--json")
    assert result.exit_code == 0, result.output
    found = {row.pop("stage"): row for row in json.loads(result.stdout)}
    figures = {"service": "complaints", "met": 2, "breached": 1, "objective": "2/3", "allowed": 1, "remaining": 0}
    assert found["verification_started"] == figures
    assert found["acknowledged"] == {
        "service": "complaints",
        "met": 3,
        "breached": 0,
        "objective": None,
        "allowed": None,
        "remaining": None,
    }
    assert found["escalated"] == {"service": "complaints", "met": 0, "breached": 0, "objective": "1", "allowed": None, "remaining": None}
    assert "solution_communicated" not in found


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--month", "2025-7"), "a month such as 2026-11 is expected"),
        (("--month", "2025-07", "--from", "2025-07-01"), "--month stands alone"),
        ((), "with --from, or a calendar month with --month"),
    ],
)
def test_a_report_needs_days_or_one_month(words: tuple[str, ...], what: str) -> None:
    result = CliRunner().invoke(app, ["report", *words], env={"DATABASE_URL": "postgresql://nowhere/postgres"})
    assert result.exit_code == 2
    assert what in " ".join(result.output.split())
