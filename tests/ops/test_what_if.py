"""`aftersales what-if`: what another promise or calendar would have meant is what a service under it from the start would have found."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import text
from tests.harness import ServiceOnDatabase, activated, claim, service_at, service_on
from typer.testing import CliRunner, Result

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    ComplaintPromiseRestarted,
    SolutionFound,
    SolutionTold,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.envelope import Record
from common.contracts.yaml_files import as_yaml
from common.kernel.calendars import built_in
from common.sla.policy import shipped_document
from devstack import Stack, open_stack
from devstack.settings import read
from ops import sla
from ops.what_if import app

PERIOD = ("--from", "2025-07-01", "--to", "2025-08-31")
SCHEMA = json.loads(resources.files("ops").joinpath("interfaces", "what-if.json").read_text("utf-8"))
NOWHERE = "postgresql://nobody@127.0.0.1:1/postgres"
Endings = dict[str, tuple[str, str, str, datetime | None]]
"""By clock: stage, region, outcome, and the instant for which it counts."""
STEPS = (
    lambda case: ComplainantTold(complaint_id=case, by="E1"),
    lambda case: VerificationBegun(complaint_id=case, by="E2"),
    lambda case: VerificationEnded(complaint_id=case, justified=True, by="E2"),
    lambda case: SolutionFound(complaint_id=case, remedy="repair", by="E2"),
    lambda case: SolutionTold(complaint_id=case, by="E2"),
)


def at(day: int, time: str = "10:00") -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


def a_month_of_complaints() -> list[Record]:
    """Sixty complaints that went as far as they came: each step some hours or days after the one before."""
    random, found = Random(7), []
    for number in range(60):
        case, when = f"C{number}", at(1) + timedelta(hours=random.randrange(600))
        region = random.choice(("north", "south"))
        lodged = ComplaintLodged(complaint_id=case, customer_id="K1", category="noise", region=region, handled_by="E1")
        found.append(claim(lodged, when))
        for step in STEPS[: random.randrange(6)]:
            when += timedelta(minutes=random.randrange(1, 60 * 60))
            found.append(claim(step(case), when))
    return found


def a_policy(version: int, days: int) -> dict[str, Any]:
    """What complaints promise, with so many working days for everything that is counted in days."""
    document = shipped_document("complaints") | {"version": version}
    document["stages"] = {
        stage: [{**rule, "target": {"working_days": days}} if "working_days" in rule["target"] else rule for rule in rules]
        for stage, rules in document["stages"].items()
    }
    return document


def a_calendar() -> dict[str, Any]:
    """The Chinese calendar with a works holiday from 7 to 16 July."""
    body = built_in("cn").to_json()
    return body | {"closed_dates": sorted([*body["closed_dates"], *(f"2025-07-{day:02}" for day in (*range(7, 12), 14, 15, 16))])}


def written(file: Path, document: Any) -> str:
    file.write_text(as_yaml(document), "utf-8")
    return str(file)


async def call(stack: Stack, *words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, [*PERIOD, *words], env={"DATABASE_URL": stack.database_url})


async def asked(stack: Stack, *words: str) -> dict[str, Any]:
    result = await call(stack, *words, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    Draft202012Validator(SCHEMA).validate(found)
    return found


async def endings(service: ServiceOnDatabase) -> Endings:
    """How every clock of a service ended."""
    rows = await service.rows("SELECT id, stage, traits ->> 'region' AS region, outcome, closed_at FROM clocks")
    return {row["id"]: (row["stage"], row["region"], row["outcome"], row["closed_at"]) for row in rows}


async def checksums(stack: Stack) -> dict[str, str]:
    """Each table of complaints with a digest of all its rows."""
    connection = await asyncpg.connect(stack.url_of("complaints"))
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        query = "SELECT md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM {} AS t"
        return {name: await connection.fetchval(query.format(name)) for (name,) in tables}
    finally:
        await connection.close()


@pytest.fixture
async def complaints(clean_stack: Stack) -> AsyncIterator[ServiceOnDatabase]:
    """A platform of the test's own with the month of complaints."""
    async with a_month_on(clean_stack) as service:
        yield service


@pytest.fixture(scope="module")
def platform() -> Iterator[tuple[Stack, Endings]]:
    """A platform with the month of complaints, which tests only ask, and how they ended."""

    async def filled(stack: Stack) -> Endings:
        async with a_month_on(stack) as service:
            return await endings(service)

    stack = open_stack(settings=replace(read(), kafka_bootstrap_servers=None, database_url=None))
    try:
        yield stack, asyncio.run(filled(stack))
    finally:
        stack.stop()


