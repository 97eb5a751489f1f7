"""A cycle's closes follow each other: one is under way, others wait in their order, and one may be planned."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appraisal.domain.cycle import Close, Cycle, CycleStatus
from common.kernel.errors import Refused

AT = datetime(2026, 1, 20, tzinfo=UTC)
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


def close(days: float, *, for_real: bool = False, replay_of: str = "") -> Close:
    return Close(AT + days * DAY, for_real, f"asked-{days}", replay_of)


def begun(first: Close | None = None) -> Cycle:
    return Cycle.asked("2025Q4|basic@1", "2025Q4", "basic@1", first or close(0))


def taken(found: Cycle | Refused) -> Cycle:
    assert isinstance(found, Cycle), found
    return found


def refused(found: Cycle | Refused) -> tuple[str, str, str]:
    assert isinstance(found, Refused), found
    return found.rule, found.field, found.was


def test_a_cycle_begins_to_close_with_all_that_was_asked() -> None:
    cycle = begun(close(0, for_real=True, replay_of="history"))
    assert (cycle.status, cycle.as_of, cycle.for_real, cycle.requested_by, cycle.replay_of) == (
        CycleStatus.CLOSING, AT, True, "asked-0", "history"
    )  # fmt: skip
    assert (cycle.graded, cycle.waiting, cycle.plan) == (False, (), None)


def test_closes_that_are_asked_for_meanwhile_follow_in_their_order_each_with_watermarks_of_its_own() -> None:
    first = replace(begun(), watermarks={"kpi-facts/0": 7})
    waiting = taken(taken(first.again(close(1, for_real=True))).again(close(2, replay_of="history")))
    assert (waiting.as_of, waiting.watermarks, waiting.waiting[0].as_of) == (AT, {"kpi-facts/0": 7}, AT + DAY)
    second = waiting.closed()
    assert (second.status, second.as_of, second.for_real, second.requested_by) == (CycleStatus.CLOSING, AT + DAY, True, "asked-1")
    assert (second.watermarks, second.graded) == ({}, True)
    third = second.closed()
    assert (third.as_of, third.for_real, third.replay_of, third.waiting) == (AT + 2 * DAY, False, "history", ())
    assert third.closed().status is CycleStatus.GRADED


@pytest.mark.parametrize("last", [0.0, 1.0, 2.0])
def test_each_close_is_later_than_the_last_one_that_was_asked_for(last: float) -> None:
    cycle = begun()
    for day in range(1, int(last) + 1):
        cycle = taken(cycle.again(close(day)))
    asked = replace(close(last), as_of=AT + last * DAY)
    assert refused(cycle.again(asked)) == ("later_than_the_last_close", "as_of", "closing")
    assert isinstance(cycle.again(replace(asked, as_of=asked.as_of + MICROSECOND)), Cycle)


def test_a_close_that_came_to_nothing_leaves_the_cycle_as_it_was() -> None:
    assert begun().left_open().status is CycleStatus.OPEN
    graded_before = taken(begun().closed().again(close(1)))
    assert graded_before.status is CycleStatus.CLOSING
    assert graded_before.left_open().status is CycleStatus.GRADED
    waiting = taken(begun().again(close(1))).left_open()
    assert (waiting.status, waiting.as_of, waiting.graded) == (CycleStatus.CLOSING, AT + DAY, False)


def test_a_planned_close_begins_at_its_instant_and_a_newer_plan_takes_its_place() -> None:
    cycle = Cycle.planned("2025Q4|basic@1", "2025Q4", "basic@1", close(1), AT)
    assert (cycle.status, cycle.plan, cycle.planned_at) == (CycleStatus.PLANNED, close(1), AT)
    assert refused(cycle.planned_again(close(2), AT - MICROSECOND)) == ("a_newer_plan", "ce_time", "planned")
    sooner = taken(cycle.planned_again(close(0.5), AT))
    assert (sooner.status, sooner.plan, sooner.as_of) == (CycleStatus.PLANNED, close(0.5), AT + DAY / 2)
    closing = sooner.as_planned(AT + DAY / 2)
    assert (closing.status, closing.as_of, closing.requested_by, closing.plan) == (CycleStatus.CLOSING, AT + DAY / 2, "asked-0.5", None)


def test_a_plan_beside_a_close_waits_its_turn_and_is_dropped_where_that_very_instant_was_asked_for() -> None:
    graded = begun().closed()
    assert refused(graded.planned_again(close(0), AT)) == ("later_than_the_last_close", "as_of", "graded")
    planned = taken(graded.planned_again(close(2), AT))
    assert (planned.status, planned.as_of, planned.plan) == (CycleStatus.GRADED, AT, close(2))
    assert planned.as_planned(AT + 2 * DAY).as_of == AT + 2 * DAY
    besides = taken(planned.again(close(2))).closed()
    assert besides.as_planned(AT + 2 * DAY) == replace(besides, plan=None)
