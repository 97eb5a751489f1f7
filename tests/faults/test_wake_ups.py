"""Wake-ups of aggregates: each takes effect once, at its own place in time, whether a timer or a later event brings it to light."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.faults.kit import until
from tests.faults.timer_worker import note_that_all_is_read, worker_on
from tests.faults.waking import DAY, FOUR, HOUR, remind, reminding
from tests.harness import ServiceOnDatabase, claim, documents_under, service_on

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged, VerificationBegun, VerificationEnded
from common.contracts.complaints import ComplaintEscalated
from common.contracts.envelope import Record
from common.kernel.ids import derived_id
from common.kernel.wake_ups import Woken
from common.kernel.wall_clock import now
from common.runtime.consumer import EventConsumer
from common.runtime.handling import HandlerTable
from common.runtime.metrics import ChassisMetrics
from common.runtime.timers import pause_before
from common.sla.policy import load_policy, parse_policy
from complaints.domain.complaint import Complaint
from complaints.repository import UnitOfWork

pytestmark = pytest.mark.real

LONG_AGO = datetime(2025, 9, 1, 2, tzinfo=UTC)
"""A Monday at ten in the morning, by the calendar of the promises."""
DUE = LONG_AGO + HOUR
MINUTE, MOMENT = timedelta(minutes=1), timedelta(microseconds=1)
_BLOCKED = "SELECT count(*) AS number FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_SET = "SELECT reason, state, due_at, version FROM timers WHERE kind = 'wake' ORDER BY aggregate, reason"
_PARKED = "SELECT aggregate, reason FROM parked_keys"
_IDLE = "UPDATE consumer_progress SET replayed_at = now() - interval '2 minutes' WHERE replayed_at IS NOT NULL"


@pytest.fixture(autouse=True)
def logs() -> Any:
    """What was logged; without it each defect would be painted with all its locals."""
    with structlog.testing.capture_logs() as found:
        yield found


@pytest.fixture
async def service(database: str) -> AsyncIterator[ServiceOnDatabase]:
    async with service_on("complaints", database) as found:
        yield found


@pytest.fixture
def complaints(service: ServiceOnDatabase) -> ServiceOnDatabase:
    """Complaints of which somebody is reminded after an hour."""
    return with_handlers(service, reminding("remind"))


def with_handlers(service: ServiceOnDatabase, handlers: HandlerTable, *, replay_idle: timedelta = timedelta(0)) -> ServiceOnDatabase:
    """The service with other handlers, as a new release has them."""
    policy = load_policy("complaints")
    metrics = ChassisMetrics("complaints", "test", policy.stages, CollectorRegistry())
    consumer = EventConsumer("complaints", service.database, handlers, UnitOfWork, documents_under(policy), metrics, lambda: None)
    timers = worker_on(service.database, policy, handlers=handlers, replay_idle=replay_idle)
    return replace(service, consumer=consumer, timers=timers)


def lodged(key: str = "C1", at: datetime = LONG_AGO, **how: Any) -> Record:
    return claim(ComplaintLodged(complaint_id=key, customer_id="K1", category="noise", region="north", handled_by="E1"), at, **how)


def told(at: datetime, key: str = "C1") -> Record:
    return claim(ComplainantTold(complaint_id=key, by="E1"), at)


def begun(at: datetime, key: str = "C1") -> Record:
    return claim(VerificationBegun(complaint_id=key, by="E1"), at)


def ended(at: datetime, key: str = "C1") -> Record:
    return claim(VerificationEnded(complaint_id=key, justified=True, by="E1"), at)


async def reminded(service: ServiceOnDatabase) -> list[tuple[str, datetime]]:
    return [(event.complaint_id, event.escalated_at) for event in await service.published(ComplaintEscalated)]


async def decided(service: ServiceOnDatabase) -> list[tuple[str, str, datetime]]:
    """What was decided about complaints, without the ids' order of arrival: (id, type, time)."""
    return [(event.envelope.id, event.TYPE, event.time) for event in await service.all_published() if event.TYPE.startswith("complaint.")]


