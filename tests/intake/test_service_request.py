"""The rules of a service request (D1-07, D1-14, D1-19)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from common.kernel.clock_events import OwnerChanged, Started, Stopped
from common.kernel.errors import Refused, TooEarly
from common.kernel.works import WorkStep
from intake.domain.service_request import TRAITS, ServiceRequest, Step

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
    traits = {"priority": "high", "region": "north", "channel": "hotline", "nature": "repair", "severity": "high", "product": "boiler"}
    assert set(traits) < set(TRAITS)
    entries = a_request().registered().clocks.entries
    assert entries == (
        ("first_response", Started(at=MONDAY_0900, owner="employee:E1", traits=traits)),
        ("closure", Started(at=MONDAY_0900, owner="employee:E1", traits=traits)),
    )


def test_a_request_that_nobody_has_is_the_centre_s() -> None:
    owners = {event.owner for _, event in a_request(handled_by=None).registered().clocks.entries if isinstance(event, Started)}
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
    (observed,) = surveyed.observations
    assert (observed.subject, observed.at) == ("employee:E2", MONDAY_0900 + 2 * MINUTE)
    assert (observed.numerator, observed.denominator) == (given, 4)


def test_an_end_of_an_earlier_time_that_becomes_known_late_has_the_credit() -> None:
    surveyed = after("answered", "closed", "surveyed")
    known_late = applied(surveyed.close(MONDAY_0900 + MINUTE + MINUTE / 2, "E3"))
    (before,), (now,) = surveyed.observations, known_late.observations
    assert (now.subject, now.at) == ("employee:E3", MONDAY_0900 + MINUTE + MINUTE / 2)
    assert now.revision > before.revision


def done(minute: float, by: str, work: str = "R1-w1", team: str = "") -> WorkStep:
    return WorkStep(work, MONDAY_0900 + minute * MINUTE, 1, by, team)


def test_a_survey_is_about_whoever_finished_last_before_the_closing_and_their_team_of_that_day() -> None:
    request = after("answered", "closed", "surveyed")
    for step in (done(0.5, "E5", "R1-w1", "t5"), done(1.5, "E6", "R1-w2", "t6"), done(2.5, "E7", "R1-w3", "t7")):
        request = request.done(step)
    (observed,) = request.observations
    assert (observed.subject, observed.team, observed.at) == ("employee:E6", "t6", MONDAY_0900 + 2 * MINUTE)


def test_work_that_ends_at_the_very_instant_of_the_closing_counts() -> None:
    (observed,) = after("answered", "closed", "surveyed").done(done(2, "E5")).observations
    assert observed.subject == "employee:E5"


def test_work_of_after_the_closing_gives_a_fact_no_new_revision() -> None:
    request = after("answered", "closed", "surveyed")
    assert request.done(done(2.5, "E5")).observations == request.observations
    (before,), (now,) = request.observations, request.done(done(1.5, "E2")).observations
    assert (before.subject, now.subject) == ("employee:E2", "employee:E2")
    assert now.revision == before.revision + 1


def test_what_becomes_known_of_an_end_outweighs_whatever_work_was_known_before() -> None:
    request = after("answered", "closed", "surveyed")
    for number in range(300):
        request = request.done(done(1.9, "E5", f"R1-w{number}"))
    (before,) = request.observations
    (now,) = applied(request.close(MONDAY_0900 + 1.5 * MINUTE, "E3")).observations
    assert (now.subject, before.subject) == ("employee:E3", "employee:E5")
    assert now.revision > before.revision


def test_each_end_has_its_own_survey_and_the_first_reopening_after_it() -> None:
    request = after("answered", "closed", "surveyed")

    def came_back(minute: int, request: ServiceRequest) -> ServiceRequest:
        return applied(request.reopen(MONDAY_0900 + minute * MINUTE, WorkStep("R1-w1", MONDAY_0900 + minute * MINUTE, 1)))

    request = came_back(5, came_back(4, request))
    request = applied(applied(request.close(MONDAY_0900 + 6 * MINUTE, "E3")).survey(MONDAY_0900 + 7 * MINUTE, 5))
    request = applied(came_back(8, request).close(MONDAY_0900 + 9 * MINUTE, "E4"))
    ends = [
        (end.closed.by, end.survey and end.survey.satisfaction, end.reopened and (end.reopened.at - MONDAY_0900) // MINUTE)
        for end in request.closings
    ]
    assert ends == [("E2", 4, 4), ("E3", 5, 8), ("E4", None, None)]
    assert [(one.occurrence, one.numerator, one.subject) for one in request.observations] == [(0, 3, "employee:E2"), (1, 4, "employee:E3")]
