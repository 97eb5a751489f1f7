"""How far a service has come on each partition: what a batch adds, since when it is behind, and up to when it has seen everything."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kafka.records import Gap
from common.store import holes, positions
from common.store.database import Database
from common.store.holes import Hole
from common.store.positions import CAUGHT_UP_STALE_AFTER

pytestmark = pytest.mark.real

AT = datetime(2026, 7, 6, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
P0, P1 = ("claims", 0), ("claims", 1)


@dataclass(frozen=True)
class At:
    """A record, of which only the place counts."""

    offset: int
    partition: int = 0
    topic: str = "claims"
    timestamp: int = 1000


async def row(connection: AsyncConnection, partition: int = 0) -> dict[str, Any]:
    found = await connection.execute(text("SELECT * FROM consumer_progress WHERE partition = :p"), {"p": partition})
    return dict(found.mappings().one())


async def handle(connection: AsyncConnection, *records: At, replayed: bool = False) -> None:
    """A batch of which every record is applied."""
    tally = await positions.begin(connection, (), records)
    tally.replayed = replayed
    for record in records:
        tally.add(record, "applied")
    await positions.save(connection, tally)


async def caught_up(connection: AsyncConnection, expected: int, wait: timedelta = timedelta(minutes=15)) -> datetime | None:
    return await positions.caught_up_at(connection, expected=expected, max_lag_wait=wait)


async def behind(connection: AsyncConnection, partition: int, since: timedelta) -> None:
    statement = text("UPDATE consumer_progress SET behind_since = now() - CAST(:since AS interval) WHERE partition = :p")
    await connection.execute(statement, {"since": since, "p": partition})


async def test_a_batch_moves_the_position_of_its_partition_and_no_other_and_counts_what_became_of_it(connection: AsyncConnection) -> None:
    records = [At(0), At(1), At(2), At(3), At(0, partition=1)]
    tally = await positions.begin(connection, (), records)
    for record, result in zip(records, ("applied", "duplicate", "dead", "parked", "applied"), strict=True):
        tally.add(record, result)  # type: ignore[arg-type]  # each is a result
    await positions.save(connection, tally)
    found = await row(connection)
    assert [found[name] for name in ("next_offset", "events_in", "applied", "duplicates", "dead")] == [4, 4, 1, 1, 2]
    assert await positions.next_offsets(connection) == {P0: 4, P1: 1}
    assert await positions.totals(connection) == {"events_in": 5, "applied": 2, "duplicates": 1, "dead_letters": 2}


async def test_what_kafka_delivers_again_counts_once_and_moves_nothing_back(connection: AsyncConnection) -> None:
    await handle(connection, At(0), At(1), At(2, timestamp=3000))
    again = await positions.begin(connection, (), [At(1), At(2, timestamp=2000)])
    again.add(At(1), "duplicate")
    again.add(At(2), "dead")
    await positions.save(connection, again)
    found = await row(connection)
    assert [found[name] for name in ("next_offset", "events_in", "duplicates", "dead", "last_appended")] == [3, 3, 0, 0, 3000]
    assert found["replayed_at"] is None


async def test_a_batch_of_a_replayed_history_is_remembered_and_one_of_the_day_is_not(connection: AsyncConnection) -> None:
    await handle(connection, At(0))
    assert (await row(connection))["replayed_at"] is None
    await handle(connection, At(1), replayed=True)
    noted = (await row(connection))["replayed_at"]
    await handle(connection, At(2))
    assert (await row(connection))["replayed_at"] == noted is not None


async def test_a_batch_that_begins_after_the_position_leaves_a_gap_once_the_topic_was_seen(
    connection: AsyncConnection,
) -> None:
    assert (await positions.begin(connection, (), [At(5)])).gaps == {}
    await positions.see(connection, P0, "topic-id", 3)
    assert (await positions.begin(connection, (), [At(3), At(7)])).gaps == {}
    assert (await positions.begin(connection, (), [At(4), At(5)])).gaps == {P0: Gap(3, 4)}


async def test_a_topic_is_seen_once_and_never_before_the_position(connection: AsyncConnection) -> None:
    await handle(connection, At(0), At(1))
    await positions.see(connection, P0, "first", 1)
    await positions.see(connection, P0, "second", 9)
    found = (await positions.all_of(connection))[P0]
    assert (found.topic_id, found.next_offset) == ("first", 2)


async def test_a_partition_is_behind_since_it_was_first_seen_behind(connection: AsyncConnection) -> None:
    await handle(connection, At(0))
    assert await positions.note_lag(connection, {P0: 3, P1: 0}, AT) == {P0: 2, P1: 0}
    await positions.note_lag(connection, {P0: 4}, AT + SECOND)
    found = await row(connection)
    assert (found["behind_since"], found["caught_up_at"]) == (AT, None)
    await handle(connection, At(1), At(2), At(3))
    assert await positions.note_lag(connection, {P0: 4}, AT + 2 * SECOND) == {P0: 0}
    await positions.note_lag(connection, {P0: 5}, AT + 3 * SECOND)
    found = await row(connection)
    assert (found["behind_since"], found["caught_up_at"]) == (AT + 3 * SECOND, AT + 2 * SECOND)


@pytest.mark.parametrize(("unseen", "starts_again"), [(timedelta(0), False), (timedelta(microseconds=1), True)])
async def test_the_idle_time_of_a_replay_starts_again_after_a_time_in_which_nobody_looked(
    connection: AsyncConnection, unseen: timedelta, starts_again: bool
) -> None:
    await handle(connection, At(0), replayed=True)
    await positions.note_lag(connection, {P0: 1}, AT)
    replayed = (await row(connection))["replayed_at"]
    later = AT + CAUGHT_UP_STALE_AFTER + unseen
    await positions.note_lag(connection, {P0: 1}, later)
    assert (await row(connection))["replayed_at"] == (later if starts_again else replayed)


async def test_where_nothing_was_replayed_there_is_no_idle_time(connection: AsyncConnection) -> None:
    await handle(connection, At(0))
    await positions.note_lag(connection, {P0: 1}, AT)
    await positions.note_lag(connection, {P0: 1}, AT + timedelta(hours=1))
    assert (await row(connection))["replayed_at"] is None


async def test_a_replay_whose_partition_is_still_behind_is_not_idle_anew(connection: AsyncConnection) -> None:
    await handle(connection, At(0), replayed=True)
    await positions.note_lag(connection, {P0: 1}, AT)
    replayed = (await row(connection))["replayed_at"]
    await positions.note_lag(connection, {P0: 2}, AT + timedelta(hours=1))
    assert (await row(connection))["replayed_at"] == replayed


async def test_a_service_has_caught_up_to_where_its_last_partition_had(connection: AsyncConnection) -> None:
    assert await caught_up(connection, 0) is not None
    await positions.note_lag(connection, {P0: 0}, AT + SECOND)
    assert await caught_up(connection, 2) is None
    await positions.note_lag(connection, {P1: 0}, AT)
    assert await caught_up(connection, 2) == AT


async def test_a_partition_that_never_caught_up_holds_everything_back_until_it_is_behind_for_too_long(
    connection: AsyncConnection,
) -> None:
    await positions.note_lag(connection, {P0: 0, P1: 1}, AT)
    await behind(connection, 1, timedelta(minutes=14))
    assert await caught_up(connection, 2) is None
    await behind(connection, 1, timedelta(minutes=15))
    assert await caught_up(connection, 2) == AT
    await behind(connection, 0, timedelta(minutes=16))
    now = (await connection.execute(text("SELECT now()"))).scalar_one()
    assert await caught_up(connection, 2) == now


async def test_over_a_hole_nobody_has_caught_up(connection: AsyncConnection) -> None:
    await positions.note_lag(connection, {P0: 0}, AT)
    await holes.open(connection, P0, Hole("set_back", 1, 0), None)
    assert await caught_up(connection, 1) is None
    await holes.accept(connection, by="E1", reason="known", topic=None, partition=None)
    assert await caught_up(connection, 1) == AT


async def test_a_position_that_is_set_anew_is_sought_until_records_from_there_have_come(connection: AsyncConnection) -> None:
    await handle(connection, At(0), At(0, partition=1))
    await positions.note_lag(connection, {P0: 1, P1: 1}, AT)
    await positions.set_anew(connection, P0, 7, "other")
    assert await positions.to_seek(connection) == {P0: 7}
    found = (await positions.all_of(connection))[P0]
    assert (found.topic_id, found.next_offset, found.last_appended, found.seek) == ("other", 7, None, True)
    assert await caught_up(connection, 2) is None
    tally = await positions.begin(connection, [P0])
    tally.add(At(0), "applied")
    await positions.save(connection, tally)
    assert await positions.to_seek(connection) == {P0: 7}, "what was held back before says nothing of where the log is read"
    await handle(connection, At(7))
    assert await positions.to_seek(connection) == {}


async def test_what_is_sought_is_sought_until_the_groups_were_set(connection: AsyncConnection) -> None:
    await positions.ensure(connection, [P0, P1])
    await positions.seek(connection, P1)
    await positions.pass_to(connection, P1, 4)
    assert await positions.to_seek(connection) == {P1: 4}
    assert await positions.next_offsets(connection) == {P0: 0, P1: 4}
    await positions.sought(connection)
    assert await positions.to_seek(connection) == {}


async def test_a_partition_that_is_halted_stands_still_until_it_is_let_go_on(connection: AsyncConnection) -> None:
    await positions.ensure(connection, [P0, P1])
    await positions.halt(connection, P1)
    assert await positions.halted(connection) == {P1}
    assert (await positions.begin(connection, [P0, P1])).halted == {P1}
    assert await positions.next_offset(connection, P1) == (0, True)
    assert await positions.resume(connection) == [P1]
    assert await positions.resume(connection) == []
    assert await positions.halted(connection) == set()
    for place in (P1, P0):
        await positions.halt(connection, place)
    assert await positions.resume(connection) == [P0, P1]


async def test_for_how_long_a_partition_is_behind_is_told_with_its_position(connection: AsyncConnection) -> None:
    await positions.note_lag(connection, {P0: 0, P1: 1}, AT)
    await behind(connection, 1, timedelta(seconds=90))
    found = await positions.all_of(connection)
    assert (found[P0].behind_seconds, found[P1].behind_seconds) == (0, 90)
    assert await positions.next_offset(connection, ("claims", 2)) == (0, False)


async def test_a_service_that_has_made_no_tables_yet_has_come_nowhere(connection: AsyncConnection) -> None:
    assert await positions.is_there(connection)
    await connection.execute(text("DROP TABLE consumer_progress"))
    assert not await positions.is_there(connection)


async def test_who_holds_the_positions_against_the_logs_is_alone_with_them(tables: Database) -> None:
    free = text("SELECT partition FROM consumer_progress FOR UPDATE SKIP LOCKED")
    async with tables.transaction() as connection:
        await positions.ensure(connection, [P0])
    for locked in (True, False):
        async with tables.transaction() as one, tables.transaction() as other:
            await positions.all_of(one, locked=locked)
            assert len((await other.execute(free)).all()) == (0 if locked else 1)
