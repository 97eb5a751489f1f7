"""Which instants a cycle takes in: local midnights, half-open, whatever the zone does to its clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from appraisal.domain.period import Period, PeriodLength, period_named, span_of
from common.kernel.zones import ZoneInfo, zone_named

SHANGHAI = zone_named("Asia/Shanghai")
ZONES = ["Asia/Shanghai", "UTC", "Europe/Berlin", "America/Asuncion", "Asia/Beirut", "Pacific/Apia", "Australia/Lord_Howe"]


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2026-07", "2026-07-01", "2026-08-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026Q3", "2026-07-01", "2026-10-01"),
        ("2026Q4", "2026-10-01", "2027-01-01"),
        ("2026H1", "2026-01-01", "2026-07-01"),
        ("2026H2", "2026-07-01", "2027-01-01"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("1970", "1970-01-01", "1971-01-01"),
        ("9998", "9998-01-01", "9999-01-01"),
    ],
)
def test_a_cycle_runs_from_local_midnight_to_local_midnight(written: str, start: str, end: str) -> None:
    span = span_of(period_named(written), SHANGHAI)
    assert span.start == datetime.fromisoformat(f"{start}T00:00:00+08:00")
    assert span.end == datetime.fromisoformat(f"{end}T00:00:00+08:00")
    assert period_named(written).id == written


def test_the_first_midnight_belongs_to_a_cycle_and_the_last_to_the_next() -> None:
    span = span_of(period_named("2026Q3"), SHANGHAI)
    assert span.start in span
    assert span.end not in span
    assert span.end - timedelta(microseconds=1) in span


def test_where_the_clocks_skip_midnight_the_cycle_starts_when_they_change() -> None:
    # In Paraguay 1 October 2017 began at 01:00, four hours behind UTC until then.
    assert span_of(period_named("2017Q4"), zone_named("America/Asuncion")).start == datetime(2017, 10, 1, 4, tzinfo=UTC)


def test_where_midnight_comes_twice_the_cycle_starts_at_the_first_and_is_told_in_utc() -> None:
    # In Cuba 1 November 2020 had the hour after midnight twice, first four and then five hours behind UTC.
    start = span_of(period_named("2020-11"), zone_named("America/Havana")).start
    assert (start.isoformat(), start.tzinfo) == ("2020-11-01T04:00:00+00:00", UTC)


def test_a_month_may_run_from_the_16th_to_the_15th() -> None:
    july = span_of(period_named("2026-07"), SHANGHAI, first_day=16)
    assert (july.start, july.end) == (
        datetime.fromisoformat("2026-06-16T00:00:00+08:00"),
        datetime.fromisoformat("2026-07-16T00:00:00+08:00"),
    )
    january = span_of(period_named("2026-01"), SHANGHAI, first_day=16)
    assert january.start == datetime.fromisoformat("2025-12-16T00:00:00+08:00")


@pytest.mark.parametrize(
    "written", ["", "2026Q5", "2026Q0", "2026H3", "2026-13", "2026-7", "26Q1", "2026q3", "2026Q3 ", "9999", "1969", "0001", "２０２６"]
)
def test_anything_else_is_no_cycle(written: str) -> None:
    with pytest.raises(ValueError, match="written"):
        period_named(written)


@pytest.mark.parametrize(("written", "first_day"), [("2026Q3", 16), ("2026-07", 29), ("2026-07", 0)])
def test_only_a_month_may_start_late_and_only_on_a_day_that_every_month_has(written: str, first_day: int) -> None:
    with pytest.raises(ValueError, match="only a month may start on another day"):
        span_of(period_named(written), SHANGHAI, first_day=first_day)


@given(
    year=st.integers(1975, 2100),
    period=st.sampled_from(PeriodLength),
    number=st.integers(0, 11),
    zone=st.sampled_from(ZONES).map(zone_named),
    first_day=st.integers(1, 28),
)
@counted(300, proof=3_000)
def test_the_cycles_of_each_length_follow_each_other_without_gap_or_overlap(
    year: int, period: PeriodLength, number: int, zone: ZoneInfo, first_day: int
) -> None:
    if period is not PeriodLength.MONTH:
        first_day = 1
    number %= period.per_year
    cycle = Period(period, year, number + 1)
    following = Period(period, year + (number + 1) // period.per_year, (number + 1) % period.per_year + 1)
    assert period_named(cycle.id) == cycle
    span = span_of(cycle, zone, first_day=first_day)
    assert span.start < span.end
    assert span_of(following, zone, first_day=first_day).start == span.end
