"""Events that wait or are parked: in their order, let go once, told by topic, and expired only where nothing parks them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.harness import claim

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged
from common.contracts.claims.intake import SurveyAnswered
from common.contracts.envelope import Received, decode
from common.contracts.event import Event
from common.kafka import records
from common.store import held_back, parked, waiting
from common.store.held_back import HeldBack, InHand
from intake.repository import UnitOfWork

pytestmark = pytest.mark.real

NINE = datetime(2026, 7, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def received(event: Event, minutes: int = 0, id: str = "") -> Received:
    found = decode(claim(event, NINE + minutes * MINUTE, id=id))
    assert isinstance(found, Received)
    return found


def told(complaint: str, minutes: int = 0) -> HeldBack:
    """Somebody was told about a complaint that nobody knows yet."""
    event = received(ComplainantTold(complaint_id=complaint, by="E1"), minutes)
    return HeldBack(event, f"complaints:{complaint}", waiting.UNKNOWN_AGGREGATE)


async def wait(connection: AsyncConnection, *held: HeldBack) -> None:
    await waiting.save_waiting(connection, held, [], InHand())


async def aged(connection: AsyncConnection, held: HeldBack, age: timedelta) -> None:
    statement = "UPDATE waiting SET since = now() - CAST(:age AS interval) WHERE id = :id"
    await connection.execute(text(statement), {"age": age, "id": held.key[1]})


async def test_what_waits_is_tried_in_the_order_of_its_own_time_and_of_its_arrival(connection: AsyncConnection) -> None:
    late, early, other = told("C1", 2), told("C1", 1), told("C2")
    same = HeldBack(received(ComplainantTold(complaint_id="C1", by="E2"), 1), "complaints:C1", "acknowledged")
    await wait(connection, late, early, same, other)
    found = await waiting.waiting_for(connection, ["complaints:C1"])
    assert found.events == [early, same, late]
    assert found.places == {("complaint-claims", 0)}
    assert await waiting.count(connection) == 4
    assert await waiting.count_by_topic(connection) == {"complaint-claims": 4}
    assert await waiting.missing_for(connection, *same.key) == "acknowledged"
    assert await waiting.missing_for(connection, "/nobody", "none") is None


async def test_what_has_been_applied_no_longer_waits_and_what_goes_on_waiting_waits_for_something_else(connection: AsyncConnection) -> None:
    one, two = told("C1", 1), told("C1", 2)
    in_hand = InHand()
    await waiting.save_waiting(connection, [one, two], [], in_hand)
    row = records.pack(one.received.record)
    assert in_hand.event(one.key, row) is one.received
    moved = HeldBack(two.received, "work_orders:W1", "assigned")
    await waiting.save_waiting(connection, [moved], [one.key], in_hand)
    assert (await waiting.waiting_for(connection, ["complaints:C1", "work_orders:W1"], in_hand)).events == [moved]
    assert in_hand.event(one.key, row) is None


async def test_only_what_has_waited_for_longer_than_the_limit_and_is_not_parked_expires(connection: AsyncConnection) -> None:
    old, young, stuck = told("C1"), told("C2"), told("C3")
    await wait(connection, old, young, stuck)
    for held, seconds in ((old, 3601), (young, 3600), (stuck, 9999)):
        await aged(connection, held, timedelta(seconds=seconds))
    await parked.park(connection, (), {"complaints:C3": "KeyError"})
    assert (await waiting.expired(connection, timedelta(hours=1))).events == [old]
    assert await waiting.count(connection) == 2


async def test_a_waiting_row_that_is_no_record_parks_its_aggregate_and_the_others_go_on(connection: AsyncConnection) -> None:
    spoilt, sound = told("C1"), told("C2")
    await wait(connection, spoilt, sound)
    await connection.execute(text("UPDATE waiting SET record = '{}' WHERE id = :id"), {"id": spoilt.key[1]})
    found = await waiting.waiting_for(connection, ["complaints:C1", "complaints:C2"])
    assert (found.events, found.letters, set(found.spoilt)) == ([sound], [], {"complaints:C1"})


async def test_a_waiting_event_that_this_version_cannot_read_becomes_a_dead_letter_under_its_own_id(
    connection: AsyncConnection,
) -> None:
    held = told("C1")
    await wait(connection, held)
    changed = "UPDATE waiting SET record = jsonb_set(CAST(record AS jsonb), '{value}', 'null')::json"
    await connection.execute(text(changed))
    found = await waiting.waiting_for(connection, ["complaints:C1"])
    (letter,) = found.letters
    assert (letter.source, letter.event_id, letter.forget, letter.problem.rule) == (*held.key, True, "empty")
    assert (found.events, found.spoilt) == ([], {})


async def test_what_waits_is_listed_by_age_and_of_one_topic_or_of_all(connection: AsyncConnection) -> None:
    first, second = told("C1", 2), told("C2", 1)
    await wait(connection, first, second)
    await aged(connection, second, timedelta(seconds=1))
    rows = await waiting.listed(connection)
    assert [(row["id"], row["topic"], row["missing"], row["aggregate"]) for row in rows] == [
        (held.key[1], "complaint-claims", waiting.UNKNOWN_AGGREGATE, held.aggregate) for held in (second, first)
    ]
    assert [len(await waiting.listed(connection, topic)) for topic in ("complaint-claims", "rating-claims")] == [2, 0]


async def test_events_queue_behind_a_parked_aggregate_in_the_order_in_which_they_came(connection: AsyncConnection) -> None:
    late, early, other = told("C1", 2), told("C1", 1), told("C2")
    await parked.park(connection, [late, early, other], {"complaints:C1": "KeyError", "complaints:C2": "ValueError"})
    await parked.park(connection, [late], {"complaints:C1": "another"})
    behind = (await parked.parked_behind(connection, "complaints:C1")).events
    assert [held.received for held in behind] == [late.received, early.received]
    assert [record.offset for record in await parked.queue_behind(connection, "complaints:C1")] == [0, 0]
    assert await parked.parked_among(connection, ["complaints:C1", "complaints:C9"]) == {"complaints:C1"}
    assert await parked.behind_which(connection, *other.key) == "complaints:C2"
    assert await parked.behind_which(connection, other.key[0], "none") is None
    assert (await parked.count(connection), await parked.count_by_topic(connection)) == (2, {"complaint-claims": 3})
    rows = {row["id"]: (row["reason"], row["events"], row["redrive"]) for row in await parked.listed(connection)}
    assert rows == {"complaints:C1": ("KeyError", 2, False), "complaints:C2": ("ValueError", 1, False)}
    await parked.unpark(connection, "complaints:C1")
    assert await parked.parked_among(connection, ["complaints:C1", "complaints:C2"]) == {"complaints:C2"}
    assert (await parked.parked_behind(connection, "complaints:C1")).events == []
    assert len((await parked.parked_behind(connection, "complaints:C2")).events) == 1


async def test_parked_aggregates_are_listed_of_the_topic_on_which_something_came(connection: AsyncConnection) -> None:
    lodged = received(ComplaintLodged(complaint_id="C3", customer_id="K1", category="repair", region="north", handled_by="E1"))
    await parked.park(connection, [told("C1"), HeldBack(lodged, "complaints:C3")], {"complaints:C1": "a", "complaints:C3": "b"})
    await parked.park(connection, [], {"complaints:C4": "c"})
    assert [len(await parked.listed(connection, topic)) for topic in ("complaint-claims", "rating-claims", None)] == [2, 0, 3]
    surveyed = received(SurveyAnswered(request_id="R1", satisfaction=4))
    await parked.park(connection, [HeldBack(surveyed, "complaints:C1")], {})
    topics = {row["id"]: row["topic"] for row in await parked.listed(connection)}
    assert topics == {"complaints:C1": "complaint-claims", "complaints:C3": "complaint-claims", "complaints:C4": None}


async def test_a_redrive_is_asked_for_once_and_asked_anew_after_it_failed(connection: AsyncConnection) -> None:
    await parked.park(connection, [told("C1")], {"complaints:C1": "KeyError", "complaints:C2": "unsendable_event"})
    assert await parked.next_redrive(connection) is None
    assert await parked.is_asked(connection, "complaints:C1") == (False, "KeyError")
    assert await parked.is_asked(connection, "complaints:C9") is None
    assert await parked.ask_redrive(connection, "complaints:C1") == 1
    assert await parked.ask_redrive(connection, "complaints:C9") is None
    assert await parked.next_redrive(connection) == "complaints:C1"
    await parked.keep_parked(connection, "complaints:C1", "TypeError")
    assert await parked.next_redrive(connection) is None
    assert await parked.is_asked(connection, "complaints:C1") == (False, "TypeError")
    await parked.ask_redrive_for(connection, ["complaints:C1", "complaints:C2"], "unsendable_event")
    assert await parked.is_asked(connection, "complaints:C1") == (False, "TypeError")
    assert await parked.next_redrive(connection) == "complaints:C2"


def test_an_event_in_hand_is_used_only_while_its_row_says_the_same() -> None:
    in_hand, held = InHand(), told("C1")
    assert in_hand.event(held.key, "row") is None
    in_hand.keep(held, "row")
    assert in_hand.event(held.key, "row") is held.received
    assert in_hand.event(held.key, "changed by hand") is None
    in_hand.let_go(held.key)
    in_hand.let_go(held.key)
    assert in_hand.event(held.key, "row") is None


def test_the_oldest_events_in_hand_are_let_go_when_there_is_too_much_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_back, "IN_HAND", 10)
    in_hand, one, two, three = InHand(), told("C1"), told("C2"), told("C3")
    in_hand.keep(one, "12345")
    in_hand.keep(one, "54321")
    in_hand.keep(two, "12345")
    assert [in_hand.event(one.key, "54321"), in_hand.event(two.key, "12345")] == [one.received, two.received]
    in_hand.keep(three, "1")
    assert [in_hand.event(held.key, row) for held, row in ((one, "54321"), (two, "12345"), (three, "1"))] == [
        None,
        two.received,
        three.received,
    ]


async def test_what_waits_for_an_aggregate_that_is_there_is_stranded_unless_it_is_parked(connection: AsyncConnection) -> None:
    requests = UnitOfWork.requests
    insert = text("INSERT INTO service_requests (id, sequence, version, state) VALUES (:id, 0, 1, '{}')")
    for id in ("R1", "R2", "R3", "R4"):
        await connection.execute(insert, {"id": id})
    await wait(
        connection,
        *(
            HeldBack(told("C1", number).received, requests.ref(id), waiting.UNKNOWN_AGGREGATE)
            for number, id in enumerate(["R2", "R1", "R3"])
        ),
        HeldBack(told("C2", 9).received, requests.ref("R4"), "answered"),
        HeldBack(told("C3", 9).received, requests.ref("R9"), waiting.UNKNOWN_AGGREGATE),
        HeldBack(told("C4", 9).received, "complaints:R1", waiting.UNKNOWN_AGGREGATE),
    )
    await parked.park(connection, (), {requests.ref("R3"): "KeyError"})
    assert await waiting.stranded(connection, requests, 9) == ["service_requests:R1", "service_requests:R2"]
    assert await waiting.stranded(connection, requests, 1) == ["service_requests:R1"]
