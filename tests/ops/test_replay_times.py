"""Stamps of a log: their zones are read or refused, hours that come twice or never keep the file's order or are reported."""

import random
from pathlib import Path
from typing import Any

import pytest
from tests.ops.replay_logs import replayed

from common.kernel.faults import Fault
from ops.replay.mapping import read_mapping
from ops.replay.rows import Unusable
from ops.replay.times import TimeColumn

HOUR = 3_600_000_000


def desk(when: dict[str, str], calendar: object = "24x7") -> dict[str, Any]:
    return {
        "name": "desk",
        "kind": "cases",
        "columns": {"case": "id", "person": "who", "team": "team"},
        "times": {"at": {"column": "at"} | when},
        "calendar": calendar,
        "rows": [
            {"where": {"what": "new"}, "means": "queued"},
            {"where": {"what": "work"}, "means": "working"},
            {"where": {"what": "done"}, "means": "completed"},
        ],
        "claims": [{"claim": "work_order.work_finished", "when": "completed", "fields": {"work_order_id": {"column": "id"}, "by": "E1"}}],
    }


def complaints(start: dict[str, str], end: dict[str, str], calendar: object = "24x7") -> dict[str, Any]:
    return {
        "name": "table",
        "kind": "complaints",
        "columns": {"outcome": "what"},
        "times": {"start": {"column": "start"} | start, "end": {"column": "end"} | end},
        "calendar": calendar,
        "rows": [{"means": "complaint"}],
        "claims": [{"claim": "complaint.complainant_told", "when": "closed", "fields": {"complaint_id": {"row": "number"}, "by": "E1"}}],
    }


def column(**when: str) -> TimeColumn:
    return read_mapping(desk(when)).times["at"]


def log(*rows: tuple[str, str, str]) -> str:
    return "id,at,what,who,team\n" + "".join(f"{case},{at},{what},a,t1\n" for case, at, what in rows)


