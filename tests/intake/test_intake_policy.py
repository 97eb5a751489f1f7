"""What intake promises, as instants (D1-07, X-05)."""

from datetime import datetime

import pytest
from tests.deadlines import deadline


@pytest.mark.parametrize(
    ("received", "due", "why"),
    [
        ("2026-07-06T10:00:00+08:00", "2026-07-06T10:30:00+08:00", "half an hour while the centre is open"),
        ("2026-07-06T17:45:00+08:00", "2026-07-07T09:15:00+08:00", "what is left of it on the next morning"),
        ("2026-07-06T22:00:00+08:00", "2026-07-07T09:30:00+08:00", "from opening time for a call in the night"),
        ("2026-09-30T17:50:00+08:00", "2026-10-08T09:20:00+08:00", "over the National Day holiday"),
        ("2026-10-10T09:00:00+08:00", "2026-10-10T09:30:00+08:00", "the Saturday that makes up for the holiday is open"),
    ],
)
def test_the_first_response_is_due_within_half_an_hour_of_opening_hours(received: str, due: str, why: str) -> None:
    assert deadline("intake", "first_response", received, priority="normal") == datetime.fromisoformat(due), why


def test_what_is_urgent_is_answered_within_half_an_hour_also_at_night() -> None:
    due = deadline("intake", "first_response", "2026-10-02T02:00:00+08:00", priority="urgent")
    assert due == datetime.fromisoformat("2026-10-02T02:30:00+08:00")


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-07-06T10:00:00+08:00", "2026-07-13T18:00:00+08:00"),
        ("2026-09-28T10:00:00+08:00", "2026-10-10T18:00:00+08:00"),  # 29, 30, then 8, 9 and the make-up Saturday
    ],
)
def test_a_request_is_to_be_closed_by_the_end_of_the_fifth_working_day(received: str, due: str) -> None:
    assert deadline("intake", "closure", received, priority="low") == datetime.fromisoformat(due)
