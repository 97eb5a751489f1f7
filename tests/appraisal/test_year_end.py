"""The end of a year, and the same grade several times in a row: what follows from more than one cycle (D11-34, D5-16, X-24, X-32)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from tests.appraisal.department import LATER, NEW_YEAR, close, figure, member, org, rating, stored, time_passes
from tests.harness import ServiceOnDatabase, service_on

from appraisal import presets
from appraisal.domain.cycle import cycle_refused
from appraisal.domain.inputs import differing
from appraisal.domain.outcomes import Trigger
from appraisal.domain.year_end import (
    EarlierGrade,
    cycles_in_a_row,
    cycles_of_year,
    earlier_documents,
    outcomes_of,
    triggers_of,
    year_end_levels,
)
from appraisal.presets import Schemes
from common.contracts.cycles import CycleClaimRejected
from common.contracts.envelope import Record
from common.contracts.grades import GradePublished, OutcomeProposed, OutcomeReversed

DEPARTMENT = Schemes().find("department-360@1")
DIRECTOR, MANAGER, SUPERVISOR = member("D1", "manager", None), member("M1", "manager", "D1"), member("B1", "supervisor", "M1")
TEAM = [member(f"S{n}", "specialist", "B1") for n in (1, 2, 3)]
QUARTERS = {f"2025Q{n}": NEW_YEAR + timedelta(days=91 * (n - 1) + 40) for n in range(1, 5)}


def test_a_year_has_the_cycles_of_the_posts_that_have_shorter_ones() -> None:
    assert cycles_of_year(DEPARTMENT, "2025") == ("2025Q1", "2025Q2", "2025Q3", "2025Q4")
    assert cycles_of_year(DEPARTMENT, "2025Q1") == ()
    monthly = Schemes().find({**DEPARTMENT.document, "cycle": {"period": "month", "posts": {"manager": "half_year"}}})
    assert cycles_of_year(monthly, "2025") == (*(f"2025-{month:02}" for month in range(1, 13)), "2025H1", "2025H2")
    assert year_end_levels(DEPARTMENT, "2025") == {"supervisor", "specialist"}
    assert year_end_levels(DEPARTMENT, "2025Q1") == frozenset()


def test_a_year_leads_to_year_end_outcomes_and_a_shorter_cycle_to_the_others() -> None:
    assert triggers_of(DEPARTMENT, "2025") == {Trigger.YEAR_END}
    assert triggers_of(DEPARTMENT, "2025Q2") == {Trigger.CYCLE}
    yearly = Schemes().find({**DEPARTMENT.document, "cycle": {"period": "year", "zone": "Asia/Shanghai"}})
    assert triggers_of(yearly, "2025") == {Trigger.YEAR_END, Trigger.CYCLE}


def test_a_scheme_of_quarters_has_a_year_only_where_something_follows_from_it() -> None:
    raised, coached = ({"outcome": "x", "grades": ["优"], "trigger": trigger} for trigger in ("year_end", "cycle"))
    for outcomes, refused in (([coached, raised], None), ([coached], "a_cycle_of_the_scheme"), ([], "a_cycle_of_the_scheme")):
        scheme = Schemes().find({**DEPARTMENT.document, "cycle": {"period": "quarter"}, "outcomes": outcomes})
        found = cycle_refused(scheme, "2025")
        assert (found.rule if found is not None else None) == refused
        assert cycle_refused(scheme, "2025Q1") is None


def test_cycles_in_a_row_go_back_over_the_new_year() -> None:
    rule = {"outcome": "dismissal_review", "grades": ["差"], "times": "3"}
    thrice = Schemes().find({**DEPARTMENT.document, "outcomes": [rule]})
    assert cycles_in_a_row(thrice, "2025Q2") == ("2025Q1", "2024Q4")
    assert cycles_in_a_row(DEPARTMENT, "2025Q2") == ()
    assert cycles_in_a_row(replace(DEPARTMENT, outcomes=()), "2025Q2") == ()


def grade(cycle: str, name: str) -> EarlierGrade:
    return EarlierGrade(cycle, name, Fraction(50), told=True, digest=f"sha256:{cycle}")


THRICE = Schemes().find({**DEPARTMENT.document, "outcomes": [{"outcome": "dismissal_review", "grades": ["差", "较差"], "times": "3"}]})


@pytest.mark.parametrize(
    ("before", "follows"),
    [
        ({"2025Q1": "差", "2024Q4": "较差"}, True),
        ({"2025Q1": "差", "2024Q4": "中"}, False),
        ({"2025Q1": "中", "2024Q4": "差"}, False),
        ({"2025Q1": "差"}, False),
        ({}, False),
    ],
)
def test_what_follows_from_the_third_time_needs_both_cycles_before(before: dict[str, str], follows: bool) -> None:
    earlier = {cycle: grade(cycle, name) for cycle, name in before.items()}
    assert bool(outcomes_of(THRICE, "2025Q2", "差", earlier)) is follows
    assert outcomes_of(THRICE, "2025Q2", "中", earlier) == ()


def test_a_digest_holds_of_the_cycles_before_their_grades_and_of_a_years_cycles_their_versions() -> None:
    earlier = {cycle: grade(cycle, "差") for cycle in ("2025Q1", "2024Q1")}
    assert earlier_documents(THRICE, "2025Q2", earlier) == {"before:2025Q1": {"cycle": "2025Q1", "grade": "差"}}
    assert earlier_documents(DEPARTMENT, "2025", earlier) == {"cycle:2025Q1": {"cycle": "2025Q1", "digest": "sha256:2025Q1"}}


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        await service.apply([org(DIRECTOR, MANAGER, SUPERVISOR, *TEAM)])
        yield service


def quarter(
    cycle: str, at: datetime, solved: str, scheme: str = "department-360@1", raters: tuple[str, ...] = ("B1", "S2", "S3")
) -> list[Record]:
    """What is measured and rated of S1 in a quarter, of ten cases."""
    rated = [rating("S1", rater, "80", cycle=cycle, scheme=scheme, at=at) for rater in raters]
    return [figure("S1", solved, "10", at=at, case=f"{cycle}-1"), *rated, close(cycle, scheme)]


async def published(appraisal: ServiceOnDatabase, cycle: str, number: str = "S1") -> list[GradePublished]:
    return [one for one in await appraisal.published(GradePublished) if (one.cycle, one.subject) == (cycle, f"employee:{number}")]


@pytest.mark.real
async def test_a_year_is_the_mean_of_its_quarters_and_a_manager_is_graded_by_the_year(appraisal: ServiceOnDatabase) -> None:
    for (cycle, at), solved in zip(list(QUARTERS.items())[:3], ("10", "9", "5"), strict=True):
        await appraisal.apply(quarter(cycle, at, solved))
    managers = [rating("M1", rater, "90", cycle="2025", at=QUARTERS["2025Q2"]) for rater in ("D1", "B1")]
    await appraisal.apply([*managers, close("2025", "department-360@1")])
    await time_passes(appraisal, rounds=8)
    scores = [Fraction((await published(appraisal, cycle))[0].score_exact or "") for cycle in list(QUARTERS)[:3]]
    assert scores == [94, 87, 59]
    [year] = await published(appraisal, "2025")
    assert (year.score_exact, year.grade, year.partial_year) == ("80", "良", True)
    assert [(part.part, part.value) for part in year.contributions] == [("2025Q1", "94"), ("2025Q2", "87"), ("2025Q3", "59")]
    assert [one.grade for one in await published(appraisal, "2025", "M1")] == ["良"]
    assert await published(appraisal, "2025", "S2") == [], "without a quarter there is no year"
    follows = {(one.grade_key.partition("|")[0], one.subject[-2:], one.outcome) for one in await appraisal.published(OutcomeProposed)}
    assert follows == {
        ("2025Q1", "S1", "reward_review"),
        ("2025Q3", "S1", "coaching"),
        ("2025", "S1", "raise_eligible"),
        ("2025", "M1", "raise_eligible"),
    }
    assert differing(await stored(appraisal, "S1", cycle="2025")) == []


@pytest.mark.real
async def test_a_new_version_of_a_quarter_changes_the_year_when_the_year_is_closed_again(appraisal: ServiceOnDatabase) -> None:
    at = QUARTERS["2025Q1"]
    await appraisal.apply([*quarter("2025Q1", at, "10"), close("2025", "department-360@1")])
    await time_passes(appraisal, rounds=8)
    await appraisal.apply([figure("S1", "5", "10", at=at, case="2025Q1-1", revision=2)])
    await appraisal.apply([close("2025Q1", "department-360@1", as_of=LATER + timedelta(hours=1))])
    await time_passes(appraisal, rounds=8)
    assert [one.score for one in await published(appraisal, "2025")] == ["94.00"]
    await appraisal.apply([close("2025", "department-360@1", as_of=LATER + timedelta(hours=2))])
    await time_passes(appraisal, rounds=8)
    assert [(one.score, one.version) for one in await published(appraisal, "2025")] == [("94.00", 1), ("59.00", 2)]
    reversed_ones = [one for one in await appraisal.published(OutcomeReversed) if one.grade_key.startswith("2025|")]
    assert [one.reverses.rpartition("|")[2] for one in reversed_ones] == ["raise_eligible"]


@pytest.mark.real
async def test_a_year_tells_no_score_that_a_quarter_did_not_tell(appraisal: ServiceOnDatabase) -> None:
    """Of two quarters one rests on the superior's rating alone: the year and the other quarter would tell it."""
    await appraisal.apply([*quarter("2025Q1", QUARTERS["2025Q1"], "10"), close("2025", "department-360@1")])
    await appraisal.apply(quarter("2025Q2", QUARTERS["2025Q2"], "10", raters=("B1", "S2")))
    await time_passes(appraisal, rounds=8)
    [year] = await published(appraisal, "2025")
    assert (year.score, year.score_exact, year.contributions, year.grade) == (None, None, [], "优")


