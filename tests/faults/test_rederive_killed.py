"""A calendar that becomes known moves every open clock once, while the processes that move them are killed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from tests.faults.kit import until
from tests.faults.test_timers import workers
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.envelope import Record
from common.contracts.sla_clocks import SlaClockRederived
from common.kernel.calendars import built_in
from common.kernel.wall_clock import now
from common.sla.policy import shipped_document

pytestmark = pytest.mark.real

STAGES = 4


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


def lodged(case: str, when: datetime) -> Record:
    return claim(ComplaintLodged(complaint_id=case, customer_id="K1", category="noise", region="north", handled_by="E1"), when)


def closed_for_weeks(version: int, since: datetime) -> Record:
    """A version of the calendar in which a week more is closed than in the one before: it moves every deadline."""
    document = built_in("cn").to_json()
    coming = [(since + timedelta(days=ahead)).date().isoformat() for ahead in range(-1, 8 + 7 * version)]
    document["closed_dates"] = sorted({*document["closed_dates"], *coming})
    document["make_up_days"] = [day for day in document["make_up_days"] if day not in coming]
    at = since + timedelta(seconds=version)
    return claim(activated("calendar", "cn", version, document), at)


@pytest.mark.proof
async def test_every_open_clock_goes_over_to_a_new_calendar_once_while_workers_are_killed(
    complaints: ServiceOnDatabase, database: str, tmp_path: Path, proof: bool
) -> None:
    cases, kills = (3000, 10) if proof else (600, 3)
    moment = now() - timedelta(minutes=2)
    await complaints.apply(lodged(f"T{number}", moment) for number in range(cases))
    with workers(database, tmp_path, spare=kills, policy=shipped_document("complaints")) as running:
        running.begin()
        running.begin()
        dice, killed, version, before = Random(cases), 0, 0, 0
        while killed < kills:
            left = await _behind(complaints)
            if 0 < left < before:  # in the midst of a pass
                await asyncio.sleep(dice.uniform(0, 0.4))
                running.kill()
                killed, left = killed + 1, await _behind(complaints)
            if not left:  # the pass is over, but not yet disturbed often enough: another one begins
                version += 1
                assert version < 100
                await complaints.apply([closed_for_weeks(version, moment)])
                left = cases * STAGES
            before = left
            await asyncio.sleep(0.02)

        async def none_is_behind() -> bool:
            return not await _behind(complaints)

        await until("every clock knows the last calendar", none_is_behind)
    counted = f"{cases * STAGES} open clocks went over to {version} further calendars, {killed} × kill -9"
    print(f"\n{counted}")  # noqa: T201 - the counts are what the proof is for
    told = Counter(event.clock_id for event in await complaints.published(SlaClockRederived))
    assert set(told.values()) == {version}, "each clock went over to each calendar once"
    assert len(told) == cases * STAGES
    await complaints.apply([lodged("LAST", moment)])  # nobody was killed when this one went over
    await complaints.let_time_pass()
    deadlines = await complaints.rows("SELECT stage, deadline, count(*) AS number FROM clocks GROUP BY 1, 2 ORDER BY 1")
    assert [row["number"] for row in deadlines] == [cases + 1] * STAGES
    trail = await complaints.rows("SELECT clock_id, count(*) AS number FROM clock_events WHERE type = 'rule_used' GROUP BY 1")
    assert {row["number"] for row in trail} == {version}


async def _behind(complaints: ServiceOnDatabase) -> int:
    (row,) = await complaints.rows("SELECT count(*) AS number FROM clocks WHERE revision < (SELECT max(rule_number) FROM documents)")
    return int(row["number"])
