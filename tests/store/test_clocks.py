"""What the table of clocks is asked: how many are open, which share was met lately, and who was charged with which in a span of time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.store import clock_outcomes, clocks, parked

pytestmark = pytest.mark.real

NINE = datetime(2026, 7, 6, 9, tzinfo=UTC)
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)


async def kept(
    connection: AsyncConnection,
    id: str,
    outcome: str = "open",
    state: str = "running",
    *,
    closed_at: datetime | None = None,
    stage: str = "solution",
    owner: str = "employee:E1",
    subject: str = "",
    traits: Mapping[str, str] | None = None,
    revision: int = 1,
    used_share: str | None = None,
    deadline: datetime | None = None,
) -> None:
    """One clock of the complaint `id`, as far as its columns say."""
    columns = "id, aggregate, stage, state, outcome, deadline, closed_at, owner, traits, policy, revision"
    columns += ", provisional, used_share, unexcused, kept, round, ended_at, charged"
    values = ":id, 'complaints:' || :id, :stage, :state, :outcome, :deadline, :closed_at, :owner, CAST(:traits AS jsonb), 'complaints@1'"
    rest = ":revision, false, CAST(CAST(:used_share AS text) AS numeric), :outcome, '{}', 0, :closed_at, :charged"
    given = {
        "id": id, "stage": stage, "state": state, "outcome": outcome, "deadline": deadline, "closed_at": closed_at, "owner": owner,
        "traits": json.dumps(traits or {}), "revision": revision, "used_share": used_share,
        "charged": subject or owner,
    }  # fmt: skip
    await connection.execute(text(f"INSERT INTO clocks ({columns}) VALUES ({values}, {rest})"), given)


async def test_a_clock_is_open_while_it_has_no_outcome_and_was_not_stopped(connection: AsyncConnection) -> None:
    await kept(connection, "C1")
    await kept(connection, "C2", state="paused")
    await kept(connection, "C3", state="stopped")
    await kept(connection, "C4", "breached")
    await kept(connection, "C5", stage="acknowledged")
    assert await clocks.open_by_stage(connection) == {"solution": 2, "acknowledged": 1}


async def test_a_clock_is_found_with_its_aggregate_and_stage(connection: AsyncConnection) -> None:
    await kept(connection, "C1")
    found = await clocks.find(connection, "C1")
    assert found is not None
    assert found[:2] == ("complaints:C1", "solution")
    assert await clocks.find(connection, "C2") is None


async def test_compliance_is_the_share_of_those_met_among_what_was_closed_in_each_window(connection: AsyncConnection) -> None:
    now = (await connection.execute(text("SELECT now()"))).scalar_one()
    day = timedelta(days=1)
    for id, outcome, ago in (
        ("C1", "met", timedelta(0)), ("C2", "breached", day - MICROSECOND), ("C3", "met", day), ("C4", "met", 7 * day),
        ("C5", "breached", 30 * day), ("C6", "breached", -MICROSECOND), ("C7", "cancelled", HOUR),
    ):  # fmt: skip
        await kept(connection, id, outcome, "stopped", closed_at=now - ago)
    found = await clock_outcomes.compliance(connection)
    assert found == {("solution", "1d"): 1 / 2, ("solution", "7d"): 2 / 3, ("solution", "30d"): 3 / 4}


async def test_a_report_counts_what_was_closed_from_its_begin_to_before_its_end_and_what_is_open_now(connection: AsyncConnection) -> None:
    for id, outcome, at, used in (
        ("C1", "met", NINE, "0.5"),
        ("C2", "met", NINE + HOUR - MICROSECOND, "0.25"),
        ("C3", "breached", NINE + MICROSECOND, "1.5"),
        ("C4", "breached", NINE - MICROSECOND, "9"),
        ("C5", "met", NINE + HOUR, "9"),
    ):
        await kept(connection, id, outcome, "stopped", closed_at=at, used_share=used)
    await kept(connection, "C6", deadline=NINE + 3 * HOUR)
    await kept(connection, "C7", deadline=NINE + 2 * HOUR)
    await kept(connection, "C8", state="paused", deadline=NINE)
    await kept(connection, "C9", state="stopped", deadline=NINE)
    (row,) = await clock_outcomes.report(connection, "stage", NINE, NINE + HOUR)
    assert [row[name] for name in ("stage", "value", "met", "breached", "open")] == ["solution", "", 2, 1, 3]
    assert [float(row[name]) for name in ("used_p50", "used_p90")] == [0.5, 1.5]
    assert row["next_deadline"] == NINE + 2 * HOUR


async def test_a_report_is_told_by_trait_by_policy_and_by_who_is_credited_or_had_the_time_at_last(connection: AsyncConnection) -> None:
    await kept(connection, "C1", traits={"priority": "urgent", "region": "north"}, subject="employee:E2")
    await kept(connection, "C2", owner="employee:E3")

    async def values(by: str) -> list[tuple[str, int]]:
        rows = await clock_outcomes.report(connection, by, NINE, NINE)  # type: ignore[arg-type]  # one of the words
        return [(row["value"], row["open"]) for row in rows]

    assert await values("priority") == [("", 1), ("urgent", 1)]
    assert await values("region") == [("", 1), ("north", 1)]
    assert await values("person") == [("employee:E2", 1), ("employee:E3", 1)]
    assert await values("policy") == [("complaints@1", 2)]


async def test_an_open_clock_that_was_folded_under_fewer_rules_is_stale_unless_its_aggregate_is_parked(connection: AsyncConnection) -> None:
    await kept(connection, "C2", revision=3)
    await kept(connection, "C1", revision=3, state="paused")
    await kept(connection, "C3", revision=4)
    await kept(connection, "C4", revision=3, state="stopped")
    await kept(connection, "C5", "breached", revision=3)
    await kept(connection, "C6", revision=3)
    for number in range(10, 20):
        await kept(connection, f"C{number}", revision=2)
    await parked.park(connection, (), {"complaints:C6": "KeyError"})
    assert await clocks.stale(connection, 4) == ["complaints:C1", *(f"complaints:C{number}" for number in range(10, 20)), "complaints:C2"]
    assert await clocks.stale(connection, 2) == []