def types(found: Sequence[tuple[str, str, datetime]]) -> list[str]:
    return [type.removeprefix("complaint.") for _, type, _ in found]


async def test_an_aggregate_is_woken_once_with_the_instant_that_was_set_as_the_time_of_what_follows(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged()])
    assert await reminded(complaints) == []
    await complaints.let_time_pass()
    await complaints.let_time_pass()
    (event,) = await complaints.published(ComplaintEscalated)
    assert (event.time, event.escalated_at, event.envelope.sequence) == (DUE, DUE, 2)
    assert event.envelope.causation_id == f"wake:remind:complaints:C1@{DUE.isoformat()}"
    assert event.envelope.recorded_at > now() - HOUR
    assert await complaints.rows(_SET) == [{"reason": "remind", "state": "fired", "due_at": DUE, "version": 1}]


async def test_it_is_not_woken_before_the_instant_nor_before_the_service_has_caught_up(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(at=now() - 5 * MINUTE), lodged("C2")])
    assert await complaints.timers.fire() == 0, "it has not seen how far the topics go"
    await complaints.let_time_pass()
    assert await reminded(complaints) == [("C2", DUE)]


async def test_one_that_is_taken_back_never_fires(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), told(LONG_AGO + MINUTE)])
    await complaints.let_time_pass()
    assert await reminded(complaints) == []
    assert [(row["state"], row["version"]) for row in await complaints.rows(_SET)] == [("cancelled", 2)]


async def test_one_that_is_set_anew_fires_at_the_new_instant_alone(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), begun(LONG_AGO + MINUTE)])
    await complaints.let_time_pass()
    assert await reminded(complaints) == [("C1", LONG_AGO + MINUTE + DAY)]


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("timers_first", [True, False])
async def test_what_was_due_before_an_event_takes_effect_before_it_whether_a_timer_or_the_event_brings_it_to_light(
    complaints: ServiceOnDatabase, timers_first: bool, at_once: int
) -> None:
    await complaints.apply([lodged()])
    if timers_first:
        await complaints.let_time_pass()
    await complaints.apply([told(DUE + MINUTE), begun(DUE + 2 * MINUTE)], at_once=at_once)
    found = await decided(complaints)
    assert types(found) == ["received", "escalated", "acknowledged", "verification_started"]
    assert [event.envelope.sequence for event in await complaints.all_published() if event.TYPE.startswith("complaint.")] == [1, 2, 3, 4]
    await complaints.let_time_pass()
    assert await reminded(complaints) == [("C1", DUE), ("C1", DUE + 2 * MINUTE + DAY)]
    ids = {id for id, type, at in found if at == DUE}
    assert ids == {self_made_id()}


def self_made_id() -> str:
    """The id of a reminder follows from the aggregate, the reason and the instant alone."""
    return derived_id(DUE, "complaints", f"wake:remind:complaints:C1@{DUE.isoformat()}", ComplaintEscalated.TYPE, 1)


async def test_an_event_at_the_very_instant_comes_before_the_wake_up(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), told(DUE)])
    await complaints.let_time_pass()
    assert types(await decided(complaints)) == ["received", "acknowledged"]


async def test_an_event_that_waits_for_an_earlier_one_brings_nothing_to_light(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), ended(DUE + HOUR)])
    assert await reminded(complaints) == []
    await complaints.apply([begun(LONG_AGO + MINUTE)])  # what it waits for, which also moves the wake-up
    assert types(await decided(complaints)) == ["received", "verification_started", "verified"]
    await complaints.let_time_pass()
    assert await reminded(complaints) == [("C1", LONG_AGO + MINUTE + DAY)]


