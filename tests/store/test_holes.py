"""Holes in the logs: opened once, ended by the records or by a person, and told by place and kind."""

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from common.store import holes
from common.store.holes import Hole

pytestmark = pytest.mark.real

P0, P1, OTHER = ("claims", 0), ("claims", 1), ("facts", 0)


async def opened(connection: AsyncConnection) -> None:
    """A log that was set back, records that would be skipped on its neighbour, and another topic that was made anew, in this order."""
    await holes.open(connection, P0, Hole("set_back", 10, 4), 1000)
    await holes.open(connection, P1, Hole("skipped", 5, 8), None)
    await holes.open(connection, OTHER, Hole("made_anew", 3, 0), None)


async def places(connection: AsyncConnection, *, ended: bool) -> list[tuple[str, int, str]]:
    return [(row["topic"], row["partition"], row["kind"]) for row in await holes.listed(connection, ended=ended)]


SET_BACK, SKIPPED, MADE_ANEW = ("claims", 0, "set_back"), ("claims", 1, "skipped"), ("facts", 0, "made_anew")


async def test_the_oldest_open_hole_is_named(connection: AsyncConnection) -> None:
    assert await holes.open_hole(connection) is None
    await opened(connection)
    assert await holes.open_hole(connection) == "a hole in claims/0 (set_back)"
    assert await places(connection, ended=False) == [SET_BACK, SKIPPED, MADE_ANEW]
    assert await holes.open_by_kind(connection) == {("claims", "set_back"): 1, ("claims", "skipped"): 1, ("facts", "made_anew"): 1}


async def test_a_hole_that_is_open_goes_on_when_it_is_found_again_and_another_kind_is_another_hole(connection: AsyncConnection) -> None:
    await holes.open(connection, P0, Hole("set_back", 10, 4), 1000)
    await holes.open(connection, P0, Hole("set_back", 4, 2), 900)
    await holes.open(connection, P0, Hole("deleted_unread", 4, 6), None)
    (found,) = (row for row in await holes.listed(connection, ended=False) if row["kind"] == "set_back")
    assert (found["position_before"], found["position_after"]) == (10, 2)
    assert [(hole.kind, hole.place, hole.before, hole.last_appended) for hole in await holes.all_open(connection)] == [
        ("set_back", P0, 10, 1000),
        ("deleted_unread", P0, 4, None),
    ]


async def test_what_the_records_have_ended_is_no_longer_open_and_may_open_again(connection: AsyncConnection) -> None:
    await opened(connection)
    hole = next(hole for hole in await holes.all_open(connection) if hole.kind == "skipped")
    await holes.end(connection, hole, "read again")
    assert await places(connection, ended=False) == [SET_BACK, MADE_ANEW]
    await holes.open(connection, P1, Hole("skipped", 5, 8), None)
    assert await places(connection, ended=True) == [SET_BACK, SKIPPED, MADE_ANEW, SKIPPED]
    (ended,) = (row for row in await holes.listed(connection, ended=True) if row["ended_at"] is not None)
    assert (ended["ended_by"], ended["reason"]) == ("records", "read again")


@pytest.mark.parametrize(
    ("topic", "partition", "left"),
    [
        ("claims", None, [MADE_ANEW]),
        ("claims", 1, [SET_BACK, MADE_ANEW]),
        (None, 0, [SKIPPED]),
        (None, None, []),
        ("none", None, [SET_BACK, SKIPPED, MADE_ANEW]),
    ],
)
async def test_a_person_ends_the_holes_of_a_topic_a_partition_or_all(
    connection: AsyncConnection, topic: str | None, partition: int | None, left: list[tuple[str, int, str]]
) -> None:
    await opened(connection)
    accepted = await holes.accept(connection, by="E1", reason="restored", topic=topic, partition=partition)
    assert await places(connection, ended=False) == left
    assert {(row["topic"], row["partition"], row["kind"]) for row in accepted} == {SET_BACK, SKIPPED, MADE_ANEW} - set(left)
    assert await holes.accept(connection, by="E2", reason="again", topic=topic, partition=partition) == []


async def test_a_service_that_was_set_back_has_skipped_nothing_and_keeps_its_other_holes(connection: AsyncConnection) -> None:
    await opened(connection)
    await holes.end_skipped(connection, by="E1", reason="offsets restored")
    await holes.end_skipped(connection, by="E2", reason="again")
    assert await places(connection, ended=False) == [SET_BACK, MADE_ANEW]
    (ended,) = (row for row in await holes.listed(connection, ended=True) if row["ended_at"] is not None)
    assert ended["ended_by"] == "E1"
