"""Nobody's rating can be computed from what is told: not from one grade, not from its versions, not by who knows all facts (X-30)."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.appraisal.department import LATER, MANAGER, SUPERVISOR, close, figure, member, org, rating, time_passes
from tests.counted import counted
from tests.harness import ServiceOnDatabase, service_on

from appraisal.domain.anonymity import Disclosed, disclosed_with, news, told_parts
from appraisal.domain.grade import Graded, grade_period
from appraisal.domain.rating import Handed, Revision, digested
from appraisal.domain.scheme import Scheme
from appraisal.domain.sections import Measured
from appraisal.presets import Schemes
from common.contracts.cycles import CycleClosed
from common.contracts.grades import GradePublished, GradeRecorded

DEPARTMENT = Schemes().find("department-360@1")
FACTS = {"in_time_solution": Measured(Fraction(9), Fraction(10))}
AT = datetime(2026, 10, 1, tzinfo=UTC)
Row = dict[str, Fraction]
"""One equation: the coefficient of each rating, whose score is not known."""


def revision(rater: str, number: int, score: int) -> Revision:
    return Revision(f"R-{rater}", number, str(score), AT)


def sheet(sizes: Mapping[str, int]) -> dict[str, Handed]:
    """Groups of these sizes, everybody of whom has rated."""
    return {
        group: Handed(size, {f"{group}{n}": revision(f"{group}{n}", 1, 60 + n) for n in range(size)})
        for group, size in sizes.items()
        if size
    }


def graded_by(scheme: Scheme, handed: Mapping[str, Handed]) -> Graded:
    return grade_period(scheme, FACTS, {group: one.ratings for group, one in handed.items()})


def told_by(graded: Graded, handed: Mapping[str, Handed]) -> list[Row]:
    """What a told grade tells of ratings to somebody who knows every fact: an equation for each part, and one for the score."""
    parts = told_parts(graded, told=True)
    assert sum((part.points for part in parts), Fraction(0)) == graded.score_exact
    rows = [_row(graded.weights, handed, part.of or (part.part,)) for part in parts]
    return [row for row in (*rows, _row(graded.weights, handed, tuple(handed))) if row]


def _row(weights: Mapping[str, Fraction], handed: Mapping[str, Handed], groups: Iterable[str]) -> Row:
    return {
        f"{rater}@{one.number}": weights[group] / len(handed[group].given)
        for group in groups
        if group in weights
        for rater, one in handed[group].given.items()
    }


def determined(rows: Sequence[Row]) -> set[str]:
    """The ratings whose score follows from these equations: those that stand alone once everything else is eliminated."""
    names = sorted({name for row in rows for name in row})
    matrix = [[row.get(name, Fraction(0)) for name in names] for row in rows]
    rank = 0
    for column in range(len(names)):
        pivot = next((i for i in range(rank, len(matrix)) if matrix[i][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        first = matrix[rank][column]
        matrix[rank] = [value / first for value in matrix[rank]]
        for i in range(len(matrix)):
            if i != rank and matrix[i][column]:
                matrix[i] = [a - matrix[i][column] * b for a, b in zip(matrix[i], matrix[rank], strict=True)]
        rank += 1
    alone = [[name for name, value in zip(names, row, strict=True) if value] for row in matrix[:rank]]
    return {found[0] for found in alone if len(found) == 1}


def test_the_attacker_finds_what_can_be_found() -> None:
    """The sum of three, and the sum of two of them, tell the third; what nobody may tell is told to nobody else."""
    one = Fraction(1)
    assert determined([{"a": one, "b": one, "c": one}, {"a": one, "b": one}]) == {"c"}
    assert determined([{"a": one, "b": one, "c": one}]) == set()


@pytest.mark.parametrize("superiors", [1])
@pytest.mark.parametrize("peers", range(5))
@pytest.mark.parametrize("subordinates", range(5))
def test_no_score_follows_from_one_grade_whatever_the_groups(superiors: int, peers: int, subordinates: int) -> None:
    handed = sheet({"superior": superiors, "peer": peers, "subordinate": subordinates})
    graded = graded_by(DEPARTMENT, handed)
    may_be_told = disclosed_with(graded, handed, None) is not None
    assert may_be_told is (superiors + peers + subordinates >= 3), "the sum of three is told"
    if may_be_told:
        assert determined(told_by(graded, handed)) == set()
        assert all(len(row) >= 3 for row in told_by(graded, handed)), "no sum of fewer than three"
    assert [part.part for part in told_parts(graded, told=False)] == ["in_time_solution"]


def test_a_company_may_decide_that_two_are_enough_or_that_anonymity_is_not_wanted() -> None:
    handed = sheet({"superior": 1, "peer": 1})
    for least, parts in ((1, ["superior", "peer"]), (2, ["ability"])):
        scheme = Schemes().find({**DEPARTMENT.document, "publication": {"least_raters": str(least)}})
        graded = graded_by(scheme, handed)
        assert disclosed_with(graded, handed, None) is not None
        assert [part.part for part in told_parts(graded, told=True) if part.part not in FACTS] == parts
    assert disclosed_with(graded_by(DEPARTMENT, handed), handed, None) is None


@given(data=st.data())
@counted(200, proof=5_000)
def test_no_score_follows_from_all_versions_together(data: st.DataObject) -> None:
    """Ratings come late and are corrected, and raters come and go, one by one and in heaps, between many closes."""
    scores = {rater: revision(rater, 1, 70) for rater in (f"{group}{n}" for group in ("superior", "peer") for n in range(8))}
    there: set[str] = set()
    before: Disclosed | None = None
    rows: list[Row] = []
    for _ in range(data.draw(st.integers(1, 6))):
        for rater in data.draw(st.sets(st.sampled_from(sorted(scores)), max_size=5)):
            change = data.draw(st.sampled_from(("comes or goes", "corrects")))
            if rater not in there or change == "comes or goes":
                there ^= {rater}
            else:
                scores[rater] = revision(rater, scores[rater].number + 1, 50)
        groups = {group: {rater: scores[rater] for rater in sorted(there) if rater.startswith(group)} for group in ("superior", "peer")}
        now = {group: Handed(len(given), given) for group, given in groups.items() if given}
        if "superior" in now and (disclosed := disclosed_with(graded := graded_by(DEPARTMENT, now), now, before)) is not None:
            before = disclosed
            rows += told_by(graded, now)
    assert determined(rows) == set()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param({"superior": 1, "peer": 3}, {"superior": 1, "peer": 4}, id="one comes late"),
        pytest.param({"superior": 4, "peer": 3}, {"superior": 4, "peer": 5}, id="two come late to a group that is told alone"),
        pytest.param({"superior": 4, "peer": 1}, {"superior": 4, "peer": 4}, id="a sum is taken apart"),
        pytest.param({"superior": 4, "peer": 4}, {"superior": 4, "peer": 1}, id="a group is put into a sum whose other part is known"),
        pytest.param({"superior": 1, "peer": 2}, {"superior": 1, "peer": 2, "subordinate": 3}, id="the weights change"),
    ],
)
def test_a_version_that_would_tell_too_much_beside_the_one_before_is_not_told(first: dict[str, int], then: dict[str, int]) -> None:
    before, now = sheet(first), sheet(then)
    told = disclosed_with(graded_by(DEPARTMENT, before), before, None)
    assert told is not None
    assert disclosed_with(graded_by(DEPARTMENT, now), now, told) is None
    assert disclosed_with(graded_by(DEPARTMENT, now), now, None) is not None, "alone it would say nothing"


def test_a_grade_that_tells_nothing_new_of_ratings_adds_nothing_to_what_is_known() -> None:
    handed = sheet({"superior": 4, "peer": 3})
    told = disclosed_with(graded_by(DEPARTMENT, handed), handed, None)
    assert told is not None
    assert disclosed_with(graded_by(DEPARTMENT, handed), handed, told) == told
    unrated = grade_period(DEPARTMENT, FACTS)
    assert disclosed_with(unrated, {}, None) == Disclosed({}, ())
    assert disclosed_with(unrated, {}, told) == told


def test_late_is_whoever_says_something_else_now_or_nothing_any_more() -> None:
    before = sheet({"superior": 1, "peer": 3})
    corrected = {**before["peer"].given, "peer0": revision("peer0", 2, 50)}
    now = {**before, "peer": Handed(3, {rater: one for rater, one in corrected.items() if rater != "peer1"})}
    assert news(before, before) == 0
    assert (news(now, before), news(before, now)) == (2, 2)


def test_a_digest_holds_no_score_since_few_scores_are_soon_guessed() -> None:
    first, other = ({"superior": Handed(1, {"B1": revision("B1", 1, score)})} for score in (10, 90))
    assert digested(first) == digested(other) == {"superior": {"asked": "1", "ratings": ["R-B1@1"]}}


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


TEAM = [member(f"S{n}", "specialist", "B1") for n in range(1, 8)]
SCORES = {"B1": "83.171", "S2": "61.373", "S3": "97.319", "S4": "71.717", "S5": "55.551", "S6": "66.661", "S7": "77.771"}
"""What each rater says of S1; no other number looks like one of them."""


@pytest.mark.real
@pytest.mark.parametrize("peers", range(4))
async def test_nothing_on_any_topic_shows_or_gives_one_raters_score(appraisal: ServiceOnDatabase, peers: int) -> None:
    """A superior alone, and with one, two and three peers."""
    raters = ["B1", *(f"S{n}" for n in range(2, 2 + peers))]
    await appraisal.apply([org(MANAGER, SUPERVISOR, *TEAM[: 1 + peers]), figure("S1", "9", "10")])
    await appraisal.apply([rating("S1", rater, SCORES[rater], id=f"R-{rater}") for rater in raters])
    await appraisal.apply([rating("S1", "B1", "44.441", id="R-again"), close(scheme="department-360@1")])
    await time_passes(appraisal)
    rows = await appraisal.rows("SELECT convert_from(payload, 'UTF8') AS payload, headers::text AS headers FROM outbox")
    for score in (*(SCORES[rater] for rater in raters), "44.441"):
        assert [row for row in rows if score in row["payload"] or score in row["headers"]] == []
    [grade] = [one for one in await appraisal.published(GradePublished) if one.subject == "employee:S1"]
    points = sum((Fraction(part.points) for part in grade.contributions), Fraction(0))
    if len(raters) < 3:
        assert (grade.score, grade.score_exact) == (None, None)
        assert [part.part for part in grade.contributions] == ["in_time_solution"]
        assert "不足3人" in grade.reason_zh
    else:
        assert grade.score_exact is not None
        assert points == Fraction(grade.score_exact)
        assert [(part.part, part.of) for part in grade.contributions if part.part != "in_time_solution"] == [
            ("ability", ["superior", "peer"])
        ]


@pytest.mark.real
async def test_a_late_rating_makes_a_version_as_soon_as_no_score_can_be_read_from_the_two(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([org(MANAGER, SUPERVISOR, *TEAM), figure("S1", "9", "10")])
    await appraisal.apply([rating("S1", rater, SCORES[rater]) for rater in ("B1", "S2", "S3", "S4")])
    await appraisal.apply([close(scheme="department-360@1")])
    await time_passes(appraisal)
    versions = []
    for hour, late in enumerate((["S5"], [], ["S6"], ["S7"]), 1):
        await appraisal.apply([rating("S1", rater, SCORES[rater]) for rater in late])
        await appraisal.apply([close(scheme="department-360@1", as_of=LATER + timedelta(hours=hour))])
        await time_passes(appraisal)
        versions.append(len([one for one in await appraisal.published(GradeRecorded) if one.subject == "employee:S1"]))
    assert versions == [1, 1, 2, 2]
    waiting = [closed.uncounted_ratings.get("S1") for closed in await appraisal.published(CycleClosed)]
    assert waiting == [None, 1, 1, None, 1]


@pytest.mark.real
async def test_ratings_by_nobodys_rater_and_of_nobody_who_is_graded_are_counted_when_the_cycle_closes(
    appraisal: ServiceOnDatabase,
) -> None:
    """In whatever order organisation and ratings come: who rates whom is judged by the organisation of the cycle's end."""
    await appraisal.apply([rating("S1", "M1", "10"), rating("S1", "X7", "10"), rating("M1", "B1", "10"), rating("X8", "B1", "10")])
    await appraisal.apply([rating("S1", "B1", "80"), org(MANAGER, SUPERVISOR, *TEAM[:1]), figure("S1"), close(scheme="department-360@1")])
    await time_passes(appraisal)
    [closed] = await appraisal.published(CycleClosed)
    assert (closed.uncounted_ratings, closed.uncounted_ratings_count) == ({"M1": 1, "S1": 2, "X8": 1}, 3)
