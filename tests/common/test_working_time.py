"""Working time: hand-worked examples, and a thousand calendars against an oracle that walks the wall clock."""

from datetime import UTC, date, datetime, timedelta
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
    end_of_working_day,
    instants,
    is_open,
    span,
    thorough,
    windows,
    working_slots,
)

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


def test_exactly_ten_years_without_working_time_are_waited_for_and_a_second_more_is_not() -> None:
    closing, opening = datetime(2026, 7, 1, 18, tzinfo=UTC), datetime(2026, 7, 1, 18, tzinfo=UTC) + timedelta(days=3653)
    for later, due in ((0, opening + HOUR), (1, None)):
        opens = (opening + timedelta(seconds=later)).time().isoformat()
        hours = {"2026-07-01": [["09:00", "18:00"]], opening.date().isoformat(): [[opens, "24:00"]]}
        calendar = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {}, "date_hours": hours})
        if due is None:
            with pytest.raises(Fault, match="ten years"):
                calendar.after_working_time(closing - HOUR, 2 * HOUR)
        else:
            assert calendar.after_working_time(closing - HOUR, 2 * HOUR) == due


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
    ],
)
def test_an_unknown_field_of_a_calendar_is_named_with_the_nearest_known_one(changes: dict[str, Any], field: str, nearest: str) -> None:
    with pytest.raises(Fault, match=f"the nearest is {nearest};") as refusal:
        office(**changes)
    assert (refusal.value.rule, refusal.value.field) == ("unknown_field", field)


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
