"""Neither an hour's outage nor the replay of a year breaks a promise that was kept: timers wait until all that was said is known."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal

import pytest
from prometheus_client import CollectorRegistry
from tests.faults.timer_worker import PLACES, worker_on
from tests.harness import ServiceOnDatabase, claim, documents_under, service_on

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged, VerificationBegun
from common.contracts.envelope import Record
from common.contracts.event import Claim
from common.contracts.sla_clocks import SlaClockBreached, SlaClockCorrected, SlaClockMet
from common.kernel.wall_clock import now
from common.runtime.consumer import EventConsumer
from common.runtime.metrics import ChassisMetrics
from common.sla.policy import load_policy, parse_policy
from common.store import positions
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork
from ops.simulation.claims import Ledger

pytestmark = pytest.mark.real

Kept = Literal["kept", "late", "never"]
HOUR = timedelta(hours=1)
WITHIN_AN_HOUR = parse_policy(
    {
        "policy": "complaints",
        "version": 1,
        "stages": {
            "acknowledged": [{"target": {"working_seconds": 3600}, "calendar": "24x7", "indicators": ["in_time_solution"]}],
            **{
                stage: [{"target": {"working_seconds": 30 * 86400}, "calendar": "24x7"}]
                for stage in ("verification_started", "verified", "solution_communicated")
            },
        },
    }
)


@dataclass
class Story:
    """Complaints, and what was said about each in its order; which of them were acknowledged in time."""

    said: dict[str, list[Record]] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)

    def clocks(self, kept: Kept) -> set[str]:
        """The clocks of those that were acknowledged in time, too late or never."""
        return {f"complaints:{complaint}:acknowledged" for complaint, found in self.kept.items() if found == kept}

    def shuffled(self, random: Random, *, first: int = 0) -> list[Record]:
        """All that was said from the first so many of each complaint on: each in its own order, between each other in any."""
        turns = [complaint for complaint, records in self.said.items() for _ in records[first:]]
        random.shuffle(turns)
        left = {complaint: iter(records[first:]) for complaint, records in self.said.items()}
        return [next(left[complaint]) for complaint in turns]


def _told(complaint: str, lodged: datetime, kept: Kept, within: timedelta, late: timedelta) -> list[tuple[Claim, datetime]]:
    said: list[tuple[Claim, datetime]] = [
        (ComplaintLodged(complaint_id=complaint, customer_id="K1", category="noise", region="north", handled_by="E1"), lodged)
    ]
    if kept != "never":
        said.append((ComplainantTold(complaint_id=complaint, by="E1"), lodged + (within if kept == "kept" else late)))
    return [*said, (VerificationBegun(complaint_id=complaint, by="E2"), lodged + 2 * late)]


KINDS: Sequence[Kept] = ("kept", "kept", "kept", "late", "never")


def before_an_outage(random: Random, number: int) -> Story:
    """Complaints that were lodged shortly before the service went down for an hour, most of them acknowledged meanwhile."""
    down = now() - HOUR
    story = Story()
    for n in range(number):
        lodged = down - timedelta(minutes=random.uniform(1, 20))
        late = timedelta(minutes=random.uniform(61, 70)) if n % 2 else timedelta(seconds=3600, microseconds=1)
        within = timedelta(minutes=random.uniform(20, 60)) if n % 2 else HOUR
        kept = story.kept[f"O{n}"] = KINDS[n % 5]
        # what comes after the late ones has not been said yet when the service is back
        story.said[f"O{n}"] = [claim(event, at) for event, at in _told(f"O{n}", lodged, kept, within, late) if at < now()]
    return story


def of_a_year(random: Random, number: int) -> Story:
    """Complaints of 2025, as a replay tells them."""
    story = Story()
    for n in range(number):
        lodged = datetime(2025, 1, 2, 1, tzinfo=UTC) + timedelta(days=random.uniform(0, 340))
        kept = story.kept[f"Y{n}"] = KINDS[n % 5]
        ledger = Ledger(n)
        for event, at in _told(f"Y{n}", lodged, kept, timedelta(hours=random.uniform(0, 4)), timedelta(days=15)):
            ledger.say(event, at)
        story.said[f"Y{n}"] = [Record(sent.topic, 0, 0, sent.key.encode(), sent.value, sent.headers, now()) for sent in ledger.sent]
    return story


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    """Complaints, whose history has to be quiet for a minute before its timers fire."""
    async with service_on("complaints", database) as service:
        yield replace(service, timers=worker_on(service.database, load_policy("complaints"), replay_idle=timedelta(minutes=1)))


@pytest.fixture
async def hasty(database: str) -> AsyncIterator[ServiceOnDatabase]:
    """Complaints, which promises to acknowledge within an hour, day and night."""
    async with service_on("complaints", database) as service:
        metrics = ChassisMetrics("complaints", "test", WITHIN_AN_HOUR.stages, CollectorRegistry())
        consumer = EventConsumer(
            "complaints", service.database, HANDLERS, UnitOfWork, documents_under(WITHIN_AN_HOUR), metrics, lambda: None
        )
        yield replace(service, consumer=consumer, timers=worker_on(service.database, WITHIN_AN_HOUR))


async def look(complaints: ServiceOnDatabase, at: datetime, *, more: int = 0) -> None:
    """The service sees at an instant how much it has handled, and that there is so much more on the topic."""
    ends = {place: complaints.offsets.get(place[0], 0) + more if place == ("complaint-claims", 0) else 0 for place in PLACES}
    async with complaints.database.transaction() as connection:
        await positions.note_lag(connection, ends, at)


async def assert_kept(complaints: ServiceOnDatabase, story: Story) -> None:
    """Who kept his promise is praised and was never blamed; who did not is blamed, once."""
    clocks = await complaints.rows("SELECT id, outcome FROM clocks WHERE stage = 'acknowledged'")
    late = story.clocks("late") | story.clocks("never")
    assert {row["id"] for row in clocks if row["outcome"] == "met"} == story.clocks("kept")
    assert {row["id"] for row in clocks if row["outcome"] == "breached"} == late
    assert not [event for event in await complaints.published(SlaClockCorrected) if event.stage == "acknowledged"]
    met = [event.clock_id for event in await complaints.published(SlaClockMet) if event.stage == "acknowledged"]
    broken = [event.clock_id for event in await complaints.published(SlaClockBreached) if event.stage == "acknowledged"]
    assert (Counter(met), Counter(broken)) == (Counter(story.clocks("kept")), Counter(late))


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_service_that_was_down_for_an_hour_blames_nobody_who_was_in_time(hasty: ServiceOnDatabase, seed: int) -> None:
    random = Random(seed)
    story = before_an_outage(random, 40)
    await hasty.apply([records[0] for records in story.said.values()])
    await look(hasty, now() - HOUR)  # when it went down it had handled all there was
    waiting = story.shuffled(random, first=1)
    assert await hasty.timers.fire() == 0, "it fires before it has looked how far the topics have gone on"
    while waiting:
        await look(hasty, now(), more=len(waiting))
        assert await hasty.timers.fire() == 0, f"it fires while {len(waiting)} records of the hour are unread"
        batch, waiting = waiting[:7], waiting[7:]
        await hasty.apply(batch)
    await look(hasty, now())
    while await hasty.timers.fire():
        pass
    await assert_kept(hasty, story)


@pytest.mark.parametrize(("minutes", "holds_back"), [(10, True), (20, False)])
async def test_a_partition_that_stays_behind_holds_timers_back_for_15_minutes_in_all_however_often_it_is_looked_at(
    hasty: ServiceOnDatabase, minutes: int, holds_back: bool
) -> None:
    lodged = ComplaintLodged(complaint_id="B1", customer_id="K1", category="noise", region="north", handled_by="E1")
    await hasty.apply([claim(lodged, now() - 3 * HOUR)])
    for ago in (minutes, minutes / 2, 0):
        await look(hasty, now() - timedelta(minutes=ago), more=1)
    assert (await hasty.timers.fire() == 0) is holds_back


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_replay_of_a_year_blames_nobody_who_was_in_time(complaints: ServiceOnDatabase, seed: int) -> None:
    random = Random(seed)
    story = of_a_year(random, 40)
    coming = story.shuffled(random)
    while coming:
        batch, coming = coming[:9], coming[9:]
        await complaints.apply(batch)
        await look(complaints, now())  # it keeps pace with the replay: again and again it has handled all there is
        assert await complaints.timers.fire() == 0, "it fires in the midst of a history"
    await look(complaints, now())
    patient = worker_on(complaints.database, load_policy("complaints"))  # for whom it has been quiet for long enough
    while await patient.fire():
        pass
    await assert_kept(complaints, story)


@pytest.mark.parametrize("seed", [1, 2])
async def test_claims_in_utter_disorder_end_in_praise_for_whoever_was_in_time(complaints: ServiceOnDatabase, seed: int) -> None:
    random = Random(seed)
    story = of_a_year(random, 40)
    coming = [record for records in story.said.values() for record in records]
    random.shuffle(coming)
    for start in range(0, len(coming), 9):
        await complaints.apply(coming[start : start + 9])
        await look(complaints, now())
        await complaints.timers.fire()
    patient = worker_on(complaints.database, load_policy("complaints"))
    while await patient.fire():
        pass
    clocks = await complaints.rows("SELECT id, outcome FROM clocks WHERE stage = 'acknowledged'")
    assert {row["id"] for row in clocks if row["outcome"] == "met"} == story.clocks("kept")
    assert len(clocks) == len(story.kept)
    believed: dict[str, str] = {}
    for event in await complaints.all_published():
        match event:
            case SlaClockMet():
                believed[event.clock_id] = "met"
            case SlaClockBreached():
                believed[event.clock_id] = "breached"
            case SlaClockCorrected():
                believed[event.clock_id] = event.outcome
            case _:
                pass
    assert {clock for clock, outcome in believed.items() if outcome == "met" and clock.endswith(":acknowledged")} == story.clocks("kept")
