"""`aftersales clock explain`: what the person who is charged with a clock is shown of it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.harness import ServiceOnDatabase, activated, claim, service_at
from typer.testing import CliRunner, Result

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged, VerificationBegun, VerificationEnded
from common.sla.policy import shipped_document
from devstack import Stack
from ops.clock_explain import app

AFTERSALES = Path(sys.executable).parent / "aftersales"


def at(day: int, time: str) -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


@pytest.fixture
async def complaints(clean_stack: Stack) -> AsyncIterator[ServiceOnDatabase]:
    """Complaints with one complaint of a Friday, acknowledged on Monday; nobody began to verify it until Wednesday."""
    async with service_at("complaints", clean_stack) as service:
        lodged = ComplaintLodged(complaint_id="C1", customer_id="K1", category="noise", region="north", handled_by="E1")
        await service.apply(
            [
                claim(lodged, at(4, "16:30")),
                claim(ComplainantTold(complaint_id="C1", by="E1"), at(7, "10:00")),
                claim(VerificationBegun(complaint_id="C1", by="E2"), at(9, "10:00")),
            ]
        )
        yield service


def call(stack: Stack, *words: str) -> Result:
    return CliRunner().invoke(app, list(words), env={"DATABASE_URL": stack.database_url})


def explained(stack: Stack, stage: str) -> dict[str, Any]:
    result = call(stack, f"complaints:C1:{stage}", "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.real
def test_a_clock_is_explained_from_its_promise_to_what_was_told(complaints: ServiceOnDatabase, clean_stack: Stack) -> None:
    met = explained(clean_stack, "acknowledged")
    assert (met["policy"], met["calendar"], met["target"]) == ("complaints@1", "cn@0", {"working_days": 1, "meaning": "end_of_day"})
    assert (met["outcome"], met["state"], met["owner"]) == ("met", "stopped", "employee:E1")
    assert met["working_seconds_by_owner"] == {"employee:E1": 9000}
    (segment,) = met["segments"]
    assert (segment["from"], segment["to"], segment["working_seconds"]) == ("2025-07-04T16:30:00+08:00", "2025-07-07T10:00:00+08:00", 9000)
    assert [(part["from"][5:16], part["to"][5:16], part["working_seconds"]) for part in segment["ranges"]] == [
        ("07-04T16:30", "07-04T18:00", 5400),
        ("07-07T09:00", "07-07T10:00", 3600),
    ]
    assert [day["date"] for day in met["days"]] == ["2025-07-07"]
    assert [fact["type"] for fact in met["published"]] == ["sla_clock.started", "sla_clock.met"]
    assert [event["type"] for event in met["ledger"]] == ["started", "stopped"]

    broken = explained(clean_stack, "verification_started")
    assert (broken["outcome"], broken["breached_at"]) == ("breached", "2025-07-07T18:00:00+08:00")
    assert sum(broken["working_seconds_by_owner"].values()) == broken["elapsed_working_seconds"] == 9000 + 8 * 3600 + 9 * 3600 + 3600
    assert broken["overdue_working_seconds"] == 10 * 3600
    assert broken["reason_zh"] == (
        "承诺在起始日之后第 1 个工作日结束前完成（complaints@1，日历 cn@0）；2025-07-07 18:00:00 到期，"
        "2025-07-09 10:00:00 才完成，超时 10:00:00；计时归属：employee:E1 20:30:00。"
    )
    assert broken["reason_en"] == (
        "Promised by the end of working day 1 after the day of the start (complaints@1, calendar cn@0); "
        "due 2025-07-07 18:00:00 and done 2025-07-09 10:00:00: breached, 10:00:00 over; held by employee:E1 20:30:00."
    )
    assert "达标" in met["reason_zh"]
    assert "after 2:30:00 of working time: met" in met["reason_en"]
    told = [fact for fact in broken["published"] if fact["type"] == "sla_clock.breached"]
    assert [fact["at"] for fact in told] == ["2025-07-07T18:00:00+08:00"]
    assert told[0]["published_at"] is None
    assert broken["timer"] == {"due_at": None, "state": "cancelled", "version": broken["timer"]["version"]}


@pytest.mark.real
async def test_a_clock_whose_promise_was_changed_shows_each_promise_with_since_when_and_by_which_policy(
    complaints: ServiceOnDatabase, clean_stack: Stack
) -> None:
    document = shipped_document("complaints") | {"version": 2}
    document["stages"] = {**document["stages"], "verified": [{"target": {"working_days": 5}, "calendar": "cn"}]}
    policy = activated("sla-policy", "complaints", 2, document, at(9, "12:00"), applies_to_open=True)
    await complaints.apply(
        [claim(policy, at(9, "11:00")), claim(VerificationEnded(complaint_id="C1", justified=True, by="E2"), at(10, "09:00"))]
    )
    found = await asyncio.to_thread(explained, clean_stack, "verified")
    assert [(one["from"], one["policy"], one["target"]["working_days"]) for one in found["promised"]] == [
        ("2025-07-04T16:30:00+08:00", "complaints@1", 3),
        ("2025-07-09T12:00:00+08:00", "complaints@2", 5),
    ]
    assert (found["policy"], found["outcome"]) == ("complaints@2", "met")
    used, taken_by, stopped = found["ledger"][-3:]
    assert {"type": "rule_used", "rule": "policy complaints@2", "at": "2025-07-09T12:00:00+08:00"}.items() <= used.items()
    assert (taken_by["type"], stopped["type"]) == ("owner_changed", "stopped")  # whoever acts in time has it from then on (ADR 0025)
    shown = await asyncio.to_thread(call, clean_stack, "complaints:C1:verified")
    assert '{"working_days": 5, "meaning": "end_of_day"}' in shown.stdout
    assert "policy complaints@2" in [fact["why"] for fact in found["published"]]


@pytest.mark.real
async def test_a_promise_for_the_same_day_says_by_which_cut_off_it_counts_and_in_which_season_it_is_kept(
    complaints: ServiceOnDatabase, clean_stack: Stack
) -> None:
    summer = {"from": "06-01", "to": "08-31", "weekly_hours": {day: [["08:00", "17:30"]] for day in ("mon", "tue", "wed", "thu", "fri")}}
    hours = {"time_zone": "Asia/Shanghai", "weekly_hours": {"mon": [["09:00", "18:00"]]}, "seasons": [summer]}
    document = shipped_document("complaints") | {"version": 2}
    target = {"working_days": 0, "cut_off": "16:00", "by": "17:00"}
    document["stages"] = {**document["stages"], "acknowledged": [{"target": target, "calendar": "shop"}]}
    rules = [activated("calendar", "shop", 1, hours, at(10, "10:00")), activated("sla-policy", "complaints", 2, document, at(10, "12:00"))]
    await complaints.apply([claim(rule, at(10, "10:00")) for rule in rules])
    lodged = {
        id: ComplaintLodged(complaint_id=id, customer_id="K1", category="noise", region="north", handled_by="E1")
        for id in ("IN-TIME", "AT-THE-CUT-OFF")
    }
    told = [claim(ComplainantTold(complaint_id=id, by="E1"), at(15, "17:00")) for id in lodged]
    starts = (at(14, "15:59"), at(14, "16:00"))
    await complaints.apply([*(claim(one, start) for one, start in zip(lodged.values(), starts, strict=True)), *told])

    def of(id: str) -> dict[str, Any]:
        result = call(clean_stack, f"complaints:{id}:acknowledged", "--json")
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    breached, met = [await asyncio.to_thread(of, id) for id in lodged]
    assert (breached["outcome"], breached["breached_at"]) == ("breached", "2025-07-14T17:00:00+08:00")
    assert (met["outcome"], met["policy"], met["target"]) == ("met", "complaints@2", {**target, "meaning": "end_of_day"})
    assert (breached["day_0"], met["day_0"]) == ({"date": "2025-07-14"}, {"date": "2025-07-15", "reason": "cut_off"})
    assert [(day["date"], day["from"][11:16], day["season"]) for day in met["days"]] == [
        ("2025-07-15", "08:00", {"from": "06-01", "to": "08-31"})
    ]
    assert (
        "16:00 截止受理，逾时自下一工作日起算（complaints@2，日历 shop@1）；截止时刻后受理，自 2025-07-15 起算；适用作息"
        in met["reason_zh"]
    )
    assert "counted from 2025-07-15, since it came after the cut-off; hours of the season from 06-01 to 08-31;" in met["reason_en"]
    shown = await asyncio.to_thread(call, clean_stack, "complaints:AT-THE-CUT-OFF:acknowledged")
    assert "06-01 – 08-31" in shown.stdout


@pytest.mark.real
def test_its_tables_show_whom_the_time_belongs_to_and_an_unknown_clock_is_one_line(
    complaints: ServiceOnDatabase, clean_stack: Stack
) -> None:
    shown = call(clean_stack, "complaints:C1:verification_started")
    assert shown.exit_code == 0, shown.output
    for words in ("complaints@1", "cn@0", "employee:E1 20:30:00", "breached; stopped", "sla_clock.breached at", "2025-07-07"):
        assert words in shown.stdout, shown.stdout
    unknown = call(clean_stack, "complaints:C9:verified")
    assert (unknown.exit_code, unknown.stderr) == (1, "complaints has no clock 'complaints:C9:verified'.\n")


@pytest.mark.parametrize("name", ["verified", "billing:C1:verified", "complaints:verified"])
def test_what_names_no_clock_is_refused_before_any_database_is_asked(name: str) -> None:
    refused = CliRunner().invoke(app, [name], env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/postgres"})
    assert refused.exit_code == 2
    assert "names no clock" in refused.stderr


def test_it_is_listed_beside_calculate_which_does_not_pay_for_it() -> None:
    listed = subprocess.run([AFTERSALES, "clock", "--help"], capture_output=True, text=True, check=True).stdout
    assert "calculate" in listed
    assert "explain" in listed
    imported = "import sys; from ops.clock import run; run(['calculate']); sys.exit(any(m in sys.modules for m in ('typer', 'sqlalchemy')))"
    assert subprocess.run([sys.executable, "-c", imported], input=b"", check=False).returncode == 0
