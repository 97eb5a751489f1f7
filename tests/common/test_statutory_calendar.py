"""The statutory calendar of China, day by day against two packages that were made independently of each other."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import chinese_calendar
import holidays
import pytest

from common.kernel.calendars import built_in, named
from common.kernel.faults import Fault
from common.kernel.working_time import Calendar, Doubt

FIRST, LAST = date(2004, 1, 1), date(2026, 12, 31)
DAYS = [FIRST + timedelta(days=index) for index in range((LAST - FIRST).days + 1)]
DISPUTED = date(2005, 12, 31)


def test_every_day_of_2004_to_2026_is_what_chinesecalendar_says() -> None:
    cn = built_in("cn")
    differing = [day for day in DAYS if cn.is_working_day(day) != chinese_calendar.is_workday(day)]
    assert differing == [DISPUTED]


def test_every_day_of_2004_to_2026_is_what_holidays_says() -> None:
    cn, official = built_in("cn"), holidays.country_holidays("CN", years=range(2004, 2027))
    assert [day for day in DAYS if cn.is_working_day(day) != official.is_working_day(day)] == []


def test_new_years_eve_of_2005_was_worked_since_the_notice_says_so() -> None:
    """国办发明电〔2005〕35号 moved that Saturday's rest to Tuesday 3 January 2006; chinesecalendar begins 2006 with January."""
    cn = built_in("cn")
    assert cn.is_working_day(DISPUTED)
    assert not cn.is_working_day(date(2006, 1, 3))


def test_the_notice_for_2026_is_followed_to_the_letter() -> None:
    """国办发明电〔2025〕7号, typed in from its text."""
    cn = built_in("cn")
    off = {
        *(date(2026, 1, day) for day in (1, 2, 3)),
        *(date(2026, 2, day) for day in range(15, 24)),
        *(date(2026, 4, day) for day in (4, 5, 6)),
        *(date(2026, 5, day) for day in range(1, 6)),
        *(date(2026, 6, day) for day in (19, 20, 21)),
        *(date(2026, 9, day) for day in (25, 26, 27)),
        *(date(2026, 10, day) for day in range(1, 8)),
    }
    worked = {date(2026, 1, 4), date(2026, 2, 14), date(2026, 2, 28), date(2026, 5, 9), date(2026, 9, 20), date(2026, 10, 10)}
    for day in (day for day in DAYS if day.year == 2026):
        assert cn.is_working_day(day) == (day in worked or (day.weekday() < 5 and day not in off)), day


MAKE_UP_DAYS = {
    "国办发明电〔2022〕16号": ("2023-01-28", "2023-01-29", "2023-04-23", "2023-05-06", "2023-06-25", "2023-10-07", "2023-10-08"),
    "国办发明电〔2023〕7号": (
        *("2024-02-04", "2024-02-18", "2024-04-07", "2024-04-28", "2024-05-11", "2024-09-14", "2024-09-29", "2024-10-12"),
    ),
    "国办发明电〔2024〕12号": ("2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"),
    "国办发明电〔2025〕7号": ("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"),
}
"""调休 of 2023–2026, typed in from the notices: all on a Saturday or Sunday."""
WORKED_WEEKENDS = [date.fromisoformat(day) for days in MAKE_UP_DAYS.values() for day in days]


def test_weekdays_without_holidays_would_be_wrong_on_the_26_make_up_days_of_2023_to_2026_and_on_no_other() -> None:
    cn = built_in("cn")
    naive = replace(cn, make_up_days=frozenset())
    differing = [day for day in DAYS if day.year >= 2023 and cn.is_working_day(day) != naive.is_working_day(day)]
    assert differing == WORKED_WEEKENDS
    assert len(differing) == 26


@pytest.mark.parametrize("day", WORKED_WEEKENDS, ids=str)
def test_a_promise_of_one_working_day_ends_on_the_make_up_day_and_not_after_it(day: date) -> None:
    cn = built_in("cn")
    eve = datetime.combine(day - timedelta(days=1), time(17), cn.zone)
    evening = datetime.combine(day, time(18), cn.zone)
    assert cn.after_working_days(eve, 1) == evening
    assert cn.working_time_between(evening - timedelta(hours=9), evening) == timedelta(hours=9)
    naive = replace(cn, make_up_days=frozenset())
    assert naive.after_working_days(eve, 1) > evening


def test_2027_is_not_known_yet_and_says_so() -> None:
    cn = built_in("cn")
    assert cn.known_until == LAST
    assert cn.is_provisional(date(2027, 1, 1))
    assert not cn.is_provisional(date(2026, 12, 25))


@pytest.mark.parametrize("day", [date(2026, 12, 26), LAST])
def test_the_last_days_of_a_year_are_unsure_until_the_next_notice_is_in(day: date) -> None:
    cn = built_in("cn")
    assert cn.doubt(day, day) == Doubt("the notice for 2027 may still change the days from 2026-12-26 on", since=date(2026, 12, 26))
    assert replace(cn, known_until=date(2027, 12, 31)).doubt(day, day) is None


def test_no_notice_is_known_from_before_2004() -> None:
    cn = built_in("cn")
    assert cn.doubt(date(2003, 12, 31), LAST) == Doubt("nothing is known about the days before 2004-01-01", before=date(2004, 1, 1))
    assert not cn.is_provisional(date(2004, 1, 1))


def test_the_working_day_in_china_runs_from_nine_to_six() -> None:
    assert built_in("cn").ordinary_day == timedelta(hours=9)
    saturday = datetime.fromisoformat("2026-10-10T17:59:59+08:00")
    assert built_in("cn").is_working(saturday)


def test_24x7_never_closes_and_mon_fri_knows_no_holidays() -> None:
    new_year = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
    assert built_in("24x7").after_working_time(new_year, timedelta(hours=48)) == new_year + timedelta(hours=48)
    assert built_in("24x7").is_working_day(date(2026, 1, 3))
    assert built_in("mon-fri").is_working(new_year)
    assert not built_in("mon-fri").is_working_day(date(2026, 1, 3))


def test_an_unknown_name_is_refused_with_the_names_that_exist() -> None:
    mine = Calendar.from_json({"time_zone": "UTC", "weekly_hours": {"mon": [["09:00", "10:00"]]}})
    assert named("outlet-7", {"outlet-7": mine}) is mine
    with pytest.raises(Fault, match="cn, mon-fri, 24x7"):
        built_in("dm")
    with pytest.raises(Fault, match="outlet-7") as refusal:
        named("dm", {"outlet-7": mine})
    assert refusal.value.rule == "unknown_calendar"
