"""One replica of a service has the lease: it is renewed under one epoch, given back, and passes to the next when it is over."""

import asyncio
import math

import pytest
from sqlalchemy import text

from common.store.database import Database
from common.store.lease import LEASE_SECONDS, Lease, leaderless_seconds

pytestmark = pytest.mark.real


async def lasts(tables: Database, seconds: float) -> None:
    """The lease ends so many seconds from now, whoever has it."""
    async with tables.transaction() as connection:
        await connection.execute(text("UPDATE relay_lease SET until = clock_timestamp() + make_interval(secs => :s)"), {"s": seconds})


async def without_leader(tables: Database) -> float:
    async with tables.transaction() as connection:
        return await leaderless_seconds(connection)


async def test_a_lease_is_renewed_under_its_epoch_and_nobody_else_gets_it_meanwhile(tables: Database) -> None:
    first, second = Lease(tables, "a"), Lease(tables, "b")
    for _ in range(2):
        await first.take()
        await second.take()
        assert (first.epoch, second.epoch) == (1, None)


async def test_who_looks_while_the_first_lease_is_being_taken_finds_none_until_it_is_committed(tables: Database) -> None:
    lease = Lease(tables, "a")
    taking, seen = asyncio.create_task(lease.take()), list[int | None]()
    while not taking.done():
        seen.append(lease.epoch)
        await asyncio.sleep(0)
    await taking
    assert set(seen[:-1]) == {None}
    assert lease.epoch == 1


async def test_a_lease_that_is_over_passes_on_and_its_old_owner_learns_it(tables: Database) -> None:
    first, second = Lease(tables, "a"), Lease(tables, "b")
    await first.take()
    await lasts(tables, -1)
    await second.take()
    await first.take()
    assert (first.epoch, second.epoch) == (None, 2)


async def test_who_renews_a_lease_that_was_over_and_that_nobody_took_keeps_the_epoch(tables: Database) -> None:
    lease = Lease(tables, "a")
    await lease.take()
    await lasts(tables, -1)
    await lease.take()
    assert lease.epoch == 1


async def test_a_new_process_of_the_same_name_takes_over_at_once_and_the_old_one_gets_it_no_more(tables: Database) -> None:
    old, new = Lease(tables, "a"), Lease(tables, "a")
    await old.take()
    await new.take()
    assert new.epoch == 2
    await old.take()
    assert (old.epoch, new.epoch) == (None, 2)


@pytest.mark.parametrize(("lengths", "passes_on"), [(1.9, False), (2.1, True)])
async def test_a_lease_that_lasts_longer_than_one_can_is_over(tables: Database, lengths: float, passes_on: bool) -> None:
    first, second = Lease(tables, "a"), Lease(tables, "b")
    await first.take()
    await lasts(tables, lengths * LEASE_SECONDS)
    await second.take()
    assert (second.epoch == 2) is passes_on


async def test_a_lease_that_was_given_back_is_free_at_once_and_never_taken_again_by_who_gave_it(tables: Database) -> None:
    first, second = Lease(tables, "a"), Lease(tables, "b")
    await first.take()
    await first.release()
    assert first.epoch is None
    await first.take()
    await second.take()
    assert (first.epoch, second.epoch) == (None, 2)


async def test_who_gives_back_what_another_one_has_by_now_takes_it_from_nobody(tables: Database) -> None:
    first, second = Lease(tables, "a"), Lease(tables, "b")
    await first.take()
    await lasts(tables, -1)
    await second.take()
    await first.release()
    await Lease(tables, "c").take()
    await second.take()
    assert second.epoch == 2


async def test_who_gives_back_what_a_new_process_of_its_name_has_takes_it_from_nobody_either(tables: Database) -> None:
    old, new, other = Lease(tables, "a"), Lease(tables, "a"), Lease(tables, "b")
    await old.take()
    await new.take()
    await old.release()
    await other.take()
    await new.take()
    assert (new.epoch, other.epoch) == (2, None)


async def test_a_process_that_slept_for_as_long_as_its_lease_lasts_has_it_no_more(
    tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease(tables, "a")
    monkeypatch.setattr("common.store.lease.LEASE_SECONDS", 0)
    await lease.take()
    assert lease.epoch is None


async def test_a_replica_that_was_shown_that_it_lost_the_lease_forgets_it(tables: Database) -> None:
    lease = Lease(tables, "a")
    await lease.take()
    lease.drop()
    assert lease.epoch is None


async def test_for_how_long_nobody_has_led_is_counted_from_the_end_of_the_lease(tables: Database) -> None:
    assert await without_leader(tables) == math.inf
    await Lease(tables, "a").take()
    assert -LEASE_SECONDS <= await without_leader(tables) < 0
    await lasts(tables, -40)
    assert 40 <= await without_leader(tables) < 60
    await lasts(tables, 3600)
    assert await without_leader(tables) == math.inf
