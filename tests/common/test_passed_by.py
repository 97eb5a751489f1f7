"""A decision that no handler of a service wants passes by: it is counted once, and leaves nothing but the position behind it (ADR 0027)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.harness import ServiceOnDatabase, claim, service_on

from common.contracts.envelope import Record
from common.contracts.work_orders import WorkOrderAccepted, WorkOrderArrived, WorkOrderCompleted

pytestmark = pytest.mark.real

NINE = datetime(2025, 7, 7, 1, tzinfo=UTC)


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as service:
        yield service


def accepted(order: str = "W1", *, replay_of: str = "") -> Record:
    """A decision that complaints does nothing with."""
    event = WorkOrderAccepted(work_order_id=order, request_id="R1", technician="E1", accepted_at=NINE)
    return claim(event, NINE, replay_of=replay_of)


def completed(order: str = "W1") -> Record:
    """A decision that complaints handles."""
    event = WorkOrderCompleted(work_order_id=order, request_id="R1", technician="E1", completed_at=NINE)
    return claim(event, NINE)


def with_header(record: Record, name: str, text: str) -> Record:
    return replace(record, headers=tuple((one, text.encode() if one == name else raw) for one, raw in record.headers))


async def counted(service: ServiceOnDatabase) -> dict[str, int]:
    columns = 'next_offset AS "next", events_in AS "in", applied, duplicates, dead'
    (row,) = await service.rows(f"SELECT {columns} FROM consumer_progress WHERE topic = 'work-orders'")
    return row


async def letters(service: ServiceOnDatabase) -> list[dict[str, object]]:
    return await service.rows('SELECT type, rule, closed_at IS NOT NULL AS closed FROM dead_letters ORDER BY "offset"')


async def test_a_decision_that_nobody_here_wants_moves_the_position_and_leaves_nothing_else(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([accepted("W0")])  # with the first batch of all, the documents that ship are published
    before = await complaints.dump()
    arrived = WorkOrderArrived(work_order_id="W1", request_id="R1", technician="E1", arrived_at=NINE)
    await complaints.apply([accepted(), claim(arrived, NINE)])
    assert await complaints.dump() == before
    assert await counted(complaints) == {"next": 3, "in": 3, "applied": 3, "duplicates": 0, "dead": 0}


async def test_kafka_delivers_it_again_and_it_is_not_counted_twice(complaints: ServiceOnDatabase) -> None:
    batch = [replace(accepted("W1"), offset=0), replace(completed("W1"), offset=1), replace(accepted("W2"), offset=2)]
    await complaints.consumer.consume(batch[:2])
    await complaints.consumer.consume(batch)  # the acknowledgement of the first two was lost
    assert await counted(complaints) == {"next": 3, "in": 3, "applied": 3, "duplicates": 0, "dead": 0}
    await complaints.consumer.consume(batch)
    assert await counted(complaints) == {"next": 3, "in": 3, "applied": 3, "duplicates": 0, "dead": 0}


async def test_what_its_producer_sent_twice_counts_as_two_records(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([accepted(), accepted()])
    assert await counted(complaints) == {"next": 2, "in": 2, "applied": 2, "duplicates": 0, "dead": 0}


async def test_its_body_is_the_business_of_those_who_want_it(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([replace(accepted(), value=b"{"), replace(completed(), value=b"{")])
    assert await letters(complaints) == [{"type": "work_order.completed", "rule": "bad_json", "closed": False}]
    assert await counted(complaints) == {"next": 2, "in": 2, "applied": 1, "duplicates": 0, "dead": 1}


@pytest.mark.parametrize(
    ("spoilt", "rule"),
    [
        (with_header(accepted(), "ce_source", "/crm"), "foreign_source"),
        (with_header(accepted(), "ce_time", "yesterday"), "bad_instant"),
        (with_header(accepted(), "ce_id", ""), "missing"),
        (with_header(accepted(), "ce_type", "service_request.closed"), "wrong_topic"),
        (replace(accepted(), key=b"W2"), "key_mismatch"),
        (replace(accepted(), value=None), "empty"),
    ],
    ids=lambda found: found if isinstance(found, str) else "",
)
async def test_one_with_wrong_headers_is_a_dead_letter_of_everybody(complaints: ServiceOnDatabase, spoilt: Record, rule: str) -> None:
    await complaints.apply([spoilt])
    assert [letter["rule"] for letter in await letters(complaints)] == [rule]
    assert await counted(complaints) == {"next": 1, "in": 1, "applied": 0, "duplicates": 0, "dead": 1}


async def test_the_same_id_with_right_headers_closes_its_dead_letter(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([with_header(accepted(), "ce_time", "yesterday"), accepted("W2")])
    assert [letter["closed"] for letter in await letters(complaints)] == [False]
    await complaints.apply([accepted()])
    assert [letter["closed"] for letter in await letters(complaints)] == [True]


async def test_one_of_a_replayed_history_still_holds_its_deadlines_back(complaints: ServiceOnDatabase) -> None:
    replayed = "SELECT replayed_at IS NOT NULL AS lately FROM consumer_progress WHERE topic = 'work-orders'"
    await complaints.apply([accepted("W1")])
    assert await complaints.rows(replayed) == [{"lately": False}]
    await complaints.apply([accepted("W2", replay_of="the old system")])
    assert await complaints.rows(replayed) == [{"lately": True}]
