"""What was decided waits in the outbox in its order, goes out to who holds the lease, and is kept for a while."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.store import outbox
from common.store.outbox import Outgoing

pytestmark = pytest.mark.real


def decided(key: str, size: int = 2, topic: str = "complaints") -> Outgoing:
    return Outgoing(topic, key, "complaint.received", f"id-{key}", b"x" * size, (("ce_id", f"id-{key}"),), f"complaints:{key}")


async def leads(connection: AsyncConnection, seconds: float = 10) -> None:
    """Replica `a` has the lease under epoch 7, and it ends so many seconds from now."""
    statement = "UPDATE relay_lease SET owner = 'a', epoch = 7, until = clock_timestamp() + make_interval(secs => :s)"
    await connection.execute(text(statement), {"s": seconds})


async def next_keys(connection: AsyncConnection, *without: str, owner: str = "a", epoch: int = 7) -> tuple[list[str], bool]:
    rows, more = await outbox.unsent(connection, owner, epoch, without)
    return [row.key for row in rows], more


async def sent(connection: AsyncConnection, key: str, ago: timedelta) -> None:
    statement = "UPDATE outbox SET published_at = now() - CAST(:ago AS interval) WHERE aggregateid = :key"
    await connection.execute(text(statement), {"ago": ago, "key": key})


async def ids(connection: AsyncConnection) -> dict[str, int]:
    return {row.aggregateid: row.id for row in await connection.execute(text("SELECT id, aggregateid FROM outbox"))}


async def test_decisions_go_out_in_their_order_to_who_holds_the_lease_and_to_nobody_else(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided(key) for key in "CAB"])
    await leads(connection)
    assert await next_keys(connection) == (["C", "A", "B"], False)
    assert await next_keys(connection, owner="b") == ([], False)
    assert await next_keys(connection, epoch=6) == ([], False)
    await leads(connection, -0.001)
    assert await next_keys(connection) == ([], False)


async def test_a_row_goes_out_as_it_was_decided(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided("C1", 3)])
    await leads(connection)
    ((row,), _) = await outbox.unsent(connection, "a", 7, ())
    assert (row.topic, row.key, row.payload, row.headers, row.aggregate) == (
        "complaints", "C1", b"xxx", [("ce_id", b"id-C1")], "complaints:C1"
    )  # fmt: skip


async def test_topics_that_cannot_be_written_now_are_passed_over(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided("A"), decided("B", topic="kpi-facts")])
    await leads(connection)
    assert await next_keys(connection, "complaints") == (["B"], False)


async def test_a_round_holds_as_many_rows_and_bytes_as_it_may_and_says_that_there_are_more(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "AT_ONCE", 3)
    monkeypatch.setattr(outbox, "BYTES_AT_ONCE", 10)
    await leads(connection)
    await outbox.insert(connection, [decided("A", 4), decided("B", 6)])
    assert await next_keys(connection) == (["A", "B"], False)
    await outbox.insert(connection, [decided("C", 1)])
    assert await next_keys(connection) == (["A", "B"], True)
    await outbox.mark(connection, [(await ids(connection))["B"]], [])
    assert await next_keys(connection) == (["A", "C"], False)
    await outbox.insert(connection, [decided("D", 1), decided("E", 1)])
    assert await next_keys(connection) == (["A", "C", "D"], True)


async def test_a_row_that_is_larger_than_a_round_goes_alone(connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BYTES_AT_ONCE", 10)
    await leads(connection)
    await outbox.insert(connection, [decided("A", 11), decided("B", 1)])
    assert await next_keys(connection) == (["A"], True)


async def test_what_kafka_refuses_holds_back_the_later_events_of_its_key_alone_until_it_is_tried_again(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided("A"), decided("A"), decided("B"), decided("A", topic="kpi-facts")])
    await leads(connection)
    rows, _ = await outbox.unsent(connection, "a", 7, ())
    await outbox.mark(connection, [], [(rows[1], "too large")])
    assert await next_keys(connection) == (["A", "B", "A"], False)
    await outbox.insert(connection, [decided("A")])
    assert await next_keys(connection) == (["A", "B", "A"], False)
    assert [(row["id"], row["reason"], row["bytes"]) for row in await outbox.refused(connection)] == [(rows[1].id, "too large", 2)]
    assert (await outbox.backlog(connection)).refused == 1
    assert await outbox.retry(connection, [rows[0].id, rows[1].id]) == [
        {"id": rows[1].id, "topic": "complaints", "aggregate": "complaints:A"}
    ]
    assert await next_keys(connection) == (["A", "A", "B", "A", "A"], False)


async def test_the_backlog_is_what_can_go_out_and_has_not(connection: AsyncConnection) -> None:
    assert await outbox.backlog(connection) == outbox.Backlog(0, 0, 0)
    await outbox.insert(connection, [decided("A"), decided("B")])
    await connection.execute(text("UPDATE outbox SET created_at = clock_timestamp() - interval '90 seconds' WHERE aggregateid = 'A'"))
    found = await outbox.backlog(connection)
    assert (found.unsent, 90 <= found.oldest_seconds < 120) == (2, True)
    await outbox.mark(connection, [(await ids(connection))["A"]], [])
    assert (await outbox.backlog(connection)).unsent == 1
    assert await outbox.counts(connection) == (1, 1)
    assert [await outbox.has_unsent(connection, topic) for topic in ("complaints", "kpi-facts")] == [True, False]
    await outbox.mark(connection, [(await ids(connection))["B"]], [])
    assert await outbox.has_unsent(connection, "complaints") is False


async def test_events_are_unheard_once_the_lease_has_long_been_over_or_lasts_too_long(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided("A")])
    for seconds, unheard in ((5, 0), (-20, 0), (-31, 1), (29, 0), (40, 1)):
        await leads(connection, seconds)
        assert await outbox.unheard(connection) == unheard, seconds


async def test_what_was_sent_is_kept_for_so_many_days(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided(key) for key in "ABC"])
    await sent(connection, "A", timedelta(days=3))
    await sent(connection, "B", timedelta(days=3, seconds=1))
    await outbox.forget(connection, 3)
    assert set(await ids(connection)) == {"A", "C"}


async def test_what_was_sent_since_an_instant_goes_out_again_of_one_topic_or_of_all(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided("A"), decided("B"), decided("C", topic="kpi-facts"), decided("D"), decided("E"), decided("F")])
    for key, minutes in (("A", 11), ("B", 10), ("C", 9), ("D", -1), ("F", 0)):
        await sent(connection, key, timedelta(minutes=minutes))
    since = (await connection.execute(text("SELECT now() - interval '10 minutes'"))).scalar_one()
    assert await outbox.oldest_sent(connection) == since - timedelta(minutes=1)
    assert await outbox.republish(connection, since, "complaints") == [{"topic": "complaints", "events": 2}]
    assert await outbox.republish(connection, since, None) == [{"topic": "kpi-facts", "events": 1}]
    await leads(connection)
    assert await next_keys(connection) == (["B", "C", "E", "F"], False)


async def test_each_topic_says_what_is_sent_and_what_is_not(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided("A"), decided("B"), decided("C"), decided("D", topic="kpi-facts")])
    await sent(connection, "A", timedelta(minutes=5))
    await sent(connection, "B", timedelta(minutes=2))
    complaints, facts = await outbox.by_topic(connection)
    assert [complaints[name] for name in ("topic", "unpublished", "refused", "published")] == ["complaints", 1, 0, 2]
    assert complaints["last_published"] - complaints["published_since"] == timedelta(minutes=3)
    assert [facts[name] for name in ("topic", "unpublished", "published", "published_since")] == ["kpi-facts", 1, 0, None]
    assert complaints["oldest_unpublished"] < facts["oldest_unpublished"]


async def test_what_was_decided_about_one_key_is_told_in_its_order(connection: AsyncConnection) -> None:
    await outbox.insert(connection, [decided("A", 1), decided("B"), decided("A", 3), decided("A", topic="kpi-facts")])
    assert [len(row["payload"]) for row in await outbox.about(connection, "complaints", "A")] == [1, 3]
