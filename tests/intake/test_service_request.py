"""The rules of a service request (D1-07, D1-14, D1-19)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from common.kernel.clock_events import OwnerChanged, Started, Stopped
from common.kernel.errors import Refused, TooEarly
from intake.domain.service_request import Credit, ServiceRequest, Step

MONDAY_0900 = datetime(2026, 7, 6, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_request(handled_by: str | None = "E1") -> ServiceRequest:
    return ServiceRequest(
        id="R1",
        customer_id="K1",
        channel="hotline",
        nature="repair",
        severity="high",
        priority="high",
        region="north",
        product="boiler",
        handled_by=handled_by,
        asset_id=None,
        remarks="",
        opened_at=MONDAY_0900,
    )


def applied(decision: ServiceRequest | Refused | TooEarly) -> ServiceRequest:
    assert isinstance(decision, ServiceRequest), decision
    return decision


def after(*steps: str) -> ServiceRequest:
    request = a_request()
    for minute, step in enumerate(steps, start=1):
        request = applied(STEPS[step](request, MONDAY_0900 + minute * MINUTE))
    return request


STEPS: dict[str, Callable[[ServiceRequest, datetime], ServiceRequest | Refused | TooEarly]] = {
    "answered": lambda request, at: request.answer(at, "E1"),
    "closed": lambda request, at: request.close(at, "E2"),
    "surveyed": lambda request, at: request.survey(at, 4),
}


def test_registration_starts_both_promises_in_the_name_of_the_handler_and_with_what_chooses_them() -> None:
    traits = {"priority": "high", "region": "north"}
    entries = a_request().registered(traits).clocks.entries
    assert entries == (
        ("first_response", Started(at=MONDAY_0900, owner="employee:E1", traits=traits)),
        ("closure", Started(at=MONDAY_0900, owner="employee:E1", traits=traits)),
    )


def test_a_request_that_nobody_has_is_the_centre_s() -> None:
    owners = {event.owner for _, event in a_request(handled_by=None).registered({}).clocks.entries if isinstance(event, Started)}
    assert owners == {"department:intake"}


def test_the_handler_s_own_answer_stops_the_clock_of_the_first_response() -> None:
    at = MONDAY_0900 + MINUTE
    assert applied(a_request().answer(at, "E1")).clocks.entries == (("first_response", Stopped(at=at)),)


@pytest.mark.parametrize("handled_by", ["E1", None])
def test_an_answer_by_somebody_else_is_credited_to_whoever_gave_it(handled_by: str | None) -> None:
    at = MONDAY_0900 + MINUTE
    assert applied(a_request(handled_by).answer(at, "E2")).clocks.entries == (
        ("first_response", OwnerChanged(at=at, owner="employee:E2")),
        ("first_response", Stopped(at=at)),
    )


def test_the_end_of_the_service_stops_the_clock_of_the_closure_and_keeps_who_gave_it() -> None:
    answered = after("answered")
    closed = applied(answered.close(MONDAY_0900 + 2 * MINUTE, "E1"))
    assert (ended := closed.last(Step.CLOSED)) is not None
    assert ended.by == "E1"
    assert closed.clocks.entries[len(answered.clocks.entries) :] == (("closure", Stopped(at=MONDAY_0900 + 2 * MINUTE)),)


def test_a_survey_touches_no_clock() -> None:
    closed = after("answered", "closed")
    assert applied(closed.survey(MONDAY_0900 + timedelta(days=9), 2)).clocks == closed.clocks


@pytest.mark.parametrize(("satisfaction", "given"), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)])
def test_an_answer_from_1_to_5_is_worth_0_to_4_of_4_points(satisfaction: int, given: int) -> None:
    surveyed = applied(after("answered", "closed").survey(MONDAY_0900 + 9 * MINUTE, satisfaction))
    assert surveyed.credit == Credit("E2", MONDAY_0900 + 2 * MINUTE, satisfaction)
    assert surveyed.credit.points == (given, 4)


def test_an_end_of_an_earlier_time_that_becomes_known_late_has_the_credit() -> None:
    surveyed = after("answered", "closed", "surveyed")
    known_late = applied(surveyed.close(MONDAY_0900 + MINUTE + MINUTE / 2, "E3"))
    assert known_late.credit == Credit("E3", MONDAY_0900 + MINUTE + MINUTE / 2, 4)
    assert known_late.credits_known > surveyed.credits_known