@pytest.mark.real
async def test_what_follows_from_the_second_time_in_a_row_follows_from_it_alone(
    appraisal: ServiceOnDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a scheme that a company wrote for itself; a quarter that was better, or is missing, ends the row."""
    rule = "  - {outcome: dismissal_review, grades: [较差, 差], times: 2, confirm: true, source: D5-16}\n"
    text = (presets.PRESETS / "department-360@1.yaml").read_text("utf-8")
    lines = text.replace("id: department-360", "id: house").splitlines(keepends=True)
    kept = [line + (rule if line.startswith("outcomes:") else "") for line in lines if "{outcome:" not in line]
    (tmp_path / "house@1.yaml").write_text("".join(kept), "utf-8")
    schemes = Schemes(tmp_path)
    monkeypatch.setattr(presets, "_shipped", lambda: schemes)
    for (cycle, at), solved in zip(QUARTERS.items(), ("1", "2", "10", "0"), strict=True):
        await appraisal.apply(quarter(cycle, at, solved, scheme="house@1"))
    await time_passes(appraisal, rounds=10)
    assert [(await published(appraisal, cycle))[0].grade for cycle in QUARTERS] == ["差", "差", "优", "差"]
    assert await appraisal.published(CycleClaimRejected) == []
    follows = [(one.grade_key[:6], one.outcome, one.needs_confirmation) for one in await appraisal.published(OutcomeProposed)]
    assert follows == [("2025Q2", "dismissal_review", True)]
