"""Working time: hand-worked examples, and a thousand calendars against an oracle that walks the wall clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.common.clock_oracle import (
    DAY_NAMES,
    SLOT,
    SLOT_SECONDS,
    brief,
    count_of_working_days,
    end_of_working_day,
    instants,
    is_open,
    local_date,
    promised,
    span,
    thorough,
    times_of_day,
    windows,
    working_slots,
)

from common.kernel import timeline
from common.kernel.calendars import built_in
from common.kernel.faults import Fault
from common.kernel.instants import to_micros
from common.kernel.targets import Pause, WorkingDays, WorkingTime, due_at, read_pauses, read_target, worked
from common.kernel.timeline import Hours
from common.kernel.working_time import Calendar, micros_of

OFFICE: dict[str, Any] = {
    "time_zone": "Asia/Shanghai",
    "weekly_hours": {day: [["09:00", "12:00"], ["13:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    "closed_dates": ["2026-10-01"],
    "make_up_days": ["2026-10-10"],
    "make_up_hours": [["10:00", "16:00"]],
    "date_hours": {"2026-02-16": [["09:00", "12:00"]]},
    "known_until": "2026-12-31",
}
HOUR = timedelta(hours=1)
HORIZON = 45 * 96


def office(**changes: Any) -> Calendar:
    return Calendar.from_json(OFFICE | changes)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def test_a_target_that_ends_exactly_at_closing_is_due_at_closing() -> None:
    assert office().after_working_time(at("2026-01-05T09:00"), 8 * HOUR) == at("2026-01-05T18:00")
    assert office().after_working_time(at("2026-01-05T09:00"), 3 * HOUR) == at("2026-01-05T12:00")
    assert office().after_working_time(at("2026-12-31T17:00"), HOUR) == at("2026-12-31T18:00"), "the last one of the year too"


def test_a_target_may_take_all_the_working_time_of_a_year() -> None:
    hours = {day: [["09:00", "10:00"]] for day in ("2027-01-05", "2028-01-03", "2029-01-02")}
    sparse = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {}, "date_hours": hours})
    start = datetime(2026, 12, 31, tzinfo=UTC)
    ends = [datetime(2027, 1, 5, 10, tzinfo=UTC), datetime(2028, 1, 3, 10, tzinfo=UTC), datetime(2029, 1, 2, 10, tzinfo=UTC)]
    assert [sparse.after_working_time(start, number * HOUR) for number in (1, 2, 3)] == ends
    assert [sparse.after_working_days(start, number) for number in (1, 2, 3)] == ends


def test_one_microsecond_more_than_the_day_is_due_on_the_next_morning() -> None:
    due = office().after_working_time(at("2026-01-05T09:00"), 8 * HOUR + timedelta(microseconds=1))
    assert due == at("2026-01-06T09:00:00.000001")


def test_a_target_of_zero_is_due_at_the_next_working_instant() -> None:
    assert office().after_working_time(at("2026-01-03T10:00"), timedelta()) == at("2026-01-05T09:00")
    assert office().after_working_time(at("2026-01-05T10:00"), timedelta()) == at("2026-01-05T10:00")
    assert office().after_working_time(at("2026-01-05T12:00"), timedelta()) == at("2026-01-05T13:00")
    assert office().after_working_days(at("2026-01-03T10:00"), 0) == at("2026-01-05T09:00")


def test_a_target_of_zero_that_starts_in_a_pause_is_due_after_the_one_that_follows_without_a_gap() -> None:
    paused, start, change, end = (to_micros(at(f"2026-01-05T{hour}")) for hour in ("09:00", "09:30", "10:00", "11:00"))
    assert due_at(office(), start, WorkingTime(0), [(paused, change), (change, end)]) == end
    assert due_at(office(), start, WorkingTime(0), [(paused, end)]) == end


def test_pauses_that_overlap_count_once_whatever_pause_stands_before_them() -> None:
    always = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"mon": [["00:00", "24:00"]]}})
    nine, *hours = (to_micros(datetime(2026, 1, 5, hour, tzinfo=UTC)) for hour in (9, 10, 11, 13, 14, 15, 16, 17))
    ten, eleven, one, two, three, four, five = hours
    pauses: list[Pause] = [(two, four), (ten, eleven), (one, three)]
    assert due_at(always, nine, WorkingTime(micros_of(4 * HOUR)), pauses) == five
    assert worked(always, nine, five, pauses) == micros_of(4 * HOUR)


def test_a_pause_that_ends_where_it_begins_is_read_and_moves_nothing() -> None:
    start, nine_to_ten = to_micros(at("2026-01-05T09:00")), WorkingTime(micros_of(HOUR))
    nothing = read_pauses([["2026-01-05T09:30:00+08:00"] * 2], ("pauses",))
    assert due_at(office(), start, nine_to_ten, nothing) == due_at(office(), start, nine_to_ten) == to_micros(at("2026-01-05T10:00"))


def test_a_negative_target_is_no_promise() -> None:
    with pytest.raises(Fault) as days:
        office().after_working_days(at("2026-01-05T09:00"), -1)
    with pytest.raises(Fault) as hours:
        office().after_working_time(at("2026-01-05T09:00"), -HOUR)
    assert (days.value.rule, hours.value.rule) == ("bad_target", "bad_target")


@pytest.mark.parametrize("years", [0, 3])
def test_working_time_backwards_is_what_it_is_forwards_with_its_sign_turned(years: int) -> None:
    first = to_micros(datetime(2026, 1, 5, 9, tzinfo=UTC))
    last = to_micros(datetime(2026 + years, 1, 6, 9, tzinfo=UTC))
    assert built_in("mon-fri").timeline.between(last, first) == -built_in("mon-fri").timeline.between(first, last) < 0


def test_closing_time_is_closed_and_opening_time_is_open() -> None:
    assert office().is_working(at("2026-01-05T09:00"))
    assert not office().is_working(at("2026-01-05T12:00"))
    assert not office().is_working(at("2026-01-05T08:59:59.999999"))


def test_n_working_days_end_when_the_nth_working_day_after_the_receipt_day_closes() -> None:
    assert office().after_working_days(at("2026-01-02T23:30"), 1) == at("2026-01-05T18:00")
    assert office().after_working_days(at("2026-09-30T09:00"), 1) == at("2026-10-02T18:00")
    assert office().after_working_days(at("2026-10-09T09:00"), 1) == at("2026-10-10T16:00")


def test_the_receipt_day_is_a_local_date() -> None:
    sunday_in_utc = datetime(2026, 1, 4, 16, 30, tzinfo=UTC)  # half past midnight on Monday in Shanghai
    assert office().after_working_days(sunday_in_utc, 1) == at("2026-01-06T18:00")


def due(start: str, **days: Any) -> str:
    """When a promise of working days is due that begins at an instant of 2026 in the office, as `MM-DDTHH:MM`; 5 January is a Monday."""
    target = read_target({"meaning": "end_of_day", **days}, ("target",))
    return office().instant(due_at(office(), to_micros(at(f"2026-{start}")), target) or 0).isoformat()[5:16]


@pytest.mark.parametrize(
    ("start", "days", "expected"),
    [
        ("01-05T15:59:59", {"working_days": 0, "cut_off": "16:00"}, "01-05T18:00"),
        ("01-05T16:00", {"working_days": 0, "cut_off": "16:00"}, "01-06T18:00"),
        ("01-05T15:59", {"working_days": 0, "cut_off": "16:00", "by": "17:00"}, "01-05T17:00"),
        ("01-05T16:00", {"working_days": 0, "cut_off": "16:00", "by": "17:00"}, "01-06T17:00"),
        ("01-05T07:00", {"working_days": 0, "cut_off": "16:00"}, "01-05T18:00"),  # before opening is in time too
        ("01-05T17:59", {"working_days": 0, "cut_off": "20:00"}, "01-05T18:00"),
        ("01-05T18:00", {"working_days": 0, "cut_off": "20:00"}, "01-06T18:00"),  # closing comes before such a cut-off
        ("01-03T10:00", {"working_days": 0, "cut_off": "16:00"}, "01-05T18:00"),  # a Saturday
        ("01-03T10:00", {"working_days": 1, "cut_off": "16:00"}, "01-06T18:00"),  # day 0 is Monday
        ("01-05T15:00", {"working_days": 1, "cut_off": "16:00"}, "01-06T18:00"),
        ("01-05T16:30", {"working_days": 1, "cut_off": "16:00"}, "01-07T18:00"),
        ("01-09T16:30", {"working_days": 0, "cut_off": "16:00", "by": "10:00"}, "01-12T10:00"),  # over the weekend
        ("01-05T16:59", {"working_days": 0, "by": "17:00"}, "01-05T17:00"),
        ("01-05T17:00", {"working_days": 0, "by": "17:00"}, "01-06T17:00"),  # that hour is over today
        ("01-05T10:00", {"working_days": 1, "by": "12:30"}, "01-06T12:30"),  # an hour at which nobody works
        ("01-05T10:00", {"working_days": 1, "by": "08:00"}, "01-06T08:00"),
        ("01-03T10:00", {"working_days": 1, "by": "17:00"}, "01-05T17:00"),  # without a cut-off days are counted as ever
        ("02-13T17:30", {"working_days": 0, "cut_off": "16:00", "by": "17:00"}, "02-16T12:00"),  # which closes at noon
        ("10-09T19:00", {"working_days": 0, "cut_off": "16:00"}, "10-10T16:00"),  # a make-up Saturday
    ],
)
def test_the_same_day_and_the_cut_off(start: str, days: dict[str, Any], expected: str) -> None:
    assert due(start, **days) == expected


def test_an_hour_on_a_night_shift_is_one_of_the_date_on_which_the_shift_begins() -> None:
    nights = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"fri": [["22:00", "06:00"]]}})
    thursday, friday = datetime(2026, 1, 8, 12, tzinfo=UTC), datetime(2026, 1, 9, 23, tzinfo=UTC)
    assert due_at(nights, to_micros(thursday), WorkingDays(1, by=23 * 3600)) == to_micros(friday)
    assert due_at(nights, to_micros(friday), WorkingDays(0, cut_off=24 * 3600)) == to_micros(friday + 7 * HOUR)
    saturday = datetime(2026, 1, 10, 1, tzinfo=UTC)  # no working day of its own
    assert due_at(nights, to_micros(saturday), WorkingDays(0, cut_off=24 * 3600)) == to_micros(friday + timedelta(days=7, hours=7))


def test_a_time_that_the_clocks_show_twice_is_over_after_the_second_and_one_that_they_skip_when_they_skip_it() -> None:
    all_day = Calendar.from_json({"time_zone": "America/New_York", "weekly_hours": {"sun": [["00:00", "24:00"]]}})
    back, forth = datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 3, 8, 5, tzinfo=UTC)  # midnight of both
    half_past_one, half_past_two = 5_400, 9_000
    assert due_at(all_day, to_micros(back), WorkingDays(0, by=half_past_one)) == to_micros(back + 2.5 * HOUR)
    assert due_at(all_day, to_micros(forth), WorkingDays(0, by=half_past_two)) == to_micros(forth + 2 * HOUR)


def test_pauses_move_an_hour_by_the_working_time_that_they_take_and_only_by_it() -> None:
    start, target = to_micros(at("2026-01-05T10:00")), WorkingDays(0, pauses_count=True, by=45_000)  # half past twelve, when nobody works

    def with_pause(since: str, until: str) -> str:
        pause = (to_micros(at(f"2026-01-05T{since}")), to_micros(at(f"2026-01-05T{until}")))
        return office().instant(due_at(office(), start, target, [pause]) or 0).isoformat()[11:16]

    assert with_pause("10:00", "10:00") == "12:30"
    assert with_pause("12:00", "13:00") == "12:30"
    assert with_pause("12:10", "15:00") == "12:30"  # it is due before the working time of the pause begins
    assert with_pause("11:00", "11:30") == "13:30"
    assert with_pause("11:00", "14:00") == "15:00"
    in_the_break = to_micros(at("2026-01-05T12:10"))
    assert due_at(office(), in_the_break, target, [(in_the_break, None)]) == to_micros(at("2026-01-05T12:30"))


@pytest.mark.parametrize(
    ("target", "field", "expected"),
    [
        ({"working_days": 0, "cut_off": "4 pm"}, "cut_off", "16:00"),
        ({"working_days": 0, "cut_off": 960}, "cut_off", "in quotes"),  # what YAML makes of 16:00
        ({"working_days": 0, "by": "24:01"}, "by", "up to"),
        ({"working_days": 0, "by": "00:00"}, "by", "24:00"),
        ({"working_days": 0, "by": None}, "by", "local time"),
        ({"working_days": 1, "meaning": "working_hours", "by": "17:00"}, "by", "end_of_day"),
        ({"working_days": 1, "meaning": "working_hours", "cut_off": "17:00"}, "cut_off", "end_of_day"),
    ],
)
def test_a_wrong_time_of_day_in_a_target_is_refused_with_what_is_expected(target: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(Fault, match=expected) as refusal:
        read_target(target, ("target",))
    assert (refusal.value.rule, refusal.value.field) == ("bad_target", f"target.{field}")


def test_working_days_between_two_instants_are_counted_after_the_first_date_and_with_the_last() -> None:
    count = office().working_days_between
    assert count(at("2026-01-05T09:00"), at("2026-01-05T23:59")) == 0
    assert count(at("2026-01-05T23:59"), at("2026-01-06T00:00")) == 1
    assert count(at("2026-01-02T09:00"), at("2026-01-12T00:00")) == 6
    assert count(at("2026-09-30T09:00"), at("2026-10-10T00:00")) == 7  # a closed Thursday, and a make-up Saturday
    assert count(at("2026-01-05T09:00"), at("2029-01-05T09:00")) == 784  # 156 weeks and four days, one closed and one made up
    with pytest.raises(Fault) as refusal:
        count(at("2026-01-06T09:00"), at("2026-01-05T09:00"))
    assert refusal.value.rule == "end_before_start"


SUMMER = {"from": "05-01", "to": "09-30", "weekly_hours": {day: [["08:00", "12:00"], ["14:30", "17:30"]] for day in ("mon", "tue", "wed")}}
BIG_WEEK = {"anchor": "2026-01-03", "hours": [["09:00", "16:00"]]}


def test_a_season_has_hours_of_its_own_from_its_first_day_to_its_last() -> None:
    seasonal = office(seasons=[SUMMER])
    opens = {day: [hours.start // 60 for hours in seasonal.hours_of(date(2026, *day))] for day in ((4, 29), (5, 4), (9, 30), (10, 7))}
    assert opens == {(4, 29): [540, 780], (5, 4): [480, 870], (9, 30): [480, 870], (10, 7): [540, 780]}
    assert not seasonal.is_working_day(date(2026, 5, 7))  # a Thursday, which the season leaves out
    assert seasonal.after_working_time(at("2026-04-30T17:00"), 2 * HOUR) == at("2026-05-04T09:00")


def test_a_season_may_run_over_the_new_year_and_be_bounded_by_29_february() -> None:
    winter = {"from": "12-01", "to": "02-29", "weekly_hours": {"mon": [["10:00", "16:00"]]}}
    days = (date(2026, 11, 30), date(2026, 12, 7), date(2027, 2, 22), date(2027, 3, 1), date(2028, 2, 28), date(2028, 3, 6))
    assert [len(office(seasons=[winter], date_hours={}).hours_of(day)) for day in days] == [2, 1, 1, 2, 1, 2]


def test_the_weekday_of_the_anchor_is_another_one_every_second_week_before_and_after_it() -> None:
    alternating = office(alternating=[BIG_WEEK])
    saturdays = [date(2025, 12, 6) + timedelta(days=7 * week) for week in range(6)]
    assert [alternating.is_working_day(day) for day in saturdays] == [True, False, True, False, True, False]
    free_mondays = office(alternating=[{"anchor": "2026-01-05", "hours": []}])
    assert [free_mondays.is_working_day(date(2026, 1, day)) for day in (5, 12, 19, 26)] == [False, True, False, True]
    assert alternating.after_working_days(at("2026-01-02T10:00"), 1) == at("2026-01-03T16:00")


def test_dates_stand_above_alternating_weekdays_those_above_seasons_and_the_later_of_two_counts() -> None:
    whole_year = {"from": "01-01", "to": "12-31", "weekly_hours": {day: [["06:00", "07:00"]] for day in DAY_NAMES}}
    other = {"anchor": "2026-05-09", "hours": [["11:00", "12:00"]]}
    calendar = office(
        seasons=[SUMMER, whole_year],
        alternating=[BIG_WEEK, other],
        closed_dates=["2026-05-23"],
        make_up_days=["2026-06-06"],
        date_hours={"2026-06-20": [["20:00", "21:00"]]},
    )
    days = ((5, 9), (5, 16), (5, 23), (6, 6), (6, 20))
    opens = {day: [hours.start // 3600 for hours in calendar.hours_of(date(2026, *day))] for day in days}
    assert opens == {(5, 9): [11], (5, 16): [6], (5, 23): [], (6, 6): [10], (6, 20): [20]}


def test_make_up_hours_are_those_of_the_seasons_monday_when_nothing_else_is_said() -> None:
    plain = {key: value for key, value in OFFICE.items() if key != "make_up_hours"}
    made_up = Calendar.from_json({**plain, "seasons": [SUMMER], "make_up_days": ["2026-05-09", "2026-10-10"]})
    assert [made_up.hours_of(date(2026, *day))[0].start // 3600 for day in ((5, 9), (10, 10))] == [8, 9]


def test_the_ordinary_day_is_that_of_the_ordinary_week_whatever_the_season() -> None:
    assert office(seasons=[SUMMER], alternating=[BIG_WEEK]).ordinary_day == office().ordinary_day


def test_single_dates_stand_above_make_up_days_and_those_above_closed_dates() -> None:
    calendar = office(
        closed_dates=["2026-10-12"],
        make_up_days=["2026-10-10", "2026-10-11"],
        date_hours={"2026-10-11": [["20:00", "21:00"]]},
    )
    assert calendar.hours_of(date(2026, 10, 10)) == (Hours(36_000, 57_600),)
    assert calendar.hours_of(date(2026, 10, 11)) == (Hours(72_000, 75_600),)
    assert calendar.hours_of(date(2026, 10, 12)) == ()


def test_make_up_hours_are_mondays_when_nothing_else_is_said() -> None:
    plain = {key: value for key, value in OFFICE.items() if key != "make_up_hours"}
    plain["weekly_hours"] = {**OFFICE["weekly_hours"], "tue": [["08:00", "16:00"]]}
    assert Calendar.from_json(plain).hours_of(date(2026, 10, 10)) == (Hours(32_400, 43_200), Hours(46_800, 64_800))


def test_a_range_over_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    nights = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"fri": [["22:00", "06:00"]]}})
    friday, saturday = datetime(2026, 1, 9, tzinfo=UTC), datetime(2026, 1, 10, tzinfo=UTC)
    assert nights.is_working_day(friday.date())
    assert not nights.is_working_day(saturday.date())
    assert nights.is_working(saturday + 5 * HOUR)
    assert nights.after_working_days(friday - timedelta(days=1), 1) == saturday + 6 * HOUR
    assert nights.working_time_between(friday, saturday + 24 * HOUR) == 8 * HOUR


def test_ranges_that_overlap_count_once() -> None:
    calendar = Calendar.from_json(
        {
            "time_zone": "UTC",
            "weekly_hours": {"mon": [["09:00", "12:00"], ["11:00", "13:00"], ["22:00", "10:00"]], "tue": [["09:00", "11:00"]]},
        }
    )
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    assert calendar.working_time_between(monday, monday + 48 * HOUR) == (4 + 13) * HOUR


def test_ranges_that_only_touch_stay_apart_beside_others_that_overlap() -> None:
    ranges = [["09:00", "11:00"], ["10:00", "12:00"], ["12:00", "13:00"], ["12:30", "12:45"], ["13:00", "14:00"]]
    calendar = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"mon": ranges}})
    midnight = to_micros(datetime(2026, 1, 5, tzinfo=UTC))
    hours = [
        ((start - midnight) // (3600 * 10**6), (end - midnight) // (3600 * 10**6))
        for start, end in calendar.timeline.stretches_of(date(2026, 1, 5).toordinal())
    ]
    assert hours == [(9, 12), (12, 13), (13, 14)]


def test_the_order_of_the_ranges_of_a_day_and_the_first_opening_of_a_year_change_nothing() -> None:
    morning, afternoon, over_noon = Hours(9 * 3600, 12 * 3600), Hours(13 * 3600, 17 * 3600), Hours(11 * 3600, 13 * 3600)
    monday = datetime(2024, 1, 1, tzinfo=UTC)  # which opens first in its year
    for ranges in ((afternoon, morning), (afternoon, over_noon, morning)):
        calendar = Calendar("UTC", weekly_hours=(ranges, *((),) * 6))
        length = (7 + (over_noon in ranges)) * HOUR
        assert calendar.ordinary_day == calendar.working_time_between(monday, monday + 24 * HOUR) == length
        assert calendar.after_working_time(monday, length) == monday + 17 * HOUR
        assert calendar.after_working_time(monday, HOUR) == monday + 10 * HOUR
        assert calendar.after_working_time(monday + 9.5 * HOUR, HOUR / 2) == monday + 10 * HOUR


def test_repeated_minutes_count_twice_and_skipped_ones_not_at_all() -> None:
    night = Calendar.from_json({"time_zone": "America/New_York", "weekly_hours": {"sun": [["01:00", "03:00"]]}})
    back, forth = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)
    assert night.working_time_between(back, back + 24 * HOUR) == 3 * HOUR
    assert night.working_time_between(forth, forth + 24 * HOUR) == 1 * HOUR


def test_an_instant_in_a_repeated_hour_equals_the_same_instant_elsewhere() -> None:
    night = Calendar.from_json({"time_zone": "America/New_York", "weekly_hours": {"sun": [["01:00", "03:00"]]}})
    back = datetime(2026, 11, 1, tzinfo=UTC)
    first, second = night.after_working_time(back, HOUR / 2), night.after_working_time(back, 1.5 * HOUR)
    assert (first, second) == (back + 5.5 * HOUR, back + 6.5 * HOUR)
    assert (first.isoformat(), second.isoformat()) == ("2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00")


def test_a_range_that_lies_in_the_skipped_hour_makes_no_working_day() -> None:
    night = Calendar.from_json({"time_zone": "America/New_York", "weekly_hours": {"sun": [["02:15", "02:45"]]}})
    assert not night.is_working_day(date(2026, 3, 8))
    assert night.is_working_day(date(2026, 3, 15))


def test_the_ordinary_day_is_what_most_weekdays_have() -> None:
    weekly = {"mon": [["09:00", "12:00"]], "tue": [["09:00", "17:00"]], "wed": [["10:00", "18:00"]], "sat": [["09:00", "10:00"]]}
    assert office(weekly_hours=weekly).ordinary_day == 8 * HOUR
    assert office(weekly_hours={"mon": [["09:00", "12:00"]], "tue": [["09:00", "17:00"]]}).ordinary_day == 3 * HOUR


def test_a_calendar_without_hours_is_never_open() -> None:
    closed = office(weekly_hours={}, date_hours={}, make_up_days=[])
    for ask in (
        lambda: closed.after_working_time(at("2026-01-05T09:00"), timedelta()),
        lambda: closed.after_working_time(at("2026-01-05T09:00"), HOUR),
        lambda: closed.after_working_days(at("2026-01-05T09:00"), 1),
        lambda: closed.ordinary_day,
    ):
        with pytest.raises(Fault) as refusal:
            ask()
        assert refusal.value.rule == "never_open"
    assert closed.working_time_between(at("2026-01-05T09:00"), at("2027-01-05T09:00")) == timedelta()


def test_ten_years_without_working_time_are_never_open_whatever_was_asked_before() -> None:
    sparse = office(weekly_hours={}, make_up_days=[], date_hours={"2026-01-05": [["09:00", "10:00"]], "2037-01-05": [["09:00", "10:00"]]})
    for _ in range(2):
        with pytest.raises(Fault, match="ten years"):
            sparse.after_working_time(at("2026-01-05T09:00"), 2 * HOUR)
        with pytest.raises(Fault, match="ten years"):
            sparse.after_working_days(at("2026-01-05T09:00"), 1)
        assert sparse.after_working_time(at("2028-01-05T09:00"), HOUR) == at("2037-01-05T10:00")


@pytest.mark.parametrize("start", [datetime(2026, 1, 4, tzinfo=UTC), datetime(2026, 7, 1, 17, tzinfo=UTC)])
def test_exactly_ten_years_after_the_last_working_time_are_waited_for_and_a_second_more_is_not(start: datetime) -> None:
    closing = datetime(2026, 7, 1, 18, tzinfo=UTC)
    opening, midnight = closing + timedelta(days=3653), datetime(2036, 7, 2, tzinfo=UTC)
    for later in (0, 1):
        opens = (opening + timedelta(seconds=later)).time().isoformat()
        before = {day: [["09:00", "18:00"]] for day in ("2026-01-05", "2026-03-02", "2026-07-01")}
        hours = {**before, "2036-07-01": [[opens, "24:00"]], "2036-07-08": [["09:00", "18:00"]]}
        calendar = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {}, "date_hours": hours})
        number = sum(date.fromisoformat(day) > start.date() for day in before) + 1
        left = calendar.working_time_between(start, closing)
        if later:
            with pytest.raises(Fault, match="ten years"):
                calendar.after_working_time(start, left + HOUR)
            with pytest.raises(Fault, match="ten years"):
                calendar.after_working_days(start, number)
        else:
            assert calendar.after_working_time(start, left + HOUR) == opening + HOUR
            assert calendar.after_working_days(start, number) == midnight


def test_a_deadline_lies_at_most_exactly_a_hundred_years_ahead() -> None:
    always = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {day: [["00:00", "24:00"]] for day in DAY_NAMES}})
    start, longest = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=36_525)
    assert always.after_working_time(start, longest) == always.after_working_days(start, 36_524) == start + longest
    with pytest.raises(Fault, match="hundred years"):
        always.after_working_time(start, longest + timedelta(microseconds=1))
    with pytest.raises(Fault, match="hundred years"):
        always.after_working_days(start, 36_525)


def test_a_year_begins_with_its_first_microsecond_whatever_was_asked_before() -> None:
    always = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {day: [["00:00", "24:00"]] for day in DAY_NAMES}})
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    questions: list[Callable[[], bool]] = [
        lambda: always.is_working(new_year),
        lambda: always.working_time_between(new_year, new_year) == timedelta(),
        lambda: always.working_time_between(new_year - HOUR, new_year) == HOUR,
        lambda: always.working_time_between(new_year, new_year + HOUR) == HOUR,
        lambda: always.working_time_between(new_year - HOUR, new_year + HOUR) == 2 * HOUR,
        lambda: always.working_time_between(new_year - 999 * 24 * HOUR, new_year + 999 * 24 * HOUR) == 2 * 999 * 24 * HOUR,
        lambda: always.after_working_time(new_year, timedelta()) == new_year,
        lambda: always.after_working_time(new_year, HOUR) == new_year + HOUR,
        lambda: always.after_working_time(new_year - HOUR, HOUR) == new_year,
    ]
    for asked_before in (new_year - HOUR, new_year + HOUR):
        for holds in questions:
            assert always.is_working(asked_before)
            assert holds()


def test_years_are_held_until_there_are_too_many_and_found_again_while_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    held = timeline._Kept()
    monkeypatch.setattr(timeline, "_kept", held)
    monkeypatch.setattr(timeline, "_MOST_KEPT", 2 * (365 + 365))  # a year has as many stretches as it has days
    always = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {day: [["00:00", "24:00"]] for day in DAY_NAMES}})
    found = []
    for year in (2001, 2002, 2001, 2003, 2005, 2006, 2007, 2009):
        assert always.is_working(datetime(year, 7, 1, tzinfo=UTC))
        found.append(len(held.years))
    assert found == [1, 2, 2, 3, 1, 2, 3, 1]


def test_an_answer_never_hangs_on_an_earlier_question() -> None:
    """The only hours lie more than ten years ahead: never open, also for whoever asked about 2050 before."""
    document = {"time_zone": "UTC", "weekly_hours": {}, "date_hours": {"2043-01-04": [["09:00", "10:00"]]}}
    asked = Calendar.from_json(document)
    asked.working_time_between(at("2026-08-03T09:00"), at("2050-01-01T00:00"))
    for calendar in (Calendar.from_json(document), asked):
        for ask in (calendar.after_working_time, lambda start, _: calendar.after_working_days(start, 1)):  # noqa: B023 - called at once
            with pytest.raises(Fault, match="ten years"):
                ask(at("2026-08-03T09:00"), timedelta(minutes=1))
        assert calendar.after_working_time(at("2034-08-03T09:00"), HOUR) == datetime(2043, 1, 4, 10, tzinfo=UTC)


def test_a_deadline_in_more_than_a_hundred_years_is_refused_whatever_was_asked_before() -> None:
    always = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"mon": [["00:00", "24:00"]]}})
    for _ in range(2):
        with pytest.raises(Fault, match="hundred years"):
            always.after_working_time(at("2026-01-05T09:00"), timedelta(days=6000))
        assert always.is_working(datetime(2298, 1, 3, tzinfo=UTC))


def test_a_wide_opening_never_starts_or_ends_where_somebody_asked_before() -> None:
    always = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {day: [["12:00", "12:30"], ["12:15", "12:15"]] for day in DAY_NAMES}})
    asked = to_micros(at("2026-12-31T23:00"))
    first = always.timeline.open_stretch(asked)
    always.timeline.between(to_micros(at("1950-01-05T09:00")), to_micros(at("2150-01-05T09:00")))
    assert always.timeline.open_stretch(asked) == first
    assert first.start <= asked < first.end


def test_what_is_open_over_new_year_is_told_in_one_piece() -> None:
    nights = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"thu": [["22:00", "06:00"]]}})  # 2026 ends with a Thursday
    told = list(nights.timeline.stretches(to_micros(at("2026-12-27T09:00")), to_micros(at("2027-01-07T09:00"))))
    eve = to_micros(datetime(2026, 12, 31, 22, tzinfo=UTC))
    assert told == [(eve, eve + 8 * 3600 * 10**6)]
    days = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {day: [["00:00", "24:00"]] for day in DAY_NAMES}})
    midnight = to_micros(datetime(2027, 1, 1, tzinfo=UTC))
    around = list(days.timeline.stretches(midnight - 5, midnight + 5))
    assert around == [(midnight - 5, midnight), (midnight, midnight + 5)]
    assert list(days.timeline.stretches(midnight - 5, midnight + 1))[1:] == [(midnight, midnight + 1)]


def test_a_span_has_no_stretch_that_ends_where_it_begins_or_begins_where_it_ends() -> None:
    opens, noon, one, closes = (to_micros(at(f"2026-01-05T{hour}")) for hour in ("09:00", "12:00", "13:00", "18:00"))
    assert list(office().timeline.stretches(noon, closes)) == [(one, closes)]
    assert list(office().timeline.stretches(opens, one)) == [(opens, noon)]
    assert list(office().timeline.stretches(noon, one)) == []


def test_the_first_working_days_after_a_date_are_listed_over_new_year_and_never_for_a_calendar_that_does_not_open() -> None:
    nights = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"thu": [["22:00", "06:00"]]}})
    start = datetime(2026, 12, 18, tzinfo=UTC)
    days = nights.timeline.working_days(to_micros(start), start.date().toordinal(), 4)
    assert days == [date(2026, 12, 24), date(2026, 12, 31), date(2027, 1, 7), date(2027, 1, 14)]
    closed = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {}})
    with pytest.raises(Fault, match="ten years"):
        closed.timeline.working_days(to_micros(start), start.date().toordinal(), 1)


def test_a_range_may_begin_in_the_last_second_of_a_day() -> None:
    last = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"thu": [["23:59:59", "24:00"]]}})
    assert last.weekly_hours[3] == (Hours(86_399, 86_400),)


def test_later_than_known_is_provisional() -> None:
    assert office().is_provisional(date(2027, 1, 1))
    assert not office().is_provisional(date(2026, 12, 31))


def test_the_days_that_the_next_notice_may_change_and_those_before_the_first_known_one_are_provisional_too() -> None:
    calendar = office(known_from="2025-01-01", unsure_from="12-26")
    doubts = {day: calendar.is_provisional(date.fromisoformat(day)) for day in ("2024-12-31", "2025-01-01", "2026-12-25", "2026-12-26")}
    assert doubts == {"2024-12-31": True, "2025-01-01": False, "2026-12-25": False, "2026-12-26": True}
    assert Calendar.from_json(calendar.to_json()) == calendar
    ends_sooner = office(known_until="2026-06-30", unsure_from="12-26")
    assert [ends_sooner.is_provisional(date(2026, month, 30)) for month in (6, 7)] == [False, True]


def test_the_end_of_a_span_may_not_lie_before_its_start() -> None:
    with pytest.raises(Fault) as refusal:
        office().working_time_between(at("2026-01-05T10:00"), at("2026-01-05T09:00"))
    assert refusal.value.rule == "end_before_start"


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(Fault) as refusal:
        office().is_working(datetime(2026, 1, 5))  # noqa: DTZ001 - the mistake that this test is about
    assert refusal.value.rule == "bad_instant"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_zone": "Asia/Nowhere"}, "calendar.time_zone"),
        ({"time_zone": "../etc/passwd"}, "calendar.time_zone"),
        ({"time_zone": "Asia"}, "calendar.time_zone"),
        ({"time_zone": 8}, "calendar.time_zone"),
        ({"weekly_hours": []}, "calendar.weekly_hours"),
        ({"weekly_hours": {"mon": [["9:00", "18:00"]]}}, "calendar.weekly_hours.mon[0]"),
        ({"weekly_hours": {"mon": [["09:00", "24:01"]]}}, "calendar.weekly_hours.mon[0]"),
        ({"weekly_hours": {"mon": [["24:00", "06:00"]]}}, "calendar.weekly_hours.mon[0]"),
        ({"weekly_hours": {"mon": [["09:00", "24:00:01"]]}}, "calendar.weekly_hours.mon[0]"),
        ({"weekly_hours": {"mon": [["09:00"]]}}, "calendar.weekly_hours.mon[0]"),
        ({"closed_dates": ["2026-02-30"]}, "calendar.closed_dates[0]"),
        ({"make_up_days": "2026-10-10"}, "calendar.make_up_days"),
        ({"make_up_hours": [["a", "b"]]}, "calendar.make_up_hours[0]"),
        ({"date_hours": {"someday": []}}, "calendar.date_hours"),
        ({"known_until": "2026"}, "calendar.known_until"),
        ({"known_from": "MMXXVI"}, "calendar.known_from"),
        ({"unsure_from": "26-12"}, "calendar.unsure_from"),
        ({"unsure_from": "02-30"}, "calendar.unsure_from"),
        ({"unsure_from": "12-26", "known_until": None}, "calendar.unsure_from"),
        ({"closed_dates": ["2026-10-10"]}, "calendar.make_up_days"),
        ({"weekly_hours": {"mon": [["09:00", "09:30"]] * 13}}, "calendar.weekly_hours.mon"),
        ({"date_hours": {"2026-02-16": [["09:00", "09:30"]] * 720}}, "calendar.date_hours.2026-02-16"),
        ({"seasons": {}}, "calendar.seasons"),
        ({"seasons": [{"from": "05-01", "to": "09-31", "weekly_hours": {}}]}, "calendar.seasons[0].to"),
        ({"seasons": [{"from": "05-01", "to": "09-30"}]}, "calendar.seasons[0].weekly_hours"),
        (
            {"seasons": [{"from": "05-01", "to": "09-30", "weekly_hours": {"mon": [["9", "10"]]}}]},
            "calendar.seasons[0].weekly_hours.mon[0]",
        ),
        ({"seasons": [{"from": "05-01", "to": "09-30", "weekly_hours": {}}] * 25}, "calendar.seasons"),
        ({"alternating": [{"hours": []}]}, "calendar.alternating[0].anchor"),
        ({"alternating": [{"anchor": "2026-01-03"}]}, "calendar.alternating[0].hours"),
        ({"alternating": [{"anchor": "01-03", "hours": []}]}, "calendar.alternating[0].anchor"),
        ({"alternating": [{"anchor": "2026-01-03", "hours": [["18:00"]]}]}, "calendar.alternating[0].hours[0]"),
    ],
)
def test_a_wrong_calendar_is_refused_with_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Fault) as refusal:
        office(**changes)
    assert (refusal.value.rule, refusal.value.field) == ("bad_calendar", field)


@pytest.mark.parametrize(
    ("changes", "field", "nearest"),
    [
        ({"closed_date": []}, "calendar.closed_date", "closed_dates"),
        ({"Time_Zone": "UTC"}, "calendar.Time_Zone", "time_zone"),
        ({"weekly_hours": {"monday": []}}, "calendar.weekly_hours.monday", "mon"),
        ({"seasons": [{"form": "05-01", "to": "09-30", "weekly_hours": {}}]}, "calendar.seasons[0].form", "from"),
        ({"alternating": [{"ancor": "2026-01-03", "hours": []}]}, "calendar.alternating[0].ancor", "anchor"),
    ],
)
def test_an_unknown_field_of_a_calendar_is_named_with_the_nearest_known_one(changes: dict[str, Any], field: str, nearest: str) -> None:
    with pytest.raises(Fault, match=f"the nearest is {nearest};") as refusal:
        office(**changes)
    assert (refusal.value.rule, refusal.value.field) == ("unknown_field", field)


def test_a_calendar_of_every_field_is_written_as_it_was_read() -> None:
    twelve = [[f"{hour:02}:00", f"{hour:02}:30:05"] for hour in range(11)] + [["22:00", "06:00"]]
    document = OFFICE | {"date_hours": {"2026-02-16": twelve}, "known_from": "2025-01-01", "unsure_from": "12-26"}
    assert Calendar.from_json(document).to_json() == document
    least = {"time_zone": "UTC", "weekly_hours": {}}
    assert Calendar.from_json(least).to_json() == least


def test_ten_thousand_pauses_are_taken_and_no_more() -> None:
    pause = ["2026-01-05T09:30:00+08:00", None]
    assert len(read_pauses([pause] * 10_000, ("pauses",))) == 10_000
    with pytest.raises(Fault, match="at most 10000 pauses are taken, not 10001"):
        read_pauses([pause] * 10_001, ("pauses",))


def test_a_calendar_without_zone_or_hours_is_refused() -> None:
    for missing in ("time_zone", "weekly_hours"):
        with pytest.raises(Fault) as refusal:
            Calendar.from_json({key: value for key, value in OFFICE.items() if key != missing})
        assert refusal.value.field == f"calendar.{missing}"


@given(windows())
@brief
def test_a_calendar_that_is_written_reads_back_equal(window: tuple[dict[str, Any], datetime]) -> None:
    calendar = Calendar.from_json(window[0])
    assert Calendar.from_json(calendar.to_json()) == calendar


@given(st.data())
@brief
def test_spans_and_opening_agree_with_the_wall_clock(data: st.DataObject) -> None:
    document, begin = data.draw(windows())
    start, end = sorted(data.draw(st.tuples(instants(begin), instants(begin))))
    calendar = Calendar.from_json(document)
    slots = working_slots(document, start, span(start, end))
    assert calendar.working_time_between(start, end) == sum(slots) * SLOT
    assert calendar.is_working(end) == is_open(document, end)


@given(st.data())
@thorough
def test_deadlines_with_pauses_agree_with_a_walk_through_the_slots(data: st.DataObject) -> None:
    document, begin = data.draw(windows())
    start = data.draw(instants(begin, days=7))
    pauses = data.draw(st.lists(st.tuples(instants(begin), st.none() | instants(begin)), max_size=3))
    pauses = [(since, until) for since, until in pauses if until is None or since <= until]
    amount = data.draw(st.integers(0, 200))
    expected: Walked = _walked(document, start, amount, pauses)
    assume(expected != "beyond")
    assert expected != "beyond"  # assume() narrows no type
    micros: list[Pause] = [(to_micros(since), None if until is None else to_micros(until)) for since, until in pauses]
    due = due_at(Calendar.from_json(document), to_micros(start), WorkingTime(amount * SLOT_SECONDS * 10**6), micros)
    assert due == (None if expected is None else to_micros(expected))


Walked = datetime | Literal["beyond"] | None


def _walked(document: dict[str, Any], start: datetime, amount: int, pauses: list[Any]) -> Walked:
    """The deadline, None when only an open pause keeps it away, "beyond" when it lies after the horizon."""
    now, left, was_running = start, amount, False
    for slot in working_slots(document, start, HORIZON):
        covering = [since for since, until in pauses if since <= now and (until is None or now < until)]
        # a pause that begins at the very start does not stand before a target of zero that is due then
        stands_before = covering and not was_running and (now > start or min(covering) < now)
        if amount == 0 and slot and not stands_before:
            return now
        was_running = not covering
        if was_running and slot:
            left -= 1
            if left == 0:
                return now + SLOT
        if covering and any(until is None for since, until in pauses if since <= now):
            return None
        now += SLOT
    return "beyond"


@given(st.data())
@brief
def test_working_days_end_where_a_walk_through_the_days_ends(data: st.DataObject) -> None:
    document, begin = data.draw(windows())
    start, number = data.draw(instants(begin)), data.draw(st.integers(1, 6))
    expected = end_of_working_day(document, start, number)
    assume(expected is not None)
    assert Calendar.from_json(document).after_working_days(start, number) == expected


@given(st.data())
@thorough
def test_days_with_a_cut_off_and_an_hour_end_where_the_walk_says(data: st.DataObject) -> None:
    document, begin = data.draw(windows())
    start, number, times = data.draw(instants(begin)), data.draw(st.integers(0, 4)), data.draw(times_of_day)
    target = {"working_days": number, "meaning": "end_of_day", **times}
    expected = promised(document, start, target)
    assume(expected is not None)
    assert expected is not None  # assume() narrows no type
    due = due_at(Calendar.from_json(document), to_micros(start), read_target(target, ("target",)))
    assert due == to_micros(expected)
    assert expected > start


@given(st.data())
@brief
def test_an_hour_never_makes_a_promise_later_than_the_closing_of_its_day(data: st.DataObject) -> None:
    document, begin = data.draw(windows().filter(lambda window: _may_open(window[0])))
    calendar, start, number = Calendar.from_json(document), to_micros(data.draw(instants(begin))), data.draw(st.integers(1, 4))
    cut_off, by = data.draw(st.tuples(st.integers(1, 86_400), st.integers(1, 86_400)))
    plain, hourly, cut, both = (
        due_at(calendar, start, WorkingDays(number, cut_off=one, by=other)) or 0
        for one, other in ((None, None), (None, by), (cut_off, None), (cut_off, by))
    )
    assert to_micros(at("2000-01-01T00:00")) < hourly <= plain
    assert both <= cut


@given(st.data())
@brief
def test_working_days_between_two_instants_are_those_of_a_walk_and_lead_back_to_the_day(data: st.DataObject) -> None:
    document, begin = data.draw(windows())
    start, end = sorted(data.draw(st.tuples(instants(begin, days=20), instants(begin, days=20))))
    calendar = Calendar.from_json(document)
    counted = calendar.working_days_between(start, end)
    assert counted == count_of_working_days(document, start, end)
    if counted:
        last = calendar.timeline.working_days(to_micros(start), local_date(document, start).toordinal(), counted)[-1]
        assert last <= local_date(document, end)
        assert calendar.working_days_between(start, datetime.combine(last, time(12), calendar.zone)) in (counted, counted - 1)


@given(st.data())
@brief
def test_working_days_of_years_add_up_from_day_to_day(data: st.DataObject) -> None:
    document, begin = data.draw(windows())
    calendar = Calendar.from_json(document)
    ahead = data.draw(st.lists(st.integers(0, 5_000), min_size=3, max_size=3).map(sorted))
    first, middle, last = (datetime.combine(begin.date() + timedelta(days=days), time(12), calendar.zone) for days in ahead)
    halves = calendar.working_days_between(first, middle) + calendar.working_days_between(middle, last)
    days = (first.date() + timedelta(days=one) for one in range(1, (last.date() - first.date()).days + 1))
    assert calendar.working_days_between(first, last) == halves == sum(map(calendar.is_working_day, days))


def _may_open(document: dict[str, Any]) -> bool:
    return any(document["weekly_hours"].values())


@given(st.data())
@brief
def test_more_time_never_makes_a_deadline_earlier_and_counts_back_exactly(data: st.DataObject) -> None:
    document, begin = data.draw(windows().filter(lambda window: _may_open(window[0])))
    calendar = Calendar.from_json(document)
    start = data.draw(st.datetimes(begin.replace(tzinfo=None), (begin + timedelta(days=14)).replace(tzinfo=None)))
    start = start.replace(tzinfo=UTC)
    amount, more = data.draw(st.tuples(st.integers(1, 10**12), st.integers(0, 10**12)))
    pauses = [(to_micros(start) + first, to_micros(start) + first + length) for first, length in data.draw(_spans)]
    due = due_at(calendar, to_micros(start), WorkingTime(amount), pauses)
    later = due_at(calendar, to_micros(start), WorkingTime(amount + more), pauses)
    assert due is not None
    assert later is not None
    assert due <= later
    assert worked(calendar, to_micros(start), due, pauses) == amount
    assert worked(calendar, to_micros(start), due - 1, pauses) == amount - 1


_spans = st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), max_size=3)


@given(st.data())
@brief
def test_splitting_a_pause_changes_nothing(data: st.DataObject) -> None:
    document, begin = data.draw(windows().filter(lambda window: _may_open(window[0])))
    calendar, start = Calendar.from_json(document), to_micros(begin)
    first, length = data.draw(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)))
    cut = data.draw(st.integers(0, length))
    whole: list[Pause] = [(start + first, start + first + length)]
    split: list[Pause] = [(start + first + cut, start + first + length), (start + first, start + first + cut)]
    for target in (WorkingTime(data.draw(st.integers(0, 10**12))), WorkingDays(2, "end_of_day", pauses_count=True)):
        assert due_at(calendar, start, target, whole) == due_at(calendar, start, target, split)
    assert worked(calendar, start, start + 10**12, whole) == worked(calendar, start, start + 10**12, split)


def test_shares_of_a_microsecond_are_rounded_up_never_down() -> None:
    assert read_target({"working_seconds": "1/3"}, ("target",)) == WorkingTime(333_334)
    assert read_target({"working_seconds": str(Fraction(1, 10**6))}, ("target",)) == WorkingTime(1)
