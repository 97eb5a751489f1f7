"""Dead letters: kept once with what was wrong, sent with it, and closed by their repair or by hand; the inbox takes each event once."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.harness import claim

from common.contracts.claims.complaints import ComplainantTold
from common.contracts.dead_letters import MAX_RAW, DeadLetterRecorded
from common.contracts.envelope import Received, Record, Unreadable, decode
from common.kernel.errors import Malformed
from common.store import dead_letters, inbox
from common.store.dead_letters import DeadLetter

pytestmark = pytest.mark.real

NINE = datetime(2026, 7, 6, 1, tzinfo=UTC)
WRONG = Malformed("bad_value", field="data.by", reason="expected a text")
CONFLICT = Malformed("conflicting_duplicate", field="ce_id", reason="other content")


def received(by: str = "E1", id: str = "one", offset: int = 0) -> Received:
    found = decode(replace(claim(ComplainantTold(complaint_id="C1", by=by), NINE, id=id), offset=offset))
    assert isinstance(found, Received)
    return found


def letter(id: str = "one", offset: int = 0, problem: Malformed = WRONG, *, forget: bool = False) -> DeadLetter:
    return DeadLetter.of(received(id=id, offset=offset), problem, forget=forget)


async def kept(connection: AsyncConnection, *letters: DeadLetter) -> list[str]:
    """Keeps letters; the ids of those that are sent."""
    return [row.key for row in await dead_letters.insert(connection, "complaints", letters, NINE)]


async def still_open(connection: AsyncConnection) -> set[str]:
    rows = await dead_letters.listed(connection, topic=None, rule=None, closed=False, ids=None)
    return {row["event_id"] for row in rows}


async def test_a_letter_says_what_was_wrong_with_which_record_and_is_kept_and_sent_once(connection: AsyncConnection) -> None:
    one = letter()
    (sent,) = await dead_letters.insert(connection, "complaints", [one], NINE)
    assert await kept(connection, one) == []
    event = DeadLetterRecorded.model_validate_json(sent.payload)
    raw = one.record.value or b""
    assert (event.rule, event.field, event.reason, event.event_id, event.size) == (
        "bad_value",
        "data.by",
        "expected a text",
        "one",
        len(raw),
    )
    assert (event.sha256, base64.b64decode(event.raw_base64)) == (hashlib.sha256(raw).hexdigest(), raw)
    assert (sent.topic, sent.key) == ("complaint-claims-complaints-dlq", event.letter_id)
    headers = dict(sent.headers)
    assert (headers["ce_id"], headers["ce_source"], headers["ce_subject"]) == (event.letter_id, "/aftersales/complaints", event.letter_id)
    stored = await dead_letters.letter(connection, event.letter_id)
    assert stored is not None
    assert (stored["topic"], stored["partition"], stored["offset"], bytes(stored["raw"])) == ("complaint-claims", 0, 0, raw)
    assert await dead_letters.letter(connection, "none") is None
    assert await dead_letters.at(connection, "complaint-claims", 0, 0) == {
        "id": event.letter_id, "rule": "bad_value", "field": "data.by", "reason": "expected a text"
    }  # fmt: skip
    assert await dead_letters.at(connection, "complaint-claims", 0, 1) is None


async def test_of_a_large_record_the_beginning_is_kept_with_the_size_and_digest_of_it_all(connection: AsyncConnection) -> None:
    raw = b"x" * (MAX_RAW + 1)
    large = replace(letter(), record=Record("complaint-claims", 0, 0, b"C1", raw, (), NINE))
    (sent,) = await dead_letters.insert(connection, "complaints", [large], NINE)
    event = DeadLetterRecorded.model_validate_json(sent.payload)
    assert (event.size, event.sha256) == (MAX_RAW + 1, hashlib.sha256(raw).hexdigest())
    assert base64.b64decode(event.raw_base64) == raw[:MAX_RAW]
    stored = await dead_letters.letter(connection, sent.key)
    assert stored is not None
    assert (stored["size"], bytes(stored["raw"])) == (MAX_RAW + 1, raw[:MAX_RAW])


async def test_what_no_table_holds_becomes_question_marks_of_a_bounded_length(connection: AsyncConnection) -> None:
    strange = replace(letter(), source="\x00" + "é" * 300, problem=Malformed("bad_value", field="data\n", reason="r" * 2500))
    (sent,) = await dead_letters.insert(connection, "complaints", [strange], NINE)
    event = DeadLetterRecorded.model_validate_json(sent.payload)
    assert (event.event_source, event.field, event.reason) == ("?" + "é" * 255, "data?", "r" * 2000)
    stored = await dead_letters.letter(connection, sent.key)
    assert stored is not None
    assert (stored["source"], stored["field"], stored["reason"]) == ("?" + "é" * 255, "data?", "r" * 2000)


async def test_an_unreadable_record_under_the_id_of_an_event_lets_nobody_say_it_again(connection: AsyncConnection) -> None:
    event = received(id="one")
    await inbox.take(connection, [event])
    same = Unreadable(replace(event.record, offset=1), WRONG, event.envelope.source, "one", event.envelope.type)
    await kept(connection, DeadLetter.unreadable(same))
    assert await inbox.take(connection, [event]) == ["duplicate"]


async def test_a_record_without_a_value_has_a_letter_of_nothing(connection: AsyncConnection) -> None:
    (sent,) = await dead_letters.insert(connection, "complaints", [replace(letter(), record=replace(letter().record, value=None))], NINE)
    event = DeadLetterRecorded.model_validate_json(sent.payload)
    assert (event.size, event.raw_base64, event.sha256) == (0, "", hashlib.sha256(b"").hexdigest())


async def test_a_letter_whose_event_may_come_again_is_forgotten_by_the_inbox(connection: AsyncConnection) -> None:
    again, never = received(id="again"), received(id="never", offset=1)
    await inbox.take(connection, [again, never])
    await kept(connection, DeadLetter.of(again, WRONG, forget=True), DeadLetter.of(never, WRONG, forget=False))
    assert await inbox.take(connection, [again, never]) == ["new", "duplicate"]


async def test_an_event_that_was_applied_closes_the_letters_of_its_id_but_no_conflict(connection: AsyncConnection) -> None:
    await kept(connection, letter("one"), letter("one", 1, CONFLICT), letter("two", 2))
    await dead_letters.close(connection, [received(id="one")])
    rows = await dead_letters.listed(connection, topic=None, rule=None, closed=False, ids=None)
    assert [(row["event_id"], row["rule"]) for row in rows] == [("one", "conflicting_duplicate"), ("two", "bad_value")]
    assert await dead_letters.open_by_rule(connection) == {
        ("complaint-claims", "conflicting_duplicate"): 1,
        ("complaint-claims", "bad_value"): 1,
    }


async def test_a_repair_from_another_source_closes_nothing(connection: AsyncConnection) -> None:
    await kept(connection, letter("one"))
    other = received(id="one")
    await dead_letters.close(connection, [replace(other, envelope=other.envelope._replace(source="/other"))])
    assert await still_open(connection) == {"one"}


async def test_where_a_topic_is_read_in_bulk_the_id_alone_closes_its_letters_and_no_conflict(connection: AsyncConnection) -> None:
    await kept(connection, letter("one"), letter("two", 1), letter("three", 2, CONFLICT))
    await dead_letters.close_repaired(connection, "kpi-facts", ["one"])
    assert await still_open(connection) == {"one", "two", "three"}
    await dead_letters.close_repaired(connection, "complaint-claims", ["one", "three"])
    assert await still_open(connection) == {"two", "three"}


async def test_letters_are_listed_by_topic_rule_and_id_and_with_the_closed_ones_when_asked(connection: AsyncConnection) -> None:
    one, two = await kept(connection, letter("one", 5), letter("two", 1, CONFLICT))
    assert await dead_letters.close_by_hand(connection, [one, "none"]) == [one]
    assert await dead_letters.close_by_hand(connection, [one]) == []

    async def found(topic: str | None = None, rule: str | None = None, ids: list[str] | None = None, *, closed: bool = True) -> list[str]:
        return [row["id"] for row in await dead_letters.listed(connection, topic=topic, rule=rule, closed=closed, ids=ids)]

    assert await found() == [two, one]
    assert await found(closed=False) == [two]
    assert await found("complaint-claims") == [two, one]
    assert await found("kpi-facts") == []
    assert await found(rule="bad_value") == [one]
    assert await found(ids=[one]) == [one]
    assert await found(ids=[]) == []


async def test_the_oldest_letter_comes_first(connection: AsyncConnection) -> None:
    one, two = await kept(connection, letter("one", 1), letter("two", 2))
    await connection.execute(text("UPDATE dead_letters SET recorded_at = now() - interval '1 second' WHERE id = :id"), {"id": two})
    assert [row["id"] for row in await dead_letters.listed(connection, topic=None, rule=None, closed=False, ids=None)] == [two, one]


async def test_an_event_is_new_once_a_duplicate_again_and_a_conflict_with_other_content(connection: AsyncConnection) -> None:
    first, again, other = received("E1"), received("E1", offset=1), received("E2", offset=2)
    assert await inbox.take(connection, []) == []
    assert await inbox.take(connection, [first, again, other]) == ["new", "duplicate", "conflict"]
    assert await inbox.take(connection, [other, first, received(id="two")]) == ["conflict", "duplicate", "new"]
    assert await inbox.digest_of(connection, first.envelope.source, "one") == first.digest
    assert await inbox.digest_of(connection, first.envelope.source, "none") is None
    await inbox.forget(connection, [(first.envelope.source, "one")])
    assert await inbox.take(connection, [other]) == ["new"]


async def test_an_event_of_another_source_is_another_event(connection: AsyncConnection) -> None:
    one = received()
    elsewhere = replace(one, envelope=one.envelope._replace(source="/elsewhere"))
    assert await inbox.take(connection, [one, elsewhere]) == ["new", "new"]
    await inbox.forget(connection, [("/elsewhere", "one")])
    assert await inbox.take(connection, [one, elsewhere]) == ["duplicate", "new"]


def test_a_redelivered_record_has_the_same_letter_and_another_place_or_service_another_one() -> None:
    ids = {
        letter().id("complaints"),
        letter(problem=CONFLICT).id("complaints"),
        letter(offset=1).id("complaints"),
        letter().id("intake"),
        replace(letter(), record=replace(letter().record, partition=1)).id("complaints"),
        replace(letter(), record=replace(letter().record, topic="rating-claims")).id("complaints"),
        replace(letter(), record=replace(letter().record, appended_at=NINE + timedelta(hours=1))).id("complaints"),
    }
    assert len(ids) == 6
