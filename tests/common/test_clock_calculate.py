"""`aftersales clock calculate`: every form of question, every error, and how the command behaves as a process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.clock_questions import Questions
from ops.main import main

PYTHON = sys.executable
COMMAND = [PYTHON, "-c", "import sys; from ops.main import main; sys.exit(main())", "clock", "calculate"]
OFFICE = {
    "time_zone": "Asia/Shanghai",
    "weekly_hours": {"mon": [["09:00", "12:00"], ["13:00", "18:00"]], "tue": [["09:00", "12:00"], ["13:00", "18:00"]], "sat": []},
}
NIGHTS = {"time_zone": "UTC", "weekly_hours": {"fri": [["22:00", "06:00"]]}}
START = {
    "id": "s",
    "type": "started",
    "at": "2026-01-05T09:00:00Z",
    "calendar": "mon-fri",
    "target": {"working_seconds": 3600},
    "owner": "wang",
}


def answer(**question: Any) -> dict[str, Any]:
    return Questions().answer(question)


def error_of(**question: Any) -> tuple[str, str]:
    refused = answer(**question)["error"]
    assert set(refused) == {"code", "field", "message"}
    assert refused["message"]
    return refused["code"], refused["field"]


def calculated(text: str | bytes, *options: str) -> tuple[list[dict[str, Any]], int]:
    data = text.encode() if isinstance(text, str) else text
    done = subprocess.run([*COMMAND, *options], input=data, capture_output=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


def test_working_seconds_give_a_deadline_in_the_calendars_zone() -> None:
    asked = answer(calendar=OFFICE, start="2026-01-05T01:00:00Z", target={"working_seconds": 28800})
    assert asked == {"deadline": "2026-01-05T18:00:00+08:00", "provisional": False}


def test_amounts_may_be_decimal_strings_and_ratios() -> None:
    for amount in ("0.5", "1/2"):
        asked = answer(calendar="24x7", start="2026-01-05T01:00:00Z", target={"working_seconds": amount})
        assert asked["deadline"] == "2026-01-05T01:00:00.500000+00:00"


def test_closed_pauses_move_a_deadline_and_an_open_one_takes_it_away() -> None:
    question: dict[str, Any] = {"calendar": "mon-fri", "start": "2026-01-05T09:00:00Z", "target": {"working_seconds": 3600}}
    pause = ["2026-01-05T09:30:00Z", "2026-01-05T10:30:00Z"]
    assert answer(**question, pauses=[pause])["deadline"] == "2026-01-05T11:00:00+00:00"
    assert answer(**question, pauses=[pause, pause])["deadline"] == "2026-01-05T11:00:00+00:00"
    assert answer(**question, pauses=[["2026-01-05T09:59:59Z", None]]) == {"deadline": None, "provisional": False}
    assert answer(**question, pauses=[["2026-01-05T10:00:00Z", None]])["deadline"] == "2026-01-05T10:00:00+00:00"


def test_working_days_mean_the_end_of_the_day_unless_working_hours_are_asked_for() -> None:
    question = {"calendar": "cn", "start": "2026-09-30T17:00:00+08:00"}
    by_day = {"deadline": "2026-10-10T18:00:00+08:00", "provisional": False}
    assert answer(**question, target={"working_days": 3}) == by_day
    assert answer(**question, target={"working_days": 3, "meaning": "end_of_day"}) == by_day
    hours = answer(**question, target={"working_days": 3, "meaning": "working_hours"})
    assert hours["deadline"] == "2026-10-10T17:00:00+08:00"


def test_pauses_move_the_end_of_a_day_only_when_the_policy_counts_them() -> None:
    question: dict[str, Any] = {"calendar": "mon-fri", "start": "2026-01-05T09:00:00Z"}
    question["pauses"] = [["2026-01-05T10:00:00Z", "2026-01-05T12:00:00Z"]]
    assert answer(**question, target={"working_days": 1})["deadline"] == "2026-01-06T18:00:00+00:00"
    assert answer(**question, target={"working_days": 1, "pauses_count": True})["deadline"] == "2026-01-07T11:00:00+00:00"


def test_a_deadline_after_the_last_notice_is_provisional() -> None:
    asked = answer(calendar="cn", start="2026-12-31T17:00:00+08:00", target={"working_seconds": 7200})
    assert asked == {
        "deadline": "2027-01-01T10:00:00+08:00",
        "provisional": True,
        "provisional_from": "2026-12-26",
        "provisional_reason": "the notice for 2027 may still change the days from 2026-12-26 on",
    }


@pytest.mark.parametrize(
    ("question", "doubt"),
    [
        ({"start": "2026-11-30T10:00:00+08:00", "target": {"working_days": 22}}, {"provisional_from": "2026-12-26"}),
        ({"start": "2026-11-30T10:00:00+08:00", "target": {"working_days": 19}}, {}),
        ({"start": "2026-12-25T17:00:00+08:00", "target": {"working_seconds": 3600}}, {}),
        ({"start": "2026-12-25T17:00:00+08:00", "target": {"working_seconds": 3601}}, {"provisional_from": "2026-12-26"}),
        ({"start": "2003-09-30T10:00:00+08:00", "target": {"working_days": 1}}, {"provisional_before": "2004-01-01"}),
        ({"start": "2003-12-31T10:00:00+08:00", "target": {"working_days": 9}}, {"provisional_before": "2004-01-01"}),
        ({"start": "2004-01-01T10:00:00+08:00", "target": {"working_days": 1}}, {}),
        ({"start": "2026-12-01T10:00:00+08:00", "end": "2026-12-26T00:00:00+08:00"}, {}),
        ({"start": "2026-12-01T10:00:00+08:00", "end": "2026-12-26T00:00:01+08:00"}, {"provisional_from": "2026-12-26"}),
        ({"start": "2003-12-31T23:59:59+08:00", "end": "2004-12-26T00:00:01+08:00"}, {"provisional_before": "2004-01-01"}),
        ({"at": "2026-12-26T10:00:00+08:00"}, {"provisional_from": "2026-12-26"}),
        ({"at": "2026-12-25T10:00:00+08:00"}, {}),
        ({"date": "2003-12-31"}, {"provisional_before": "2004-01-01"}),
        ({"date": "2026-12-28"}, {"provisional_from": "2026-12-26"}),
        ({"date": "2026-12-25"}, {}),
    ],
)
def test_what_rests_on_days_that_are_not_known_for_certain_says_which_and_why(question: dict[str, Any], doubt: dict[str, str]) -> None:
    told = answer(calendar="cn", **question)
    assert {name: day for name, day in told.items() if name in ("provisional_from", "provisional_before")} == doubt
    assert told.get("provisional", False) is bool(doubt)
    assert bool(told.get("provisional_reason")) is bool(doubt)


def test_a_clock_says_that_its_deadline_is_provisional_and_why() -> None:
    started = {**START, "calendar": "cn", "at": "2026-12-24T09:00:00+08:00", "target": {"working_days": 2}}
    told = answer(events=[started], as_of="2026-12-24T10:00:00+08:00")
    assert (told["provisional"], told["provisional_from"]) == (True, "2026-12-26")
    assert "provisional" not in answer(events=[{**started, "target": {"working_days": 1}}], as_of="2026-12-24T10:00:00+08:00")


DEADLINE: dict[str, Any] = {"calendar": "cn", "start": "2026-01-05T09:00:00Z", "target": {"working_seconds": 1}}


@pytest.mark.parametrize(
    ("question", "field", "nearest"),
    [
        ({**DEADLINE, "pause": [["2026-01-05T09:00:00Z", None]]}, "pause", "pauses"),
        ({**DEADLINE, "pauses_count": "true"}, "pauses_count", "pauses"),
        ({"calendar": "cn", "start": "2026-01-05T09:00:00Z", "traget": {"working_seconds": 1}}, "traget", "target"),
        ({**DEADLINE, "target": {"working_day": 1}}, "target.working_day", "working_days"),
        ({**DEADLINE, "target": {"working_days": 1, "meanning": "end_of_day"}}, "target.meanning", "meaning"),
        ({**DEADLINE, "calendar": {**OFFICE, "closed_date": []}}, "calendar.closed_date", "closed_dates"),
        ({"events": [{**START, "onwer": "li"}], "as_of": "2026-01-05T09:30:00Z"}, "events[0].onwer", "owner"),
        ({"events": [{**START, "pauses_count": True}], "as_of": "2026-01-05T09:30:00Z"}, "events[0].pauses_count", ""),
        (
            {
                "events": [START, {"id": "p", "type": "paused", "at": START["at"], "partty": "x"}],
                "as_of": "2026-01-05T09:30:00Z",
            },
            "events[1].partty",
            "party",
        ),
        ({"events": [{**START, "target": {"seconds": 1}}], "as_of": "2026-01-05T09:30:00Z"}, "events[0].target.seconds", "working_seconds"),
        ({"events": [START], "asof": "2026-01-05T09:30:00Z"}, "asof", "as_of"),
        ({**DEADLINE, "target": {"working_days": 0, "cutoff": "16:00"}}, "target.cutoff", "cut_off"),
        ({"calendar": "cn", "at": "2026-01-05T09:30:00Z", "pauses": []}, "pauses", ""),
        ({"calendar": "cn", "date": "2026-01-05", "x" * 500: 1}, "x" * 64, ""),
    ],
)
def test_an_unknown_field_is_an_error_that_names_the_nearest_known_one(question: dict[str, Any], field: str, nearest: str) -> None:
    refused = answer(**question)["error"]
    assert (refused["code"], refused["field"]) == ("unknown_field", field)
    assert "known field" in refused["message"]
    assert not nearest or f"the nearest is {nearest};" in refused["message"]


@pytest.mark.parametrize("explain", ["yes", 1, 0, "true", []])
def test_what_is_true_or_false_is_nothing_else(explain: object) -> None:
    assert error_of(**DEADLINE, explain=explain) == ("bad_question", "explain")


def test_work_is_bounded_and_the_bound_is_named() -> None:
    minutes = [[f"{minute // 60:02}:{minute % 60:02}", f"{minute // 60:02}:{minute % 60 + 1:02}"] for minute in range(0, 1440, 2)]
    many = {"time_zone": "UTC", "weekly_hours": {"mon": minutes}}
    refused = answer(**{**DEADLINE, "calendar": many})["error"]
    assert (refused["code"], refused["field"]) == ("bad_calendar", "calendar.weekly_hours.mon")
    assert "at most 12 ranges, not 720" in refused["message"]
    events = [{**START, "id": f"e{number}"} for number in range(1001)]
    assert "at most 1000 events" in answer(events=events, as_of="2026-01-05T09:30:00Z")["error"]["message"]
    own = [{**START, "id": f"e{number}", "calendar": {**OFFICE, "closed_dates": [f"2026-01-{number + 1:02}"]}} for number in range(5)]
    assert "at most 4 calendars" in answer(events=own, as_of="2026-01-05T09:30:00Z")["error"]["message"]
    pauses = [["2026-01-05T09:00:00Z", "2026-01-05T09:00:00Z"]] * 10_001
    assert "at most 10000 pauses" in answer(**DEADLINE, pauses=pauses)["error"]["message"]
    for target in ({"working_seconds": 86_400 * 20_000}, {"working_days": 20_000}):
        refused = answer(calendar="24x7", start="2026-01-05T09:00:00Z", target=target, explain=True)["error"]
        assert (refused["code"], refused["field"]) == ("bad_question", "explain")
        assert "at most 10000 steps" in refused["message"]


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"target": {"working_seconds": 10**13}}, "bad_target", "events[1].target"),
        ({"target": {"working_days": 10**6}}, "bad_target", "events[1].target"),
        ({"calendar": {"time_zone": "UTC", "weekly_hours": {}}}, "never_open", "events[1].calendar"),
        ({"target": {"working_days": "half"}}, "bad_target", "events[1].target.working_days"),
    ],
)
def test_an_error_in_a_history_names_the_event(changed: dict[str, Any], code: str, field: str) -> None:
    events = [START, {"id": "c", "type": "changed", "at": "2026-01-05T09:10:00Z", **changed}]
    assert error_of(events=events, as_of="2026-01-05T09:30:00Z") == (code, field)
    assert error_of(events=[{**START, "target": {"working_days": 10**6}}], as_of="2026-01-05T09:30:00Z") == (
        "bad_target",
        "events[0].target",
    )


def test_a_calendar_that_ends_before_the_target_is_the_fault_of_whoever_named_the_calendar_and_not_of_who_raised_the_target() -> None:
    one_day = {"time_zone": "UTC", "weekly_hours": {}, "date_hours": {"2026-01-05": [["09:00", "18:00"]]}}
    start = {**START, "calendar": one_day, "target": {"working_seconds": 3600}}
    raised = {"id": "c", "type": "changed", "at": "2026-01-05T09:30:00Z", "target": {"working_seconds": 360_000}}
    assert error_of(events=[start, raised], as_of="2026-01-06T09:00:00Z") == ("never_open", "events[0].calendar")


DEPTHS = [50, 70, 984, 5000]


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_line_that_is_nested_deep_gets_an_error_and_the_next_one_its_answer(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    start = json.dumps({name: value for name, value in START.items() if name != "calendar"})[:-1]
    good = '{"id": 9, "calendar": "24x7", "at": "2026-01-05T09:00:00Z"}'
    lines = [
        f'{{"id": 1, "events": [{start}, "calendar": {deep}}}], "as_of": "2026-01-05T09:30:00Z"}}',
        f'{{"id": {deep}, "calendar": "24x7", "at": "2026-01-05T09:00:00Z"}}',
        f'{{"id": 1, "calendar": {deep}, "at": "2026-01-05T09:00:00Z"}}',
        f'{{"id": 1, "calendar": "24x7", "start": "2026-01-05T09:00:00Z", "target": {"{" + chr(34) + "a" + chr(34) + ":" + deep + "}"}}}',
        good,
    ]
    answers, status = calculated("\n".join(lines))
    assert (len(answers), answers[-1], status) == (5, {"id": 9, "working": True}, 0)
    refused = {one["error"]["code"] for one in answers[:-1] if "error" in one}
    assert refused == ({"bad_json"} if depth > 64 else {"bad_calendar", "unknown_field"})


def test_working_time_between_two_instants() -> None:
    question = {"calendar": "mon-fri", "start": "2026-01-05T17:00:00Z", "end": "2026-01-06T10:00:00Z"}
    assert answer(**question) == {"working_seconds": 7200}
    assert answer(**question, pauses=[["2026-01-05T17:30:00Z", None]]) == {"working_seconds": 1800}
    assert answer(calendar="24x7", start="2026-01-05T00:00:00Z", end="2026-01-05T00:00:01.25Z") == {"working_seconds": "1.25"}


def test_working_days_between_two_instants_are_counted_and_explained() -> None:
    question: dict[str, Any] = {"calendar": "cn", "start": "2026-09-30T10:00:00+08:00", "end": "2026-10-12T10:00:00+08:00"}
    assert answer(**question, count="working_days") == {"working_days": 4}
    explained = answer(**question, count="working_days", explain=True)
    assert [step["date"] for step in explained["steps"]] == ["2026-10-08", "2026-10-09", "2026-10-10", "2026-10-12"]
    assert answer(**{**question, "end": question["start"]}, count="working_days", explain=True) == {"working_days": 0, "steps": []}
    backwards = {**question, "start": question["end"], "end": question["start"]}
    assert error_of(**backwards, count="working_days") == ("end_before_start", "end")
    assert error_of(**question, count="hours") == ("bad_question", "count")
    assert error_of(**question, count="working_days", pauses=[]) == ("unknown_field", "pauses")
    assert error_of(calendar="cn", start=question["start"], count="working_days") == ("bad_question", "")
    assert error_of(**DEADLINE, count="working_days") == ("unknown_field", "count")


def test_a_count_that_rests_on_a_day_that_is_not_known_for_certain_is_provisional() -> None:
    question = {"calendar": "cn", "start": "2026-12-01T10:00:00+08:00", "count": "working_days"}
    assert "provisional" not in answer(**question, end="2026-12-25T23:59:59+08:00")
    assert answer(**question, end="2026-12-26T00:00:00+08:00")["provisional_from"] == "2026-12-26"  # the date of the end counts too


@pytest.mark.parametrize(
    ("start", "days", "day_0", "shown"),
    [
        ("2026-01-05T15:00:00Z", {"working_days": 0, "cut_off": "16:00"}, {"date": "2026-01-05"}, ["2026-01-05"]),
        ("2026-01-05T16:00:00Z", {"working_days": 0, "cut_off": "16:00"}, {"date": "2026-01-06", "reason": "cut_off"}, ["2026-01-06"]),
        ("2026-01-05T18:00:00Z", {"working_days": 0, "cut_off": "20:00"}, {"date": "2026-01-06", "reason": "closing"}, ["2026-01-06"]),
        ("2026-01-05T17:00:00Z", {"working_days": 0, "by": "17:00"}, {"date": "2026-01-06", "reason": "by"}, ["2026-01-06"]),
        ("2026-01-03T10:00:00Z", {"working_days": 1, "cut_off": "16:00"}, {"date": "2026-01-05", "reason": "day_off"}, ["2026-01-06"]),
        ("2026-01-05T09:00:00Z", {"working_days": 2, "cut_off": "16:00"}, {"date": "2026-01-05"}, ["2026-01-06", "2026-01-07"]),
        ("2026-01-05T09:00:00Z", {"working_days": 2, "by": "17:00"}, None, ["2026-01-06", "2026-01-07"]),
    ],
)
def test_an_explained_promise_says_from_which_day_on_it_is_counted_and_why(
    start: str, days: dict[str, Any], day_0: dict[str, str] | None, shown: list[str]
) -> None:
    told = answer(calendar="mon-fri", start=start, target=days, explain=True)
    assert (told.get("day_0"), [step["date"] for step in told["steps"]]) == (day_0, shown)


def test_what_is_explained_names_the_season_and_the_alternating_weekday_of_its_hours() -> None:
    nights = [["22:00", "06:00"]]
    season = {"from": "05-01", "to": "09-30", "weekly_hours": {"thu": nights, "fri": nights}}
    calendar = {
        "time_zone": "UTC",
        "weekly_hours": {"mon": [["09:00", "18:00"]], "thu": nights},
        "seasons": [season],
        "alternating": [{"anchor": "2026-01-03", "hours": []}],
        "make_up_days": ["2026-05-10"],
        "make_up_hours": [["10:00", "11:00"]],
    }
    summer, free = {"season": {"from": "05-01", "to": "09-30"}}, {"alternating": {"anchor": "2026-01-03"}}

    def of(told: dict[str, Any]) -> dict[str, Any]:
        return {name: told[name] for name in ("season", "alternating") if name in told}

    asked = {day: of(answer(calendar=calendar, date=f"2026-{day}", explain=True)) for day in ("04-30", "05-01", "05-09", "05-10")}
    assert asked == {"04-30": {}, "05-01": summer, "05-09": free, "05-10": {}}
    steps = answer(calendar=calendar, start="2026-04-30T21:00:00Z", target={"working_seconds": 57_600}, explain=True)["steps"]
    assert [(step["from"][5:13], of(step)) for step in steps] == [("04-30T22", {}), ("05-01T22", summer)]
    after_midnight = answer(calendar=calendar, start="2026-05-01T02:00:00Z", end="2026-05-01T03:00:00Z", explain=True)["steps"]
    assert [of(step) for step in after_midnight] == [{}]  # the night of the last day before the season
    days = answer(calendar=calendar, start="2026-04-30T12:00:00Z", target={"working_days": 1}, explain=True)["steps"]
    assert [(step["date"], of(step)) for step in days] == [("2026-05-01", summer)]
    assert of(answer(calendar=calendar, date="2026-05-01")) == {}


def test_whether_somebody_works_at_an_instant() -> None:
    assert answer(calendar="mon-fri", at="2026-01-05T09:00:00Z") == {"working": True}
    assert answer(calendar="mon-fri", at="2026-01-05T18:00:00Z") == {"working": False}


def test_the_ranges_of_a_date() -> None:
    assert answer(calendar=OFFICE, date="2026-01-05") == {"working_day": True, "ranges": [["09:00", "12:00"], ["13:00", "18:00"]]}
    assert answer(calendar=OFFICE, date="2026-01-10") == {"working_day": False, "ranges": []}
    assert answer(calendar=NIGHTS, date="2026-01-09") == {"working_day": True, "ranges": [["22:00", "06:00"]]}
    assert answer(calendar="24x7", date="2026-01-10") == {"working_day": True, "ranges": [["00:00", "24:00"]]}
    assert answer(calendar="cn", date="2027-01-04")["provisional"] is True


def test_an_explained_deadline_lists_the_ranges_that_were_counted() -> None:
    question = {"calendar": OFFICE, "start": "2026-01-05T11:00:00+08:00", "explain": True}
    steps = answer(**question, target={"working_seconds": 7200})["steps"]
    assert steps == [
        {"from": "2026-01-05T11:00:00+08:00", "to": "2026-01-05T12:00:00+08:00", "working_seconds": 3600},
        {"from": "2026-01-05T13:00:00+08:00", "to": "2026-01-05T14:00:00+08:00", "working_seconds": 3600},
    ]
    days = answer(**question, target={"working_days": 2})["steps"]
    assert [step["date"] for step in days] == ["2026-01-06", "2026-01-12"]
    assert [step["working_seconds"] for step in days] == [28800, 28800]


def test_the_other_questions_are_explained_too() -> None:
    between = answer(calendar="mon-fri", start="2026-01-05T17:00:00Z", end="2026-01-06T10:00:00Z", explain=True)
    assert [step["from"] for step in between["steps"]] == ["2026-01-05T17:00:00+00:00", "2026-01-06T09:00:00+00:00"]
    at = answer(calendar="mon-fri", at="2026-01-05T17:00:00Z", explain=True)
    assert at["steps"] == [{"from": "2026-01-05T09:00:00+00:00", "to": "2026-01-05T18:00:00+00:00", "working_seconds": 32400}]
    assert answer(calendar="mon-fri", at="2026-01-05T18:00:00Z", explain=True)["steps"] == []
    night = answer(calendar=NIGHTS, date="2026-01-09", explain=True)
    assert night["steps"] == [{"from": "2026-01-09T22:00:00+00:00", "to": "2026-01-10T06:00:00+00:00", "working_seconds": 28800}]
    clock = answer(events=[START], as_of="2026-01-05T09:30:00Z", explain=True)
    assert [(step["state"], step["owner"], step["working_seconds"]) for step in clock["steps"]] == [("running", "wang", 1800)]


def test_a_whole_clock_answers_with_every_field_of_the_contract() -> None:
    events = [
        START,
        {"id": "p", "type": "paused", "at": "2026-01-05T09:15:00Z", "party": "customer", "reason": "photo asked for"},
        {"id": "r", "type": "resumed", "at": "2026-01-05T09:45:00Z"},
        {"id": "o", "type": "owner_changed", "at": "2026-01-05T10:00:00Z", "owner": "li"},
        {"id": "x", "type": "reopened", "at": "2026-01-05T10:05:00Z"},
        {"id": "t", "type": "stopped", "at": "2026-01-05T11:00:00.5Z"},
    ]
    assert answer(events=events, as_of="2026-01-06T00:00:00Z") == {
        "state": "stopped",
        "outcome": "breached",
        "deadline": "2026-01-05T10:30:00+00:00",
        "breached_at": "2026-01-05T10:30:00+00:00",
        "elapsed_working_seconds": "5400.5",
        "overdue_working_seconds": "1800.5",
        "working_seconds_by_owner": {"wang": 1800, "li": "3600.5"},
        "paused_working_seconds_by_party": {"customer": 1800},
        "reopenings": 0,
        "rounds": [],
        "extensions": 0,
        "excused_working_seconds": 0,
        "ignored": ["x"],
    }


def test_a_clock_may_name_its_calendars_or_carry_them() -> None:
    inline = {**START, "calendar": {"time_zone": "UTC", "weekly_hours": {"mon": [["09:00", "18:00"]]}}}
    changed = {"id": "c", "type": "changed", "at": "2026-01-05T09:30:00Z", "calendar": "24x7"}
    assert answer(events=[inline, changed], as_of="2026-01-05T09:30:00Z")["deadline"] == "2026-01-05T10:00:00+00:00"


@pytest.mark.parametrize(
    ("question", "code", "field"),
    [
        ({"calendar": "cn", "start": "2026-01-05T10:00:00Z", "end": "2026-01-05T09:00:00Z"}, "end_before_start", "end"),
        (
            {"calendar": "cn", "at": "2026-01-05T10:00:00Z", "end": "2026-01-05T09:00:00Z"},
            "bad_question",
            "",
        ),
        ({"calendar": "cn"}, "bad_question", ""),
        ({"calendar": "dm", "at": "2026-01-05T10:00:00Z"}, "unknown_calendar", "calendar"),
        ({"at": "2026-01-05T10:00:00Z"}, "bad_calendar", "calendar"),
        ({"calendar": {"time_zone": "Mars", "weekly_hours": {}}, "at": "2026-01-05T10:00:00Z"}, "bad_calendar", "calendar.time_zone"),
        ({"calendar": "cn", "at": "2026-01-05T10:00:00"}, "bad_instant", "at"),
        ({"calendar": "cn", "at": "2026-01-05"}, "bad_instant", "at"),
        ({"calendar": "cn", "at": 1767600000}, "bad_instant", "at"),
        ({"calendar": "cn", "at": "0001-01-01T00:00:00Z"}, "bad_instant", "at"),
        ({"calendar": "cn", "at": "tomorrow T noon"}, "bad_instant", "at"),
        ({"calendar": "cn", "target": {"working_seconds": 1}}, "bad_instant", "start"),
        ({"calendar": "cn", "date": "2026-02-30"}, "bad_date", "date"),
        ({"calendar": "cn", "date": "20260105"}, "bad_date", "date"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_code_and_field(question: dict[str, Any], code: str, field: str) -> None:
    assert error_of(**question) == (code, field)


@pytest.mark.parametrize(
    ("target", "field"),
    [
        (None, "target"),
        (3600, "target"),
        ({}, "target"),
        ({"working_seconds": 1, "working_days": 1}, "target"),
        ({"working_seconds": -1}, "target.working_seconds"),
        ({"working_seconds": 1.5}, "target.working_seconds"),
        ({"working_seconds": True}, "target.working_seconds"),
        ({"working_seconds": "1e3"}, "target.working_seconds"),
        ({"working_seconds": "1/0"}, "target.working_seconds"),
        ({"working_days": "1.5"}, "target.working_days"),
        ({"working_days": -1}, "target.working_days"),
        ({"working_days": 1, "meaning": "calendar_days"}, "target.meaning"),
        ({"working_days": 1, "pauses_count": "yes"}, "target.pauses_count"),
        ({"working_seconds": 10**13}, "target"),
    ],
)
def test_a_wrong_target_is_refused(target: Any, field: str) -> None:
    assert error_of(calendar="cn", start="2026-01-05T09:00:00Z", target=target) == ("bad_target", field)


@pytest.mark.parametrize(
    ("pauses", "code", "field"),
    [
        ([["2026-01-05T10:00:00Z", "2026-01-05T09:00:00Z"]], "end_before_start", "pauses[0]"),
        ([["2026-01-05T10:00:00", None]], "bad_instant", "pauses[0][0]"),
        ([["2026-01-05T10:00:00Z", 5]], "bad_instant", "pauses[0][1]"),
        ([["2026-01-05T10:00:00Z"]], "bad_instant", "pauses[0]"),
        ("none", "bad_instant", "pauses"),
    ],
)
def test_a_wrong_pause_is_refused(pauses: Any, code: str, field: str) -> None:
    assert error_of(calendar="cn", start="2026-01-05T09:00:00Z", target={"working_seconds": 1}, pauses=pauses) == (code, field)


def test_a_calendar_without_working_time_is_never_open() -> None:
    closed = {"time_zone": "UTC", "weekly_hours": {}}
    for target in ({"working_seconds": 0}, {"working_seconds": 1}, {"working_days": 1}, {"working_days": 1, "meaning": "working_hours"}):
        assert error_of(calendar=closed, start="2026-01-05T09:00:00Z", target=target) == ("never_open", "calendar")


@pytest.mark.parametrize(
    ("events", "code", "field"),
    [
        ("none", "bad_event", "events"),
        ([5], "bad_event", "events[0]"),
        ([{**START, "id": 5}], "bad_event", "events[0].id"),
        ([{**START, "type": "begun"}], "bad_event", "events[0].type"),
        ([{**START, "sequence": "1"}], "bad_event", "events[0].sequence"),
        ([{**START, "at": "2026-01-05T09:00:00"}], "bad_instant", "events[0].at"),
        ([{**START, "target": {}}], "bad_target", "events[0].target"),
        ([{**START, "calendar": "dm"}], "unknown_calendar", "events[0].calendar"),
        ([{**START, "calendar": {"time_zone": "Mars", "weekly_hours": {}}}], "bad_calendar", "events[0].calendar.time_zone"),
        ([START, {"id": "c", "type": "changed", "at": "2026-01-05T09:00:00Z"}], "bad_event", "events[1]"),
        ([START, {"id": "o", "type": "owner_changed", "at": "2026-01-05T09:00:00Z"}], "bad_event", "events[1].owner"),
        ([START, {**START, "owner": "li"}], "conflicting_duplicate", "events"),
        ([], "not_started", "events"),
    ],
)
def test_a_wrong_history_is_refused(events: Any, code: str, field: str) -> None:
    assert error_of(events=events, as_of="2026-01-05T12:00:00Z") == (code, field)


def test_a_clock_without_as_of_is_refused() -> None:
    assert error_of(events=[START]) == ("bad_instant", "as_of")


def test_each_line_is_answered_by_one_line_in_order_whatever_is_in_it() -> None:
    good = '{"id": %s, "calendar": "mon-fri", "at": "2026-01-05T09:00:00Z"}'
    lines = [
        good % '"一"',
        "[]",
        "",
        "{",
        '{"id": 1, "id": 2}',
        '{"id": NaN}',
        '{"id": 1e999}',
        '{"id": "\\ud800"}',
        "[" * 100_000,
        '{"id": %s}' % ("9" * 5000),
        '{"id": 7, "calendar": "dm", "at": "2026-01-05T09:00:00Z"}',
        good % "null",
        '{"calendar": "mon-fri", "at": "2026-01-05T09:00:00Z"}',
        good % '{"a": [1.5]}',
    ]
    answers, status = calculated("\n".join(lines))
    assert status == 0
    assert [each["id"] for each in answers] == ["一", *[None] * 9, 7, None, None, {"a": [1.5]}]
    assert [each.get("error", {}).get("code") for each in answers] == [None, *["bad_json"] * 9, "unknown_calendar", None, None, None]


def test_bytes_that_are_no_text_get_an_error_and_the_next_line_goes_on() -> None:
    answers, status = calculated(b'\xff\xfe\n{"id": 1, "calendar": "24x7", "at": "2026-01-05T09:00:00Z"}\r\n')
    assert (answers[0]["id"], answers[0]["error"]["code"], answers[1], status) == (None, "bad_json", {"id": 1, "working": True}, 0)


def test_nothing_asked_is_nothing_answered() -> None:
    assert calculated("") == ([], 0)


def test_answers_come_as_soon_as_the_input_pauses() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for number in range(3):
            running.stdin.write(b'{"id": %d, "calendar": "24x7", "at": "2026-01-05T09:00:00Z"}\n' % number)
            running.stdin.flush()
            assert json.loads(running.stdout.readline()) == {"id": number, "working": True}
        running.stdin.close()
        assert running.wait(timeout=10) == 0


def test_a_question_longer_than_any_buffer_is_answered() -> None:
    closed = [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)] * 50
    question = {"id": 1, "calendar": {**OFFICE, "closed_dates": closed}, "date": "2026-01-05"}
    assert calculated(json.dumps(question)) == ([{"id": 1, "working_day": False, "ranges": []}], 0)


def test_other_calendars_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "calendars.json"
    file.write_text(json.dumps({"outlet-7": NIGHTS}), encoding="utf-8")
    answers, status = calculated('{"id": 1, "calendar": "outlet-7", "at": "2026-01-10T05:00:00Z"}\n', "--calendars", str(file))
    assert (answers, status) == ([{"id": 1, "working": True}], 0)


@pytest.mark.parametrize("content", ["{", '{"cn": {}}', '{"outlet-7": {"time_zone": "Mars", "weekly_hours": {}}}'])
def test_a_wrong_file_of_calendars_ends_the_command_before_any_answer(tmp_path: Path, content: str) -> None:
    file = tmp_path / "calendars.json"
    file.write_text(content, encoding="utf-8")
    assert calculated("{}\n", "--calendars", str(file)) == ([], 2)


def test_the_command_starts_without_the_chassis_which_would_take_it_seconds() -> None:
    program = (
        "import sys; from ops.main import main; status = main(['clock', 'calculate']);"
        "heavy = sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'pydantic', 'faststream', 'sqlmodel', 'sqlalchemy', 'aiokafka', 'typer', 'yaml', 'asyncio', 'holidays'});"
        "sys.exit(f'loaded: {heavy}' if heavy else status)"
    )
    question = b'{"id": 1, "calendar": "cn", "start": "2026-01-05T09:00:00Z", "target": {"working_days": 3}}\n'
    done = subprocess.run([PYTHON, "-c", program], input=question, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_thousands_of_questions_with_named_and_inline_calendars_are_all_answered() -> None:
    lines = b"".join(
        json.dumps(
            {
                "id": number,
                "calendar": "cn" if number % 2 else OFFICE,
                "start": f"2026-{number % 9 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:00:00+08:00",
                "target": {"working_seconds": number * 37 % 10**6},
            }
        ).encode()
        + b"\n"
        for number in range(20_000)
    )
    done = subprocess.run(COMMAND, input=lines, capture_output=True, check=True)
    assert done.stdout.count(b'"deadline"') == 20_000


def test_an_unknown_command_is_named_and_help_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clok"]) == 2
    assert "'clok'" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "Working time, deadlines and SLA clocks" in capsys.readouterr().out
