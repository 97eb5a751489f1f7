"""A gate holds a grade down through the real service: what must never happen is not averaged away (D8-06, X-25)."""

from collections.abc import AsyncIterator

import pytest
from tests.appraisal.department import MANAGER, ONE, OTHER, SUPERVISOR, close, figure, grades, org, time_passes
from tests.harness import ServiceOnDatabase, service_on

from common.contracts.grades import GradePublished

pytestmark = pytest.mark.real


@pytest.fixture
async def appraisal(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("appraisal", database) as service:
        yield service


async def test_a_casualty_caps_the_grade_of_the_person_and_of_whoever_leads_and_a_person_is_to_confirm_it(
    appraisal: ServiceOnDatabase,
) -> None:
    await appraisal.apply([org(MANAGER, SUPERVISOR, ONE, OTHER)])
    await appraisal.apply([figure(one, indicator="repair_quality") for one in ("S1", "S2")])
    await appraisal.apply([figure("S1", case="fall", indicator="safety_incidents"), close(scheme="quality@1")])
    await time_passes(appraisal)
    published = {grade.subject[-2:]: grade for grade in await appraisal.published(GradePublished)}
    told = {who: (grade.score, grade.grade, grade.cap, grade.capped_by, grade.to_confirm) for who, grade in published.items()}
    capped = ("100.00", "差", "差", ["safety_incidents"], True)
    assert told == {"S1": capped, "B1": capped, "M1": capped, "S2": ("100.00", "优", "", [], False)}
    assert "安全事故" in published["S1"].reason_zh
    assert "safety incidents" in published["S1"].reason_en


async def test_a_casualty_that_was_taken_back_caps_nothing(appraisal: ServiceOnDatabase) -> None:
    fall = [figure("S1", number, number, case="fall", indicator="safety_incidents", revision=n) for n, number in ((1, "1"), (2, "0"))]
    await appraisal.apply([org(MANAGER, SUPERVISOR, ONE), figure("S1", indicator="repair_quality"), *fall, close(scheme="quality@1")])
    await time_passes(appraisal)
    assert (await grades(appraisal))["S1"] == "优"
