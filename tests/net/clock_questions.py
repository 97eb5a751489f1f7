"""Questions to `aftersales clock calculate`, drawn by their number: every form, and what may be wrong with each."""

import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.net.drawing import UNREADABLE, drawn, one_fault

Question = dict[str, Any]

_OFFICE = {"mon": [["09:00", "12:00"], ["13:00", "18:00"]], "tue": [["09:00", "12:00"], ["13:00", "18:00"]]}
_LONG_WEEK = {name: [["08:30", "12:00"], ["13:30", "17:30:30"]] for name in ("mon", "tue", "wed", "thu", "fri")}
_NIGHTS = {"fri": [["22:00", "06:00"]], "sat": [["22:00", "06:00"]], "sun": [["00:00", "24:00"]], "mon": [["05:00", "09:00"]]}
_OVERLAPPING = {"wed": [["08:00", "12:00"], ["11:00", "15:00"], ["20:00", "02:00"]], "thu": [["01:00", "03:00"]]}
_WEEKS = [
    _OFFICE,
    _LONG_WEEK,
    _NIGHTS,
    _OVERLAPPING,
    {"tue": [["02:15", "03:45"]]},
    {"sun": [["01:30", "04:00"]], "mon": [["00:00", "24:00"]]},
]
_ZONES = ["Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"]
_ZONES += ["Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "Europe/London", "America/Santiago"]
_NAMED = ["cn", "mon-fri", "24x7", "two-shifts", "berlin", "new-york-nights"]
_MOMENTS = ["2026-01-05T09:00:00+08:00", "2026-02-13T17:59:59.999999+08:00", "2026-09-30T18:00:00+08:00", "2026-10-10T08:59:59+08:00"]
_MOMENTS += ["2026-12-25T17:00:00+08:00", "2026-12-26T00:00:00+08:00", "2003-12-31T23:59:59+08:00", "2024-02-29T12:00:00Z"]
_MOMENTS += [
    "2026-03-29T01:30:00+01:00",
    "2026-10-25T02:30:00+02:00",
    "2026-03-08T06:59:59Z",
    "2026-11-01T05:30:00Z",
    "1999-12-31T23:59:60Z",
]
_MOMENTS += ["2011-12-30T09:00:00-10:00", "1901-06-01T00:00:00Z", "2298-11-30T23:00:00Z", "2026-07-04T00:00:00.1234567-07:00"]
_DATES = ["2026-02-16", "2026-10-10", "2026-01-01", "2026-05-09", "2003-12-31", "2026-12-25", "2026-12-26", "2011-12-30", "2026-03-29"]
_SECONDS = [0, 1, 60, 3600, 14_400, 28_800, 32_400, 86_400, 604_800, "0.5", "1/3", "7199.999999", "3600.0000001", "28800/7"]
_OWNERS = ["employee:E1001", "employee:E1002", "team:T1", "wang"]
_PARTIES = ["customer", "parts", "other"]
_KINDS = ["paused", "paused", "resumed", "resumed", "owner_changed", "changed", "stopped", "reopened", "reopened", "started"]
_SEQUENCES = [None, None, None, 1, 2, 3, 10**12, -1]


def clock_question(number: int) -> bytes:
    """The question of that number as a line, without its end."""
    chance = drawn("clock", number)
    form = _FORMS[number % len(_FORMS)]
    if form is _wrong:
        return _wrong_line(number, chance)
    return json.dumps({"id": number, **form(chance)}, ensure_ascii=False).encode()


def _seconds_target(chance: Random) -> Question:
    target = {"working_seconds": chance.choice(_SECONDS) if chance.random() < 0.6 else chance.randrange(10**7)}
    return _timed(chance) | {"target": target} | _pauses(chance) | _explained(chance)


def _days_target(chance: Random) -> Question:
    return _timed(chance) | {"target": _days(chance)} | _pauses(chance) | _explained(chance)


def _between(chance: Random) -> Question:
    question = _timed(chance)
    length = timedelta(seconds=chance.choice([0, 1, 3_600, 86_400, 10**6, chance.randrange(10**8)]), microseconds=chance.randrange(2))
    return question | {"end": _later(question["start"], length)} | _pauses(chance) | _explained(chance, length.total_seconds() < 10**7)


def _at(chance: Random) -> Question:
    return {"calendar": _calendar(chance), "at": _moment(chance)} | _explained(chance)


def _date(chance: Random) -> Question:
    day = chance.choice(_DATES) if chance.random() < 0.5 else _moment(chance)[:10]
    return {"calendar": _calendar(chance), "date": day} | _explained(chance)


def _clock(chance: Random) -> Question:
    """A history: mostly one that makes sense, told in any order, with repeats, ties and events that come too late or too early."""
    at = _moment(chance)
    events: list[Question] = [{"id": "s", "type": "started", "at": at, "calendar": _calendar(chance), "target": _target(chance)}]
    if chance.random() < 0.8:
        events[0]["owner"] = chance.choice(_OWNERS)
    for number in range(chance.choice([0, 1, 2, 3, 5, 8, 14])):
        if chance.random() < 0.9:
            at = _later(at, timedelta(seconds=chance.choice([1, 1800, 3600, 14_400, 32_400, 86_400, 3 * 86_400, chance.randrange(10**6)])))
        events.append(_event(chance, f"e{number}", at))
    as_of = _later(at, timedelta(seconds=chance.choice([0, 1, 3600, 86_400, 10**6, 10**7])))
    if chance.random() < 0.2:
        as_of = chance.choice(events)["at"]
    if chance.random() < 0.3:
        events.append(copy.deepcopy(chance.choice(events)))
    if chance.random() < 0.5:
        chance.shuffle(events)
    return {"events": events, "as_of": as_of} | _explained(chance)


def _event(chance: Random, name: str, at: str) -> Question:
    kind = chance.choice(
        ["paused", "paused", "resumed", "resumed", "owner_changed", "changed", "stopped", "reopened", "reopened", "started"]
    )
    event: Question = {"id": name, "type": kind, "at": at}
    match kind:
        case "started":
            event |= {"calendar": _calendar(chance), "target": _target(chance), "owner": chance.choice(_OWNERS)}
        case "paused" if chance.random() < 0.8:
            event |= {"party": chance.choice(_PARTIES), "reason": chance.choice(["", "waits for a part", "客户不在"])}
        case "owner_changed":
            event["owner"] = chance.choice(_OWNERS)
        case "changed":
            stated = {"target": _target(chance), "calendar": _calendar(chance), "reason": "priority urgent"}
            event |= {field: stated[field] for field in chance.choice([("target",), ("calendar",), ("target", "calendar", "reason")])}
    if (sequence := chance.choice(_SEQUENCES)) is not None:
        event["sequence"] = sequence
    return event


def _wrong(chance: Random) -> Question:
    """A question of another form with one thing wrong in it."""
    question = chance.choice([_seconds_target, _days_target, _between, _at, _date, _clock, _clock])(chance)
    return chance.choice(_MISTAKES)(question, chance)


def _wrong_line(number: int, chance: Random) -> bytes:
    if chance.random() < 0.1:
        return chance.choice(UNREADABLE)
    return json.dumps({"id": number, **_wrong(chance)}, ensure_ascii=False).encode()


def _no_start(question: Question, chance: Random) -> Question:
    return {"events": [_event(chance, "e", _moment(chance))], "as_of": _moment(chance)}


def _conflicting(question: Question, chance: Random) -> Question:
    at = _moment(chance)
    return {"events": [{"id": "same", "type": kind, "at": at} for kind in ("stopped", "resumed")], "as_of": at}


def _backwards(question: Question, chance: Random) -> Question:
    start = _moment(chance)
    turned = [start, _later(start, timedelta(seconds=-chance.choice([1, 86_400])))]
    return {"calendar": "cn", "start": start, "end": turned[1]} if chance.random() < 0.5 else {
        "calendar": "cn", "start": start, "target": {"working_seconds": 60}, "pauses": [turned]
    }  # fmt: skip


def _never_open(question: Question, chance: Random) -> Question:
    closed: Question = {"time_zone": chance.choice(_ZONES), "weekly_hours": {}}
    if chance.random() < 0.5:
        closed["date_hours"] = {"2026-07-01": [["09:00", "10:00"]]}
    target = chance.choice([{"working_seconds": 3601}, {"working_days": 2}, {"working_days": 1, "meaning": "working_hours"}])
    return {"calendar": closed, "start": "2026-06-30T09:00:00Z", "target": target}


def _too_far(question: Question, chance: Random) -> Question:
    target = chance.choice([{"working_seconds": 10**10}, {"working_days": 30_000}, {"working_days": 26_000, "meaning": "working_hours"}])
    return {"calendar": "mon-fri", "start": _moment(chance), "target": target}


def _bad_calendar(question: Question, chance: Random) -> Question:
    calendar = _inline(chance)
    if chance.random() < 0.5:
        calendar |= chance.choice(_BAD_PARTS)
    else:
        calendar = one_fault(calendar, chance)
    return {"calendar": calendar, "at": "2026-06-30T09:00:00Z"}


_BAD_PARTS: list[Question] = [
    {"time_zone": "Europe/Atlantis"}, {"time_zone": None}, {"weekly_hours": {"monday": []}},
    {"weekly_hours": {"mon": [["9:00", "12:00"]]}}, {"weekly_hours": {"mon": [["09:00", "24:30"]]}}, {"weekly_hours": {"mon": [["09:00"]]}},
    {"closed_dates": ["2026-02-30"]},
    {"closed_dates": ["2026-10-10"], "make_up_days": ["2026-10-10"]}, {"unsure_from": "12-26", "known_until": None},
    {"unsure_from": "13-01"}, {"date_hours": {"16.02.2026": []}}, {"known_until": "2026"}, {"make_up_hours": "09:00-18:00"},
    {"weekly_hours": {"mon": [[f"{hour:02}:00", f"{hour:02}:30"] for hour in range(13)]}},
]  # fmt: skip
_MISTAKES: list[Callable[[Question, Random], Question]] = [one_fault, one_fault, one_fault, one_fault, one_fault, one_fault, one_fault]
_MISTAKES += [_no_start, _conflicting, _backwards, _never_open, _too_far, _bad_calendar, _bad_calendar]
_FORMS = [_seconds_target, _days_target, _clock, _between, _clock, _seconds_target, _wrong, _clock, _days_target, _at]
_FORMS += [_clock, _seconds_target, _clock, _date, _wrong, _days_target, _clock, _between, _clock, _wrong]


def _timed(chance: Random) -> Question:
    return {"calendar": _calendar(chance), "start": _moment(chance)}


def _target(chance: Random) -> Question:
    return _days(chance) if chance.random() < 0.4 else {"working_seconds": chance.choice(_SECONDS)}


def _days(chance: Random) -> Question:
    target: Question = {"working_days": chance.choice([0, 1, 1, 2, 3, 3, 5, 10, 22, "7", 260])}
    if chance.random() < 0.6:
        target["meaning"] = chance.choice(["end_of_day", "working_hours"])
    if chance.random() < 0.3:
        target["pauses_count"] = chance.random() < 0.7
    return target


def _pauses(chance: Random) -> Question:
    """Pauses about the moments of the question: none, in order, doubled, inside one another, of no length, and one that is still open."""
    if chance.random() < 0.5:
        return {}
    at = _moment(chance)
    pauses: list[list[str | None]] = []
    for _ in range(chance.randrange(5)):
        until = _later(at, timedelta(seconds=chance.choice([0, 1800, 3600, 86_400, 10**6])))
        pauses.append([at, until])
        at = _later(at, timedelta(seconds=chance.choice([0, 900, 3600, 10**5])))
    if chance.random() < 0.3:
        pauses.append([at, None])
    chance.shuffle(pauses)
    return {"pauses": pauses}


def _explained(chance: Random, can_be: bool = True) -> Question:
    return {"explain": chance.random() < 0.8} if can_be and chance.random() < 0.15 else {}


def _calendar(chance: Random) -> str | Question:
    return chance.choice(_NAMED) if chance.random() < 0.7 else _inline(chance)


def _inline(chance: Random) -> Question:
    calendar: Question = {"time_zone": chance.choice(_ZONES), "weekly_hours": copy.deepcopy(chance.choice(_WEEKS))}
    more: Question = {
        "closed_dates": ["2026-10-01", "2026-02-16", "2026-01-05"],
        "make_up_days": ["2026-10-10", "2026-02-14"],
        "make_up_hours": [["10:00", "16:00"]],
        "date_hours": {"2026-02-14": [["09:00", "12:00"]], "2026-10-01": [], "2026-03-29": [["01:00", "05:00"]]},
        "known_from": "2020-01-01",
        "known_until": "2026-12-31",
    }
    calendar |= {field: copy.deepcopy(value) for field, value in more.items() if chance.random() < 0.4}
    if "known_until" in calendar and chance.random() < 0.5:
        calendar["unsure_from"] = "12-20"
    return calendar


def _moment(chance: Random) -> str:
    if chance.random() < 0.4:
        return chance.choice(_MOMENTS)
    day = datetime.fromisoformat("2025-12-29T00:00:00+08:00") + timedelta(days=chance.randrange(370))
    second = chance.choice([0, 9 * 3600, 12 * 3600, 13 * 3600, 18 * 3600, chance.randrange(86_400)])
    return (day + timedelta(seconds=second)).isoformat()


def _later(moment: str, by: timedelta) -> str:
    """The instant so much later, as it is written; second 60 and digits beyond microseconds are not gone on from."""
    plain = moment.replace(":60Z", ":59Z").replace(".1234567", ".123456")
    return (datetime.fromisoformat(plain) + by).isoformat()