async def test_events_read_in_one_batch_and_one_by_one_with_time_between_end_the_same(database: str, service: ServiceOnDatabase) -> None:
    complaints = with_handlers(service, reminding(*FOUR))
    story = [lodged(), begun(DUE + MINUTE), lodged("C2", LONG_AGO + MINUTE), told(DUE + DAY + HOUR), told(LONG_AGO + 2 * MINUTE, "C2")]
    await complaints.apply(story)
    await complaints.let_time_pass()
    at_once = await decided(complaints), await complaints.rows(_SET)
    await complaints.apply(story)
    async with complaints.database.transaction() as connection:
        tables = "inbox, outbox, timers, clocks, clock_events, complaints, waiting"
        await connection.execute(text(f"TRUNCATE {tables}"))
    for record in story:
        await complaints.apply([record])
    await complaints.let_time_pass()
    assert sorted(at_once[0]) == sorted(await decided(complaints))
    assert at_once[1] == await complaints.rows(_SET)


async def test_deadlines_and_wake_ups_of_an_aggregate_come_in_the_order_of_their_instants(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), begun(LONG_AGO + 10 * HOUR)])
    await complaints.let_time_pass()
    told_of = [event.time for event in await complaints.all_published() if event.TYPE in ("complaint.escalated", "sla_clock.breached")]
    assert told_of == sorted(told_of)
    assert (told_of[0], told_of[2], len(told_of)) == (DUE, LONG_AGO + 10 * HOUR + DAY, 5), "the second lies between deadlines"


async def test_a_wake_up_at_a_deadline_is_in_time(service: ServiceOnDatabase) -> None:
    def acknowledge(woken: Woken, complaint: Complaint, uow: UnitOfWork) -> None:
        assert uow.complaints.answer(None, complaint.acknowledge(woken.at, "E1"))  # type: ignore[arg-type]  # no claim is refused here

    hour = {"acknowledged": [{"target": {"working_seconds": 3600}, "calendar": "24x7"}]}
    others = ("verification_started", "verified", "solution_communicated")
    far = {stage: [{"target": {"working_seconds": 300 * 86400}, "calendar": "24x7"}] for stage in others}
    policy = parse_policy({"policy": "complaints", "version": 1, "stages": {**hour, **far}})
    metrics = ChassisMetrics("complaints", "test", policy.stages, CollectorRegistry())
    handlers = reminding("remind", remind=acknowledge)
    consumer = EventConsumer("complaints", service.database, handlers, UnitOfWork, documents_under(policy), metrics, lambda: None)
    complaints = replace(service, consumer=consumer, timers=worker_on(service.database, policy, handlers=handlers))
    await complaints.apply([lodged()])
    await complaints.let_time_pass()
    assert await complaints.rows("SELECT outcome FROM clocks WHERE stage = 'acknowledged'") == [{"outcome": "met"}]
    assert [event.TYPE for event in await complaints.all_published() if event.TYPE.startswith("sla_clock.")].count(
        "sla_clock.corrected"
    ) == 0


async def test_a_wake_up_that_meets_a_defect_parks_its_aggregate_and_fires_after_the_redrive(service: ServiceOnDatabase) -> None:
    def fail_for_one(woken: Woken, complaint: Complaint, uow: UnitOfWork) -> None:
        if (woken.reason, complaint.id) == ("remind_2", "C1"):
            raise ZeroDivisionError
        remind(woken, complaint, uow)

    complaints = with_handlers(service, reminding(*FOUR, remind=fail_for_one))
    await complaints.apply([lodged(), lodged("C2")])
    await complaints.let_time_pass()
    assert await complaints.rows(_PARKED) == [{"aggregate": "complaints:C1", "reason": "ZeroDivisionError"}]
    assert sorted(await reminded(complaints)) == [("C1", DUE), *[("C2", DUE)] * 4]
    await complaints.apply([told(DUE + MINUTE)])
    assert len(await reminded(complaints)) == 5, "it stands still"
    assert not await complaints.consumer.redrive("complaints:C1")
    mended = with_handlers(service, reminding(*FOUR))
    assert await mended.consumer.redrive("complaints:C1")
    await mended.let_time_pass()
    assert sorted(await reminded(complaints)) == [*[("C1", DUE)] * 4, *[("C2", DUE)] * 4]
    assert types(await decided(complaints)).count("acknowledged") == 1


