"""The JSON shape of a calendar (interfaces 3), read strictly and written back."""

import re
from datetime import date
from typing import Any, TypedDict

from common.kernel.documents import Node, by_rule
from common.kernel.faults import Fault, Where
from common.kernel.instants import parse_date
from common.kernel.open_years import Hours
from common.kernel.patterns import Alternating, MonthDay, Season, Week
from common.kernel.zones import zone_named

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)
_MOST_RANGES = 12  # a day may have so many: work grows with them, and a day in reality has four

_MOST_PATTERNS = 24  # seasons, or alternating weekdays: each day asks all of them

_CALENDAR = by_rule("bad_calendar")


class CalendarParts(TypedDict):
    """The fields of `working_time.Calendar`, read and checked."""

    time_zone: str
    weekly_hours: Week
    closed_dates: frozenset[date]
    make_up_days: frozenset[date]
    make_up_hours: tuple[Hours, ...] | None
    date_hours: dict[date, tuple[Hours, ...]]
    known_until: date | None
    known_from: date | None
    unsure_from: MonthDay | None
    seasons: tuple[Season, ...]
    alternating: tuple[Alternating, ...]


def read_calendar(document: object, where: Where) -> CalendarParts:
    """The parts of a calendar document that stands there; raises a `Fault` `bad_calendar` or `unknown_field` for the first wrong value."""
    whole = Node(document, where, _CALENDAR)
    whole.fields(known=tuple(CalendarParts.__annotations__), required=("time_zone", "weekly_hours"))
    make_up_hours, unsure_from = whole.field("make_up_hours"), whole.field("unsure_from")
    parts: CalendarParts = {
        "time_zone": _zone(whole.field("time_zone")),
        "weekly_hours": _week(whole.field("weekly_hours")),
        "closed_dates": _dates(whole.field("closed_dates", [])),
        "make_up_days": _dates(whole.field("make_up_days", [])),
        "make_up_hours": None if make_up_hours.value is None else _ranges(make_up_hours),
        "date_hours": _date_hours(whole.field("date_hours", {})),
        "known_until": _date(whole.field("known_until")),
        "known_from": _date(whole.field("known_from")),
        "unsure_from": None if unsure_from.value is None else _month_day(unsure_from),
        "seasons": tuple(map(_season, _patterns(whole.field("seasons", [])))),
        "alternating": tuple(map(_alternating, _patterns(whole.field("alternating", [])))),
    }
    if both := parts["closed_dates"] & parts["make_up_days"]:
        raise whole.field("make_up_days").fault(f"{min(both)} stands in closed_dates too: a day is one or the other")
    if parts["unsure_from"] is not None and parts["known_until"] is None:
        raise unsure_from.fault("it belongs to known_until, which is missing")
    return parts


def write_calendar(parts: CalendarParts) -> dict[str, Any]:
    """The calendar document that reads back as these parts; empty fields are left out."""
    document: dict[str, Any] = {
        "time_zone": parts["time_zone"],
        "weekly_hours": _week_text(parts["weekly_hours"]),
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
        document["unsure_from"] = month_day_text(parts["unsure_from"])
    if parts["seasons"]:
        document["seasons"] = [
            {"from": month_day_text(one.first), "to": month_day_text(one.last), "weekly_hours": _week_text(one.weekly_hours)}
            for one in parts["seasons"]
        ]
    if parts["alternating"]:
        document["alternating"] = [{"anchor": str(one.anchor), "hours": ranges_text(one.hours)} for one in parts["alternating"]]
    return document


def month_day_text(day: MonthDay) -> str:
    """A day of each year as it is written: 12-26."""
    return "{:02}-{:02}".format(*day)


def _week_text(week: Week) -> dict[str, list[list[str]]]:
    return {name: ranges_text(hours) for name, hours in zip(WEEKDAYS, week, strict=True) if hours}


def ranges_text(hours: tuple[Hours, ...]) -> list[list[str]]:
    """Ranges as they are written: [["09:00", "12:00"], …], seconds only where there are some."""
    return [[time_text(piece.start), time_text(piece.end)] for piece in hours]


def time_text(seconds: int) -> str:
    """A time of day as it is written: 09:00."""
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return f"{text}:{seconds % 60:02}" if seconds % 60 else text


def _zone(zone: Node) -> str:
    name = zone.value
    if not isinstance(name, str):
        raise zone.fault("the name of a time zone is expected")
    try:
        zone_named(name)
    except KeyError:
        raise zone.fault("no time zone of the IANA database has this name") from None
    return name


def _week(week: Node) -> Week:
    week.fields(known=WEEKDAYS)
    return tuple(_ranges(week.field(name, [])) for name in WEEKDAYS)


def _date(day: Node) -> date | None:
    return None if day.value is None else day.date("bad_calendar")


def _dates(days: Node) -> frozenset[date]:
    return frozenset(day.date("bad_calendar") for day in days.items())


def _date_hours(hours: Node) -> dict[date, tuple[Hours, ...]]:
    return {parse_date(day, hours.where, "bad_calendar"): _ranges(hours.field(day)) for day in hours.fields()}


def _ranges(ranges: Node) -> tuple[Hours, ...]:
    found = []
    if len(pieces := ranges.items()) > _MOST_RANGES:
        raise ranges.fault(f"a day has at most {_MOST_RANGES} ranges, not {len(pieces)}")
    for piece in pieces:
        match [edge.value for edge in piece.items()]:
            case [str(start), str(end)]:
                found.append(Hours(_seconds(start, piece, 86_399), _seconds(end, piece, 86_400)))
            case _:
                raise piece.fault('a range like ["09:00", "18:00"] is expected')
    return tuple(sorted(found))


def _patterns(listed: Node) -> list[Node]:
    if len(patterns := listed.items()) > _MOST_PATTERNS:
        raise listed.fault(f"a calendar has at most {_MOST_PATTERNS} of them, not {len(patterns)}")
    return patterns


def _season(season: Node) -> Season:
    season.fields(known=("from", "to", "weekly_hours"), required=("from", "to", "weekly_hours"))
    return Season(_month_day(season.field("from")), _month_day(season.field("to")), _week(season.field("weekly_hours")))


def _alternating(every_second: Node) -> Alternating:
    every_second.fields(known=("anchor", "hours"), required=("anchor", "hours"))
    return Alternating(every_second.field("anchor").date("bad_calendar"), _ranges(every_second.field("hours")))


def time_in(text: str) -> int | None:
    """The seconds after midnight of a time of day like 09:00, up to 24:00; None for another text."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if total <= 86_400 else None


def _seconds(text: str, piece: Node, latest: int) -> int:
    if (total := time_in(text)) is not None and total <= latest:
        return total
    raise piece.fault('a time like "09:00" is expected, as an end up to "24:00"')


def _month_day(given: Node) -> MonthDay:
    if isinstance(given.value, str):
        try:
            day = parse_date(f"2024-{given.value}", given.where)  # a year with 29 February
        except Fault:
            pass
        else:
            return day.month, day.day
    raise given.fault('a month and a day like "12-26" are expected')
