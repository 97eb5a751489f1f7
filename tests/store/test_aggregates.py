"""One kind of aggregate in its table: written once or again, locked by id, read in any shape that was ever written, or parked alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.store.aggregates import Aggregates, Row, UnreadableRow, lock_names
from intake.tables import ServiceRequestRow

pytestmark = pytest.mark.real
NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is kept: since the third shape with its words in a list, which were one text under another name before."""

    id: str
    words: tuple[str, ...] = ()
    urgent: bool = False


def _renamed(document: dict[str, Any]) -> dict[str, Any]:
    return {"id": document["id"], "words": document["text"]}


def _split(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "words": document["words"].split()}


NOTES = Aggregates(ServiceRequestRow, Note, upcasts=[_renamed, _split])


async def kept(connection: AsyncConnection, id: str, state: str, version: int = 3, sequence: int = 0) -> None:
    insert = "INSERT INTO service_requests (id, sequence, version, state) VALUES (:id, :sequence, :version, CAST(:state AS jsonb))"
    await connection.execute(text(insert), {"id": id, "sequence": sequence, "version": version, "state": state})


async def rows(connection: AsyncConnection) -> list[tuple[str, int, int, Any]]:
    return [tuple(row) for row in await connection.execute(text("SELECT id, sequence, version, state FROM service_requests ORDER BY id"))]


async def test_what_is_new_is_inserted_and_what_changed_is_updated_and_nothing_else(connection: AsyncConnection) -> None:
    await NOTES.write(connection, [Row(Note("A", ("x",)), 1), Row(Note("B"), 2)], [])
    await NOTES.write(connection, [], [Row(Note("B", urgent=True), 5, NOON)])
    assert await rows(connection) == [
        ("A", 1, 3, {"id": "A", "words": ["x"], "urgent": False}),
        ("B", 5, 3, {"id": "B", "words": [], "urgent": True}),
    ]
    await NOTES.write(connection, [], [])
    found = await NOTES.lock(connection, ["A", "B", "C"])
    assert found == {"A": Row(Note("A", ("x",)), 1), "B": Row(Note("B", urgent=True), 5, NOON)}


async def test_a_state_of_each_shape_that_was_ever_written_is_read(connection: AsyncConnection) -> None:
    await kept(connection, "A", '{"id": "A", "text": "two words"}', version=1)
    await kept(connection, "B", '{"id": "B", "words": "two words"}', version=2)
    await kept(connection, "C", '{"id": "C", "words": ["two", "words"]}', version=3)
    found = await NOTES.find(connection, text("id <> :not"), {"not": "B"})
    assert found == [Note("A", ("two", "words")), Note("C", ("two", "words"))]
    assert (await NOTES.lock(connection, ["B"]))["B"] == Row(Note("B", ("two", "words")), 0)


@pytest.mark.parametrize(
    ("state", "version", "reason"),
    [
        ('{"id": "A"}', 0, "ValueError"),
        ('{"id": "A"}', 4, "ValueError"),
        ('{"id": "A", "words": "not a list"}', 3, "state.words: tuple_type"),
        ('{"id": "A", "words": ["x", 5]}', 3, "state.words.1: string_type"),
        ('{"id": "A", "Wang Fang": 1}', 3, "state.<unknown>: unexpected_keyword_argument"),
        ('{"id": "A", "urgent": "yes"}', 3, "state.urgent: bool_type"),
        ('{"id": "A"}', 1, "KeyError"),
    ],
)
async def test_a_row_that_cannot_be_read_says_where_and_no_word_of_anybody_and_the_others_are_read(
    connection: AsyncConnection, state: str, version: int, reason: str
) -> None:
    await kept(connection, "A", state, version)
    await kept(connection, "B", '{"id": "B"}')
    found = await NOTES.lock(connection, ["A", "B"])
    assert found["A"] == UnreadableRow(f"its row cannot be read: {reason}")
    assert found["B"] == Row(Note("B"), 0)


async def test_names_are_locked_once_each_whether_they_stand_for_something_or_not(connection: AsyncConnection) -> None:
    locks = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
    await lock_names(connection, [])
    assert (await connection.execute(locks)).scalar_one() == 0
    await lock_names(connection, [NOTES.ref("B"), NOTES.ref("A"), NOTES.ref("B")])
    assert (await connection.execute(locks)).scalar_one() == 2


def test_a_kind_is_named_like_its_table_and_knows_its_shape() -> None:
    assert (NOTES.name, NOTES.ref("A"), NOTES.version) == ("service_requests", "service_requests:A", 3)
    assert NOTES.read(NOTES.state(Note("A", ("x",))), 3) == Note("A", ("x",))