async def test_an_event_that_is_later_than_a_wake_up_with_a_defect_queues_behind_its_aggregate(service: ServiceOnDatabase) -> None:
    def fail(woken: Woken, complaint: Complaint, uow: UnitOfWork) -> None:
        raise ZeroDivisionError

    complaints = with_handlers(service, reminding("remind", remind=fail))
    await complaints.apply([lodged(), lodged("C2"), told(DUE + MINUTE), told(LONG_AGO + MINUTE, "C2")])
    assert types(await decided(complaints)) == ["received", "received", "acknowledged"]
    mended = with_handlers(service, reminding("remind"))
    assert await mended.consumer.redrive("complaints:C1")
    assert types(await decided(complaints)) == ["received", "received", "acknowledged", "escalated", "acknowledged"]


@pytest.mark.parametrize("by_event", [False, True])
async def test_a_reason_that_no_use_case_is_woken_for_parks_the_aggregate_and_says_so(service: ServiceOnDatabase, by_event: bool) -> None:
    await with_handlers(service, reminding("remind")).apply([lodged()])
    older = with_handlers(service, reminding())
    if by_event:
        await older.apply([told(DUE + MINUTE)])
    else:
        await older.let_time_pass()
    assert await older.rows(_PARKED) == [{"aggregate": "complaints:C1", "reason": "no use case is woken for remind"}]
    newer = with_handlers(service, reminding("remind"))
    assert await newer.consumer.redrive("complaints:C1")
    await newer.let_time_pass()
    assert await reminded(newer) == [("C1", DUE)]


async def test_an_aggregate_that_cannot_be_read_is_parked_and_the_wake_ups_of_others_go_on(complaints: ServiceOnDatabase) -> None:
    await complaints.apply([lodged(), lodged("C2")])
    async with complaints.database.transaction() as connection:
        await connection.execute(text("UPDATE complaints SET version = 9 WHERE id = 'C1'"))
    await complaints.let_time_pass()
    assert await reminded(complaints) == [("C2", DUE)]
    assert [row["aggregate"] for row in await complaints.rows("SELECT aggregate FROM parked_keys")] == ["complaints:C1"]
    async with complaints.database.transaction() as connection:
        await connection.execute(text("UPDATE complaints SET version = 1 WHERE id = 'C1'"))
    assert await complaints.consumer.redrive("complaints:C1")
    await complaints.let_time_pass()
    assert await reminded(complaints) == [("C2", DUE), ("C1", DUE)]


async def test_wake_ups_of_a_replayed_history_wait_until_it_is_idle_and_hand_on_that_it_was_replayed(service: ServiceOnDatabase) -> None:
    complaints = with_handlers(service, reminding("remind"), replay_idle=timedelta(minutes=1))
    await complaints.apply([lodged(replay_of="log-1")])
    await complaints.let_time_pass()
    assert await reminded(complaints) == [], "it fires in the midst of a history"
    async with complaints.database.transaction() as connection:
        await connection.execute(text(_IDLE))
    await complaints.let_time_pass()
    (event,) = await complaints.published(ComplaintEscalated)
    assert (event.time, event.envelope.replay_of) == (DUE, "log-1")


