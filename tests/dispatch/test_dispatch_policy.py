"""What dispatch promises, as instants (D1-09, D1-10)."""

from datetime import datetime

import pytest
from tests.deadlines import deadline

CREATED = "2026-09-28T15:00:00+08:00"
"""The Monday before the National Day holiday of 1 to 7 October 2026, which Saturday 10 October makes up for."""


@pytest.mark.parametrize(
    ("priority", "due"),
    [
        ("urgent", "2026-09-28T16:00:00+08:00"),
        ("high", "2026-09-29T10:00:00+08:00"),
        ("normal", "2026-09-29T10:00:00+08:00"),
        ("low", "2026-09-29T10:00:00+08:00"),
    ],
)
def test_work_is_assigned_within_an_hour_when_urgent_and_else_within_four(priority: str, due: str) -> None:
    assert deadline("dispatch", "assignment", CREATED, priority=priority) == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    ("priority", "due"),
    [
        ("urgent", "2026-09-29T14:00:00+08:00"),  # 8 hours of 9 a day
        ("high", "2026-09-30T18:00:00+08:00"),  # the end of the 2nd working day
        ("normal", "2026-10-08T18:00:00+08:00"),  # the 3rd lies after the holiday
        ("low", "2026-10-10T18:00:00+08:00"),  # the 5th is the make-up Saturday
    ],
)
def test_work_is_completed_within_a_time_that_its_priority_gives(priority: str, due: str) -> None:
    assert deadline("dispatch", "completion", CREATED, priority=priority) == datetime.fromisoformat(due)


def test_time_for_which_others_held_the_work_up_moves_the_deadline_by_as_much_working_time() -> None:
    pause = ("2026-09-29T09:00:00+08:00", "2026-09-30T13:00:00+08:00")  # 9 + 4 hours
    assert deadline("dispatch", "completion", CREATED, pause, priority="normal") == datetime.fromisoformat("2026-10-10T13:00:00+08:00")


def test_a_hold_up_over_night_moves_nothing() -> None:
    night = ("2026-09-28T18:00:00+08:00", "2026-09-29T09:00:00+08:00")
    assert deadline("dispatch", "completion", CREATED, night, priority="high") == datetime.fromisoformat("2026-09-30T18:00:00+08:00")
