"""Reference documents in a service: published once, read before anything is decided, and the same whatever came first."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from faststream.exceptions import NackMessage
from tests.common.test_rederive import on
from tests.harness import ServiceOnDatabase, activated, claim, documents_of, read_documents_up_to, replica_of, service_on

from common.contracts.claims.complaints import ComplaintLodged
from common.contracts.documents import DocumentActivated
from common.contracts.envelope import Record
from common.kernel.calendars import built_in
from common.kernel.faults import Fault
from common.kernel.reference import EVER, Kind
from common.kernel.wall_clock import now
from common.sla.policy import shipped_document
from common.store import documents
from common.store.documents import DocumentsCache

pytestmark = pytest.mark.real

SHOP = built_in("mon-fri").to_json()


def read_words(body: Mapping[str, Any]) -> tuple[str, ...]:
    if not isinstance(body.get("words"), list):
        raise Fault(("words",), "bad_value", "a list of words is expected")
    return tuple(body["words"])


WORDS = Kind("words", read_words, needs_approval=True)
BY_ANOTHER: dict[str, Any] = {"author": "E1", "approver": "E2", "approved_on": on("2025-01-01").date()}


def lodged(complaint: str, when: datetime) -> Record:
    event = ComplaintLodged(complaint_id=complaint, customer_id="K1", category="noise", region="north", handled_by="E1")
    return claim(event, when)


def words(version: int, when: datetime, *said: str, effective: datetime = EVER, **control: Any) -> Record:
    return claim(activated("words", "standard", version, {"words": list(said)}, effective, **control), when)


@pytest.fixture
async def complaints(database: str) -> AsyncIterator[ServiceOnDatabase]:
    """Complaints that decides by words too."""
    async with service_on("complaints", database) as service:
        service.consumer.documents = DocumentsCache("complaints", [WORDS])
        yield service


async def published_by(service: ServiceOnDatabase) -> list[dict[str, Any]]:
    query = "SELECT aggregateid, event_id FROM outbox WHERE aggregatetype = 'reference-documents' ORDER BY id"
    return await service.rows(query)


async def known_to(service: ServiceOnDatabase) -> list[dict[str, Any]]:
    columns = "kind, name, version, standing, effective_at, applies_to_open, body, control, event_id"
    return await service.rows(f"SELECT {columns} FROM documents ORDER BY kind, name, version, standing")


async def letters(service: ServiceOnDatabase) -> list[tuple[str, str]]:
    return [(row["rule"], row["field"]) for row in await service.rows("SELECT rule, field FROM dead_letters ORDER BY recorded_at")]


async def words_at(service: ServiceOnDatabase, instant: datetime) -> tuple[str, ...]:
    async with service.database.transaction() as connection:
        return (await service.consumer.documents.now(connection)).documents.at(WORDS, instant)


async def test_what_a_service_ships_with_is_published_once_by_whichever_replica_comes_first(complaints: ServiceOnDatabase) -> None:
    other = replica_of("complaints", complaints.database)
    await complaints.apply([lodged("C1", on("2025-07-07"))])
    await other.consume([lodged("C2", on("2025-07-07"))])
    (shipped,) = [row for row in await published_by(complaints) if row["aggregateid"].startswith("sla-policy/")]
    assert shipped["aggregateid"] == "sla-policy/complaints@1"
    before = await known_to(complaints)
    (row,) = [row for row in before if row["kind"] == "sla-policy"]
    assert (row["effective_at"], row["standing"], row["event_id"]) == (EVER, "approved", shipped["event_id"])
    event = activated("sla-policy", "complaints", 1, shipped_document("complaints"), status="shipped")
    await complaints.apply([claim(event, EVER, id=shipped["event_id"], source="/aftersales/complaints")])  # it comes back from Kafka
    assert await known_to(complaints) == before
    assert await letters(complaints) == []


async def test_nothing_is_decided_before_every_document_is_read(database: str) -> None:
    policy = shipped_document("complaints") | {"version": 2}
    policy["stages"] = {**policy["stages"], "verified": [{"target": {"working_days": 7}, "calendar": "cn"}]}
    record = claim(activated("sla-policy", "complaints", 2, policy), on("2025-01-01"))
    async with service_on("complaints", database) as service:
        await read_documents_up_to(service.database, 1)
        for _ in range(2):
            with pytest.raises(NackMessage):
                await service.apply([lodged("C1", on("2025-07-07"))])
        assert await published_by(service) == [], "what the topic holds is not known yet"
        await service.apply([record])
        with pytest.raises(NackMessage):  # it is read, but nobody has looked yet whether there is more
            await service.apply([lodged("C1", on("2025-07-07"))])
        assert await service.timers.fire() == 0
        await read_documents_up_to(service.database, 1)
        await service.apply([lodged("C1", on("2025-07-07"))])
        rows = await service.rows("SELECT policy FROM clocks WHERE stage = 'verified'")
        assert rows == [{"policy": "complaints@2"}]
        assert not [row for row in await published_by(service) if row["aggregateid"].startswith("sla-policy/")], "a higher one is known"


async def test_a_service_that_is_built_anew_knows_the_same_and_ships_nothing_again(database: str, complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1", on("2025-07-07")), words(1, on("2025-01-01"), "a", **BY_ANOTHER)])
    known, sent = await known_to(complaints), await complaints.rows("SELECT * FROM outbox WHERE aggregatetype = 'reference-documents'")
    assert sent
    await complaints.database.close()
    async with service_on("complaints", database) as first:
        first.consumer.documents = DocumentsCache("complaints", [WORDS])
        for table in ("documents", "inbox", "outbox", "clocks", "clock_events", "complaints", "timers"):
            await first.rows(f"WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone")
        await read_documents_up_to(first.database, len(sent) + 1)
        shipped = [activated(*_named(row["aggregateid"]), _body(row), status="shipped") for row in sent]
        records = [
            claim(event, EVER, id=row["event_id"], source="/aftersales/complaints") for event, row in zip(shipped, sent, strict=True)
        ]
        await first.apply([words(1, on("2025-01-01"), "a", **BY_ANOTHER), *reversed(records)])
        await read_documents_up_to(first.database, len(sent) + 1)
        await first.apply([lodged("C1", on("2025-07-07"))])
        assert await published_by(first) == []
        assert await known_to(first) == known


def _named(ref: str) -> tuple[str, str, int]:
    kind, _, rest = ref.partition("/")
    name, _, version = rest.partition("@")
    return kind, name, int(version)


def _body(row: Mapping[str, Any]) -> dict[str, Any]:
    return DocumentActivated.model_validate_json(bytes(row["payload"])).body


async def test_approval_takes_effect_in_whatever_order_the_records_come(complaints: ServiceOnDatabase) -> None:
    records = [
        words(2, on("2025-02-01"), "b", status="draft", author="E1"),
        words(2, on("2025-02-02"), "b", author="E1"),
        words(2, on("2025-02-03"), "b", author="E1", approver="E1", approved_on=on("2025-02-03").date()),  # he approves himself
        words(2, on("2025-02-05"), "b", number="W-2", **BY_ANOTHER),
        words(2, on("2025-02-04"), "b", effective=on("2025-03-01"), **BY_ANOTHER),
    ]
    ends = []
    for order in permutations(records):
        await complaints.rows("WITH gone AS (DELETE FROM documents RETURNING 1) SELECT count(*) FROM gone")
        await complaints.rows("WITH gone AS (DELETE FROM inbox RETURNING 1) SELECT count(*) FROM gone")
        await complaints.apply([words(1, on("2025-01-01"), "a", **BY_ANOTHER)])
        for record in (*order, order[0]):
            await complaints.apply([record])
        found = [await words_at(complaints, on("2025-02-05", time)) for time in ("15:59", "16:00")]
        ends.append((found, await known_to(complaints)))
    assert ends[0][0] == [("a",), ("b",)]
    assert all(end == ends[0] for end in ends)
    (row,) = [row for row in ends[0][1] if (row["version"], row["standing"]) == (2, "approved")]
    assert (row["effective_at"], row["control"]["number"]) == (on("2025-02-05"), "W-2")


@pytest.mark.parametrize(
    ("event", "letter"),
    [
        (activated("words", "standard", 1, {"words": ["other"]}, **BY_ANOTHER), ("version_taken", "data.version")),
        (activated("words", "standard", 2, {"words": 5}, **BY_ANOTHER), ("bad_document", "data.body.words")),
        (activated("words", "standard", 2, {"words": []}).model_copy(update={"version": 3}), ("bad_document", "data.document")),
        (activated("sla-policy", "complaints", 3, shipped_document("complaints")), ("bad_document", "data.document")),
        (activated("calendar", "shop", 1, {**SHOP, "weekly_hours": {}}), ("bad_document", "data.body.weekly_hours")),
    ],
)
async def test_a_document_that_cannot_hold_is_a_dead_letter(
    complaints: ServiceOnDatabase, event: DocumentActivated, letter: tuple[str, str]
) -> None:
    await complaints.apply([words(1, on("2025-01-01"), "a", **BY_ANOTHER), lodged("C1", on("2025-07-07"))])
    before = await known_to(complaints)
    await complaints.apply([claim(event, on("2025-02-01"))])
    assert await letters(complaints) == [letter]
    assert await known_to(complaints) == before


async def test_a_document_of_a_kind_that_the_service_does_not_know_is_kept_for_a_later_release(complaints: ServiceOnDatabase) -> None:
    unread = claim(activated("spells", "standard", 1, {"words": ["a"]}, **BY_ANOTHER), on("2025-01-01"))
    await complaints.apply([unread, lodged("C1", on("2025-07-07"))])
    assert await letters(complaints) == []
    spells = Kind("spells", read_words, needs_approval=True)
    later = DocumentsCache("complaints", [spells])
    async with complaints.database.transaction() as connection:
        assert (await later.now(connection)).documents.at(spells, now()) == ("a",)


async def test_a_document_that_no_clock_depends_on_makes_none_be_derived_anew(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1", now() - timedelta(minutes=1))])
    await complaints.apply([words(1, now(), "a", **BY_ANOTHER)])
    async with complaints.database.transaction() as connection:
        assert (await documents.rulebook_of(connection, "complaints")).revision == 1
    assert await complaints.rows("SELECT DISTINCT revision FROM clocks") == [{"revision": 1}]


async def test_a_document_that_comes_in_a_transaction_that_fails_is_not_remembered(complaints: ServiceOnDatabase) -> None:
    known = documents_of("complaints")
    async with complaints.database.transaction() as connection:
        assert (await known.now(connection)).rulebook.stages
        await connection.rollback()
    assert await known_to(complaints) == []
    async with complaints.database.transaction() as connection:
        assert (await known.now(connection)).rulebook.stages
    assert "complaints" in {row["name"] for row in await known_to(complaints)}


async def test_a_document_stands_in_its_row_in_the_words_in_which_it_was_written(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([words(1, on("2025-01-01"), "投诉", **BY_ANOTHER)])
    rows = await complaints.rows("SELECT CAST(body AS text) AS body FROM documents WHERE kind = 'words'")
    assert rows == [{"body": '{"words": ["投诉"]}'}]


async def test_what_a_process_knows_is_read_anew_only_when_there_is_more_to_know(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged("C1", on("2025-07-07"))])
    cache = complaints.consumer.documents
    async with complaints.database.transaction() as connection:
        known = await cache.now(connection)
        assert await cache.now(connection) is known
    await complaints.apply([words(1, on("2025-01-01"), "a", **BY_ANOTHER)])
    async with complaints.database.transaction() as connection:
        assert await cache.now(connection) is not known
        assert await documents.save(connection, "complaints", []) == 0


async def test_nobody_but_a_service_says_that_a_document_ships_with_it_and_so_needs_no_approval(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([words(1, on("2025-07-01"), "forged", status="shipped")])
    assert await letters(complaints) == [("bad_document", "data.control.status")]
    assert [row for row in await known_to(complaints) if row["kind"] == "words"] == []
