"""`aftersales sla compensations`, and what `clock explain` and `sla report` say of what was voided, extended, excused or not promised."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.complaints.test_excused_windows import lodged, typhoon
from tests.complaints.test_promises_on_database import EXTENDABLE, SOLUTION, at, extended, policy, restarted, solved, voided
from tests.harness import ServiceOnDatabase, service_at
from typer.testing import CliRunner

from devstack import Stack
from ops import clock_explain, sla

pytestmark = pytest.mark.real


@pytest.fixture
async def complaints(clean_stack: Stack) -> AsyncIterator[ServiceOnDatabase]:
    async with service_at("complaints", clean_stack) as service:
        yield service


async def told(app: Any, stack: Stack, *words: str) -> Any:
    """What a command prints; in a thread, since it has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--json"], env={"DATABASE_URL": stack.database_url})
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def compensations(stack: Stack, *words: str) -> list[dict[str, Any]]:
    period = ("--from", "2025-07-07", "--to", "2025-07-31", "--service", "complaints")
    found: list[dict[str, Any]] = await told(sla.app, stack, "compensations", *period, *words)
    return found


async def explained(stack: Stack, complaint: str) -> dict[str, Any]:
    found: dict[str, Any] = await told(clock_explain.app, stack, f"complaints:{complaint}:{SOLUTION}")
    return found


async def test_who_voided_extended_and_excused_what_is_listed_and_added_up(complaints: ServiceOnDatabase, clean_stack: Stack) -> None:
    await complaints.apply([EXTENDABLE, *(lodged(f"C{n}", "south" if n == 3 else "north") for n in (1, 2, 3))])
    await complaints.apply([voided("C1", at("09:00", 8)), extended("C2", at("10:00", 8)), *solved("C3", at("17:00", 11))])
    await complaints.apply([typhoon(known=at("12:00", 20))])
    await complaints.let_time_pass()
    listed = [(one["what"], one["clock"], one["by"], one["reason"]) for one in await compensations(clean_stack) if one["stage"] == SOLUTION]
    assert listed == [
        ("voided", f"complaints:C1:{SOLUTION}", "employee:E9", "merged"),
        ("extended", f"complaints:C2:{SOLUTION}", "employee:E9", "part on order"),
        ("excused", f"complaints:C3:{SOLUTION}", "employee:E8", "typhoon"),
    ]
    (excused,) = [one for one in await compensations(clean_stack) if one["what"] == "excused" and one["stage"] == SOLUTION]
    assert (excused["unexcused"], excused["outcome"], excused["owner"]) == ("breached", "met", "employee:E1")
    totals = {(one["what"], one["by"]): one["number"] for one in await compensations(clean_stack, "--totals") if one["stage"] == SOLUTION}
    assert totals == {("voided", "employee:E9"): 1, ("extended", "employee:E9"): 1, ("excused", "employee:E8"): 1}
    report = await told(sla.app, clean_stack, "report", "--from", "2025-07-07", "--to", "2025-07-31", "--service", "complaints")
    (row,) = [one for one in report if one["stage"] == SOLUTION]
    assert (row["met"], row["breached"], row["excused"]) == (1, 1, 1), "the void one is in no figure"


async def test_the_person_who_is_charged_reads_what_was_voided_extended_excused_or_not_promised(
    complaints: ServiceOnDatabase, clean_stack: Stack
) -> None:
    await complaints.apply([EXTENDABLE, *(lodged(f"C{n}", "south" if n == 3 else "north") for n in (1, 2, 3))])
    await complaints.apply([voided("C1", at("09:00", 8)), extended("C2", at("10:00", 8)), *solved("C2", at("12:00", 14)), typhoon()])
    await complaints.let_time_pass()
    void = await explained(clean_stack, "C1")
    assert "已作废（merged），不计达标也不计超时" in void["reason_zh"]
    assert "void (merged): neither met nor breached" in void["reason_en"]
    longer = await explained(clean_stack, "C2")
    assert "到期前已告知客户延期 1 次" in longer["reason_zh"]
    assert [one["by"] for one in longer["ledger"] if one["type"] == "extended"] == ["employee:E9"]
    storm = await explained(clean_stack, "C3")
    assert "免责时段不计时：2025-07-09 00:00 – 2025-07-10 23:00 (typhoon)" in storm["reason_zh"]
    assert storm["excused"] == [{"document": "typhoon@1", "from": "2025-07-09 00:00", "to": "2025-07-10 23:00", "reason": "typhoon"}]


async def test_a_promise_that_began_anew_is_listed_and_each_of_its_rounds_is_told(
    complaints: ServiceOnDatabase, clean_stack: Stack
) -> None:
    await complaints.apply([policy(restarts=1), lodged("C1"), restarted("C1", at("09:00", 14)), restarted("C1", at("10:00", 14))])
    await complaints.apply(solved("C1", at("12:00", 15)))
    listed = [(one["what"], one["at"], one["by"], one["reason"]) for one in await compensations(clean_stack) if one["stage"] == SOLUTION]
    assert listed == [("restarted", f"2025-07-14T{hour}:00:00+08:00", "employee:E9", "next_update") for hour in ("09", "10")]
    found = await explained(clean_stack, "C1")
    assert [(one["type"], one["counts"]) for one in found["ledger"] if one["type"] == "restarted"] == [
        ("restarted", True),
        ("restarted", False),
    ]
    assert [(one["outcome"], one["deadline"]) for one in found["rounds"]] == [("breached", "2025-07-10T18:00:00+08:00")]
    assert "第 2 轮，自 2025-07-14 09:00:00 重新起算（此前：超时）" in found["reason_zh"]
    assert "round 2, which began anew 2025-07-14 09:00:00 (before: breached)" in found["reason_en"]
    report = await told(sla.app, clean_stack, "report", "--from", "2025-07-07", "--to", "2025-07-31", "--service", "complaints")
    (row,) = [one for one in report if one["stage"] == SOLUTION]
    assert (row["met"], row["breached"]) == (1, 1), "each round counts once"


async def test_where_nothing_is_promised_the_account_says_why(complaints: ServiceOnDatabase, clean_stack: Stack) -> None:
    await complaints.apply([policy(target={"none": True, "reason": "the maker answers"}, indicators=None), lodged("C1")])
    found = await explained(clean_stack, "C1")
    assert found["reason_zh"].startswith("未作时限承诺：the maker answers（complaints@2，日历 cn@0）；进行中")
    assert "due at no time" in found["reason_en"]
    assert (found["outcome"], found["deadline"]) == ("none", None)
