"""What complaints promises, as instants (D4-12 … D4-14, X-05 … X-08)."""

from datetime import datetime

import pytest
from tests.deadlines import deadline

LODGED = [
    # a Monday; then around National Day 2026: Mid-autumn on Friday 25 September, 1 to 7 October, and the make-up Saturday 10 October
    ("2026-07-06T16:00:00+08:00", "2026-07-07T18:00:00+08:00", "2026-07-09T18:00:00+08:00"),
    ("2026-09-24T16:00:00+08:00", "2026-09-28T18:00:00+08:00", "2026-09-30T18:00:00+08:00"),
    ("2026-09-25T16:00:00+08:00", "2026-09-28T18:00:00+08:00", "2026-09-30T18:00:00+08:00"),
    ("2026-09-28T16:00:00+08:00", "2026-09-29T18:00:00+08:00", "2026-10-08T18:00:00+08:00"),
    ("2026-09-30T16:00:00+08:00", "2026-10-08T18:00:00+08:00", "2026-10-10T18:00:00+08:00"),
    ("2026-10-09T16:00:00+08:00", "2026-10-10T18:00:00+08:00", "2026-10-13T18:00:00+08:00"),
    ("2026-09-19T23:30:00+08:00", "2026-09-20T18:00:00+08:00", "2026-09-22T18:00:00+08:00"),  # Sunday the 20th makes up for Friday the 25th
    ("2026-07-06T16:30:00+00:00", "2026-07-08T18:00:00+08:00", "2026-07-10T18:00:00+08:00"),  # after midnight in Shanghai
]


@pytest.mark.parametrize(("lodged", "one_day", "three_days"), LODGED)
def test_acknowledging_and_verifying_begin_by_the_end_of_the_next_working_day_and_end_with_the_solution_after_three(
    lodged: str, one_day: str, three_days: str
) -> None:
    found = [deadline("complaints", stage, lodged) for stage in ("acknowledged", "verification_started")]
    assert found == [datetime.fromisoformat(one_day)] * 2
    found = [deadline("complaints", stage, lodged) for stage in ("verified", "solution_communicated")]
    assert found == [datetime.fromisoformat(three_days)] * 2


def test_the_management_is_told_of_a_major_case_within_half_an_hour_also_on_a_holiday() -> None:
    assert deadline("complaints", "escalated", "2026-10-01T02:00:00+08:00") == datetime.fromisoformat("2026-10-01T02:30:00+08:00")
