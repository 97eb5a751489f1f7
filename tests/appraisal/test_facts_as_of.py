"""Every revision of a fact is kept: what counts as of an instant does not hang on what came later, nor on the order in which it came."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from tests.appraisal.department import BASIC, IN_Q3, LATER, MANAGER, ONE, OTHER, SUPERVISOR, close, figure, grades, org, time_passes
from tests.common.test_recorded_on_database import registered
from tests.faults.kit import Wire, fact
from tests.harness import ServiceOnDatabase, claim, service_on

from common.contracts.claims.complaints import ComplainantTold, SolutionFound, SolutionTold, VerificationBegun, VerificationEnded
from common.contracts.envelope import Record

pytestmark = pytest.mark.real


def revision(number: int, numerator: str, *, known: timedelta) -> Wire:
    """A revision of one case's fact, recorded so much later or earlier than the instant as of which the cycle is closed."""
    wire = fact("c1", id=f"f{number}", at=IN_Q3, subject="employee:S1", revision=number, numerator=numerator)
    return wire.with_header("ce_recordedtime", (LATER + known).isoformat().encode())


def record(wire: Wire) -> Record:
    return Record(wire.topic, 0, 0, wire.key, wire.value, wire.headers, LATER + timedelta(days=9))


DAY = timedelta(days=1)
REVISIONS = (revision(1, "0", known=-2 * DAY), revision(2, "1", known=-DAY), revision(3, "0", known=DAY))


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_the_highest_revision_that_was_recorded_by_then_counts_in_whatever_order_they_came(
    database: str, order: tuple[int, ...]
) -> None:
    async with service_on("appraisal", database) as appraisal:
        await appraisal.apply([org(MANAGER, SUPERVISOR, ONE, OTHER)])
        for number in order:
            await appraisal.take_facts([record(REVISIONS[number])])
        await appraisal.apply([close(scheme=BASIC)])
        await time_passes(appraisal)
        assert (await grades(appraisal))["S1"] == "优", "the second revision was known by then, the third was not"


CASE = "R1-c1"
BEGINNING = registered(LATER + DAY, IN_Q3, handled_by="S1")
"""The complaint came in the third quarter, and the hotline has said so only after its close."""
STEPS = [
    claim(step, IN_Q3 + number * DAY)
    for number, step in enumerate(
        [
            ComplainantTold(complaint_id=CASE, by="S1"),
            VerificationBegun(complaint_id=CASE, by="S1"),
            VerificationEnded(complaint_id=CASE, justified=True, by="S1"),
            SolutionFound(complaint_id=CASE, remedy="repair", by="S1"),
        ]
    )
] + [claim(SolutionTold(complaint_id=CASE, by="S1"), IN_Q3 + 30 * DAY)]
"""What was done for it was known in time, and waited: the solution was told too late."""


async def facts_of(url: str, records: Iterable[Record]) -> list[Record]:
    """What complaints has decided for grades, with the records coming in this order."""
    async with service_on("complaints", url) as complaints:
        for one in records:
            await complaints.apply([one])
        return await complaints.decisions_on("kpi-facts")


async def versions(appraisal: ServiceOnDatabase) -> list[dict[str, Any]]:
    return await appraisal.rows("SELECT grade_key, version, score, grade, digest FROM grades ORDER BY grade_key, version")


@pytest.mark.parametrize("rebuilt", [[*STEPS, BEGINNING], [BEGINNING, *STEPS]], ids=["the steps first", "the beginning first"])
async def test_a_version_is_the_same_in_a_rebuild_where_what_waited_over_its_close_is_known_from_the_start(
    databases: Callable[[], Awaitable[str]], rebuilt: list[Record]
) -> None:
    closes = [close(as_of=LATER), close(as_of=LATER + 9 * DAY)]
    known = [org(MANAGER, SUPERVISOR, ONE, OTHER), figure("S1"), figure("S2")]
    async with service_on("appraisal", await databases()) as appraisal:
        await appraisal.apply([*known, closes[0]])
        await time_passes(appraisal)
        await appraisal.take_facts(await facts_of(await databases(), [*STEPS, BEGINNING]))
        await appraisal.apply([closes[1]])
        await time_passes(appraisal)
        told = await versions(appraisal)
    assert [row["version"] for row in told if "S1" in row["grade_key"]] == [1, 2], "the case counts for the second close"
    async with service_on("appraisal", await databases()) as appraisal:
        await appraisal.take_facts(await facts_of(await databases(), rebuilt))
        await appraisal.apply([*known, *closes])
        await time_passes(appraisal, rounds=8)
        assert await versions(appraisal) == told
