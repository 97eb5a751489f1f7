"""The rules of a complaint (D4-12 … D4-14, X-07 … X-09)."""

from datetime import UTC, datetime, timedelta

import pytest

from common.kernel.clock_events import Started, Stopped
from common.kernel.errors import Refused, TooEarly
from complaints.domain.complaint import Complaint, Step

MONDAY_0900 = datetime(2026, 7, 6, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

WHAT_HAPPENS = """
                       acknowledged           verification_started   verified                    solution_proposed  solution_communicated
received               acknowledged           verification_started   waits:verification_started  waits:verified     waits:solution_proposed
acknowledged           once                   verification_started   waits:verification_started  waits:verified     waits:solution_proposed
verification_started   verification_started   once                   verified                    waits:verified     waits:solution_proposed
verified               verified               once                   once                        solution_proposed  waits:solution_proposed
solution_proposed      solution_proposed      once                   once                        once               solution_communicated
solution_communicated  solution_communicated  once                   once                        once               once
"""
"""Nobody was acknowledged on the way to the later statuses: an acknowledgement is due within the day, but nothing waits for it."""

WAY_TO = {
    "received": (),
    "acknowledged": (Step.ACKNOWLEDGED,),
    "verification_started": (Step.VERIFICATION_STARTED,),
    "verified": (Step.VERIFICATION_STARTED, Step.VERIFIED),
    "solution_proposed": (Step.VERIFICATION_STARTED, Step.VERIFIED, Step.SOLUTION_PROPOSED),
    "solution_communicated": (Step.VERIFICATION_STARTED, Step.VERIFIED, Step.SOLUTION_PROPOSED, Step.SOLUTION_COMMUNICATED),
}


def expectations() -> list[tuple[str, Step, str]]:
    head, *lines = WHAT_HAPPENS.strip().splitlines()
    return [
        (status, Step(step), expected)
        for status, *cells in (line.split() for line in lines)
        for step, expected in zip(head.split(), cells, strict=True)
    ]


NORTH = {"region": "north"}


def a_complaint(*triggers: str, handled_by: str | None = "E1") -> Complaint:
    return Complaint("C1", "K1", None, "noise", "north", handled_by, MONDAY_0900, triggers)


def after(*steps: Step) -> Complaint:
    complaint = a_complaint()
    for hour, step in enumerate(steps, start=1):
        changed = complaint.take(step, MONDAY_0900 + hour * HOUR)
        assert isinstance(changed, Complaint), changed
        complaint = changed
    return complaint


def told(decision: Complaint | Refused | TooEarly) -> str:
    match decision:
        case Complaint():
            return decision.status
        case TooEarly(missing):
            return f"waits:{missing}"
        case Refused(rule):
            return f"no:{rule}"


@pytest.mark.parametrize(("status", "step", "expected"), expectations())
def test_every_step_in_every_status_does_what_the_table_says(status: str, step: Step, expected: str) -> None:
    complaint = after(*WAY_TO[status])
    assert complaint.status == status
    decision = complaint.take(step, MONDAY_0900 + 9 * HOUR)
    assert told(decision) == (f"no:{step}_once" if expected == "once" else expected)
    if isinstance(decision, Refused):
        assert decision.was == status


def test_the_expectations_name_every_pair_once() -> None:
    pairs = [(status, step) for status, step, _ in expectations()]
    assert len(pairs) == len(set(pairs)) == len(WAY_TO) * len(Step)


def test_nothing_can_be_done_for_a_complaint_before_it_was_received() -> None:
    decision = a_complaint().take(Step.ACKNOWLEDGED, MONDAY_0900 - HOUR)
    assert decision == Refused("not_before_receipt", was="received", field="ce_time")


@pytest.mark.parametrize("step", [Step.ACKNOWLEDGED, Step.VERIFICATION_STARTED])
def test_what_is_done_in_the_moment_of_the_receipt_counts(step: Step) -> None:
    done = a_complaint().take(step, MONDAY_0900)
    assert isinstance(done, Complaint), done
    assert done.taken == {step: MONDAY_0900}


def test_a_second_acknowledgement_is_refused_and_changes_no_clock() -> None:
    assert after(Step.ACKNOWLEDGED).take(Step.ACKNOWLEDGED, MONDAY_0900 + 2 * HOUR) == Refused("acknowledged_once", was="acknowledged")


def test_a_complaint_starts_four_promises_in_the_name_of_its_handler() -> None:
    entries = a_complaint().received(NORTH).clocks.entries
    stages = ("acknowledged", "verification_started", "verified", "solution_communicated")
    assert entries == tuple((stage, Started(at=MONDAY_0900, owner="employee:E1", traits=NORTH)) for stage in stages)


def test_a_major_case_is_escalated_in_the_moment_in_which_it_is_received() -> None:
    entries = a_complaint("injury").received(NORTH).clocks.entries
    assert entries[4:] == (
        ("escalated", Started(at=MONDAY_0900, owner="employee:E1", traits={"region": "north"})),
        ("escalated", Stopped(at=MONDAY_0900)),
    )


@pytest.mark.parametrize("step", [Step.ACKNOWLEDGED, Step.VERIFICATION_STARTED])
def test_what_was_promised_and_done_stops_its_own_clock_and_no_other(step: Step) -> None:
    assert after(step).clocks.entries == ((step, Stopped(at=MONDAY_0900 + HOUR)),)


def test_a_solution_that_nobody_was_told_stops_no_clock() -> None:
    verified = after(Step.VERIFICATION_STARTED, Step.VERIFIED)
    proposed = after(Step.VERIFICATION_STARTED, Step.VERIFIED, Step.SOLUTION_PROPOSED)
    assert proposed.clocks == verified.clocks
