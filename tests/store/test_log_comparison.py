"""Which hole lies between a position and its log, and from where counting goes on; what Kafka holds is asked of a real one."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.faults.lost import admin_of

from common.kafka.log_reader import Log, LogReader
from common.kafka.records import TopicPartition
from common.kafka.settings import KafkaSettings
from common.store import holes, positions
from common.store.database import Database
from common.store.holes import Hole
from common.store.log_comparison import compare, hole_in
from common.store.positions import Position
from devstack import Stack


def position(next_offset: int, topic_id: str | None = "a", *, seek: bool = False) -> Position:
    return Position(next_offset, topic_id, None, seek, False, 0)


HERE = position(10)


@pytest.mark.parametrize(
    ("before", "now", "log", "hole"),
    [
        (HERE, HERE, Log("a", 0, 10, 10), None),
        (HERE, HERE, Log("a", 10, 12, 10), None),
        (HERE, HERE, Log("a", 11, 12, 10), Hole("deleted_unread", 10, 11)),
        (HERE, HERE, Log("b", 0, 10, 10), Hole("made_anew", 10, 0)),
        (HERE, HERE, Log("b", 11, 20, 10), Hole("made_anew", 10, 11)),
        (position(10, None), position(10, None), Log("b", 0, 12, None), None),
        (HERE, HERE, Log("a", 0, 9, 10), Hole("set_back", 10, 9)),
        (position(9), HERE, Log("a", 0, 9, 9), None),  # handled between the two looks
        (position(12), HERE, Log("a", 0, 11, 10), None),  # set back by an operator between the two looks
        (None, HERE, Log("a", 0, 9, 10), None),
        (position(10, None), HERE, Log("a", 0, 9, 10), None),
        (HERE, HERE, Log("a", 0, 20, 11), Hole("skipped", 10, 11)),
        (HERE, HERE, Log("a", 0, 20, None), None),
        (HERE, position(10, seek=True), Log("a", 0, 20, 11), None),
    ],
)
def test_a_hole_is_what_the_log_no_longer_has_or_the_group_would_pass_over(
    before: Position | None, now: Position, log: Log, hole: Hole | None
) -> None:
    assert hole_in(before, now, log) == hole


@dataclass(frozen=True)
class Place:
    """A partition that Kafka has, with who looks at it."""

    stack: Stack
    reader: LogReader
    topic: str
    last_appended: int
    """When the last of its three records was appended; behind it stands the mark of their transaction."""

    @property
    def key(self) -> TopicPartition:
        """How it is named."""
        return self.topic, 0


@pytest.fixture
async def place(stack: Stack) -> AsyncIterator[Place]:
    """Records at 0, 1 and 2 of a new topic, and at 3 nothing that anybody reads."""
    topic, kafka = f"claims-{secrets.token_hex(6)}", KafkaSettings(stack.kafka, "tests")
    async with admin_of(stack) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})])
    async with AIOKafkaProducer(**kafka.client(), transactional_id=topic) as producer, producer.transaction():
        sent = [await producer.send_and_wait(topic, b"{}", partition=0) for _ in range(3)]
    assert sent[-1].offset == 2
    reader = LogReader(kafka, {"tests": [topic]})
    yield Place(stack, reader, topic, sent[-1].timestamp)
    await reader.close()


@pytest.mark.real
async def test_a_topic_made_anew_during_a_look_is_not_told_under_its_old_id(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    offsets = AIOKafkaConsumer.end_offsets

    async def made_anew_first(consumer: AIOKafkaConsumer, partitions: Any) -> Any:
        monkeypatch.undo()
        async with admin_of(place.stack) as admin:
            await admin.delete_topics([place.topic])
            await asyncio.sleep(0.2)
            await admin.create_topics([NewTopic(place.topic, 1, 1)])
        return await offsets(consumer, partitions)

    before = (await place.reader.look())[place.key]
    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", made_anew_first)
    with pytest.raises(KafkaError):
        await place.reader.look()
    after = (await place.reader.look())[place.key]
    assert after.end == 0
    assert before.topic_id != after.topic_id


async def stands(
    connection: AsyncConnection,
    at: TopicPartition,
    next_offset: int,
    topic_id: str | None = "a",
    last: int | None = None,
    *,
    seek: bool = False,
) -> None:
    """The service has come so far on a partition."""
    values = {"topic": at[0], "partition": at[1], "next": next_offset, "id": topic_id, "last": last, "seek": seek}
    columns = "topic, partition, next_offset, topic_id, last_appended, seek"
    insert = f"INSERT INTO consumer_progress ({columns}) VALUES (:topic, :partition, :next, :id, :last, :seek)"
    await connection.execute(text(insert), values)


async def compared(
    connection: AsyncConnection, place: Place, logs: Mapping[TopicPartition, Log], refilled: Mapping[TopicPartition, int] | None = None
) -> list[Hole]:
    """The holes that are open after a look that found these logs."""
    await compare(connection, place.reader, await positions.all_of(connection), logs, refilled or {})
    return [Hole(row["kind"], row["position_before"], row["position_after"]) for row in await holes.listed(connection, ended=False)]


async def now_at(connection: AsyncConnection, place: Place) -> Position:
    return (await positions.all_of(connection))[place.key]


@pytest.mark.real
@pytest.mark.parametrize(("next_offset", "goes_on"), [(0, 2), (3, 3)])
async def test_a_log_that_nobody_has_seen_yet_is_counted_from_its_start_or_from_where_the_service_has_come_and_has_no_hole(
    connection: AsyncConnection, place: Place, next_offset: int, goes_on: int
) -> None:
    await stands(connection, ("another", 0), 1)
    await stands(connection, place.key, next_offset, None)
    assert await compared(connection, place, {place.key: Log("a", 2, 4, None)}) == []
    found = await positions.all_of(connection)
    assert (found[place.key].topic_id, found[place.key].next_offset) == ("a", goes_on)
    assert found["another", 0].next_offset == 1


@pytest.mark.real
async def test_a_topic_made_anew_and_a_log_that_was_set_back_are_counted_from_where_they_are_now(
    connection: AsyncConnection, place: Place
) -> None:
    other = ("another", 1)
    await stands(connection, place.key, 10, last=700)
    await stands(connection, other, 10, last=800)
    logs = {place.key: Log("b", 1, 4, 10), other: Log("a", 0, 7, 10)}
    assert await compared(connection, place, logs) == [Hole("set_back", 10, 7), Hole("made_anew", 10, 1)]
    found = await positions.all_of(connection)
    assert [(found[at].topic_id, found[at].next_offset, found[at].seek) for at in (place.key, other)] == [("b", 1, True), ("a", 7, True)]
    assert {(hole.kind, hole.last_appended) for hole in await holes.all_open(connection)} == {("made_anew", None), ("set_back", 800)}


@pytest.mark.real
async def test_where_another_record_stands_than_was_handled_the_log_was_set_back_to_its_start(
    connection: AsyncConnection, place: Place
) -> None:
    other, third = ("another", 0), ("another", 1)
    for at in (place.key, other, third):
        await stands(connection, at, 3, last=700)
    logs = {place.key: Log("a", 1, 4, 3), other: Log("a", 0, 4, 3), third: Log("b", 0, 4, 3)}
    found = await compared(connection, place, logs, {place.key: 900, third: 900})
    assert sorted(found, key=lambda hole: hole.kind) == [Hole("made_anew", 3, 0), Hole("set_back", 3, 1)]
    assert (await now_at(connection, place)).next_offset == 1
    assert (await positions.next_offsets(connection))[other] == 3


@pytest.mark.real
async def test_records_that_the_group_would_pass_over_are_skipped_until_the_service_has_gone_back(
    connection: AsyncConnection, place: Place
) -> None:
    log = {place.key: Log("a", 0, 4, 4)}
    await stands(connection, place.key, 1)
    assert await compared(connection, place, log) == [Hole("skipped", 1, 4)]
    assert (await now_at(connection, place)).seek
    assert (await now_at(connection, place)).next_offset == 1
    assert await compared(connection, place, log) == [Hole("skipped", 1, 4)]
    await positions.pass_to(connection, place.key, 4)
    await positions.sought(connection)
    assert await compared(connection, place, log) == []
    (ended,) = await holes.listed(connection, ended=True)
    assert (ended["ended_by"], ended["reason"]) == ("records", "the service has gone back and reads what was skipped")


@pytest.mark.real
async def test_what_leaves_nothing_to_read_is_passed_and_is_no_hole(connection: AsyncConnection, place: Place) -> None:
    await stands(connection, place.key, 3)
    assert await compared(connection, place, {place.key: Log("a", 0, 4, 4)}) == []
    assert (await now_at(connection, place)).next_offset == 4


@pytest.mark.real
@pytest.mark.parametrize(
    ("later", "end", "ends"), [(0, 3, True), (0, 4, True), (0, 2, False), (1, 3, False), (None, 3, False)],
    ids=["the last record is there again", "and more came after it", "it is not there yet", "another one stands there", "it was not known"],
)  # fmt: skip
async def test_a_log_that_was_set_back_is_whole_when_it_has_its_last_record_again(
    connection: AsyncConnection, place: Place, later: int | None, end: int, ends: bool
) -> None:
    last = None if later is None else place.last_appended + later
    await holes.open(connection, ("another", 0), Hole("set_back", 3, 0), place.last_appended)
    await holes.open(connection, ("another", 1), Hole("made_anew", 3, 0), place.last_appended)
    await holes.open(connection, place.key, Hole("set_back", 3, 1), last)
    await stands(connection, place.key, 1)
    await compare(connection, place.reader, {}, {place.key: Log("a", 0, end, 1)}, {})
    left = {(hole.place, hole.kind) for hole in await holes.all_open(connection)}
    others = {(("another", 0), "set_back"), (("another", 1), "made_anew")}
    assert left == (others if ends else {*others, (place.key, "set_back")})


@pytest.mark.real
async def test_no_batch_moves_a_position_that_is_held_against_its_log(tables: Database, place: Place) -> None:
    async with tables.transaction() as connection:
        await stands(connection, place.key, 1)
    async with tables.transaction() as looking, tables.transaction() as other:
        await compare(looking, place.reader, {}, {}, {})
        free = await other.execute(text("SELECT topic FROM consumer_progress FOR UPDATE SKIP LOCKED"))
        assert free.all() == []
