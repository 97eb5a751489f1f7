"""A calendar or a policy that becomes known while clocks run: open ones are derived anew, closed ones stay, in any order of arrival."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged
from common.contracts.envelope import Record
from common.contracts.sla_clocks import SlaClockBreached, SlaClockCorrected, SlaClockRederived
from common.kernel.calendars import built_in
from common.kernel.reference import EVER
from common.kernel.wall_clock import now
from common.sla.policy import shipped_document
from common.store import clocks, documents
from common.store.documents import DocumentsCache, policy_preset

pytestmark = pytest.mark.real


NO_STAGES = {"policy": "complaints", "version": 9, "stages": {}}


def on(day: str, time: str = "16:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{time}:00+08:00")


def lodged(complaint: str, when: datetime) -> Record:
    event = ComplaintLodged(complaint_id=complaint, customer_id="K1", category="noise", region="north", handled_by="E1")
    return claim(event, when)


def answered(complaint: str, when: datetime) -> Record:
    return claim(ComplainantTold(complaint_id=complaint, by="E1"), when)


def calendar(version: int, when: datetime, known_until: str, *closed: str) -> Record:
    document = built_in("cn").to_json()
    for field in ("closed_dates", "make_up_days"):
        document[field] = [day for day in document[field] if day <= known_until]
    document["closed_dates"] += list(closed)
    document["known_until"] = known_until
    return claim(activated("calendar", "cn", version, document), when)


def policy(version: int, effective_at: datetime, *, days: int, applies_to_open: bool = False) -> Record:
    document = shipped_document("complaints") | {"version": version}
    document["stages"] = {
        stage: [{**rule, "target": {"working_days": days}} if "working_days" in rule["target"] else rule for rule in rules]
        for stage, rules in document["stages"].items()
    }
    event = activated("sla-policy", "complaints", version, document, effective_at, applies_to_open=applies_to_open)
    return claim(event, on("2025-01-01"))


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


async def clocks_of(service: ServiceOnDatabase, complaint: str) -> list[dict[str, Any]]:
    query = """SELECT stage, policy, state, outcome, deadline, provisional, closed_at
        FROM clocks WHERE aggregate = :aggregate ORDER BY stage"""
    return await service.rows(query, aggregate=f"complaints:{complaint}")


async def deadline(service: ServiceOnDatabase, complaint: str, stage: str = "solution_communicated") -> tuple[datetime, bool]:
    (row,) = [row for row in await clocks_of(service, complaint) if row["stage"] == stage]
    return row["deadline"], row["provisional"]


async def test_a_deadline_beyond_the_known_years_is_provisional_until_the_year_is_published(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([calendar(1, on("2025-01-01"), "2025-12-31"), lodged("C1", on("2025-12-30"))])
    assert await deadline(complaints, "C1") == (on("2026-01-02", "18:00"), True)
    await complaints.apply([calendar(2026, on("2025-12-30", "17:00"), "2026-12-31"), answered("C1", on("2025-12-31", "09:00"))])
    assert await deadline(complaints, "C1") == (on("2026-01-05", "18:00"), False)  # 1 and 2 January are closed, Sunday the 4th is worked
    told = {event.stage: event for event in await complaints.published(SlaClockRederived)}
    # the others were due in the known year, but in its last days, which this notice might have changed
    assert set(told) == {"acknowledged", "verification_started", "verified", "solution_communicated"}
    assert [told[stage].deadline for stage in ("acknowledged", "verification_started")] == [on("2025-12-31", "18:00")] * 2
    assert not any(event.provisional for event in told.values())
    solution = told["solution_communicated"]
    assert (solution.was, solution.deadline) == (on("2026-01-02", "18:00"), on("2026-01-05", "18:00"))
    assert (solution.why, solution.at, solution.provisional) == ("calendar cn@2026", on("2025-12-30", "17:00"), False)
    trail = await complaints.rows("SELECT data FROM clock_events WHERE type = 'rule_used' AND right(clock_id, 9) = 'municated'")
    assert [row["data"] for row in trail] == [{"rule": "calendar cn@2026"}]


async def test_whatever_arrives_first_the_clocks_end_the_same(complaints: ServiceOnDatabase) -> None:
    def told(case: str) -> list[Record]:
        return [lodged(case, on("2025-07-07")), answered(case, on("2025-08-06", "09:00"))]

    rules = [
        calendar(2025, on("2025-07-08", "17:00"), "2050-12-31", "2025-09-01"),
        policy(3, on("2025-07-08", "12:00"), days=2000, applies_to_open=True),
    ]
    await complaints.apply([policy(2, on("2025-01-01"), days=2500)])
    before, between, after = told("C1"), told("C2"), told("C3")
    for batch in ([*before], [between[0]], [rules[0]], [between[1]], [rules[1]], [*after]):
        await complaints.apply(batch)
        await complaints.let_time_pass()
    found = [await clocks_of(complaints, case) for case in ("C1", "C2", "C3")]
    assert found[0] == found[1] == found[2]
    assert {row["provisional"] for row in found[0]} == {False}
    assert await complaints.published(SlaClockBreached) == []


async def test_a_breach_stands_when_a_later_calendar_would_have_forgiven_it(complaints: ServiceOnDatabase) -> None:
    forgiving = calendar(2025, on("2025-07-20"), "2026-12-31", "2025-07-08")
    await complaints.apply([lodged("C1", on("2025-07-07"))])
    await complaints.let_time_pass()
    before = await clocks_of(complaints, "C1")
    await complaints.apply([forgiving, lodged("C2", on("2025-07-07"))])
    await complaints.let_time_pass()
    assert await clocks_of(complaints, "C1") == before == await clocks_of(complaints, "C2")
    assert {row["outcome"] for row in before} == {"breached"}
    assert await complaints.published(SlaClockCorrected) == []
    assert await complaints.published(SlaClockRederived) == []
    await complaints.apply([answered("C1", on("2025-07-08"))])  # but late knowledge counts
    assert [(event.stage, event.outcome) for event in await complaints.published(SlaClockCorrected)] == [("acknowledged", "met")]
    await complaints.apply([answered("C2", on("2025-07-21"))])  # and a stop that was too late moves no breach to the forgiving day
    (row,) = [row for row in await clocks_of(complaints, "C2") if row["stage"] == "acknowledged"]
    assert (row["outcome"], row["closed_at"]) == ("breached", on("2025-07-08", "18:00"))


async def test_a_closed_clock_is_judged_by_a_rule_that_held_while_it_was_open_although_it_became_known_late(
    complaints: ServiceOnDatabase,
) -> None:
    def told(case: str) -> list[Record]:
        return [lodged(case, on("2025-07-07")), answered(case, on("2025-07-10", "09:00"))]

    stricter = policy(3, on("2025-07-07", "20:00"), days=1, applies_to_open=True)
    await complaints.apply([policy(2, on("2025-01-01"), days=5), *told("C1")])
    closed_before = [lodged("C2", on("2025-07-01")), answered("C2", on("2025-07-07", "17:00"))]
    await complaints.apply(closed_before)
    await complaints.let_time_pass()
    assert [row["outcome"] for row in await clocks_of(complaints, "C1") if row["stage"] == "acknowledged"] == ["met"]
    before = [row for row in await clocks_of(complaints, "C2") if row["stage"] == "acknowledged"]
    await complaints.apply([stricter])
    await complaints.let_time_pass()
    await complaints.apply(told("C3"))
    await complaints.let_time_pass()
    late, in_order = await clocks_of(complaints, "C1"), await clocks_of(complaints, "C3")
    assert late == in_order
    (row,) = [row for row in late if row["stage"] == "acknowledged"]
    assert (row["policy"], row["outcome"], row["closed_at"]) == ("complaints@3", "breached", on("2025-07-08", "18:00"))
    assert [row for row in await clocks_of(complaints, "C2") if row["stage"] == "acknowledged"] == before  # it was closed by then
    corrected = [event for event in await complaints.published(SlaClockCorrected) if event.stage == "acknowledged"]
    assert [(event.aggregate_id, event.outcome, event.policy) for event in corrected] == [("C1", "breached", "complaints@3")]


async def test_a_policy_does_not_hold_before_the_instant_at_which_it_was_activated(complaints: ServiceOnDatabase) -> None:
    activated = policy(2, on("2024-01-01"), days=9, applies_to_open=True)  # from 2024 on, said on 1 January 2025
    await complaints.apply([lodged("C1", on("2024-12-30")), lodged("C2", on("2025-01-02")), activated])
    await complaints.let_time_pass()
    found = {case: {row["policy"] for row in await clocks_of(complaints, case)} for case in ("C1", "C2")}
    assert found["C2"] == {"complaints@2"}
    trail = await complaints.rows("SELECT DISTINCT at FROM clock_events WHERE type = 'rule_used' AND clock_id LIKE 'complaints:C1:%'")
    assert [row["at"] for row in trail] == [on("2025-01-01")]


async def test_open_clocks_are_derived_anew_some_at_a_time_and_each_once(
    complaints: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "AT_ONCE", 8)  # rows, of which an aggregate has four
    await complaints.apply([policy(2, on("2025-01-01"), days=2500), *(lodged(f"C{n}", on("2025-07-07")) for n in range(7))])
    first, _ = await deadline(complaints, "C0")
    await complaints.apply([calendar(2025, on("2025-08-01"), "2050-12-31", "2025-09-01", "2025-09-02")])
    await complaints.let_time_pass()
    assert await deadline(complaints, "C6") == (first + timedelta(days=2), False)
    told = [event.clock_id for event in await complaints.published(SlaClockRederived)]
    assert len(told) == len(set(told)) == 28
    known = await complaints.dump()
    await complaints.let_time_pass()
    assert await complaints.dump() == known
    assert await complaints.published(SlaClockBreached) == []


async def refs(service: ServiceOnDatabase, shipped: int) -> list[tuple[str, bool]]:
    """The policies after a process has started whose package ships with this version: which, and whether each held for ever."""
    known = DocumentsCache("complaints", presets=[policy_preset("complaints", shipped_document("complaints") | {"version": shipped})])
    async with service.database.transaction() as connection:
        rules = (await known.now(connection)).rulebook
    return [(one.policy.ref, one.effective_at == EVER) for one in rules.policies]


async def test_the_policy_of_a_later_release_holds_from_then_on_and_an_outdated_one_never(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1", on("2025-07-07"))])
    before = now()
    assert await refs(complaints, 2) == [("complaints@1", True), ("complaints@2", False)]
    assert await refs(complaints, 1) == [("complaints@1", True), ("complaints@2", False)]  # a replica that is not replaced yet
    (row,) = await complaints.rows("SELECT effective_at FROM documents WHERE version = 2")
    assert before - timedelta(seconds=1) <= row["effective_at"] <= now() + timedelta(seconds=1)
    await complaints.apply([policy(5, on("2025-01-01"), days=3)])
    assert await refs(complaints, 3) == [("complaints@1", True), ("complaints@5", False)]  # a higher version came before 2
    assert {row["policy"] for row in await clocks_of(complaints, "C1")} == {"complaints@1"}


_CLOSED_LONG_AGO = """
INSERT INTO clocks (id, aggregate, stage, state, outcome, closed_at, owner, traits, policy, revision, provisional, unexcused, kept,
    round, ended_at, charged)
