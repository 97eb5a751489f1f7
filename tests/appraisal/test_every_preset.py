"""Each shipped scheme through the real service: graded, or refused with a reason that says what to do; never closed with nobody graded."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.appraisal.department import LATER, MANAGER, ONE, SUPERVISOR, close, figure, member, org, rating, time_passes
from tests.harness import ServiceOnDatabase, service_on

from appraisal.domain.indicators import REGISTRY
from common.contracts.cycles import CycleClaimRejected, CycleClosed
from common.contracts.grades import GradePublished

pytestmark = pytest.mark.real

PEER = member("S3", "specialist", "B1", "t1")
EVERYBODY = (MANAGER, SUPERVISOR, ONE, PEER)
CYCLES = {
    "appliance-monthly@1": "2025-08",
    "basic@1": "2025Q3",
    "bonus-monthly@1": "2025-08",
    "department-360@1": "2025Q3",
    "indoor-repair-monthly@1": "2025-08",
    "quality@1": "2025Q3",
}
OURS = [one.id for one in REGISTRY if one.producers]
FOREIGN = [one.id for one in REGISTRY if not one.producers and one.id != "safety_incidents"]


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        await service.apply([org(*EVERYBODY)])
        yield service


async def graded(appraisal: ServiceOnDatabase, scheme: str) -> list[str]:
    """Who has a grade after a month or a quarter with ratings by everybody about everybody below and beside."""
    pairs = [("B1", "M1"), ("S1", "B1"), ("S3", "B1"), ("S1", "S3"), ("S3", "S1"), ("B1", "S1"), ("B1", "S3")]
    if scheme in ("department-360@1", "appliance-monthly@1"):
        await appraisal.apply([rating(one, by, "80", cycle=CYCLES[scheme], scheme=scheme) for one, by in pairs])
    await appraisal.apply([close(CYCLES[scheme], scheme)])
    await time_passes(appraisal)
    return sorted({grade.subject.partition(":")[2] for grade in await appraisal.published(GradePublished)})


@pytest.mark.parametrize(
    ("scheme", "who"),
    [
        ("appliance-monthly@1", ["B1", "S1", "S3"]),  # nobody is above the manager, and without a superior there is no grade
        ("basic@1", ["B1", "M1", "S1", "S3"]),
        ("department-360@1", ["B1", "S1", "S3"]),  # a manager's cycle is the year
        ("quality@1", ["B1", "M1", "S1", "S3"]),
        ("indoor-repair-monthly@1", ["B1", "M1", "S1", "S3"]),
    ],
)
async def test_what_our_own_services_measure_is_enough_for_grades(appraisal: ServiceOnDatabase, scheme: str, who: list[str]) -> None:
    await appraisal.apply([figure(person, indicator=name, case=f"{person}-{name}") for name in OURS for person in ("S1", "S3")])
    assert await graded(appraisal, scheme) == who
    [closed] = await appraisal.published(CycleClosed)
    assert closed.graded == len(who)


async def test_supervisors_are_graded_by_the_groups_that_the_scheme_knows(appraisal: ServiceOnDatabase) -> None:
    """Subordinates rate nobody under `appliance-monthly`: what they hand in does not count, and does not stand in the way."""
    await appraisal.apply([figure("S1"), rating("B1", "M1", "80", cycle="2025-08", scheme="appliance-monthly@1")])
    await appraisal.apply([rating("B1", "S1", "0", cycle="2025-08", scheme="appliance-monthly@1"), close("2025-08", "appliance-monthly@1")])
    await time_passes(appraisal)
    [grade] = [one for one in await appraisal.published(GradePublished) if one.subject == "employee:B1"]
    assert grade.grade == "优", "the superior's 80 with a quarter of the weight of three, and every case in time"


async def test_a_scheme_that_only_other_systems_measure_is_graded_when_they_report_and_refused_when_they_do_not(
    appraisal: ServiceOnDatabase,
) -> None:
    await appraisal.apply([figure(person, indicator=name, case=f"{person}-{name}") for name in OURS for person in ("S1", "S3")])
    assert await graded(appraisal, "bonus-monthly@1") == []
    assert await appraisal.published(CycleClosed) == []
    [refused] = await appraisal.published(CycleClaimRejected)
    assert (refused.rule, refused.field) == ("nobody_could_be_graded", "scheme")
    assert refused.was.startswith("not_assessable: 4; to be reported by other systems: complaint_rate complaint_satisfaction")
    await appraisal.apply([figure(person, indicator=name, case=f"{person}-{name}") for name in FOREIGN for person in ("S1", "S3")])
    later = close("2025-08", "bonus-monthly@1", as_of=LATER + timedelta(hours=1))
    await appraisal.apply([later])
    await time_passes(appraisal)
    [closed] = await appraisal.published(CycleClosed)
    assert closed.graded == 4


async def test_a_committee_is_told_that_its_words_are_missing(appraisal: ServiceOnDatabase) -> None:
    await appraisal.apply([close("2025Q3", "committee@1")])
    [refused] = await appraisal.published(CycleClaimRejected)
    assert (refused.rule, refused.field, refused.was) == ("words_of_the_committee", "scheme", "committee")
    assert await appraisal.rows("SELECT id FROM cycles") == []
