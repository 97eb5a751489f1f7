"""Which timers may fire: due before the service has caught up to there, not parked, and of a replayed history only when that is idle."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.wake_ups import WakeUp, WakeUps
from common.store import parked, timers

pytestmark = pytest.mark.real

MICROSECOND, SECOND, HOUR = timedelta(microseconds=1), timedelta(seconds=1), timedelta(hours=1)


async def now_of(connection: AsyncConnection) -> datetime:
    """The database's clock when the transaction began."""
    found: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
    return found


async def armed(
    connection: AsyncConnection,
    id: str,
    due_at: datetime,
    *,
    version: int = 1,
    replay_of: str = "",
    kind: str = "clock",
    state: str = "armed",
) -> None:
    values = {"id": id, "kind": kind, "due": due_at, "version": version, "replay_of": replay_of, "state": state}
    insert = "INSERT INTO timers VALUES (:id, :kind, 'complaints:' || :id, '', :due, :state, :version, :replay_of)"
    await connection.execute(text(insert), values)


async def due(connection: AsyncConnection, caught_up: datetime, idle: timedelta = timedelta(0)) -> list[str]:
    return [row.id for row in await timers.due(connection, caught_up, idle)]


async def test_what_is_due_before_the_instant_up_to_which_everything_was_seen_fires_the_oldest_first(connection: AsyncConnection) -> None:
    now = await now_of(connection)
    await armed(connection, "late", now - SECOND)
    await armed(connection, "old", now - HOUR)
    await armed(connection, "ahead", now + HOUR)
    await armed(connection, "gone", now - HOUR, state="cancelled")
    assert await due(connection, now) == ["old", "late"]
    assert await due(connection, now + 2 * HOUR) == ["old", "late"], "never before the instant itself"
    assert await due(connection, now - SECOND) == ["old"], "an event at that instant may still come"
    assert await due(connection, now - SECOND + MICROSECOND) == ["old", "late"]


async def test_of_one_instant_a_wake_up_comes_before_a_deadline_and_ids_decide_between_equals(connection: AsyncConnection) -> None:
    at = await now_of(connection) - HOUR
    for id, kind in (("b", "clock"), ("a", "clock"), ("z", "wake")):
        await armed(connection, id, at, kind=kind)
    rows = await timers.due(connection, at + SECOND, timedelta(0))
    assert [row.id for row in rows] == ["z", "a", "b"]
    assert [timer.id for timer in await timers.fire(connection, rows)] == ["z", "a", "b"]


async def test_a_timer_of_a_parked_aggregate_waits(connection: AsyncConnection) -> None:
    now = await now_of(connection)
    await armed(connection, "C1", now - HOUR)
    await armed(connection, "C2", now - SECOND)
    await armed(connection, "C3", now + HOUR)
    await parked.park(connection, (), {"complaints:C1": "KeyError"})
    assert await due(connection, now) == ["C2"]
    found = await timers.overdue(connection)
    assert (found.number, found.not_parked, found.oldest_seconds, found.wake_ups) == (2, 1, 3600, 0)
    await armed(connection, "C4", now - SECOND, kind="wake")
    assert (await timers.overdue(connection)).wake_ups == 1


async def test_nobody_gets_up_for_a_timer_whose_aggregate_is_parked(connection: AsyncConnection) -> None:
    now = await now_of(connection)
    await armed(connection, "C1", now - HOUR)
    await parked.park(connection, (), {"complaints:C1": "KeyError"})
    assert await timers.seconds_until_next(connection) is None
    await armed(connection, "C2", now + HOUR)
    left = await timers.seconds_until_next(connection)
    assert left is not None
    assert 3000 < left <= 3600


async def test_a_replayed_history_fires_once_it_has_been_idle_and_was_watched_meanwhile(connection: AsyncConnection) -> None:
    now = await now_of(connection)
    await armed(connection, "lived", now - HOUR)
    await armed(connection, "replayed", now - HOUR, replay_of="history")
    progress = (
        "INSERT INTO consumer_progress (topic, partition, replayed_at) VALUES ('claims', 0, clock_timestamp() - interval '60 seconds')"
    )
    await connection.execute(text(progress))
    assert await due(connection, now + SECOND, timedelta(seconds=90)) == ["lived"]
    assert await due(connection, now + SECOND, timedelta(seconds=30)) == ["lived", "replayed"]
    assert await due(connection, now - timedelta(seconds=10), timedelta(seconds=30)) == ["lived"], "nobody has looked for ten seconds"


