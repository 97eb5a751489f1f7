"""The JSON shape of a calendar (interfaces 3), read strictly and written back."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, TypedDict

from common.kernel.clock_errors import ClockError, refuse_unknown
from common.kernel.instants import parse_date
from common.kernel.timeline import Hours
from common.kernel.zones import zone_named

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)


MonthDay = tuple[int, int]
"""A month and a day of it."""

_MOST_RANGES = 12  # a day may have so many: work grows with them, and a day in reality has four


class CalendarParts(TypedDict):
    """The fields of `working_time.Calendar`, read and checked."""

    time_zone: str
    weekly_hours: tuple[tuple[Hours, ...], ...]
    closed_dates: frozenset[date]
    make_up_days: frozenset[date]
    make_up_hours: tuple[Hours, ...] | None
    date_hours: dict[date, tuple[Hours, ...]]
    known_until: date | None
    known_from: date | None
    unsure_from: MonthDay | None


def read_calendar(document: object, field: str) -> CalendarParts:
    """The parts of a calendar document; raises `ClockError` `bad_calendar` with the path of the first wrong value."""
    fields = _mapping(document, field)
    refuse_unknown(fields, tuple(CalendarParts.__annotations__), field)
    for required in ("time_zone", "weekly_hours"):
        if required not in fields:
            raise _bad(f"{field}.{required}", "the field is missing")
    make_up_hours = fields.get("make_up_hours")
    known_until, known_from, unsure_from = (fields.get(name) for name in ("known_until", "known_from", "unsure_from"))
    parts: CalendarParts = {
        "time_zone": _zone(fields["time_zone"], f"{field}.time_zone"),
        "weekly_hours": _week(fields["weekly_hours"], f"{field}.weekly_hours"),
        "closed_dates": _dates(fields.get("closed_dates", []), f"{field}.closed_dates"),
        "make_up_days": _dates(fields.get("make_up_days", []), f"{field}.make_up_days"),
        "make_up_hours": None if make_up_hours is None else _ranges(make_up_hours, f"{field}.make_up_hours"),
        "date_hours": {
            parse_date(day, f"{field}.date_hours", "bad_calendar"): _ranges(hours, f"{field}.date_hours.{day}")
            for day, hours in _mapping(fields.get("date_hours", {}), f"{field}.date_hours").items()
        },
        "known_until": None if known_until is None else parse_date(known_until, f"{field}.known_until", "bad_calendar"),
        "known_from": None if known_from is None else parse_date(known_from, f"{field}.known_from", "bad_calendar"),
        "unsure_from": None if unsure_from is None else _month_day(unsure_from, f"{field}.unsure_from"),
    }
    if both := parts["closed_dates"] & parts["make_up_days"]:
        raise _bad(f"{field}.make_up_days", f"{min(both)} stands in closed_dates too: a day is one or the other")
    if unsure_from is not None and known_until is None:
        raise _bad(f"{field}.unsure_from", "it belongs to known_until, which is missing")
    return parts


def write_calendar(parts: CalendarParts) -> dict[str, Any]:
    """The calendar document that reads back as these parts; empty fields are left out."""
    document: dict[str, Any] = {
        "time_zone": parts["time_zone"],
        "weekly_hours": {name: ranges_text(hours) for name, hours in zip(WEEKDAYS, parts["weekly_hours"], strict=True) if hours},
    }
    for name in ("closed_dates", "make_up_days"):
        if parts[name]:
            document[name] = [day.isoformat() for day in sorted(parts[name])]
    if parts["make_up_hours"] is not None:
        document["make_up_hours"] = ranges_text(parts["make_up_hours"])
    if parts["date_hours"]:
        document["date_hours"] = {day.isoformat(): ranges_text(hours) for day, hours in sorted(parts["date_hours"].items())}
    for bound in ("known_until", "known_from"):
        if (day := parts[bound]) is not None:
            document[bound] = day.isoformat()
    if parts["unsure_from"] is not None:
        document["unsure_from"] = "{:02}-{:02}".format(*parts["unsure_from"])
    return document


def ranges_text(hours: tuple[Hours, ...]) -> list[list[str]]:
    """Ranges as they are written: [["09:00", "12:00"], …], seconds only where there are some."""
    return [[_time_text(piece.start), _time_text(piece.end)] for piece in hours]


def _time_text(seconds: int) -> str:
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return f"{text}:{seconds % 60:02}" if seconds % 60 else text


def _zone(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise _bad(field, "the name of a time zone is expected")
    try:
        zone_named(value)
    except KeyError:
        raise _bad(field, "no time zone of the IANA database has this name") from None
    return value


def _week(value: object, field: str) -> tuple[tuple[Hours, ...], ...]:
    week = _mapping(value, field)
    refuse_unknown(week, WEEKDAYS, field)
    return tuple(_ranges(week.get(name, []), f"{field}.{name}") for name in WEEKDAYS)


def _dates(value: object, field: str) -> frozenset[date]:
    return frozenset(parse_date(day, f"{field}[{index}]", "bad_calendar") for index, day in enumerate(_list(value, field)))


def _ranges(value: object, field: str) -> tuple[Hours, ...]:
    found = []
    if len(pieces := _list(value, field)) > _MOST_RANGES:
        raise _bad(field, f"a day has at most {_MOST_RANGES} ranges, not {len(pieces)}")
    for index, piece in enumerate(pieces):
        path = f"{field}[{index}]"
        match _list(piece, path):
            case [str(start), str(end)]:
                found.append(Hours(_seconds(start, path, 86_399), _seconds(end, path, 86_400)))
            case _:
                raise _bad(path, 'a range like ["09:00", "18:00"] is expected')
    return tuple(sorted(found))


def _seconds(text: str, field: str, latest: int) -> int:
    match = _TIME.fullmatch(text)
    if match:
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        if (total := hours * 3600 + minutes * 60 + seconds) <= latest:
            return total
    raise _bad(field, 'a time like "09:00" is expected, as an end up to "24:00"')


def _month_day(value: object, field: str) -> MonthDay:
    if isinstance(value, str):
        try:
            day = parse_date(f"2024-{value}", field)  # a year with 29 February
        except ClockError:
            pass
        else:
            return day.month, day.day
    raise _bad(field, 'a month and a day like "12-26" are expected')


def _mapping(value: object, field: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _bad(field, "an object is expected")
    return value


def _list(value: object, field: str) -> list[object]:
    if not isinstance(value, list):
        raise _bad(field, "a list is expected")
    return value


def _bad(field: str, message: str) -> ClockError:
    return ClockError("bad_calendar", field, message)
