"""Each version of a grade is verified from what it has stored, whatever was corrected, described anew or published after it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.appraisal.department import (
    DEPARTMENT,
    END_OF_Q3,
    LATER,
    MANAGER,
    ONE,
    OTHER,
    SUPERVISOR,
    close,
    figure,
    member,
    org,
    rating,
    stored,
    time_passes,
)
from tests.harness import ServiceOnDatabase, service_on

from appraisal import jobs
from appraisal.domain.indicators import registry_document
from appraisal.domain.inputs import differing
from common.contracts.claims.appraisal import OrgMember
from common.contracts.envelope import Record
from common.contracts.grades import GradePublished

pytestmark = pytest.mark.real

WEEK = timedelta(days=7)
RATED = [rating("S1", "B1", "80"), rating("S2", "B1", "70"), rating("B1", "M1", "90"), rating("B1", "S1", "60")]
FACTS = [figure("S1", case="C1"), figure("S1", "0", case="C2"), figure("S2", case="C3")]


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        await service.apply([org(MANAGER, SUPERVISOR, ONE, OTHER), *RATED, *FACTS, close(scheme=DEPARTMENT)])
        await time_passes(service)
        yield service


def late(record: Record) -> Record:
    """The record as it is when it becomes known after the first close, and before the second."""
    return replace(record, appended_at=LATER + WEEK / 2)


async def closed_again(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close(scheme=DEPARTMENT, as_of=LATER + WEEK)])
    await time_passes(appraisal)


async def versions(appraisal: ServiceOnDatabase) -> dict[str, int]:
    """Each person's newest version."""
    return {grade.subject.partition(":")[2]: grade.version for grade in await appraisal.published(GradePublished)}


async def test_a_close_with_the_same_inputs_makes_no_new_version(appraisal: ServiceOnDatabase) -> None:
    assert await versions(appraisal) == {"S1": 1, "S2": 1, "B1": 1}
    await closed_again(appraisal)
    assert await versions(appraisal) == {"S1": 1, "S2": 1, "B1": 1}


MOVED, NEW = member("S2", "specialist", "B1", "t9"), member("S3", "specialist", "B1", "t3")
ELSEWHERE = [member("B2", "supervisor", None), member("S4", "specialist", "B2", "t4")]


def described(*members: OrgMember) -> Record:
    """HR corrects the picture of the organisation for a time before the cycle's end."""
    return late(org(MANAGER, SUPERVISOR, *members, at=END_OF_Q3 - WEEK))


CHANGES: dict[str, tuple[Record, dict[str, int]]] = {
    "a fact is corrected": (late(figure("S1", "1", case="C2", revision=2)), {"S1": 2, "S2": 1, "B1": 2}),
    "a fact is taken back": (late(figure("S1", "0", "0", case="C2", revision=2)), {"S1": 2, "S2": 1, "B1": 2}),
    "a rating comes": (late(rating("B1", "S2", "70")), {"S1": 1, "S2": 1, "B1": 2}),
    "somebody comes elsewhere": (described(ONE, OTHER, *ELSEWHERE), {"S1": 1, "S2": 1, "B1": 1}),
    "somebody comes into another team": (described(ONE, OTHER, NEW), {"S1": 1, "S2": 1, "B1": 2}),
    "somebody moves": (described(ONE, MOVED), {"S1": 1, "S2": 2, "B1": 1}),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_makes_new_versions_of_those_alone_whom_it_touches_and_old_ones_verify(
    appraisal: ServiceOnDatabase, what: str
) -> None:
    before = await stored(appraisal, "S1")
    record, expected = CHANGES[what]
    await appraisal.apply([record])
    await appraisal.send_decisions()
    await closed_again(appraisal)
    assert await versions(appraisal) == expected
    for number, newest in expected.items():
        for version in range(1, newest + 1):
            assert differing(await stored(appraisal, number, version=version)) == [], f"{number}, version {version}"
    assert await stored(appraisal, "S1") == before


async def test_another_registry_makes_new_versions_and_the_old_ones_verify_by_theirs(
    appraisal: ServiceOnDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = registry_document()
    monkeypatch.setattr(jobs, "registry_document", lambda _: {**changed, "version": "another"})
    await closed_again(appraisal)
    assert await versions(appraisal) == {"S1": 2, "S2": 2, "B1": 2}
    for version in (1, 2):
        assert differing(await stored(appraisal, "B1", version=version)) == []


SPOILT = {
    "the facts of employee:S1 for in_time_solution": "UPDATE kpi_facts SET numerator = '7' WHERE case_id = 'C1'",
    "the scheme": "UPDATE grade_inputs SET content = content || '{\"id\": \"other\"}' WHERE content ? 'cycle'",
    "the registry": "UPDATE grade_inputs SET content = content || '{\"version\": \"9\"}' WHERE content ? 'indicators'",
    "the calendar": "UPDATE grade_inputs SET content = content || '{\"tzdata\": \"1970.1\"}' WHERE content ? 'tzdata'",
    "the lots of employee:S1": "DELETE FROM grade_inputs WHERE content ->> 'subject' = 'employee:S1'",
    "the sums": "UPDATE grades SET inputs = jsonb_set(inputs, '{indicators,in_time_solution,numerator}', '\"3\"')",
    "the score": "UPDATE grades SET inputs = jsonb_set(inputs, '{group_means,superior}', '\"3\"')",
    "the ratings, the organisation or the digest": "UPDATE grades SET inputs = jsonb_set(inputs, '{org,member,team}', '\"t9\"')",
}


@pytest.mark.parametrize("part", SPOILT)
async def test_what_was_spoilt_since_is_named(appraisal: ServiceOnDatabase, part: str) -> None:
    assert differing(await stored(appraisal, "S1")) == []
    await appraisal.rows(f"{SPOILT[part]} RETURNING 1")
    assert part in differing(await stored(appraisal, "S1"))
