"""Facts that Kafka delivers again are known: no count rises, whatever superseded what in their batch."""

import pytest
from tests.faults.kit import Wire, fact
from tests.harness import ServiceOnDatabase, service_on

from common.contracts.envelope import Record
from common.kernel.wall_clock import now

pytestmark = pytest.mark.real


def record(wire: Wire) -> Record:
    return Record(wire.topic, 0, 0, wire.key, wire.value, wire.headers, now())


async def counts(service: ServiceOnDatabase) -> tuple[int, ...]:
    """Events in, applied, duplicates, dead."""
    sums = ", ".join(f"sum({name})::int AS {name}" for name in ("events_in", "applied", "duplicates", "dead"))
    [row] = await service.rows(f"SELECT {sums} FROM consumer_progress")
    return tuple(row.values())


async def test_a_fact_that_its_own_batch_supersedes_is_counted_once_however_often_the_batch_comes(database: str) -> None:
    facts = [fact("c1", id="f1", revision=1), fact("c1", id="f2", revision=2, numerator="0"), fact("c2", id="f3")]
    async with service_on("appraisal", database) as service:
        for times in range(3):
            service.offsets.clear()
            await service.take_facts(map(record, facts))
            assert await counts(service) == (3, 3, 0, 0), f"delivered {times + 1} times"
        service.offsets["kpi-facts"] = 2
        await service.take_facts(map(record, (fact("c2", id="f3"), fact("c2", id="f4", revision=2))))
        assert await counts(service) == (4, 4, 0, 0), "a known fact came again, with one that supersedes it"