@asynccontextmanager
async def a_month_on(stack: Stack) -> AsyncIterator[ServiceOnDatabase]:
    async with service_at("complaints", stack) as service:
        await service.apply(a_month_of_complaints())
        await service.let_time_pass()
        yield service


@asynccontextmanager
async def under_from_the_start(url: str, record: Record) -> AsyncIterator[Endings]:
    """How the same complaints end in a service that knows a rule from the start."""
    async with service_on("complaints", url) as service:
        await service.apply([record, *a_month_of_complaints()])
        await service.let_time_pass()
        yield await endings(service)


def assert_same(
    found: dict[str, Any],
    before: Endings,
    after: Endings,
) -> None:
    """The command tells what the other service has found, clock by clock and row by row."""
    begin, end = at(1, "00:00"), at(1, "00:00") + timedelta(days=62)
    closed = {id: one for id, one in before.items() if one[3] is not None and begin <= one[3] < end}
    others = {id: (one[2], after[id][2]) for id, one in closed.items() if one[2] != after[id][2]}
    assert {line["clock"]: (line["was"], line["would_be"]) for line in found["clocks"]} == others
    assert found["changed"] == len(others) > 10
    for line in found["clocks"]:
        if line["would_be"] == "breached":
            assert datetime.fromisoformat(line["would_be_deadline"]) == after[line["clock"]][3]
        if line["was"] == "breached":
            assert datetime.fromisoformat(line["deadline"]) == before[line["clock"]][3]
    pairs = Counter((one[0], one[1], one[2], after[id][2]) for id, one in closed.items())
    for row in found["rows"]:
        mine = Counter(
            {(was, would): n for (stage, region, was, would), n in pairs.items() if (stage, region) == (row["stage"], row["region"])}
        )
        assert row["clocks"] == mine.total()
        assert row["met"] == sum(n for (was, _), n in mine.items() if was == "met")
        assert row["would_be_breached"] == sum(n for (_, would), n in mine.items() if would == "breached")
        assert (row["breached_to_met"], row["met_to_breached"]) == (mine["breached", "met"], mine["met", "breached"])
    assert sum(row["clocks"] for row in found["rows"]) == len(closed)


@pytest.mark.real
async def test_the_policy_that_was_in_force_changes_nothing(platform: tuple[Stack, Endings], tmp_path: Path) -> None:
    same = written(tmp_path / "policy.yaml", shipped_document("complaints"))
    found = await asked(platform[0], "--policy", same)
    assert (found["changed"], found["clocks"], found["unreadable"]) == (0, [], 0)
    assert found["rules"] == ["policy complaints@1"]
    assert all((row["met"], row["breached"]) == (row["would_be_met"], row["would_be_breached"]) for row in found["rows"])
    assert sum(row["clocks"] for row in found["rows"]) > 150
    assert "No clock would have ended otherwise." in (await call(platform[0], "--policy", same)).stdout


@pytest.mark.real
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Pacific/Kiritimati"])  # days of the second end at 18:00 of the first, as promises do
async def test_as_it_was_is_what_the_report_of_the_same_days_says(platform: tuple[Stack, Endings], tmp_path: Path, zone: str) -> None:
    days = ("--from", "2025-07-08", "--to", "2025-07-10", "--time-zone", zone, "--by", "region")
    same = written(tmp_path / "policy.yaml", shipped_document("complaints"))
    found = await asked(platform[0], *days, "--policy", same)
    url = {"DATABASE_URL": platform[0].database_url}
    report = await asyncio.to_thread(CliRunner().invoke, sla.app, ["report", *days, "--service", "complaints", "--json"], env=url)
    columns = ("stage", "region", "met", "breached")
    kept = [[row[name] for name in columns] for row in json.loads(report.stdout) if row["met"] or row["breached"]]
    assert [[row[name] for name in columns] for row in found["rows"]] == kept
    assert len(kept) > 4


@pytest.mark.real
@pytest.mark.parametrize("days", [0, 8])
async def test_another_policy_is_what_a_service_finds_that_had_it_from_the_start(
    platform: tuple[Stack, Endings], database: str, tmp_path: Path, days: int
) -> None:
    policy = a_policy(2, days)
    found = await asked(platform[0], "--policy", written(tmp_path / "policy.yaml", policy), "--by", "region")
    async with under_from_the_start(database, claim(activated("sla-policy", "complaints", 2, policy), at(1, "00:00"))) as after:
        assert_same(found, platform[1], after)


