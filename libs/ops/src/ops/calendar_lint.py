"""What is wrong with a calendar file: every field by itself, and patterns that could never count."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

from common.kernel.faults import Fault, Where
from common.kernel.working_time import Calendar
from ops import document_lint
from ops.calendar import calendar_in
from ops.country_calendars import PATTERNS
from ops.document_lint import refused

REMEDIES = {
    **document_lint.REMEDIES,
    "never_in_force": "take it out, or put it after the one that covers it",
    "never_open": "give at least one weekday of weekly_hours a range",
    "unknown_field": "mend the spelling, or take it out",
}
_ANY = {"time_zone": "UTC", "weekly_hours": {"mon": [["09:00", "18:00"]]}, "known_until": "2026-12-31"}
_A_LEAP_YEAR = [date(2024, 1, 1) + timedelta(days=day) for day in range(366)]


def faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Everything that is wrong with a calendar file, in no order; a wrong field does not hide the next one."""
    rest = dict(document)
    if isinstance(whole := document.get("calendar"), dict):
        if found := list(_of_fields(whole, ("calendar",))):
            rest["calendar"] = {name: value for name, value in _ANY.items() if name in whole}
    else:
        found = list(_of_fields({name: document[name] for name in PATTERNS if name in document}, ()))
        rest = {name: value for name, value in rest.items() if not found or name not in PATTERNS}
    yield from found
    yield from refused(lambda: calendar_in(rest))


def _of_fields(fields: Mapping[str, Any], where: Where) -> Iterator[Fault]:
    """What the services' own reader says of each field, and of each pattern, alone; then which patterns never count."""
    for name, value in fields.items():
        alone = [[one] for one in value] if name in PATTERNS and isinstance(value, list) else [value]
        for index, one in enumerate(alone):
            for fault in refused(partial(Calendar.from_json, {**_ANY, name: one}, where)):
                yield Fault(_moved(fault.where, len(where) + 1, index), fault.rule, fault.what) if name in PATTERNS else fault
    for name in PATTERNS & fields.keys():
        read = partial(Calendar.from_json, {**_ANY, name: fields[name]})
        if not list(refused(read)):
            yield from _never_in_force(read(), where)


def _moved(where: Where, place: int, index: int) -> Where:
    """The place of a fault in a list of one, in the list that the one stands in at an index."""
    return where if len(where) <= place else (*where[:place], index, *where[place + 1 :])


def _never_in_force(calendar: Calendar, where: Where) -> Iterator[Fault]:
    for index, season in enumerate(calendar.seasons):
        days = [(day.month, day.day) for day in _A_LEAP_YEAR if season.covers((day.month, day.day))]
        if all(any(later.covers(day) for later in calendar.seasons[index + 1 :]) for day in days):
            yield Fault((*where, "seasons", index), "never_in_force", "later seasons cover all of its days")
    for index, one in enumerate(calendar.alternating):
        if same := [later.anchor for later in calendar.alternating[index + 1 :] if (later.anchor - one.anchor).days % 14 == 0]:
            yield Fault((*where, "alternating", index), "never_in_force", f"the anchor {same[0]} means the same days, and comes later")
