"""A claim that comes before what it builds on waits for it; when that does not come the claim is a dead letter, and can come again."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.faults.kit import A_MINUTE_AGO, Base, Counts, Wire, base_of, claim, complaints_here, lodged, send, settled, until
from tests.harness import ServiceOnDatabase, service_on

from common.contracts.envelope import Received, Record, decode
from common.kafka import topic_admin
from common.kafka.broker import KafkaSettings
from common.kernel.wall_clock import now
from common.store import held_back, waiting
from devstack import Stack

TOPIC = "complaint-claims"
LATER = A_MINUTE_AGO + timedelta(seconds=30)


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as found:
        yield found


def told(key: str) -> Wire:
    return claim("complaint.complainant_told", key, id=f"{key}-told", at=LATER, by="E1")


def verified(key: str) -> Wire:
    return claim("complaint.verification_ended", key, id=f"{key}-verified", at=LATER, justified=True, by="E1")


def begun(key: str) -> Wire:
    return claim("complaint.verification_begun", key, id=f"{key}-begun", at=LATER, by="E1")


def record(wire: Wire) -> Record:
    return Record(wire.topic, 0, 0, wire.key, wire.value, wire.headers, now())


async def counted(service: ServiceOnDatabase) -> list[tuple[int, ...]]:
    rows = await service.rows("SELECT events_in, applied, duplicates, dead FROM consumer_progress WHERE events_in > 0")
    return [tuple(row.values()) for row in rows]


@pytest.mark.real
@pytest.mark.parametrize("at_once", [1, 200], ids=["one by one", "in one batch"])
async def test_claims_that_come_in_the_wrong_order_wait_and_are_applied_in_the_right_one(
    complaints: ServiceOnDatabase, at_once: int
) -> None:
    wrong = [record(wire) for wire in (verified("C1"), told("C1"), begun("C1"))]
    await complaints.apply([*wrong, wrong[0]], at_once=at_once)
    waits = await complaints.rows("SELECT id, aggregate, missing FROM waiting ORDER BY id")
    assert [tuple(row.values()) for row in waits] == [
        (f"C1-{name}", "complaints:C1", "unknown_aggregate") for name in ("begun", "told", "verified")
    ]
    assert await counted(complaints) == [(4, 0, 1, 3)]  # what waits counts as dead until it is applied

    await complaints.apply([record(lodged("C1"))], at_once=at_once)
    assert await complaints.rows("SELECT id FROM waiting") == []
    assert await counted(complaints) == [(5, 4, 1, 0)]
    steps = [row["type"] for row in await complaints.rows("SELECT type FROM outbox WHERE aggregatetype = 'complaints' ORDER BY id")]
    assert sorted(steps) == ["complaint.acknowledged", "complaint.received", "complaint.verification_started", "complaint.verified"]
    assert steps.index("complaint.received") < steps.index("complaint.verification_started") < steps.index("complaint.verified")
    assert await complaints.rows("SELECT id FROM dead_letters") == []


@pytest.mark.real
@pytest.mark.parametrize("at_once", [1, 200], ids=["one by one", "in one batch"])
async def test_claims_that_waited_take_effect_by_when_they_happened_and_not_by_when_they_came(
    complaints: ServiceOnDatabase, at_once: int
) -> None:
    later = claim("complaint.verification_begun", "C1", id="C1-begun", at=LATER + timedelta(seconds=1), by="E1")
    await complaints.apply(map(record, (later, told("C1"), lodged("C1"))), at_once=at_once)
    steps = [row["type"] for row in await complaints.rows("SELECT type FROM outbox WHERE aggregatetype = 'complaints' ORDER BY id")]
    assert steps == ["complaint.received", "complaint.acknowledged", "complaint.verification_started"]


@pytest.mark.real
async def test_what_a_running_batch_is_about_to_release_cannot_expire_beside_it(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([record(told("C1"))])
    async with complaints.database.transaction() as batch:
        assert len((await waiting.waiting_for(batch, ["complaints:C1"])).events) == 1
        async with complaints.database.transaction() as housekeeping:
            assert (await waiting.expired(housekeeping, timedelta(0))).events == []
    async with complaints.database.transaction() as housekeeping:
        assert len((await waiting.expired(housekeeping, timedelta(0))).events) == 1


@pytest.mark.real
async def test_what_kafka_delivers_again_is_not_counted_again(complaints: ServiceOnDatabase) -> None:
    bad, contradiction = lodged("C2", colour="red"), lodged("C1", region="south")
    batch = [record(wire) for wire in (lodged("C1"), bad, contradiction, told("C3"))]
    await complaints.apply(batch)
    before = await complaints.dump()
    assert await counted(complaints) == [(4, 1, 0, 3)]
    complaints.offsets.clear()  # killed after its commit and before its acknowledgement
    await complaints.apply(batch)
    assert await counted(complaints) == [(4, 1, 0, 3)]
    assert {name: len(rows) for name, rows in (await complaints.dump()).items()} == {name: len(rows) for name, rows in before.items()}


@pytest.mark.real
async def test_a_claim_that_waited_too_long_is_a_dead_letter_and_its_repair_when_it_comes_again(stack: Stack) -> None:
    await topic_admin.apply(KafkaSettings(stack.kafka, "tests"))
    async with complaints_here(stack, wait_hours=0), base_of(stack, "complaints") as base:
        await settled(stack, base, [TOPIC])
        before = await base.counts(TOPIC)
        await send(stack, [told("W1"), lodged("W2"), verified("W2"), lodged("W3")])
        await until("both are dead letters", lambda: _letters(base, 2))
        letters = await base.rows("SELECT event_id, rule, field, closed_at FROM dead_letters WHERE event_id LIKE 'W_-%' ORDER BY 1")
        assert [tuple(row) for row in letters] == [
            ("W1-told", "unknown_aggregate", "data", None),
            ("W2-verified", "missing_predecessor", "data", None),
        ]
        assert await base.counts(TOPIC) - before == Counts(4, applied=2, duplicates=0, dead=2)

        again = [lodged("W1"), told("W1"), begun("W2"), verified("W2")]
        await send(stack, [*again, *again])
        await settled(stack, base, [TOPIC])
        assert await base.counts(TOPIC) - before == Counts(12, applied=6, duplicates=4, dead=2)
        assert await base.one("SELECT count(*) FROM dead_letters WHERE event_id LIKE 'W_-%' AND closed_at IS NULL") == 0
        done = await base.rows(
            "SELECT type, count(*) AS n FROM outbox WHERE aggregatetype = 'complaints' AND aggregateid IN ('W1', 'W2') GROUP BY 1"
        )
        assert {row["type"]: row["n"] for row in done} == {
            "complaint.received": 2,
            "complaint.acknowledged": 1,
            "complaint.verification_started": 1,
            "complaint.verified": 1,
        }


async def _letters(base: Base, count: int) -> bool:
    found: int = await base.one("SELECT count(*) FROM dead_letters WHERE event_id LIKE 'W_-%'")
    return found == count


def test_the_records_of_this_module_are_good() -> None:
    assert all(isinstance(decode(record(wire)), Received) for wire in (lodged("C1"), told("C1"), begun("C1"), verified("C1")))


def test_an_event_in_hand_is_taken_only_while_its_row_says_the_same_and_the_oldest_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_back, "IN_HAND", 100)
    in_hand = held_back.InHand()
    events = [decode(record(told(key))) for key in ("C1", "C2", "C3")]
    first, second, third = [held_back.HeldBack(event, "complaints:C1") for event in events if isinstance(event, Received)]
    for number, one in enumerate((first, second, third)):
        in_hand.keep(one, str(number) * 40)
    assert in_hand.event(first.key, "0" * 40) is None
    assert in_hand.event(second.key, "1" * 40) is second.received
    assert in_hand.event(second.key, "2" * 40) is None
    in_hand.let_go(second.key)
    assert in_hand.event(second.key, "1" * 40) is None
    assert in_hand.event(third.key, "2" * 40) is third.received
