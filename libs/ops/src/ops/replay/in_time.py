"""Whether something was done in time (X-06): at or before its deadline, or by the date where the source knows dates only."""

from datetime import date

from common.kernel.instants import DAY
from common.kernel.targets import WorkingDays, due_at
from common.kernel.working_time import Calendar

READINGS = ("elapsed_days", "working_days_end_of_day", "working_hours_days")
"""What "n days" may mean."""


def at_the_deadline(calendar: Calendar, first: int, done: int, reading: str, days: int) -> bool:
    """Whether it was done at or before the end of n days, in microseconds since 1970."""
    return done <= _deadline(calendar, first, reading, days)


def by_the_date(calendar: Calendar, first: int, first_on: date, done_on: date, reading: str, days: int) -> bool:
    """Whether it was done on or before the date on which n days end."""
    match reading:
        case "elapsed_days":
            return (done_on - first_on).days <= days
        case "working_days_end_of_day":
            return done_on <= calendar.timeline.working_days(first, first_on.toordinal(), days)[-1]
        case _:
            return done_on <= calendar.date_of(_deadline(calendar, first, reading, days))


def _deadline(calendar: Calendar, first: int, reading: str, days: int) -> int:
    if reading == "elapsed_days":
        return first + days * DAY
    due = due_at(calendar, first, WorkingDays(days, "end_of_day" if reading == "working_days_end_of_day" else "working_hours"))
    assert due is not None  # only an open pause leaves a deadline open
    return due