@pytest.mark.real
async def test_another_calendar_is_what_a_service_finds_that_had_it_from_the_start(
    platform: tuple[Stack, Endings], database: str, tmp_path: Path
) -> None:
    calendar = a_calendar()
    file = written(tmp_path / "cn.yaml", {"name": "cn", "version": 2, "calendar": calendar})
    found = await asked(platform[0], "--calendar", file, "--by", "region")
    assert found["rules"] == ["calendar cn@2"]
    assert {row["service"] for row in found["rows"]} == {"complaints"}
    async with under_from_the_start(database, claim(activated("calendar", "cn", 2, calendar), at(1, "00:00"))) as after:
        assert_same(found, platform[1], after)


@pytest.mark.real
async def test_a_calendar_published_while_clocks_ran_is_replaced_for_all_time(
    complaints: ServiceOnDatabase, clean_stack: Stack, database: str, tmp_path: Path
) -> None:
    await complaints.apply([claim(activated("calendar", "cn", 2, a_calendar()), at(9, "12:00"))])
    await complaints.let_time_pass()
    before = await endings(complaints)
    shipped = built_in("cn").to_json()
    file = written(tmp_path / "cn.yaml", {"name": "cn", "version": 3, "calendar": shipped})
    found = await asked(clean_stack, "--calendar", file, "--by", "region")
    async with under_from_the_start(database, claim(activated("calendar", "cn", 3, shipped), at(1, "00:00"))) as after:
        assert_same(found, before, after)


@pytest.mark.real
async def test_nothing_is_written_whatever_is_asked(platform: tuple[Stack, Endings], tmp_path: Path) -> None:
    before = await checksums(platform[0])
    assert {"clocks", "clock_events", "outbox", "documents", "timers"} <= before.keys()
    policy = written(tmp_path / "policy.yaml", a_policy(2, 0))
    table = await call(platform[0], "--policy", policy)
    assert table.exit_code == 0, table.output
    assert "clocks would have ended otherwise" in table.stdout
    assert "These are the first 20; --json lists all." in table.stdout
    await asked(platform[0], "--policy", policy, "--by", "person")
    assert await checksums(platform[0]) == before


@pytest.mark.real
async def test_who_would_still_be_open_is_told_as_open(platform: tuple[Stack, Endings], tmp_path: Path) -> None:
    found = await asked(platform[0], "--policy", written(tmp_path / "policy.yaml", a_policy(2, 2500)))
    assert {line["would_be"] for line in found["clocks"] if line["would_be_deadline"] > "2030"} == {"open", "met"}
    still = [line for line in found["clocks"] if line["would_be"] == "open"]
    assert len(still) == sum(row["would_be_open"] for row in found["rows"]) > 10
    assert {line["was"] for line in still} == {"breached"}


