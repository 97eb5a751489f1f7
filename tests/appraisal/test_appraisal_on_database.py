"""Appraisal from claims to grades on a real database: who is graded when, by whose word, and what a rule refuses."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.appraisal.department import (
    BASIC,
    DEPARTMENT,
    END_OF_Q3,
    IN_Q3,
    LATER,
    MANAGER,
    NEW_YEAR,
    ONE,
    OTHER,
    SUPERVISOR,
    close,
    figure,
    grades,
    member,
    org,
    rating,
    stored,
    time_passes,
)
from tests.harness import ServiceOnDatabase, claim, service_on

from appraisal.repository import UnitOfWork
from common.contracts.claims.appraisal import KpiReported, RatingGiven
from common.contracts.cycles import CycleClosed, CycleExceptionsListed
from common.contracts.envelope import Record
from common.contracts.event import ClaimRejected
from common.contracts.grades import GradePublished, GradeRecorded, OutcomeProposed
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.ratings import RatingRecorded

pytestmark = pytest.mark.real

EVERYBODY = (MANAGER, SUPERVISOR, ONE, OTHER)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


REFUSED: dict[str, tuple[Sequence[Record], str]] = {
    "one_entry_a_person": ([org(MANAGER, SUPERVISOR, ONE, member("S1", "specialist", "M1"))], "members"),
    "superior_is_a_member": ([org(SUPERVISOR, ONE)], "members"),
    "nobody_is_above_themselves": ([org(member("M1", "manager", "B1"), SUPERVISOR)], "members"),
    "no_self_rating": ([rating("S1", "S1", "90")], "appraiser"),
    "one_content_a_revision": ([rating("S1", "B1", "90"), rating("S1", "B1", "95", id="another")], "revision"),
    "score_from_0_to_100": ([rating("S1", "B1", "100.01")], "score"),
    "a_score_or_items": ([rating("S1", "B1", "90", items={"judgement": "90"})], "score"),
    "an_item_once": ([rating("S1", "B1", None, items=[("judgement", "90"), ("judgement", "80")])], "items"),
    "a_scheme_with_raters": ([rating("S1", "B1", "90", scheme=BASIC)], "scheme"),
    "a_rated_sheet_of_the_scheme": ([rating("S1", "B1", "90", sheet="results")], "sheet"),
    "unknown_indicator": ([figure("S1", indicator="charm")], "indicator"),
    "unknown_scheme": ([close(scheme="house-rules@1")], "scheme"),
    "key_of_cycle_and_scheme": ([close("2025Q3", key=f"2025Q2|{BASIC}")], "cycle_key"),
    "a_cycle_of_the_scheme": ([close("2025-07")], "cycle"),
    "not_before_its_end": ([close(as_of=END_OF_Q3 - MICROSECOND)], "as_of"),
    "words_of_the_committee": ([close(scheme="committee@1")], "scheme"),
    "later_than_the_last_close": ([close(), close(as_of=LATER + MICROSECOND), close(as_of=LATER + MICROSECOND, for_real=True)], "as_of"),
}


@pytest.mark.parametrize("rule", REFUSED)
async def test_a_claim_that_a_rule_refuses_is_answered_with_the_rule_and_the_field_and_changes_nothing(
    appraisal: ServiceOnDatabase, rule: str
) -> None:
    *before, refused = REFUSED[rule][0]
    await appraisal.apply(before)
    assert await rejections(appraisal) == []
    known, decided = await appraisal.dump(), len(await appraisal.all_published())
    await appraisal.apply([refused])
    assert await rejections(appraisal) == [(rule, REFUSED[rule][1])]
    assert len(await appraisal.all_published()) == decided + 1
    after = await appraisal.dump()
    own = ("organisations", "ratings", "cycles")
    assert {name: [without_sequence(row) for row in after[name]] for name in own} == {
        name: [without_sequence(row) for row in known[name]] for name in own
    }


@pytest.mark.parametrize(
    ("refused", "rule"),
    [
        (rating("S1", "B1", "90", scheme="house-rules@1"), ("unknown_scheme", "scheme")),
        (rating("S1", "B1", "90", cycle="2025-08"), ("a_cycle_of_the_scheme", "cycle")),
        (rating("S1", "B1", None, items={"judgement": "101"}), ("score_from_0_to_100", "items")),
        (rating("S1", "B1", None), ("a_score_or_items", "score")),
    ],
)
async def test_a_rating_of_what_there_is_not_is_refused(appraisal: ServiceOnDatabase, refused: Record, rule: tuple[str, str]) -> None:
    await appraisal.apply([refused])
    assert await rejections(appraisal) == [rule]
    assert await appraisal.rows("SELECT id FROM ratings") == []


async def test_a_rater_may_correct_and_the_highest_revision_counts_in_whatever_order_they_come(appraisal: ServiceOnDatabase) -> None:
    """A rating that came after the instant as of which the cycle is closed is no part of it."""
    revisions = [
        rating("S1", "B1", "10", id="r1"),
        rating("S1", "B1", None, items={"judgement": "90", "initiative": "70"}, id="r2", revision=2),
        rating("S1", "B1", "0", id="r3", revision=3, known=timedelta(days=900)),
    ]
    ends = []
    for order in ((0, 1, 2), (2, 1, 0)):
        await appraisal.apply([revisions[number] for number in (*order, *order)])
        ends.append(await appraisal.rows("SELECT id, state FROM ratings"))
        await appraisal.rows("DELETE FROM ratings RETURNING id")
        await appraisal.rows("DELETE FROM inbox RETURNING 1")
    assert ends[0] == ends[1]
    assert await rejections(appraisal) == []
    [kept] = ends[0]
    assert [one["score"] for one in kept["state"]["revisions"]] == ["10", "80", "0"]
    assert "judgement" not in str(await appraisal.published(RatingRecorded))


async def test_a_rating_that_is_kept_is_answered_once_without_what_it_says(appraisal: ServiceOnDatabase) -> None:
    first, again = (rating("S1", "B1", "90", id="r1", revision=3, known=timedelta(seconds=known)) for known in (1, 2))
    again = claim(RatingGiven.model_validate_json(again.value or b""), IN_Q3, id="said-again")
    await appraisal.apply([first, again])
    told = {"rating_id": "r1", "cycle": "2025Q3", "scheme": DEPARTMENT, "appraisee": "S1", "revision": 3}
    assert await appraisal.published(RatingRecorded) == [RatingRecorded(**told, recorded_at=IN_Q3)]  # type: ignore[arg-type]  # as named
    assert [(one.appraiser, len(one.revisions)) for one in await appraisal.stored(UnitOfWork.ratings)] == [("B1", 1)]


async def test_a_figure_that_another_system_measured_becomes_a_fact_with_all_that_it_says(appraisal: ServiceOnDatabase) -> None:
    said: dict[str, Any] = {
        "case_id": "K1",
        "indicator": "repair_quality",
        "subject": "team:t1",
        "occurrence": 3,
        "revision": 4,
        "numerator": "0.5",
        "denominator": "2",
        "dimensions": {"region": "north"},
    }
    await appraisal.apply([claim(KpiReported(**said), IN_Q3, id="measured-1")])
    assert await appraisal.published(KpiRecorded) == [KpiRecorded(**said, source_event_ids=["measured-1"])]
    await appraisal.send_decisions()
    [row] = await appraisal.rows("SELECT occurrence, revision, time, source_event_ids, dimensions FROM kpi_facts")
    assert row == {
        "occurrence": 3, "revision": 4, "time": int(IN_Q3.timestamp()) * 10**6, "source_event_ids": "measured-1",
        "dimensions": {"region": "north"},
    }  # fmt: skip


async def test_a_second_close_needs_a_later_instant_than_the_last(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(*EVERYBODY), figure("S1"), close(as_of=LATER)])
    await time_passes(appraisal)
    again = close(as_of=LATER, for_real=True)
    await appraisal.apply([again, close(as_of=LATER + MICROSECOND)])
    assert await rejections(appraisal) == [("later_than_the_last_close", "as_of")]
    await time_passes(appraisal)
    assert [closed.as_of for closed in await appraisal.published(CycleClosed)] == [LATER, LATER + MICROSECOND]


async def test_closes_that_are_asked_for_while_one_is_under_way_follow_it_in_their_order(appraisal: ServiceOnDatabase) -> None:
    """As in a rebuild, which reads all of them before the first is graded."""
    asked = [close(as_of=LATER + hours * timedelta(hours=1)) for hours in range(3)]
    await appraisal.apply([org(*EVERYBODY), figure("S1"), *asked])
    await time_passes(appraisal, rounds=10)
    assert await rejections(appraisal) == []
    assert [closed.as_of for closed in await appraisal.published(CycleClosed)] == [LATER + hours * timedelta(hours=1) for hours in range(3)]


async def test_a_cycle_may_be_closed_as_of_the_very_instant_at_which_it_ends(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(*EVERYBODY), figure("S1"), close(as_of=END_OF_Q3)])
    await time_passes(appraisal)
    assert await rejections(appraisal) == []
    assert (await grades(appraisal))["S1"] == "优"


@pytest.mark.parametrize("end", [0.0, 100.0])
async def test_scores_at_both_ends_of_the_scale_are_ratings(appraisal: ServiceOnDatabase, end: float) -> None:
    await appraisal.apply([rating("S1", "B1", f"{end:g}")])
    assert [given.appraisee for given in await appraisal.published(RatingRecorded)] == ["S1"]


async def test_a_fact_at_the_instant_at_which_a_cycle_ends_counts_for_the_next_one_alone(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(*EVERYBODY), figure("S1", at=END_OF_Q3 - MICROSECOND), figure("S2", at=END_OF_Q3)])
    await appraisal.apply([close("2025Q3"), close("2025Q4")])
    await time_passes(appraisal, rounds=6)
    graded = {(grade.cycle, grade.subject) for grade in await appraisal.published(GradePublished)}
    in_both = {("2025Q3", "employee:B1"), ("2025Q3", "employee:M1"), ("2025Q4", "employee:B1"), ("2025Q4", "employee:M1")}
    assert graded - in_both == {("2025Q3", "employee:S1"), ("2025Q4", "employee:S2")}


async def test_a_fact_that_was_taken_back_is_about_nobody_and_in_no_grade(appraisal: ServiceOnDatabase) -> None:
    stranger = [figure("X9", case="K1"), figure("X9", "0", "0", case="K1", revision=2)]
    mistaken = [figure("S1", "0", case="K2"), figure("S1", "0", "0", case="K2", revision=2)]
    await appraisal.apply([org(*EVERYBODY), figure("S1", case="K3"), *stranger, *mistaken, close()])
    await time_passes(appraisal)
    [closed] = await appraisal.published(CycleClosed)
    assert (closed.unknown_subjects, closed.unknown_subjects_count) == ([], 0)
    assert [fact.case_id for fact in (await stored(appraisal, "S1")).facts] == ["K3"]


async def test_who_has_no_cycle_of_their_own_under_a_scheme_is_graded_in_the_schemes(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(*EVERYBODY), figure("S1"), figure("S2"), rating("B1", "M1", "80"), rating("S1", "B1", "80")])
    await appraisal.apply([rating("S2", "B1", "80"), rating("B1", "S1", "80"), rating("B1", "S2", "80")])
    await appraisal.apply([close("2025Q3", BASIC), close("2025Q3", DEPARTMENT), close("2025", DEPARTMENT)])
    await time_passes(appraisal, rounds=6)
    told = [event for event in await appraisal.all_published() if isinstance(event, CycleClosed | CycleExceptionsListed)]
    looked_at = {one.cycle_key.replace("|", " "): sorted({*one.not_graded, *await graded_in(appraisal, one.cycle_key)}) for one in told}
    assert looked_at == {
        f"2025Q3 {BASIC}": ["B1", "M1", "S1", "S2"],  # which names no posts
        f"2025Q3 {DEPARTMENT}": ["B1", "S1", "S2"],
        f"2025 {DEPARTMENT}": ["B1", "M1", "S1", "S2"],  # a manager's cycle is the year (D11-35), the others' year-end is its mean (D11-34)
    }


async def test_a_cycle_is_not_graded_before_everything_up_to_its_watermarks_was_handled(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(*EVERYBODY), figure("S1"), close(scheme=DEPARTMENT)])
    await appraisal.send_decisions()
    late = replace(rating("S1", "B1", "80"), offset=appraisal.offsets.get("rating-claims", 0))
    appraisal.offsets["rating-claims"] = late.offset + 1  # it stands on the topic, and nobody has read it
    await time_passes(appraisal)
    assert await appraisal.published(CycleClosed) == []
    await appraisal.consumer.consume([late])
    await time_passes(appraisal)
    assert await grades(appraisal) == {"S1": "优"}, "with the rating that came last"


async def test_a_cycle_is_not_graded_while_facts_of_its_claims_are_on_their_way(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(*EVERYBODY), figure("S1"), close()])
    for _ in range(4):
        await appraisal.run_jobs()
    assert await appraisal.published(CycleClosed) == []
    await time_passes(appraisal)
    assert (await grades(appraisal))["S1"] == "优"


async def test_history_pays_only_where_its_cycle_is_closed_for_real(appraisal: ServiceOnDatabase) -> None:
    """One person's facts are a replayed history, the other's are not; each cycle is closed in another way."""
    await appraisal.apply([org(*EVERYBODY)])
    ways = {"2025Q1": (False, ""), "2025Q2": (False, "log:1"), "2025Q3": (True, ""), "2025Q4": (True, "log:1")}
    for quarter, (cycle, (for_real, replay_of)) in enumerate(ways.items()):
        at = NEW_YEAR + timedelta(days=91 * quarter + 40)
        await appraisal.apply([figure("S1", "0", at=at, replay_of="log:1"), figure("S2", "0", at=at)])
        await appraisal.apply([rating(one, "B1", "10", cycle=cycle, at=at) for one in ("S1", "S2")])
        await appraisal.apply([close(cycle, DEPARTMENT, for_real=for_real, replay_of=replay_of)])
    await time_passes(appraisal, rounds=8)
    assert {(grade.cycle, grade.grade) for grade in await appraisal.published(GradeRecorded)} == {(cycle, "差") for cycle in ways}
    paid = sorted((outcome.grade_key[:6], outcome.subject[-2:]) for outcome in await appraisal.published(OutcomeProposed))
    assert paid == [("2025Q1", "S2"), ("2025Q3", "S1"), ("2025Q3", "S2"), ("2025Q4", "S1"), ("2025Q4", "S2")]


async def test_peers_have_the_same_superior_and_the_same_team(appraisal: ServiceOnDatabase) -> None:
    second = member("B2", "supervisor", "M1")
    peer, elsewhere, of_another = member("S3", "specialist", "B1", "t1"), OTHER, member("S4", "specialist", "B2", "t1")
    await appraisal.apply([org(MANAGER, SUPERVISOR, second, ONE, peer, elsewhere, of_another), figure("S1")])
    await appraisal.apply([rating("S1", "B1", "80"), rating("S1", "S3", "90"), rating("S1", "S2", "10"), rating("S1", "S4", "20")])
    await appraisal.apply([close(scheme=DEPARTMENT)])
    await time_passes(appraisal)
    [grade] = [grade for grade in await appraisal.published(GradePublished) if grade.subject == "employee:S1"]
    [kept] = await appraisal.rows("SELECT inputs -> 'group_means' AS means FROM grades WHERE subject = 'employee:S1'")
    assert kept["means"] == {"superior": "80", "peer": "90"}
    assert grade.incomplete == [], "nobody else was asked"


async def rejections(service: ServiceOnDatabase) -> list[tuple[str, str]]:
    """The refusals so far: rule and field."""
    return [(event.rule, event.field) for event in await service.all_published() if isinstance(event, ClaimRejected)]


async def graded_in(service: ServiceOnDatabase, cycle_key: str) -> list[str]:
    """Who has a grade of a cycle."""
    rows = await service.rows("SELECT DISTINCT subject FROM grades WHERE cycle_key = :key", key=cycle_key)
    return [row["subject"].partition(":")[2] for row in rows]


def without_sequence(row: dict[str, object]) -> dict[str, object]:
    """A row but for the number of decisions about it, of which a refusal is one."""
    return {name: value for name, value in row.items() if name != "sequence"}
