"""A window of time is excused for many clocks at once: a typhoon, an outage of our own, a recall (document `excused-windows`)."""

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from itertools import permutations
from typing import Any

import pytest
from tests.complaints.test_promises_on_database import BOTH, SOLUTION, at, clock, of_the_solution, solved, voided
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.envelope import Record
from common.contracts.sla_clocks import SlaClockBreached, SlaClockCorrected, SlaClockRederived

pytestmark = pytest.mark.real

APPROVED: dict[str, Any] = {"status": "in_force", "author": "E7", "approver": "E8", "approved_on": date(2025, 7, 9)}

WEDNESDAY, WEDNESDAY_NOON, THURSDAY_NIGHT = at("00:00", 9), at("12:00", 9), at("23:00", 10)


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


def lodged(complaint: str, region: str = "south") -> Record:
    """Its solution is due on Thursday the 10th at 18:00."""
    event = ComplaintLodged(complaint_id=complaint, customer_id="K1", category="noise", region=region, handled_by="E1")
    return claim(event, at("16:00"))


def typhoon(
    version: int = 1,
    *,
    since: datetime = WEDNESDAY,
    until: datetime = THURSDAY_NIGHT,
    known: datetime = WEDNESDAY_NOON,
    control: Mapping[str, Any] = APPROVED,
    **body: Any,
) -> Record:
    """No work from Wednesday the 9th to the end of Thursday the 10th in the south."""
    said = {"from": since.isoformat(), "to": until.isoformat(), "reason": "typhoon", "where": {"region": "south"}, **body}
    return claim(activated("excused-windows", "typhoon", version, said, known, **control), known)


async def settle(service: ServiceOnDatabase) -> None:
    """Open and closed clocks take in what was published, and time passes."""
    await service.let_time_pass()


async def trail(service: ServiceOnDatabase) -> list[str]:
    """The windows that left a trail in the ledger of C1's solution."""
    query = "SELECT data ->> 'rule' AS rule FROM clock_events WHERE type = 'rule_used' AND clock_id = :clock ORDER BY sequence"
    rules = [row["rule"] for row in await service.rows(query, clock=f"complaints:C1:{SOLUTION}")]
    return [rule for rule in rules if rule.startswith("excused")]


async def test_an_open_clock_is_derived_anew_with_a_trail(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), lodged("C2", "north"), typhoon()])
    await complaints.apply([solved("C1", at("17:00", 14))[0], solved("C2", at("17:00", 14))[0]])
    told = await of_the_solution(complaints, SlaClockRederived)
    assert [(one.aggregate_id, one.was, one.deadline, one.why) for one in told] == [
        ("C1", at("18:00", 10), at("18:00", 14), "excused typhoon@1")  # the 9th and the 10th are no working days
    ]
    assert (await clock(complaints, "C2"))["deadline"] == at("18:00", 10)
    trail = await complaints.rows(
        "SELECT data ->> 'rule' AS rule FROM clock_events WHERE type = 'rule_used' AND clock_id LIKE '%C1:solution%'"
    )
    assert {"rule": "excused typhoon@1"} in trail


async def test_a_breach_in_the_window_is_corrected_once_and_the_person_is_credited_anew(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), *solved("C1", at("17:00", 11))])
    (breach,) = await of_the_solution(complaints, SlaClockBreached)
    await complaints.apply([typhoon(known=at("12:00", 20))] * 2)
    for _ in range(2):
        await settle(complaints)
    (corrected,) = await of_the_solution(complaints, SlaClockCorrected)
    assert (corrected.outcome, corrected.supersedes) == ("met", breach.envelope.id)
    assert await complaints.facts("C1") == {(name, "employee:E1"): ("1", "1", at("17:00", 11)) for name in BOTH}
    (row,) = await complaints.rows("SELECT outcome, unexcused FROM clocks WHERE stage = :stage", stage=SOLUTION)
    assert row == {"outcome": "met", "unexcused": "breached"}, "the report tells both figures"


