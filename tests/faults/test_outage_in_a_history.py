"""A replayed history tells no false breach because somebody was away while it was being told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.faults.timer_worker import worker_on
from tests.harness import ServiceOnDatabase, activated, claim, service_on

from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.envelope import Record
from common.contracts.sla_clocks import SlaClockBreached
from common.contracts.topics import consumed_by
from common.kernel.calendars import built_in
from common.kernel.wall_clock import now
from common.sla.policy import load_policy
from common.store import positions
from ops.simulation.claims import Ledger

pytestmark = pytest.mark.real

_LODGED = datetime(2025, 7, 7, 1, tzinfo=UTC)
_PLACES = [(topic.name, partition) for topic in consumed_by("complaints") for partition in range(topic.partitions)]


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    """Complaints, which has just been told of a complaint of long ago that is part of a replayed history."""
    ledger = Ledger(1)
    ledger.say(ComplaintLodged(complaint_id="C1", customer_id="K1", category="heater", region="north", handled_by="E1101"), _LODGED)
    sent = ledger.sent[0]
    async with service_on("complaints", database) as service:
        await _look(service, now())
        await service.apply([Record(sent.topic, 0, 0, sent.key.encode(), sent.value, sent.headers, now())])
        yield service


async def test_no_timer_of_a_history_fires_while_nobody_knows_whether_it_goes_on(complaints: ServiceOnDatabase) -> None:
    await _look(complaints, now() - timedelta(seconds=10))
    assert await complaints.timers.fire() == 0, "it was last seen to have caught up ten seconds ago: Kafka may be away"
    await complaints.let_time_pass()
    assert await complaints.published(SlaClockBreached)


@pytest.mark.parametrize(("seconds", "begins_anew"), [(1, False), (10, True)])
async def test_the_quiet_of_a_history_begins_anew_after_an_outage(complaints: ServiceOnDatabase, seconds: int, begins_anew: bool) -> None:
    query = "SELECT replayed_at FROM consumer_progress WHERE replayed_at IS NOT NULL"
    before = await complaints.rows(query)
    await _look(complaints, now())
    again = now() + timedelta(seconds=seconds)
    await _look(complaints, again)
    assert await complaints.rows(query) == ([{"replayed_at": again}] if begins_anew else before)


async def test_a_rule_that_becomes_known_lets_no_time_pass_in_a_history_that_may_go_on(complaints: ServiceOnDatabase) -> None:
    patient = worker_on(complaints.database, load_policy("complaints"), replay_idle=timedelta(hours=1))
    document = built_in("cn").to_json()
    published = activated("calendar", "cn", 9, document)
    await complaints.apply([claim(published, now() - timedelta(days=1))])
    await _look(complaints, now())
    assert await patient.fire() == 1, "the complaint's clocks know the new calendar"
    assert await patient.fire() == 0
    assert await complaints.published(SlaClockBreached) == []
    while await complaints.timers.fire():
        pass
    assert await complaints.published(SlaClockBreached), "once the history has been quiet for long enough"


async def _look(complaints: ServiceOnDatabase, at: datetime) -> None:
    """The service sees at an instant that it has handled all there is."""
    ends = {place: complaints.offsets.get(place[0], 0) if place[1] == 0 else 0 for place in _PLACES}
    async with complaints.database.transaction() as connection:
        await positions.note_lag(connection, ends, at)
