"""Facts are stored in bulk: each revision once however often it comes, and what breaks a rule is a dead letter among them."""

from typing import Any

import pytest
from faststream.exceptions import NackMessage
from tests.faults.kit import Wire, fact, record_of
from tests.harness import ServiceOnDatabase, as_aiokafka, service_on

from appraisal import fact_store, ingest

pytestmark = pytest.mark.real


async def counts(service: ServiceOnDatabase) -> tuple[int, ...]:
    """Events in, applied, duplicates, dead."""
    sums = ", ".join(f"sum({name})::int AS {name}" for name in ("events_in", "applied", "duplicates", "dead"))
    [row] = await service.rows(f"SELECT {sums} FROM consumer_progress")
    return tuple(row.values())


async def letters(service: ServiceOnDatabase) -> dict[str, tuple[str, str, str]]:
    """Rule, field and reason of each dead letter that is open, by the event's id."""
    rows = await service.rows("SELECT event_id, rule, field, reason FROM dead_letters WHERE closed_at IS NULL ORDER BY event_id")
    return {row["event_id"]: (row["rule"], row["field"], row["reason"]) for row in rows}


async def taken(service: ServiceOnDatabase, wires: list[Wire], at_once: bool) -> None:
    """The facts come in one batch, or each in its own."""
    for batch in [wires] if at_once else [[wire] for wire in wires]:
        await service.take_facts(map(record_of, batch))


def test_a_fact_is_kept_under_the_same_key_by_every_release() -> None:
    """What is stored would not be found again under another one."""
    assert fact_store.key_of("in_time_solution", "C1", "employee:S1", 0).hex() == "57c57b38bcafdc0cc67db56dfabb5eb4"


async def test_a_fact_that_its_own_batch_supersedes_is_counted_once_however_often_the_batch_comes(database: str) -> None:
    facts = [fact("c1", id="f1", revision=1), fact("c1", id="f2", revision=2, numerator="0"), fact("c2", id="f3")]
    async with service_on("appraisal", database) as service:
        for times in range(3):
            service.offsets.clear()
            await service.take_facts(map(record_of, facts))
            assert await counts(service) == (3, 3, 0, 0), f"delivered {times + 1} times"
        service.offsets["kpi-facts"] = 2
        await service.take_facts(map(record_of, (fact("c2", id="f3"), fact("c2", id="f4", revision=2))))
        assert await counts(service) == (4, 4, 0, 0), "a known fact came again, with one that supersedes it"


async def test_a_fact_that_stands_twice_in_one_batch_is_applied_once_and_a_duplicate_once(database: str) -> None:
    async with service_on("appraisal", database) as service:
        await service.take_facts(map(record_of, (fact("c1", id="f1"), fact("c1", id="f1"))))
        assert await counts(service) == (2, 1, 1, 0)


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "one after the other"])
async def test_two_facts_of_one_revision_that_differ_in_their_dimensions_contradict_each_other(at_once: bool, database: str) -> None:
    north, south = fact("c1", id="f1", dimensions={"region": "north"}), fact("c1", id="f2", dimensions={"region": "south"})
    async with service_on("appraisal", database) as service:
        await taken(service, [north, south], at_once)
        assert await service.rows("SELECT event_id, dimensions FROM kpi_facts") == [{"event_id": "f1", "dimensions": {"region": "north"}}]
        assert await letters(service) == {"f2": ("conflicting_duplicate", "data.revision", "another value is stored under this revision")}
        assert await counts(service) == (2, 1, 0, 1)


async def test_a_fact_may_get_other_dimensions_by_a_higher_revision(database: str) -> None:
    facts = [fact("c1", id=f"f{n}", revision=n, dimensions={"team": f"t{n}"}) for n in (1, 2)]
    async with service_on("appraisal", database) as service:
        for one in facts:
            await service.take_facts([record_of(one)])
        rows = await service.rows("SELECT revision, dimensions FROM kpi_facts ORDER BY revision")
        assert rows == [{"revision": n, "dimensions": {"team": f"t{n}"}} for n in (1, 2)]


STEP = 2**16


@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "one after the other"])
async def test_a_revision_lies_at_most_a_step_above_the_newest_that_is_known(at_once: bool, database: str) -> None:
    """Whatever lay further ahead could never be corrected again; one that comes late does not set the newest back."""
    facts = [
        fact("c1", id="f1", revision=STEP),
        fact("c1", id="f2", revision=2 * STEP + 1),
        fact("c1", id="f3", revision=2 * STEP),
        fact("c1", id="f4", revision=1),
        fact("c1", id="f5", revision=3 * STEP),
        fact("c2", id="g1", revision=STEP + 1),
        fact("c2", id="g2", revision=1),
        fact("c2", id="g3", revision=STEP + 1),
    ]
    async with service_on("appraisal", database) as service:
        await taken(service, facts, at_once)
        rows = await service.rows("SELECT event_id FROM kpi_facts ORDER BY event_id")
        assert [row["event_id"] for row in rows] == ["f1", "f3", "f4", "f5", "g2", "g3"]
        above = f"at most {STEP} above the newest revision of the fact, which is "
        assert await letters(service) == {
            "f2": ("revision_jump", "data.revision", f"{above}{STEP}"),
            "g1": ("revision_jump", "data.revision", f"{above}0"),
        }
        assert await counts(service) == (8, 6, 0, 2)


async def test_a_fact_of_an_unknown_type_is_a_dead_letter_and_the_one_that_comes_under_its_id_repairs_it(database: str) -> None:
    good = fact("c1", id="f1")
    bad = good.with_header("ce_type", b"kpi.recorded.v2")
    async with service_on("appraisal", database) as service:
        await taken(service, [bad, fact("c2", id="f2")], at_once=True)
        assert await letters(service) == {"f1": ("unknown_type", "ce_type", "expected kpi.recorded")}
        assert service.running.woken == 1, "the letter is to be sent"
        await taken(service, [good], at_once=True)
        assert await letters(service) == {}
        assert service.running.woken == 1, "nothing is to be sent"
        assert consumed(service) == {"applied": 2.0, "dead": 1.0}


def consumed(service: ServiceOnDatabase) -> dict[str, float]:
    """What the metric of consumed events shows, by result."""
    metric: Any = service.running.metrics.consumed
    found = [sample for one in metric.collect() for sample in one.samples if sample.name.endswith("_total")]
    return {sample.labels["result"]: sample.value for sample in found if sample.value and sample.labels["topic"] == "kpi-facts"}


async def test_a_batch_of_a_halted_partition_is_handed_back_and_nothing_of_it_is_stored(database: str) -> None:
    async with service_on("appraisal", database) as service:
        await taken(service, [fact("c1", id="f1")], at_once=True)
        await service.rows("UPDATE consumer_progress SET halted = true WHERE topic = 'kpi-facts' RETURNING 1")
        running: Any = service.running
        with pytest.raises(NackMessage):
            await ingest.ingest(running, [as_aiokafka(record_of(fact("c2", id="f2")))])
        assert await service.rows("SELECT event_id FROM kpi_facts") == [{"event_id": "f1"}]
        assert await counts(service) == (1, 1, 0, 0)
        await service.rows("UPDATE consumer_progress SET halted = false RETURNING 1")
        await ingest.ingest(running, [as_aiokafka(record_of(fact("c2", id="f2")))])
        assert await service.rows("SELECT event_id FROM kpi_facts ORDER BY 1") == [{"event_id": "f1"}, {"event_id": "f2"}]