async def test_a_window_counts_only_where_and_for_what_it_says_and_once_it_is_approved(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), *solved("C1", at("17:00", 11))])
    others = [
        typhoon(1, control={"status": "in_force", "author": "E7"}),
        typhoon(2, where={"region": "north"}),
        typhoon(3, stages={"complaints": ["acknowledged"]}),
        typhoon(4, stages={"dispatch": [SOLUTION]}),
        typhoon(5, withdrawn=True),
        typhoon(6, since=at("19:00", 10)),
    ]
    for window in others:
        await complaints.apply([window])
        await settle(complaints)
        assert (await clock(complaints))["outcome"] == "breached", window
    await complaints.apply([typhoon(7, stages={"complaints": [SOLUTION]})])
    await settle(complaints)
    assert (await clock(complaints))["outcome"] == "met"
    await complaints.apply([typhoon(8, stages={"complaints": ["acknowledged"]})])
    await settle(complaints)
    assert (await clock(complaints))["outcome"] == "breached", "the newest version is about others"
    await complaints.apply([typhoon(9), typhoon(10, withdrawn=True)])
    await settle(complaints)
    assert (await clock(complaints))["outcome"] == "breached", "a window that is withdrawn never was one"


async def test_a_window_of_before_the_complaint_or_after_its_end_leaves_no_trail(complaints: ServiceOnDatabase) -> None:
    before = typhoon(since=at("00:00", 1), until=at("16:00", 7))
    await complaints.apply([before, lodged("C1"), *solved("C1", at("12:00", 9))])
    await complaints.apply([typhoon(2, known=at("12:00", 20), since=at("12:00", 9), until=at("18:00", 9))])
    await settle(complaints)
    assert await trail(complaints) == []


async def test_a_window_after_a_promise_was_voided_leaves_no_trail_on_it(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), voided("C1", WEDNESDAY), typhoon()])
    await settle(complaints)
    assert await trail(complaints) == []
    await complaints.apply([typhoon(2, since=at("23:59", 8), known=at("12:00", 20))])
    await settle(complaints)
    assert await trail(complaints) == ["excused typhoon@2"]


async def test_a_void_promise_is_looked_at_again_when_a_window_before_it_is_taken_back(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1"), *solved("C1", at("12:00", 20))[:-1], typhoon(), voided("C1", at("19:00", 10))])
    await settle(complaints)
    assert (await clock(complaints))["outcome"] == "void"
    await complaints.apply([typhoon(2, withdrawn=True, known=at("12:00", 20))])
    await settle(complaints)
    assert (await clock(complaints))["outcome"] == "breached", "its deadline passed before it was voided, and it was owed"


OUTAGE = claim(
    activated(
        "excused-windows",
        "outage",
        1,
        {"from": at("08:00", 8).isoformat(), "to": at("20:00", 8).isoformat(), "reason": "our own outage"},
        at("12:00", 22),
        **APPROVED,
    ),
    at("12:00", 22),
)
ORDERS = [order for number, order in enumerate(permutations(range(5))) if number % 12 == 5]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join(map(str, order)))
async def test_windows_and_claims_in_any_order_end_the_same(complaints: ServiceOnDatabase, order: tuple[int, ...]) -> None:
    groups = [
        [lodged("C1"), lodged("C2", "north")],
        [*solved("C1", at("17:00", 15)), *solved("C2", at("17:00", 11))],
        [typhoon(1, known=at("12:00", 9))],
        [typhoon(2, known=at("12:00", 21), until=at("12:00", 11))],
        [OUTAGE],
    ]
    for place in (*order, order[0]):
        await complaints.apply(groups[place])
        await settle(complaints)
    # in the south the 8th, 9th and 10th are none, so that it is due on the 15th; in the north the 8th alone, so that it is due on the 11th
    assert await complaints.rows(
        "SELECT id, outcome, closed_at, unexcused FROM clocks WHERE stage = :stage ORDER BY id", stage=SOLUTION
    ) == [
        {"id": f"complaints:C1:{SOLUTION}", "outcome": "met", "closed_at": at("17:00", 15), "unexcused": "breached"},
        {"id": f"complaints:C2:{SOLUTION}", "outcome": "met", "closed_at": at("17:00", 11), "unexcused": "breached"},
    ]
    # two events and the numbers of the windows' versions; of rules one is effective, the policy
    query = "SELECT kept #>> '{published,rounds,0,revision}' AS revision FROM clocks WHERE stage = :stage ORDER BY id"
    revisions = [int(row["revision"]) for row in await complaints.rows(query, stage=SOLUTION)]
    assert revisions == [2 * (256 * (2 + 2 + 1) + 1), 2 * (256 * (2 + 1) + 1)]
    for complaint, when in (("C1", at("17:00", 15)), ("C2", at("17:00", 11))):
        assert await complaints.facts(complaint) == {(name, "employee:E1"): ("1", "1", when) for name in BOTH}