@pytest.mark.real
async def test_pages_follow_each_other_without_a_clock_missing_or_coming_twice(
    platform: tuple[Stack, Endings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = written(tmp_path / "policy.yaml", a_policy(2, 0))
    whole = await asked(platform[0], "--policy", policy, "--by", "person")
    monkeypatch.setattr("common.store.clocks.AT_ONCE", 7)
    assert await asked(platform[0], "--policy", policy, "--by", "person") == whole


@pytest.mark.real
async def test_a_clock_that_cannot_be_read_is_named_and_the_others_are_counted(
    complaints: ServiceOnDatabase, clean_stack: Stack, tmp_path: Path
) -> None:
    policy = written(tmp_path / "policy.yaml", shipped_document("complaints"))
    whole = sum(row["clocks"] for row in (await asked(clean_stack, "--policy", policy))["rows"])
    async with complaints.database.transaction() as connection:
        (spoiled,) = (await connection.execute(text("SELECT min(id) FROM clocks WHERE closed_at IS NOT NULL"))).scalars()
        await connection.execute(text("UPDATE clock_events SET type = 'unheard_of' WHERE clock_id = :id"), {"id": spoiled})
    result = await call(clean_stack, "--policy", policy, "--json")
    found = json.loads(result.stdout)
    assert (found["unreadable"], sum(row["clocks"] for row in found["rows"])) == (1, whole - 1)
    assert f"Clocks that cannot be read, and are not counted: 1, such as {spoiled}." in result.stderr


@pytest.mark.real
async def test_a_calendar_that_no_promise_counts_on_and_one_that_nobody_knows_are_refused(
    complaints: ServiceOnDatabase, clean_stack: Stack, tmp_path: Path
) -> None:
    works = written(tmp_path / "works.yaml", {"name": "works", "version": 1, "calendar": a_calendar()})
    refused = await call(clean_stack, "--calendar", works, "--service", "complaints")
    assert (refused.exit_code, refused.stderr) == (1, "No promise of complaints counts on the calendar works.\n")
    policy = a_policy(2, 3)
    policy["stages"]["verified"] = [{"target": {"working_days": 3}, "calendar": "works"}]
    file = written(tmp_path / "policy.yaml", policy)
    refused = await call(clean_stack, "--policy", file)
    assert (refused.exit_code, "unknown_calendar" in refused.stderr) == (1, True), refused.output
    assert (await asked(clean_stack, "--policy", file, "--calendar", works))["rules"] == ["policy complaints@2", "calendar works@1"]
    await complaints.apply([claim(activated("calendar", "works", 1, a_calendar()), at(31))])
    assert (await asked(clean_stack, "--policy", file))["changed"] > 0


def test_a_file_with_faults_is_refused_with_all_of_them_before_any_database_is_asked(tmp_path: Path) -> None:
    document = a_policy(2, 3)
    document["stages"]["verified"] = [{"target": {"working_days": -3}, "calendar": "cn"}]
    document["stages"]["heard"] = [{"target": {"working_days": 3}, "calendar": "cn"}]
    words = ["--policy", written(tmp_path / "policy.yaml", document)]
    refused = CliRunner().invoke(app, [*PERIOD, *words], env={"DATABASE_URL": NOWHERE})
    assert refused.exit_code == 1
    assert [line.split(": ")[1] for line in refused.stderr.splitlines()] == ["bad_target", "unknown_stage"]
    calendar = written(
        tmp_path / "cn.yaml", {"name": "cn", "version": 1, "calendar": {"time_zone": "Asia/Shanghai", "weekly_hours": {"mon": 9}}}
    )
    refused = CliRunner().invoke(app, [*PERIOD, "--calendar", calendar], env={"DATABASE_URL": NOWHERE})
    assert (refused.exit_code, "cn.yaml:" in refused.stderr, "bad_calendar" in refused.stderr) == (1, True, True), refused.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Give --policy FILE, --calendar FILE or both."),
        (["--policy", "POLICY", "--service", "intake"], "--service intake: the policy is one of complaints."),
        (["--policy", "POLICY", "--to", "2025-06-30"], "--to lies before --from."),
        (["--calendar", "CN", "--calendar", "CN"], "--calendar: two files state a calendar of the same name."),
    ],
)
def test_what_cannot_be_asked_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    files = {
        "POLICY": written(tmp_path / "policy.yaml", a_policy(1, 3)),  # a version that is taken may be asked about
        "CN": written(tmp_path / "cn.yaml", {"name": "cn", "version": 2, "calendar": a_calendar()}),
    }
    given = [files.get(word, word) for word in words]
    refused = CliRunner().invoke(app, [*PERIOD, *given], env={"DATABASE_URL": NOWHERE})
    assert (refused.exit_code, refused.stderr) == (2, f"{said}\n"), refused.output


@pytest.mark.real
async def test_each_round_of_a_promise_that_began_anew_is_asked_about(clean_stack: Stack, tmp_path: Path) -> None:
    document = shipped_document("complaints") | {"version": 2}
    (usual,) = document["stages"]["acknowledged"]
    document["stages"] = {**document["stages"], "acknowledged": [{**usual, "restarts": 1}]}
    begun = ComplaintLodged(complaint_id="C1", customer_id="K1", category="noise", region="north", handled_by="E1")
    anew = ComplaintPromiseRestarted(complaint_id="C1", stage="acknowledged", reason="next_update")
    async with service_at("complaints", clean_stack) as service:
        await service.apply([claim(activated("sla-policy", "complaints", 2, document), at(1))])
        await service.apply([claim(begun, at(7)), claim(anew, at(14)), claim(ComplainantTold(complaint_id="C1", by="E1"), at(14))])
        await service.let_time_pass()

    async def acknowledged(policy: dict[str, Any]) -> list[tuple[str, str]]:
        found = await asked(clean_stack, "--policy", written(tmp_path / "policy.yaml", policy))
        (row,) = [row for row in found["rows"] if row["stage"] == "acknowledged"]
        assert (row["clocks"], row["met"], row["breached"]) == (2, 1, 1), "each round counts once"
        return [(line["was"], line["would_be"]) for line in found["clocks"] if line["clock"].endswith(":acknowledged")]

    assert await acknowledged(document) == []
    assert await acknowledged(shipped_document("complaints") | {"version": 3}) == [("met", "superseded")], "it would never have begun"