async def test_a_timer_fires_once_and_only_in_the_version_that_was_due(connection: AsyncConnection) -> None:
    now = await now_of(connection)
    await armed(connection, "C1", now - HOUR, version=3)
    await armed(connection, "C2", now - HOUR, version=3)
    rows = await timers.due(connection, now, timedelta(0))
    await connection.execute(text("UPDATE timers SET version = 4 WHERE id = 'C1'"))
    (fired,) = await timers.fire(connection, rows)
    assert (fired.id, fired.aggregate, fired.due_at, fired.version) == ("C2", "complaints:C2", now - HOUR, 3)
    assert await timers.fire(connection, rows) == []
    await timers.rearm(connection, ["C2"])
    assert [timer.id for timer in await timers.fire(connection, rows)] == ["C2"]


async def test_no_more_fire_at_once_than_one_transaction_takes(connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "AT_ONCE", 2)
    now = await now_of(connection)
    for number in range(3):
        await armed(connection, f"C{number}", now - HOUR)
    assert await due(connection, now) == ["C0", "C1"]


async def test_how_long_it_is_until_the_next_timer_leaves_out_what_has_fired_and_what_is_never_due(connection: AsyncConnection) -> None:
    assert await timers.seconds_until_next(connection) is None
    assert await timers.overdue(connection) == timers.Overdue(0, 0, 0)
    now = await now_of(connection)
    await armed(connection, "fired", now - HOUR, state="fired")
    await connection.execute(text("INSERT INTO timers VALUES ('never', 'clock', 'complaints:C1', '', 'infinity', 'armed', 1, '')"))
    assert await timers.seconds_until_next(connection) is None
    await armed(connection, "C2", now + 2 * HOUR)
    await armed(connection, "C3", now + HOUR)
    found = await timers.seconds_until_next(connection)
    assert found is not None
    assert 3500 < found <= 3600
    assert await timers.of_clock(connection, "C3") == {"due_at": (now + HOUR).astimezone(UTC), "state": "armed", "version": 1}
    assert await timers.of_clock(connection, "none") is None


async def test_an_aggregate_s_wake_ups_are_read_as_they_were_left_and_no_timer_of_a_clock_or_of_another_one(
    connection: AsyncConnection,
) -> None:
    at = await now_of(connection)
    await armed(connection, "C1", at)
    set_here = WakeUps()
    set_here.arm("complaints:C1", "remind", at, "history")
    set_here.arm("complaints:C1", "close", at + HOUR)
    set_here.arm("complaints:C2", "remind", at)
    await timers.save_wake_ups(connection, set_here)
    read = WakeUps()
    await timers.load_wake_ups(connection, read, [])
    assert read.known == {}
    await timers.load_wake_ups(connection, read, ["complaints:C1"])
    assert sorted(read.known.values(), key=lambda one: one.reason) == [
        WakeUp("complaints:C1", "close", at + HOUR),
        WakeUp("complaints:C1", "remind", at, replay_of="history"),
    ]
    read.cancel("complaints:C1", "close")
    read.fire(read.known["complaints:C1", "remind"])
    await timers.save_wake_ups(connection, read)
    again = WakeUps()
    await timers.load_wake_ups(connection, again, ["complaints:C1"])
    assert {one.reason: (one.state, one.version) for one in again.known.values()} == {"close": ("cancelled", 2), "remind": ("fired", 1)}
    (fired,) = [one for one in await timers.due(connection, at + SECOND, timedelta(0)) if one.id.startswith("wake")]
    assert fired.aggregate == "complaints:C2"


async def state_of(connection: AsyncConnection, wake_up: WakeUp) -> tuple[str, int]:
    found = await timers.of_clock(connection, wake_up.id)
    assert found is not None
    return found["state"], found["version"]


async def test_what_was_written_under_a_newer_version_or_has_fired_is_never_undone(connection: AsyncConnection) -> None:
    at = await now_of(connection)

    async def written(state: str, version: int) -> tuple[str, int]:
        one = WakeUp("complaints:C1", "remind", at, state, version)  # type: ignore[arg-type]  # one of the words
        await timers.save_wake_ups(connection, WakeUps({one.key: one}, {one.key}))
        return await state_of(connection, one)

    assert await written("armed", 2) == ("armed", 2)
    assert await written("cancelled", 1) == ("armed", 2)
    assert await written("cancelled", 2) == ("armed", 2)
    assert await written("fired", 2) == ("fired", 2)
    assert await written("armed", 2) == ("fired", 2)
    assert await written("cancelled", 3) == ("cancelled", 3)
    assert await written("fired", 3) == ("cancelled", 3)