async def test_what_another_transaction_moves_takes_back_or_fires_meanwhile_does_not_fire_from_an_old_look(
    complaints: ServiceOnDatabase,
) -> None:
    """Each of three wake-ups is seen as due; then another transaction, which holds their complaints, changes each in one way."""
    await complaints.apply([lodged("C1"), lodged("C2"), lodged("C3")])
    await note_that_all_is_read(complaints.database)
    async with complaints.database.transaction() as other:
        await other.execute(text("SELECT FROM complaints FOR UPDATE"))
        firing = asyncio.create_task(complaints.timers.fire())

        async def waits() -> bool:
            return firing.done() or bool((await complaints.rows(_BLOCKED))[0]["number"])

        await until("the worker has seen what is due, and waits for the complaints", waits)
        change = "UPDATE timers SET {} WHERE kind = 'wake' AND aggregate = 'complaints:{}'"
        await other.execute(text(change.format("version = 2, due_at = now() + interval '1 day'", "C1")))
        await other.execute(text(change.format("version = 2, state = 'cancelled'", "C2")))
        await other.execute(text(change.format("state = 'fired'", "C3")))
    with suppress(DBAPIError):  # on a very slow machine the worker has stopped waiting: it has fired nothing either
        await firing
    assert await reminded(complaints) == []
    states = await complaints.rows("SELECT state FROM timers WHERE kind = 'wake' ORDER BY aggregate")
    assert [row["state"] for row in states] == ["armed", "cancelled", "fired"]


async def test_a_wake_up_may_move_or_take_back_others_that_are_due_in_the_same_round(service: ServiceOnDatabase) -> None:
    def first_takes_back_the_others(woken: Woken, complaint: Complaint, uow: UnitOfWork) -> None:
        remind(woken, complaint, uow)
        if woken.reason == "remind":
            uow.cancel_wake(UnitOfWork.complaints, complaint.id, "remind_2")
            uow.wake(UnitOfWork.complaints, complaint.id, "remind_3", woken.at + DAY)

    complaints = with_handlers(service, reminding(*FOUR, remind=first_takes_back_the_others))
    await complaints.apply([lodged()])
    await complaints.let_time_pass()
    assert await reminded(complaints) == [("C1", DUE), ("C1", DUE), ("C1", DUE + DAY)]
    assert {row["reason"]: row["state"] for row in await complaints.rows(_SET)} == {
        "remind": "fired",
        "remind_2": "cancelled",
        "remind_3": "fired",
        "remind_4": "fired",
    }


@pytest.mark.parametrize("by_event", [False, True])
async def test_a_wake_up_that_sets_the_next_one_goes_on_until_now_and_ends(service: ServiceOnDatabase, by_event: bool) -> None:
    def weekly(woken: Woken, complaint: Complaint, uow: UnitOfWork) -> None:
        remind(woken, complaint, uow)
        uow.wake(UnitOfWork.complaints, complaint.id, woken.reason, woken.at)  # it has fired for this instant: nothing
        if woken.at < DUE + 28 * DAY:
            uow.wake(UnitOfWork.complaints, complaint.id, woken.reason, woken.at + 7 * DAY)

    complaints = with_handlers(service, reminding("remind", remind=weekly))
    await complaints.apply([lodged()])
    if by_event:
        await complaints.apply([ended(DUE + 60 * DAY), begun(DUE + 60 * DAY)])
    await complaints.let_time_pass()
    assert (await reminded(complaints))[:5] == [("C1", DUE + 7 * week * DAY) for week in range(5)]


async def test_only_what_its_event_has_loaded_or_added_can_be_woken(service: ServiceOnDatabase) -> None:
    def wake_another(told: ComplainantTold, complaint: Complaint, uow: UnitOfWork) -> None:
        uow.wake(UnitOfWork.complaints, "C9", "remind", told.time)

    handlers = reminding("remind")
    handlers[ComplainantTold] = replace(handlers[ComplainantTold], use_case=wake_another)
    complaints = with_handlers(service, handlers)
    await complaints.apply([lodged(), told(LONG_AGO + MINUTE)])
    assert await service.rows(_PARKED) == [{"aggregate": "complaints:C1", "reason": "LookupError"}]


@pytest.mark.parametrize(("due_in", "seconds"), [(None, 1), (3600, 1), (0.4, 0.4), (0.01, 0.05), (0, 0.25), (-7200, 0.25)])
def test_a_worker_sleeps_until_the_next_deadline_a_second_at_most_and_never_not_at_all(due_in: float | None, seconds: float) -> None:
    assert pause_before(due_in) == seconds