BERLIN = desk({"format": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin"})
GERMAN = "%d.%m.%Y %H:%M:%S"


def hours(report: dict[str, Any]) -> str:
    found: str = report["figures"]["completion_hours"]["sum"]
    return found


def test_an_hour_that_comes_twice_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    report = replayed(tmp_path, BERLIN, log(("1", "2026-10-25 02:10", "new"), ("1", "2026-10-25 02:05", "done")))
    assert hours(report) == "0.916666667"
    assert (report["figures"]["reopenings"], report["figures"]["reopened_cases"]) == (0, 0)
    assert report["local_times"]["twice"] == {"rows": 2, "first": [1, 2], "all": [1, 2]}
    assert report["local_times"]["guessed"]["rows"] == 0


def test_local_times_in_doubt_are_told_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replayed(tmp_path, BERLIN, log(("1", "2026-10-25 01:00", "new"), ("1", "2026-10-25 02:30", "done"), ("2", "2026-03-29 02:30", "done")))
    printed = capsys.readouterr().out
    assert "a local time that the clocks show twice: row 2" in printed
    assert "a local time that the clocks skip: row 3" in printed
    assert "the order of the file leaves open which time is meant: rows 2, 3" in printed
    assert "in time, of 2 completions, by the deadline" in printed


def test_an_hour_that_never_comes_keeps_the_order_of_the_file_and_is_reported(tmp_path: Path) -> None:
    report = replayed(tmp_path, BERLIN, log(("1", "2026-03-29 02:30", "new"), ("1", "2026-03-29 03:15", "done")))
    assert hours(report) == "0.75"
    assert report["figures"]["reopenings"] == 0
    assert report["local_times"]["never"] == {"rows": 1, "first": [1], "all": [1]}
    assert report["local_times"]["guessed"]["rows"] == 0


def test_a_time_that_the_order_leaves_open_is_the_first_of_the_two_and_reported(tmp_path: Path) -> None:
    report = replayed(tmp_path, BERLIN, log(("1", "2026-10-25 01:00", "new"), ("1", "2026-10-25 02:30", "done")))
    assert hours(report) == "1.5"
    assert report["local_times"]["guessed"] == {"rows": 1, "first": [2], "all": [2]}


def test_a_time_that_never_comes_and_nothing_settles_is_taken_after_the_gap_and_reported(tmp_path: Path) -> None:
    report = replayed(tmp_path, BERLIN, log(("1", "2026-03-29 01:00", "new"), ("1", "2026-03-29 02:30", "done")))
    assert hours(report) == "1.5"
    assert (report["local_times"]["never"]["rows"], report["local_times"]["guessed"]["rows"]) == (1, 1)


def test_neighbours_settle_what_lies_between_them(tmp_path: Path) -> None:
    rows = [("1", "2026-10-25 02:50", "new"), ("1", "2026-10-25 02:10", "work"), ("1", "2026-10-25 02:20", "done")]
    report = replayed(tmp_path, BERLIN, log(*rows))
    assert hours(report) == "0.5"
    assert report["figures"]["first_response_hours"]["sum"] == "0.333333333"
    assert report["local_times"]["guessed"]["rows"] == 0


def test_a_log_with_the_newest_first_is_read_from_its_end(tmp_path: Path) -> None:
    rows = [("1", "2026-10-25 04:00", "done"), ("1", "2026-10-25 02:05", "work"), ("1", "2026-10-25 02:10", "new")]
    report = replayed(tmp_path, BERLIN, log(*rows))
    assert report["figures"]["first_response_hours"]["sum"] == "0.916666667"
    assert report["local_times"]["guessed"]["rows"] == 0


def test_a_case_without_an_order_is_reported_whole(tmp_path: Path) -> None:
    rows = [("1", "2026-10-25 04:00", "work"), ("1", "2026-10-25 02:05", "new"), ("1", "2026-10-25 05:00", "done")]
    report = replayed(tmp_path, BERLIN, log(*rows))
    assert report["local_times"]["guessed"]["all"] == [2]


def test_rows_of_one_local_minute_stay_as_they_stand(tmp_path: Path) -> None:
    rows = [("1", "2026-10-25 02:10", what) for what in ("new", "work", "done")]
    report = replayed(tmp_path, BERLIN, log(*rows))
    assert hours(report) == "0"
    assert report["figures"]["reopenings"] == 0


def test_each_case_is_settled_by_its_own_rows(tmp_path: Path) -> None:
    rows = [
        ("1", "2026-10-25 02:10", "new"),
        ("2", "2026-10-25 02:20", "new"),
        ("1", "2026-10-25 02:05", "done"),
        ("2", "2026-10-25 02:40", "done"),
    ]
    report = replayed(tmp_path, BERLIN, log(*rows))
    assert hours(report) == "1.25"  # 55 and 20 minutes
    assert report["local_times"]["guessed"]["all"] == [2, 4]
    random.Random(1).shuffle(rows)
    rows.sort(key=lambda row: row[2], reverse=True)  # new before done, cases in another order
    again = replayed(tmp_path, BERLIN, log(*rows))
    assert again["figures"] == report["figures"]


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Europe/Berlin", "Asia/Shanghai", "America/Sao_Paulo"])
def test_local_minutes_through_a_year_are_never_turned_round(zone: str, tmp_path: Path) -> None:
    """Real instants, a quarter of an hour apart around each change of the clocks, written as local times."""
    from datetime import UTC, datetime, timedelta

    from common.kernel.zones import zone_named

    rows = []
    at = datetime(2026, 1, 1, tzinfo=UTC)
    while at < datetime(2027, 1, 1, tzinfo=UTC):
        offsets = {(at + timedelta(hours=hour)).astimezone(zone_named(zone)).utcoffset() for hour in (-3, 0, 3)}
        if len(offsets) > 1:
            rows.append(("1", f"{at.astimezone(zone_named(zone)):%Y-%m-%d %H:%M}", "work"))
        at += timedelta(minutes=15)
    rows = [("1", "2026-01-01 12:00", "new"), *rows, ("1", "2026-12-31 12:00", "done")]
    report = replayed(tmp_path, desk({"format": "%Y-%m-%d %H:%M", "zone": zone}), log(*rows))
    assert (report["figures"]["events"], report["figures"]["reopenings"]) == (len(rows), 0)
    assert report["local_times"]["never"]["rows"] == 0


def test_a_complaint_that_closes_in_the_second_of_two_hours_does_not_end_before_it_starts(tmp_path: Path) -> None:
    local = {"format": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin"}
    table = """start,end,what
2026-10-25 02:10,2026-10-25 02:05,x
2026-03-29 02:30,2026-03-29 03:15,x
2026-10-25 02:10,2026-10-25 01:05,x
"""
    report = replayed(tmp_path, complaints(local, local), table)
    assert report["rows"]["rejected"] == {"end_before_start": 1}
    assert report["rejected"]["end_before_start"]["all"] == [3]
    assert report["local_times"]["twice"]["all"] == [1]
    assert report["local_times"]["never"]["all"] == [2]


@pytest.mark.parametrize(
    ("form", "zone", "stamp", "utc"),
    [
        (f"{GERMAN} %Z", "Europe/Berlin", "03.08.2026 16:30:00 UTC", "16:30"),
        (f"{GERMAN} %Z", "Europe/Berlin", "03.08.2026 16:30:00 GMT", "16:30"),
        (f"{GERMAN} %Z", "Europe/Berlin", "03.08.2026 16:30:00 CEST", "14:30"),
        (f"{GERMAN} %Z", "Europe/Berlin", "03.08.2026 16:30:00 CET", "15:30"),
        (f"{GERMAN} %Z", "Asia/Shanghai", "03.08.2026 16:30:00 CST", "08:30"),
        (f"{GERMAN} %Z", "America/Chicago", "03.08.2026 16:30:00 CST", "22:30"),
        (f"{GERMAN} %Z", "", "03.08.2026 16:30:00 CEST", "14:30"),
        (f"{GERMAN} %Z", "", "03.08.2026 16:30:00 +02:00", "14:30"),
        (f"{GERMAN} %Z", "", "03.08.2026 16:30:00 UTC+2", "14:30"),
        (f"{GERMAN} %z", "Europe/Berlin", "03.08.2026 16:30:00 +0530", "11:00"),
        (f"{GERMAN} %z", "Europe/Berlin", "03.08.2026 16:30:00 +01", "15:30"),
        (f"{GERMAN} %z", "", "03.08.2026 16:30:00 Z", "16:30"),
        (f"{GERMAN} %z", "", "03.08.2026 16:30:00 UTC", "16:30"),
        (f"{GERMAN}%z", "", "03.08.2026 16:30:00-08:00", "00:30"),
        ("%a %b %d %H:%M:%S %Z %Y", "Europe/Berlin", "Mon Aug 03 16:30:00 CEST 2026", "14:30"),
        ("%d.%m.%Y %I:%M %p %Z", "", "03.08.2026 04:30 PM CET", "15:30"),
        (f"{GERMAN} UTC", "", "03.08.2026 16:30:00 UTC", "16:30"),
        ("%Y-%m-%dT%H:%M:%SZ", "", "2026-08-03T16:30:00Z", "16:30"),
        (f"{GERMAN} +01", "", "03.08.2026 16:30:00 +01", "15:30"),
        (f"{GERMAN} CET", "", "03.08.2026 16:30:00 CET", "15:30"),
        ("iso", "Europe/Berlin", "2026-08-03 16:30:00 UTC", "16:30"),
        ("iso", "Europe/Berlin", "2026-08-03 16:30:00 CEST", "14:30"),
        ("iso", "Europe/Berlin", "2026-08-03T16:30:00+01", "15:30"),
        ("iso", "Europe/Berlin", "2026-08-03 16:30:00 +0100", "15:30"),
        ("iso", "Europe/Berlin", "2026-08-03t16:30z", "16:30"),
        ("iso", "Europe/Berlin", "2026-08-03 16:30", "14:30"),
        ("iso", "Europe/Berlin", "20260803T163000", "14:30"),
        ("iso", "Europe/Berlin", "2026-07-01T01:59:60,000+02:00", "00:00"),
        ("iso", "Europe/Berlin", "2026-07-01T01:59:60", "00:00"),
    ],
)  # fmt: skip
def test_a_zone_in_the_stamp_is_read(form: str, zone: str, stamp: str, utc: str) -> None:
    found = column(format=form, **({"zone": zone} if zone else {})).instant(stamp)
    minutes = found.at // 60_000_000 % (24 * 60)
    assert f"{minutes // 60:02}:{minutes % 60:02}" == utc
    assert found.other is None


def test_an_abbreviation_says_which_of_two_hours_is_meant() -> None:
    berlin = column(format="%Y-%m-%d %H:%M %Z", zone="Europe/Berlin")
    summer, winter = (berlin.instant(f"2026-10-25 02:30 {name}") for name in ("CEST", "CET"))
    assert (winter.at - summer.at, summer.other, winter.other) == (HOUR, None, None)


@pytest.mark.parametrize(
    ("form", "zone", "stamp", "reason"),
    [
        (f"{GERMAN} %Z", "Europe/Berlin", "03.08.2026 16:30:00 XYZ", "unknown_zone"),
        (f"{GERMAN} %Z", "Europe/Berlin", "03.08.2026 16:30:00 CST", "unknown_zone"),
        (f"{GERMAN} %Z", "", "03.08.2026 16:30:00 IST", "unknown_zone"),
        ("iso", "Europe/Berlin", "2026-08-03 16:30:00 XYZ", "unknown_zone"),
        ("iso", "", "2026-08-03 16:30:00", "no_zone"),
        (f"{GERMAN} %z", "", "03.08.2026 16:30:00", "bad_time"),
        ("iso", "UTC", "2026-08-03909:05:00Z", "bad_time"),
        ("iso", "UTC", "2026-08-03T16:61:00Z", "bad_time"),
        ("iso", "UTC", "2026-08-03T16:29:60Z", "bad_time"),
        ("iso", "UTC", "2026-08-03T23:59:60", "bad_time"),
        ("iso", "UTC", "2026-08-03T", "bad_time"),
        ("iso", "UTC", "2026-08-03T16:30:00+25:00", "bad_time"),
        ("iso", "UTC", "2026-02-30", "bad_time"),
        ("iso", "UTC", "２０２６-08-03", "bad_time"),
        ("iso", "UTC", "1750-01-01", "bad_time"),
        ("iso", "UTC", "", "no_time"),
    ],
)  # fmt: skip
def test_a_stamp_that_cannot_be_read_says_why(form: str, zone: str, stamp: str, reason: str) -> None:
    with pytest.raises(Unusable) as problem:
        column(format=form, **({"zone": zone} if zone else {})).instant(stamp)
    assert problem.value.reason == reason


@pytest.mark.parametrize(
    ("when", "place"),
    [
        ({"format": "%Q", "zone": "UTC"}, "times.at.format"),
        ({"format": "%Y-%m-%d %", "zone": "UTC"}, "times.at.format"),
        ({"format": "%Y-%m-%d %d", "zone": "UTC"}, "times.at.format"),
        ({"format": "%H:%M", "zone": "UTC"}, "times.at.format"),
        ({"format": "%Y-%m", "zone": "UTC"}, "times.at.format"),
        ({"format": "%d.%m", "zone": "UTC"}, "times.at.format"),
        ({"format": "%Y-%m-%d %I:%M", "zone": "UTC"}, "times.at.format"),
        ({"format": "%Y-%m-%d %H:%M %p", "zone": "UTC"}, "times.at.format"),
        ({"format": "%Y-%m-%d %M", "zone": "UTC"}, "times.at.format"),
        ({"format": "%x %X", "zone": "UTC"}, "times.at.format"),
        ({"format": "%-d.%m.%Y", "zone": "UTC"}, "times.at.format"),
        ({"format": "yyyy-MM-dd", "zone": "UTC"}, "times.at.format"),
        ({"format": "ISO", "zone": "UTC"}, "times.at.format"),
        ({"format": "%Y-%m-%d %z %Z"}, "times.at.format"),
        ({"format": "%Y-%m-%d %H:%M"}, "times.at"),
        ({"format": "%Y-%m-%d"}, "times.at"),
        ({"format": f"{GERMAN} UTC", "zone": "Europe/Berlin"}, "times.at.zone"),
        ({"format": f"{GERMAN} CET", "zone": "Europe/Berlin"}, "times.at.zone"),
        ({"format": "%Y-%m-%dT%H:%M:%SZ", "zone": "Europe/Berlin"}, "times.at.zone"),
        ({"format": f"{GERMAN} EST", "zone": "Europe/Berlin"}, "times.at.format"),
        ({"format": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin", "clock": "09:00"}, "times.at.clock"),
        ({"format": "iso", "zone": "Europe/Berlin", "clock": "09:00+02:00"}, "times.at.clock"),
        ({"format": "iso", "zone": "Europe/Berlin", "clock": "24:00"}, "times.at.clock"),
        ({"format": "iso", "zone": "CEST"}, "times.at.zone"),
        ({"format": "iso", "zone": "../etc/passwd"}, "times.at.zone"),
        ({"format": "iso", "zome": "UTC"}, "times.at.zome"),
    ],
)  # fmt: skip
def test_a_wrong_time_is_an_error_of_the_mapping(when: dict[str, str], place: str) -> None:
    with pytest.raises(Fault) as problem:
        read_mapping(desk(when))
    assert problem.value.field == place


def test_a_clock_is_for_mere_dates_and_keeps_their_offset() -> None:
    mixed = column(format="iso", zone="UTC", clock="09:00")
    assert mixed.instant("2026-08-03").at == mixed.instant("2026-08-03T09:00").at
    assert mixed.instant("2026-08-03").other == mixed.instant("2026-08-04T00:00").at - 1
    assert mixed.instant("2026-08-03T16:30+05:00").at == mixed.instant("2026-08-03T11:30Z").at
    assert (mixed.instant("2026-08-03").dated, mixed.instant("2026-08-03T09:00").dated) == (True, False)
    offset = column(format="%Y-%m-%d %z", clock="09:00")
    assert offset.instant("2026-08-03 +0500").at == mixed.instant("2026-08-03T04:00Z").at


CLOSED_AT_18 = {"time_zone": "Europe/Berlin", "weekly_hours": {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}


def test_a_log_of_dates_is_judged_by_the_date(tmp_path: Path) -> None:
    days = desk({"format": "%Y-%m-%d", "zone": "Europe/Berlin", "clock": "20:00"}, CLOSED_AT_18)  # after closing
    report = replayed(tmp_path, days, log(("1", "2026-03-27", "new"), ("1", "2026-03-30", "done")))
    figures = report["figures"]
    assert figures["in_time_by"] == {"deadline": 0, "date": 1}
    assert figures["completed_within"]["working_days_end_of_day"]["1"] == 1
    assert figures["completed_within"]["elapsed_days"] == {"1": 0, "3": 1, "5": 1}
    late = replayed(tmp_path, days, log(("1", "2026-03-27", "new"), ("1", "2026-03-31", "done")))["figures"]
    assert late["completed_within"]["working_days_end_of_day"] == {"1": 0, "3": 1, "5": 1}
    assert late["completed_within"]["elapsed_days"] == {"1": 0, "3": 0, "5": 1}


def test_a_log_of_times_is_judged_by_the_deadline(tmp_path: Path) -> None:
    times = desk({"format": "iso", "zone": "Europe/Berlin"}, CLOSED_AT_18)
    at_closing = replayed(tmp_path, times, log(("1", "2026-03-27T10:00", "new"), ("1", "2026-03-30T18:00", "done")))["figures"]
    assert at_closing["completed_within"]["working_days_end_of_day"]["1"] == 1
    assert at_closing["in_time_by"] == {"deadline": 1, "date": 0}
    after = replayed(tmp_path, times, log(("1", "2026-03-27T10:00", "new"), ("1", "2026-03-30T18:00:01", "done")))["figures"]
    assert after["completed_within"]["working_days_end_of_day"]["1"] == 0


@pytest.mark.parametrize("clock", [None, "00:00"])
def test_dates_on_which_midnight_is_skipped_stay_the_same_dates(clock: str | None, tmp_path: Path) -> None:
    """In Beirut the clocks go from 00:00 to 01:00 on 29 March 2026."""
    when = {"format": "iso", "zone": "Asia/Beirut"} | ({} if clock is None else {"clock": clock})
    calendar = {"time_zone": "Asia/Beirut", "weekly_hours": {day: [["00:00", "24:00"]] for day in ("mon", "sun")}}
    report = replayed(tmp_path, desk(when, calendar), log(("1", "2026-03-28", "new"), ("1", "2026-03-29", "done")))
    assert report["figures"]["completed_within"]["elapsed_days"]["1"] == 1
    assert report["figures"]["completed_within"]["working_days_end_of_day"]["1"] == 1
    assert report["local_times"]["never"]["rows"] == 0  # nobody wrote 00:00


def test_complaints_with_times_are_judged_by_the_deadline_and_those_with_dates_by_the_date(tmp_path: Path) -> None:
    iso = {"format": "iso", "zone": "Europe/Berlin"}
    table = (
        "start,end,what\n2026-03-27T10:00,2026-03-30T18:00,x\n2026-03-27T10:00,2026-03-30T18:01,x\n"
        "2026-03-27,2026-03-30,x\n2026-03-27T10:00,2026-03-30,x\n2026-03-27,2026-03-31,x\n"
    )
    figures = replayed(tmp_path, complaints(iso, iso, CLOSED_AT_18), table)["figures"]
    assert figures["in_time_by"] == {"deadline": 2, "date": 3}
    assert figures["within_working_days"] == {"1": 3, "3": 5}


def test_a_mere_date_does_not_come_before_the_time_of_that_day_that_stands_before_it(tmp_path: Path) -> None:
    mixed = desk({"format": "iso", "zone": "Europe/Berlin"}, CLOSED_AT_18)
    rows = [("1", "2026-03-27T10:00", "new"), ("1", "2026-03-27", "done"), ("2", "2026-03-27", "new"), ("2", "2026-03-27T10:00", "done")]
    report = replayed(tmp_path, mixed, log(*rows))
    assert report["figures"]["reopenings"] == 0
    assert report["figures"]["completion_hours"]["sum"] == "10"  # the second case may have begun at midnight
    assert report["figures"]["in_time_by"] == {"deadline": 0, "date": 2}
    assert report["local_times"]["guessed"]["rows"] == 0


@pytest.mark.parametrize("clock", ["00:00", "09:00", "23:59"])
def test_a_complaint_that_knows_one_time_of_its_day_is_not_over_before_it_begins(clock: str, tmp_path: Path) -> None:
    iso = {"format": "iso", "zone": "Europe/Berlin", "clock": clock}
    table = "start,end,what\n2026-03-27,2026-03-27T08:00,x\n2026-03-27T08:00,2026-03-27,x\n2026-03-27,2026-03-26T08:00,x\n"
    report = replayed(tmp_path, complaints(iso, iso), table)
    assert {reason: rows["all"] for reason, rows in report["rejected"].items()} == {"end_before_start": [3]}


def test_a_complaint_of_one_day_is_not_over_before_it_begins(tmp_path: Path) -> None:
    day = {"format": "%Y-%m-%d", "zone": "Europe/Berlin"}
    own = complaints(day | {"clock": "18:00"}, day | {"clock": "09:00"})
    report = replayed(tmp_path, own, "start,end,what\n2026-03-27,2026-03-27,x\n")
    assert report["rows"]["rejected"] == {}
    assert report["figures"]["solution_days"]["sum"] == "0"
