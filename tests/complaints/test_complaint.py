"""The rules of a complaint (D4-12 … D4-14, X-07 … X-09)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from common.kernel.clock_events import OwnerChanged, Started, Stopped
from common.kernel.errors import Refused, TooEarly
from complaints.domain.complaint import Complaint, Step

MONDAY_0900 = datetime(2026, 7, 6, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

Doing = Callable[[Complaint, datetime], Complaint | Refused | TooEarly]

TAKEN: dict[Step, Doing] = {
    Step.ACKNOWLEDGED: lambda complaint, at: complaint.acknowledge(at, "E1"),
    Step.VERIFICATION_STARTED: lambda complaint, at: complaint.start_verification(at, "E2"),
    Step.VERIFIED: lambda complaint, at: complaint.verify(at, "E2", justified=False),
    Step.SOLUTION_PROPOSED: lambda complaint, at: complaint.propose_solution(at, "E3", "replacement"),
    Step.SOLUTION_COMMUNICATED: lambda complaint, at: complaint.communicate_solution(at, "E1"),
}
NORTH = {"region": "north"}


def a_complaint(*triggers: str, handled_by: str | None = "E1") -> Complaint:
    return Complaint(
        id="C1",
        customer_id="K1",
        request_id=None,
        category="noise",
        region="north",
        handled_by=handled_by,
        opened_at=MONDAY_0900,
        triggers=triggers,
    )


def after(*steps: Step) -> Complaint:
    complaint = a_complaint()
    for hour, step in enumerate(steps, start=1):
        changed = TAKEN[step](complaint, MONDAY_0900 + hour * HOUR)
        assert isinstance(changed, Complaint), changed
        complaint = changed
    return complaint


def test_a_second_acknowledgement_is_refused_and_changes_no_clock() -> None:
    assert after(Step.ACKNOWLEDGED).acknowledge(MONDAY_0900 + 2 * HOUR, "E9") == Refused("acknowledged_once", was="acknowledged")


@pytest.mark.parametrize("step", [Step.ACKNOWLEDGED, Step.VERIFICATION_STARTED])
def test_what_is_done_in_the_moment_of_the_receipt_counts(step: Step) -> None:
    done = TAKEN[step](a_complaint(), MONDAY_0900)
    assert isinstance(done, Complaint), done
    assert [(taken.step, taken.at) for taken in done.steps] == [(step, MONDAY_0900)]


def test_a_complaint_starts_four_promises_in_the_name_of_its_handler() -> None:
    entries = a_complaint().received(NORTH).clocks.entries
    stages = ("acknowledged", "verification_started", "verified", "solution_communicated")
    assert entries == tuple((stage, Started(at=MONDAY_0900, owner="employee:E1", traits=NORTH)) for stage in stages)


def test_the_promises_of_a_complaint_that_nobody_has_are_the_department_s() -> None:
    owners = {event.owner for _, event in a_complaint(handled_by=None).received(NORTH).clocks.entries if isinstance(event, Started)}
    assert owners == {"department:complaints"}


def test_what_was_found_and_decided_and_by_whom_is_kept() -> None:
    complaint = after(Step.VERIFICATION_STARTED, Step.VERIFIED, Step.SOLUTION_PROPOSED)
    verified, proposed = complaint.last(Step.VERIFIED), complaint.last(Step.SOLUTION_PROPOSED)
    assert verified is not None
    assert proposed is not None
    assert (verified.justified, verified.by, proposed.remedy, proposed.by) == (False, "E2", "replacement", "E3")


def test_a_major_case_is_escalated_in_the_moment_in_which_it_is_received() -> None:
    entries = a_complaint("injury").received(NORTH).clocks.entries
    assert entries[4:] == (
        ("escalated", Started(at=MONDAY_0900, owner="employee:E1", traits={"region": "north"})),
        ("escalated", Stopped(at=MONDAY_0900)),
    )


@pytest.mark.parametrize("step", [Step.ACKNOWLEDGED, Step.VERIFICATION_STARTED])
def test_what_was_promised_and_done_stops_its_own_clock_and_no_other(step: Step) -> None:
    stopped = (step, Stopped(at=MONDAY_0900 + HOUR))
    of_another = ((step, OwnerChanged(at=MONDAY_0900 + HOUR, owner="employee:E2")),) if step == Step.VERIFICATION_STARTED else ()
    assert after(step).clocks.entries == (*of_another, stopped)


def test_a_solution_that_nobody_was_told_stops_no_clock() -> None:
    verified = after(Step.VERIFICATION_STARTED, Step.VERIFIED)
    proposed = after(Step.VERIFICATION_STARTED, Step.VERIFIED, Step.SOLUTION_PROPOSED)
    assert proposed.clocks == verified.clocks


def test_a_step_counts_for_the_team_in_which_whoever_takes_it_was_last_given_the_complaint_and_for_none_else() -> None:
    complaint = a_complaint()
    for hour, (handler, team) in enumerate((("E2", "T1"), ("E2", "T2"), ("E3", "T3")), start=1):
        changed = complaint.assign(MONDAY_0900 + hour * HOUR, "M1", handler, team)
        assert isinstance(changed, Complaint), changed
        complaint = changed
    end = MONDAY_0900 + 9 * HOUR
    assert [complaint.team_of(handler, end) for handler in ("E2", "E3", "E4")] == ["T2", "T3", ""]
    assert complaint.team_of("E2", MONDAY_0900 + HOUR) == "T1"


def test_what_was_found_by_an_instant_is_what_had_been_said_by_then() -> None:
    complaint = after(Step.VERIFICATION_STARTED, Step.VERIFIED, Step.SOLUTION_PROPOSED)
    found = [complaint.found(MONDAY_0900 + hour * HOUR) for hour in (1, 2, 3)]
    assert found == [(False, ""), (False, ""), (False, "replacement")]
    justified = after(Step.VERIFICATION_STARTED).verify(MONDAY_0900 + 2 * HOUR, "E2", justified=True)
    assert isinstance(justified, Complaint), justified
    assert [justified.found(MONDAY_0900 + hour * HOUR) for hour in (1, 2)] == [(False, ""), (True, "")]
