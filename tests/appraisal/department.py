"""A small department of 2025, and what HR, appraisers and others say about it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from tests.harness import ServiceOnDatabase, claim

from appraisal.domain.inputs import StoredGrade
from appraisal.explain_command import stored_grade
from common.contracts.claims.appraisal import CycleCloseRequested, KpiReported, OrgDescribed, OrgMember, Post, RatingGiven, RatingItem
from common.contracts.envelope import Record

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
IN_Q3 = datetime(2025, 8, 1, 2, tzinfo=UTC)
END_OF_Q3 = datetime.fromisoformat("2025-10-01T00:00:00+08:00")
LATER = datetime(2026, 1, 20, tzinfo=UTC)
BASIC, DEPARTMENT = "basic@1", "department-360@1"


def member(number: str, post: Post, superior: str | None, team: str = "t1") -> OrgMember:
    """One person of the service department."""
    return OrgMember(employee_id=number, post=post, department="service", team=team, superior=superior)


MANAGER, SUPERVISOR = member("M1", "manager", None), member("B1", "supervisor", "M1")
ONE, OTHER = member("S1", "specialist", "B1", "t1"), member("S2", "specialist", "B1", "t2")
"""Each alone in their team: only the superior rates them."""


def org(*members: OrgMember, at: datetime = NEW_YEAR) -> Record:
    """HR describes the organisation."""
    return claim(OrgDescribed(org_id="hq", members=list(members)), at)


def rating(
    appraisee: str,
    appraiser: str,
    score: str | None,
    *,
    cycle: str = "2025Q3",
    scheme: str = DEPARTMENT,
    at: datetime = IN_Q3,
    id: str = "",
    revision: int = 1,
    sheet: str | None = None,
    items: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    known: timedelta = timedelta(seconds=1),
) -> Record:
    """An appraiser hands in a score, or one for each item of the sheet."""
    lines = items.items() if isinstance(items, Mapping) else items
    given = RatingGiven(
        rating_id=id or f"{cycle}-{appraisee}-{appraiser}",
        cycle=cycle,
        scheme=scheme,
        sheet=sheet,
        appraisee=appraisee,
        appraiser=appraiser,
        score=score,
        items=[RatingItem(item=name, score=one) for name, one in lines],
        revision=revision,
    )
    return claim(given, at, known=known)


def figure(
    subject: str,
    numerator: str = "1",
    denominator: str = "1",
    *,
    at: datetime = IN_Q3,
    case: str = "",
    revision: int = 1,
    replay_of: str = "",
    indicator: str = "in_time_solution",
) -> Record:
    """Another system measured an indicator on somebody's case: whether it was solved in time, unless another one is named."""
    event = KpiReported(
        case_id=case or f"case-of-{subject}-{at:%m%d}",
        indicator=indicator,
        subject=f"employee:{subject}",
        numerator=numerator,
        denominator=denominator,
        revision=revision,
    )
    return claim(event, at, replay_of=replay_of)


def close(
    cycle: str = "2025Q3", scheme: str = BASIC, *, as_of: datetime = LATER, key: str = "", for_real: bool = False, replay_of: str = ""
) -> Record:
    """Somebody in charge asks to close a cycle."""
    asked = CycleCloseRequested(cycle_key=key or f"{cycle}|{scheme}", cycle=cycle, scheme=scheme, as_of=as_of, for_real=for_real)
    return claim(asked, max(as_of, LATER + timedelta(days=1)), replay_of=replay_of)


async def time_passes(appraisal: ServiceOnDatabase, rounds: int = 4) -> None:
    """The relay and the jobs run, oftener than a close takes: watermarks of the claims, watermarks of the facts, grades."""
    for _ in range(rounds):
        await appraisal.send_decisions()
        await appraisal.run_jobs()


async def stored(appraisal: ServiceOnDatabase, number: str, *, version: int = 1, cycle: str = "2025Q3") -> StoredGrade:
    """One version of somebody's grade, with all that it was computed from."""
    query = "SELECT document, inputs FROM grades WHERE subject = :subject AND version = :version AND document ->> 'cycle' = :cycle"
    [row] = await appraisal.rows(query, subject=f"employee:{number}", version=version, cycle=cycle)
    async with appraisal.database.transaction() as connection:
        return await stored_grade(connection, row["document"], row["inputs"])


async def grades(appraisal: ServiceOnDatabase) -> Mapping[str, str]:
    """Who has which grade in the end."""
    rows = await appraisal.rows("SELECT DISTINCT ON (grade_key) subject, grade FROM grades ORDER BY grade_key, version DESC")
    return {row["subject"].partition(":")[2]: row["grade"] for row in rows}
