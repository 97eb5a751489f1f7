"""The rules of a work order (D1-09, D1-10, P12)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from common.kernel.clock_events import Changed, ClockEvent, OwnerChanged, Paused, Reopened, Resumed, Started, Stopped
from common.kernel.clocks import Clocks
from common.kernel.errors import Refused, TooEarly
from dispatch.domain.work_order import Status, Step, WorkOrder

MONDAY_0900 = datetime(2026, 7, 6, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

Decision = WorkOrder | Refused | TooEarly
Doing = Callable[[WorkOrder, datetime], Decision]


def an_order() -> WorkOrder:
    return WorkOrder(id="R1-w1", request_id="R1", priority="normal", region="north", product="boiler", opened_at=MONDAY_0900)


def assigned_to(technician: str) -> Doing:
    return lambda order, at: order.assign(at, "D1", technician, "T1")


def accepted_by(technician: str) -> Doing:
    return lambda order, at: order.accept(at, technician)


def arrived_by(technician: str) -> Doing:
    return lambda order, at: order.arrive(at, technician)


def completed_by(technician: str) -> Doing:
    return lambda order, at: order.complete(at, technician)


def held_up(order: WorkOrder, at: datetime) -> Decision:
    return order.hold_up(at, "E1", "parts", "no spare part")


def taken_up(order: WorkOrder, at: datetime) -> Decision:
    return order.take_up(at, "E1")


def reopened(order: WorkOrder, at: datetime) -> Decision:
    return order.reopen(at, "D1")


def judged(priority: str) -> Doing:
    return lambda order, at: order.judge(at, "E1", priority, "water leaks")


def applied(decision: Decision) -> WorkOrder:
    assert isinstance(decision, WorkOrder), decision
    return decision


def after(*doings: Doing) -> WorkOrder:
    order = an_order()
    for hour, doing in enumerate(doings, start=1):
        order = applied(doing(order, MONDAY_0900 + hour * HOUR))
    return order


def told(decision: Decision) -> str:
    match decision:
        case WorkOrder():
            return decision.status
        case TooEarly(missing):
            return f"waits:{missing}"
        case Refused(rule):
            return f"no:{rule}"


def standing(order: WorkOrder, at: datetime | None = None) -> tuple[Status, str]:
    """How the order stands, and who has the work."""
    return order.standing(at).status, order.technician(at)


def test_only_the_assigned_technician_takes_the_work_on() -> None:
    order = after(assigned_to("E1"))
    assert order.accept(MONDAY_0900 + 2 * HOUR, "E2") == Refused("accepted_by_the_assigned", was="assigned", field="by")


def test_after_a_reassignment_the_new_technician_takes_the_work_on_and_the_old_one_cannot() -> None:
    order = after(assigned_to("E1"), accepted_by("E1"), assigned_to("E2"))
    assert standing(order) == (Status.ASSIGNED, "E2")
    assert told(order.accept(MONDAY_0900 + 4 * HOUR, "E1")) == "no:accepted_by_the_assigned"
    assert told(order.accept(MONDAY_0900 + 4 * HOUR, "E2")) == "accepted"


def entries(order: WorkOrder, stage: str) -> list[tuple[str, ClockEvent]]:
    """What was said about one clock of the order."""
    return [entry for entry in order.clocks.entries if entry[0] == stage]


@pytest.mark.parametrize("stage", ["assignment", "arrival", "completion"])
def test_creation_starts_each_promise_on_the_department_s_time(stage: str) -> None:
    traits = {"priority": "normal", "region": "north", "outlet": "harbour"}
    started = (stage, Started(at=MONDAY_0900, owner="department:dispatch", traits=traits))
    assert entries(an_order().created(traits), stage) == [started]


def test_the_first_assignment_stops_its_clock_and_gives_the_time_to_the_technician() -> None:
    order, at = after(assigned_to("E1")), MONDAY_0900 + HOUR
    assert entries(order, "assignment") == [("assignment", Stopped(at=at))]
    for stage in ("arrival", "completion"):
        assert entries(order, stage) == [(stage, OwnerChanged(at=at, owner="employee:E1", team="T1"))]


@pytest.mark.parametrize("stage", ["assignment", "arrival", "completion"])
def test_a_priority_that_is_judged_anew_changes_each_promise_from_then_on_and_nothing_else(stage: str) -> None:
    order = after(assigned_to("E1"), judged("urgent"))
    assert standing(order) == (Status.ASSIGNED, "E1")
    at = MONDAY_0900 + 2 * HOUR
    assert entries(order, stage)[1:] == [(stage, Changed(at=at, reason="water leaks", traits={"priority": "urgent"}))]
    assert (judged_anew := order.last(Step.JUDGED)) is not None
    assert (judged_anew.priority, judged_anew.reason, judged_anew.by) == ("urgent", "water leaks", "E1")
    assert order.priority == "normal"  # that of the triage


def test_a_reassignment_changes_the_owner_and_stops_nothing() -> None:
    order = after(assigned_to("E1"), assigned_to("E2"))
    assert len(entries(order, "assignment")) == 1
    for stage in ("arrival", "completion"):
        assert entries(order, stage)[1:] == [(stage, OwnerChanged(at=MONDAY_0900 + 2 * HOUR, owner="employee:E2", team="T1"))]


@pytest.mark.parametrize("stage", ["arrival", "completion"])
def test_while_the_work_is_held_up_its_clocks_stand_still_for_the_party_it_waits_for(stage: str) -> None:
    order = after(assigned_to("E1"), held_up, taken_up)
    assert entries(order, stage)[1:] == [
        (stage, Paused(at=MONDAY_0900 + 2 * HOUR, party="parts", reason="no spare part")),
        (stage, Resumed(at=MONDAY_0900 + 3 * HOUR)),
    ]


def test_whoever_arrives_has_taken_the_work_on_and_stops_the_promise_of_the_arrival() -> None:
    order = after(assigned_to("E1"), arrived_by("E1"))
    assert standing(order) == (Status.ACCEPTED, "E1")
    assert entries(order, "arrival")[1:] == [("arrival", Stopped(at=MONDAY_0900 + 2 * HOUR))]
    assert len(entries(order, "completion")) == 1


def test_another_technician_who_arrives_has_the_credit_for_the_arrival_and_not_the_work() -> None:
    order = after(assigned_to("E1"), arrived_by("E2"))
    assert order.technician() == "E1"
    at = MONDAY_0900 + 2 * HOUR
    assert entries(order, "arrival")[1:] == [
        ("arrival", OwnerChanged(at=at, owner="employee:E2")),
        ("arrival", Stopped(at=at)),
    ]


def test_work_that_another_technician_finished_is_to_his_credit_and_somebody_was_there_by_then() -> None:
    order, at = after(assigned_to("E1"), completed_by("E2")), MONDAY_0900 + 2 * HOUR
    assert entries(order, "completion")[1:] == [
        ("completion", OwnerChanged(at=at, owner="employee:E2")),
        ("completion", Stopped(at=at)),
    ]
    assert entries(order, "arrival")[1:] == [("arrival", Stopped(at=at))]
    assert order.technician() == "E2"


def test_a_defect_that_came_back_is_charged_to_whoever_completed_the_work() -> None:
    order = after(assigned_to("E1"), completed_by("E2"), reopened)
    assert standing(order) == (Status.ACCEPTED, "E2")
    assert entries(order, "completion")[3:] == [("completion", Reopened(at=MONDAY_0900 + 3 * HOUR))]
    assert isinstance(entries(order, "arrival")[-1][1], Stopped)
    assert told(order.accept(MONDAY_0900 + 4 * HOUR, "E1")) == "no:accepted_by_the_assigned"


def test_an_assignment_that_becomes_known_late_takes_its_place_before_the_later_one() -> None:
    later = applied(an_order().assign(MONDAY_0900 + 3 * HOUR, "D1", "E2", "T2"))
    both = applied(replace(later, clocks=Clocks()).assign(MONDAY_0900 + HOUR, "D1", "E1", "T1"))
    assert standing(both) == (Status.ASSIGNED, "E2")
    assert standing(both, MONDAY_0900 + 2 * HOUR) == (Status.ASSIGNED, "E1")
    assert ("assignment", Stopped(at=MONDAY_0900 + HOUR)) in both.clocks.entries


def test_a_hold_up_from_before_the_completion_is_accepted_after_it() -> None:
    done = after(assigned_to("E1"), accepted_by("E1"), completed_by("E1"))
    late = applied(done.hold_up(MONDAY_0900 + 2 * HOUR + HOUR / 2, "E1", "customer", "not at home"))
    assert late.standing().status is Status.COMPLETED


CASES: dict[str, tuple[Doing, ...]] = {
    "held up twice": (assigned_to("E1"), accepted_by("E1"), held_up, taken_up, held_up, completed_by("E1")),
    "arrived and held up": (assigned_to("E1"), arrived_by("E1"), held_up, judged("urgent"), taken_up, completed_by("E1")),
    "handed over while held up": (assigned_to("E1"), held_up, assigned_to("E2"), taken_up, held_up, completed_by("E2")),
}


def arrive(order: tuple[int, ...], case: Sequence[Doing]) -> WorkOrder:
    """The case's claims in this order of arrival; those that are too early are tried again after each that was applied."""
    work_order, waiting = an_order(), []
    for number in order:
        waiting.append(number)
        going = True
        while going:
            going = False
            for late in sorted(waiting):
                decision = case[late](work_order, MONDAY_0900 + late * HOUR)
                if isinstance(decision, WorkOrder):
                    work_order, going = decision, True
                    waiting.remove(late)
                    break
                assert isinstance(decision, TooEarly), (order, late, decision)
    assert waiting == []
    return work_order


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_whatever_the_order_of_arrival_the_steps_and_the_end_are_the_same(case: Sequence[Doing]) -> None:
    expected = arrive(tuple(range(len(case))), case)
    assert expected.standing().status is Status.COMPLETED
    for order in permutations(range(len(case))):
        found = arrive(order, case)
        assert (found.standing(), found.steps) == (expected.standing(), expected.steps), order


def test_a_reopening_waits_for_the_completion_in_whatever_order_things_arrive() -> None:
    case = (assigned_to("E1"), held_up, completed_by("E2"), reopened)
    expected = arrive((0, 1, 2, 3), case)
    for order in permutations(range(len(case))):
        assert standing(arrive(order, case)) == standing(expected) == (Status.ACCEPTED, "E2"), order
