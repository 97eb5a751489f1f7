"""A replica's name belongs to one process, as long as its session lives."""

import pytest

from common.store import replica_name
from common.store.database import Database
from common.store.replica_name import ReplicaName

pytestmark = pytest.mark.real


async def test_a_name_is_taken_by_one_process_until_it_lets_go(tables: Database) -> None:
    first, second, other = ReplicaName(tables, "0"), ReplicaName(tables, "0"), ReplicaName(tables, "1")
    try:
        assert [await one.take() for one in (first, second, other)] == [True, False, True]
        assert await first.take() is True
        first.release()
        first.release()
        assert await second.take() is True
        assert await first.take() is False
    finally:
        for one in (first, second, other):
            one.release()


async def test_who_lost_the_name_to_another_process_stops_holding_it(tables: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_name, "GHOST_SECONDS", 1)
    first, second = ReplicaName(tables, "0"), ReplicaName(tables, "0")
    try:
        await first.take()
        await second.hold()  # returns: the name stays taken
        assert await first.take() is True
    finally:
        first.release()
        second.release()
