"""What can be said of the promises of a complaint: they are voided, extended before their deadline, or nothing is promised at all."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    ComplaintPromiseExtended,
    ComplaintPromiseRestarted,
    ComplaintPromisesVoided,
    SolutionFound,
    SolutionTold,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.complaints import ComplaintClaimRejected
from common.contracts.envelope import Record
from common.contracts.sla_clocks import (
    SlaClockBreached,
    SlaClockCorrected,
    SlaClockExtended,
    SlaClockExtensionRefused,
    SlaClockMet,
    SlaClockStarted,
    SlaClockVoided,
)
from common.sla.policy import shipped_document

pytestmark = pytest.mark.real

SOLUTION = "solution_communicated"
IN_FIVE_DAYS: dict[str, Any] = {"working_days": 5, "meaning": "end_of_day"}
BOTH = ("in_time_solution", "complaint_handling")


def at(time: str, day: int = 7) -> datetime:
    """An instant of July 2025, in which the 7th is a Monday."""
    return datetime.fromisoformat(f"2025-07-{day:02}T{time}:00+08:00")


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


def lodged(complaint: str = "C1") -> Record:
    """Its solution is due on Thursday the 10th at 18:00."""
    event = ComplaintLodged(complaint_id=complaint, customer_id="K1", category="noise", region="north", handled_by="E1")
    return claim(event, at("16:00"))


def solved(complaint: str, when: datetime) -> list[Record]:
    return [
        claim(ComplainantTold(complaint_id=complaint, by="E1"), at("17:00")),
        claim(VerificationBegun(complaint_id=complaint, by="E1"), at("09:00", 8)),
        claim(VerificationEnded(complaint_id=complaint, justified=True, by="E1"), at("10:00", 8)),
        claim(SolutionFound(complaint_id=complaint, remedy="replacement", by="E1"), at("11:00", 8)),
        claim(SolutionTold(complaint_id=complaint, by="E1"), when),
    ]


def voided(complaint: str, when: datetime, *, owed: bool = True, stages: tuple[str, ...] = (SOLUTION,)) -> Record:
    return claim(ComplaintPromisesVoided(complaint_id=complaint, stages=stages, reason="merged", owed=owed, by="E9"), when)


def extended(complaint: str, when: datetime, target: dict[str, Any] | None = None) -> Record:
    event = ComplaintPromiseExtended(complaint_id=complaint, stage=SOLUTION, target=target or IN_FIVE_DAYS, reason="part on order", by="E9")
    return claim(event, when)


def restarted(complaint: str, when: datetime) -> Record:
    event = ComplaintPromiseRestarted(complaint_id=complaint, stage=SOLUTION, reason="next_update", by="E9")
    return claim(event, when)


def policy(**rule: Any) -> Record:
    """The operator's policy: as it ships, but that the solution's rule says something else."""
    document = shipped_document("complaints") | {"version": 2}
    (usual,) = document["stages"][SOLUTION]
    document["stages"] = {**document["stages"], SOLUTION: [{name: value for name, value in {**usual, **rule}.items() if value is not None}]}
    return claim(activated("sla-policy", "complaints", 2, document, at("08:00")), at("08:00"))


EXTENDABLE = policy(extensions={"at_most": 1, "up_to": IN_FIVE_DAYS})
NOTHING_PROMISED = policy(target={"none": True, "reason": "the maker answers"}, indicators=None)


async def clock(service: ServiceOnDatabase, complaint: str = "C1") -> dict[str, Any]:
    (row,) = await service.rows(
        "SELECT state, outcome, deadline, closed_at FROM clocks WHERE stage = :stage AND aggregate = :case",
        stage=SOLUTION,
        case=f"complaints:{complaint}",
    )
    return row


async def of_the_solution(service: ServiceOnDatabase, kind: type[Any]) -> list[Any]:
    return [event for event in await service.published(kind) if event.stage == SOLUTION]


async def test_a_voided_promise_is_neither_met_nor_breached_and_the_complaint_goes_on(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), voided("C1", at("09:00", 8)), *solved("C1", at("12:00", 9))])
    await complaints.let_time_pass()
    assert await clock(complaints) == {"state": "void", "outcome": "void", "deadline": None, "closed_at": None}
    (told,) = await of_the_solution(complaints, SlaClockVoided)
    assert (told.time, told.reason, told.owed, told.by, told.deadline) == (
        at("09:00", 8),
        "merged",
        True,
        "employee:E9",
        at("18:00", 10),
    ), "with the deadline that it had"
    for kind in (SlaClockMet, SlaClockBreached, SlaClockCorrected):
        assert await of_the_solution(complaints, kind) == []
    assert await complaints.facts("C1") == {}
    (row,) = await complaints.rows("SELECT state #>> '{steps,-1,step}' AS last FROM complaints")
    assert row["last"] == SOLUTION
    assert await complaints.rows("SELECT id FROM timers WHERE state = 'armed' AND id LIKE '%solution%'") == []


async def test_each_promise_that_a_claim_names_is_voided_from_its_first_instant_on_whoever_says_it(complaints: ServiceOnDatabase) -> None:
    stages = ("acknowledged", "verified", SOLUTION)
    event = ComplaintPromisesVoided(complaint_id="C1", stages=stages, reason="spam", owed=False)
    await complaints.apply([lodged(), claim(event, at("16:00"))])
    told = {(one.stage, one.by) for one in await complaints.published(SlaClockVoided)}
    assert told == {(stage, "") for stage in stages}
    assert await complaints.published(ComplaintClaimRejected) == []


async def test_a_claim_that_names_one_promise_that_there_is_not_voids_none(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), voided("C1", at("17:00"), stages=(SOLUTION, "delivery"))])
    (refused,) = await complaints.published(ComplaintClaimRejected)
    assert (refused.rule, refused.field) == ("unknown_stage", "stages")
    assert (await clock(complaints))["outcome"] == "open"


async def test_what_cannot_be_voided_is_refused_with_what_there_is(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), voided("C1", at("17:00"), stages=("delivery",)), voided("C1", at("15:00"))])
    refused = [(event.claim_type, event.rule, event.field) for event in await complaints.published(ComplaintClaimRejected)]
    kind = ComplaintPromisesVoided.TYPE
    assert refused == [(kind, "unknown_stage", "stages"), (kind, "not_before_start", "ce_time")]
    assert (await complaints.published(ComplaintClaimRejected))[0].was == ", ".join(
        ("acknowledged", "verification_started", "verified", SOLUTION, "escalated")
    )


async def test_a_promise_that_has_not_begun_yet_is_waited_for(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([voided("C1", at("17:00")), lodged()])
    assert (await clock(complaints))["outcome"] == "void"
    assert await complaints.rows("SELECT * FROM waiting") == []


async def test_an_extension_that_the_policy_allows_moves_the_deadline_and_is_told(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([EXTENDABLE, lodged(), extended("C1", at("18:00", 10)), *solved("C1", at("12:00", 14))])
    (told,) = await of_the_solution(complaints, SlaClockExtended)
    assert (told.was, told.deadline, told.reason, told.by) == (at("18:00", 10), at("18:00", 14), "part on order", "employee:E9")
    assert await clock(complaints) == {"state": "stopped", "outcome": "met", "deadline": None, "closed_at": at("12:00", 14)}
    assert {said[:2] for said in (await complaints.facts("C1")).values()} == {("1", "1")}


@pytest.mark.parametrize(
    ("rules", "when", "target", "why"),
    [
        ([EXTENDABLE], at("09:00", 8), {"working_days": 6, "meaning": "end_of_day"}, "too_long"),
        ([EXTENDABLE], at("09:00", 8), {"working_seconds": 3600}, "too_long"),
        ([], at("09:00", 8), IN_FIVE_DAYS, "too_many"),
        ([NOTHING_PROMISED], at("09:00", 8), IN_FIVE_DAYS, "too_many"),
    ],
    ids=["too long", "another kind of target", "a policy without extensions", "nothing promised"],
)
async def test_an_extension_that_does_not_count_is_told_with_its_reason_and_changes_nothing(
    complaints: ServiceOnDatabase, rules: list[Record], when: datetime, target: dict[str, Any], why: str
) -> None:
    await complaints.apply([*rules, lodged("C1"), lodged("C2"), extended("C1", when, target)])
    await complaints.let_time_pass()
    (told,) = await of_the_solution(complaints, SlaClockExtensionRefused)
    assert (told.why, told.time, told.aggregate_id) == (why, when, "C1")
    assert await of_the_solution(complaints, SlaClockExtended) == []
    assert await clock(complaints, "C1") == await clock(complaints, "C2")


async def test_a_promise_is_extended_as_often_as_the_policy_says(complaints: ServiceOnDatabase) -> None:
    four = {"working_days": 4, "meaning": "end_of_day"}
    await complaints.apply([EXTENDABLE, lodged(), extended("C1", at("09:00", 9)), extended("C1", at("09:00", 8), four)])
    assert (await clock(complaints))["deadline"] == at("18:00", 11), "the earlier one counts, in whichever order they came"
    assert [event.why for event in await of_the_solution(complaints, SlaClockExtensionRefused)] == []


async def test_where_nothing_is_promised_there_is_no_deadline_no_outcome_and_no_fact(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([NOTHING_PROMISED, lodged("C1"), lodged("C2"), *solved("C1", at("12:00", 25))])
    await complaints.let_time_pass()
    assert await clock(complaints, "C1") == {"state": "stopped", "outcome": "none", "deadline": None, "closed_at": None}
    assert await clock(complaints, "C2") == {"state": "running", "outcome": "none", "deadline": None, "closed_at": None}
    assert [event.deadline for event in await of_the_solution(complaints, SlaClockStarted)] == [None, None]
    for kind in (SlaClockMet, SlaClockBreached, SlaClockCorrected):
        assert await of_the_solution(complaints, kind) == []
    assert await complaints.facts("C1") == await complaints.facts("C2") == {}