SELECT n, 'complaints:' || n, 'verified', 'stopped', 'met', now() - n * interval '1 minute', '', '{}', 'complaints@1', 1, false,
    'met', '{}', 0, now() - n * interval '1 minute', ''
FROM generate_series(1, 50000) AS n
"""


async def test_the_search_for_clocks_that_a_rule_concerns_reads_no_others(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([calendar(2025, now() + timedelta(minutes=1), "2050-12-31")])
    async with complaints.database.transaction() as connection:
        await connection.execute(text(_CLOSED_LONG_AGO))
        await connection.execute(text("ANALYZE"))
        revision = (await documents.rulebook_of(connection, "complaints")).revision
        assert await clocks.stale(connection, revision) == []
        limits = {"revision": revision, "at_once": clocks.AT_ONCE}
        plan = "\n".join((await connection.execute(text(f"EXPLAIN {clocks._STALE.text}"), limits)).scalars())
    assert "Seq Scan on clocks" not in plan, plan


async def test_an_open_clock_goes_over_to_another_policy_only_where_that_says_so(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([policy(2, on("2025-01-01"), days=2500), lodged("C1", on("2025-07-07"))])
    first, _ = await deadline(complaints, "C1")
    await complaints.apply([policy(3, on("2025-08-01"), days=2400)])
    await complaints.let_time_pass()
    assert (await deadline(complaints, "C1"))[0] == first
    await complaints.apply([policy(4, on("2025-09-01"), days=2450, applies_to_open=True)])
    await complaints.let_time_pass()
    assert (await deadline(complaints, "C1"))[0] < first
    assert {event.why for event in await complaints.published(SlaClockRederived)} == {"policy complaints@4"}


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (calendar(7, on("2025-08-02"), "2027-12-31", "2025-09-01"), "version_taken"),
        (claim(activated("calendar", "cn", 8, {"weekly_hours": {}}), on("2025-08-02")), "bad_document"),
        (claim(activated("calendar", "cn", 8, {}).model_copy(update={"version": 9}), on("2025-08-02")), "bad_document"),
        (
            claim(activated("sla-policy", "complaints", 9, NO_STAGES), on("2025-08-02")),
            "bad_document",
        ),
    ],
)
async def test_a_rule_that_cannot_hold_is_a_dead_letter(complaints: ServiceOnDatabase, record: Record, rule: str) -> None:
    await complaints.apply([calendar(7, on("2025-08-01"), "2027-12-31")])
    await complaints.apply([record])
    assert [row["rule"] for row in await complaints.rows("SELECT rule FROM dead_letters")] == [rule]
    assert await complaints.rows("SELECT name, version FROM documents WHERE rule_number IS NOT NULL ORDER BY number") == [
        {"name": "complaints", "version": 1},
        {"name": "cn", "version": 7},
    ]


@pytest.mark.parametrize(
    "part", [{"wang-wu-138": 1}, {"target": {"wang-wu-138": 1}}, {"when": {"wang-wu-138": "x"}}, {"thresholds": [{"wang-wu-138": 1}]}]
)
async def test_a_dead_letter_of_a_policy_repeats_no_name_that_is_not_ours(complaints: ServiceOnDatabase, part: dict[str, Any]) -> None:
    shipped = shipped_document("complaints")
    rule = {**shipped["stages"]["verified"][0], **part}
    document = shipped | {"version": 2, "stages": {**shipped["stages"], "verified": [rule, *shipped["stages"]["verified"]]}}
    await complaints.apply([claim(activated("sla-policy", "complaints", 2, document), on("2025-01-01"))])
    (letter,) = await complaints.rows("SELECT rule, field, reason FROM dead_letters")
    assert letter["rule"] == "bad_document"
    assert letter["field"].startswith("data.body.stages.verified.0")
    assert "wang-wu" not in f"{letter['field']} {letter['reason']}"


async def test_another_services_policy_changes_nothing(complaints: ServiceOnDatabase) -> None:
    document = shipped_document("intake") | {"version": 2}
    await complaints.apply([lodged("C1", on("2025-07-07"))])
    await complaints.apply([claim(activated("sla-policy", "intake", 2, document), on("2025-01-01"))])
    assert await complaints.rows("SELECT name, rule_number FROM documents WHERE kind = 'sla-policy' ORDER BY number") == [
        {"name": "complaints", "rule_number": 1},
        {"name": "intake", "rule_number": None},
    ]
    assert await complaints.rows("SELECT * FROM dead_letters") == []
