"""Instants: the offset and the date that a zone shows, in the half days too in which its clocks change."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from tests.counted import counted

from common.contracts.envelope import parse_instant as attribute_instant
from common.contracts.fields import Instant
from common.kernel.errors import Malformed
from common.kernel.faults import Fault
from common.kernel.instants import from_micros, instant_of, ordinal_on, parse_date, parse_instant, to_micros, written_on
from common.kernel.zones import zone_named

IN_CLAIMS: TypeAdapter[datetime] = TypeAdapter(Instant)
CHANGES = (
    ("Asia/Shanghai", datetime(1900, 12, 31, 15, 54, 17, tzinfo=UTC)),  # from local mean time, at an odd second
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # by half an hour
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # by a whole day
    ("America/Asuncion", datetime(2024, 3, 24, 3, tzinfo=UTC)),  # from midnight back into the day before
)
near = st.integers(-10 * 86_400 * 10**6, 10 * 86_400 * 10**6) | st.integers(-2, 2)


@given(st.sampled_from(CHANGES), near)
@counted(500, proof=20_000)
def test_the_offset_and_the_date_are_those_that_the_zones_own_clock_shows(change: tuple[str, datetime], away: int) -> None:
    zone, micros = zone_named(change[0]), to_micros(change[1]) + away
    shown = from_micros(micros, zone)
    written = written_on(micros, zone)
    assert (written.isoformat(), written.utcoffset()) == (shown.isoformat(), shown.utcoffset())
    assert ordinal_on(micros, zone) == shown.toordinal()
    assert written - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(microseconds=micros)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-08-03T09:05:00Z", "2026-08-03T09:05:00+00:00"),
        ("2026-08-03t09:05:00z", "2026-08-03T09:05:00+00:00"),
        ("2026-08-03T09:05:00-00:00", "2026-08-03T09:05:00+00:00"),
        ("2026-08-03T09:05:00+23:59", "2026-08-03T09:05:00+23:59"),
        ("2026-08-03T09:05:00.5+08:00", "2026-08-03T09:05:00.500000+08:00"),
        ("2026-08-03T09:05:00.1234569Z", "2026-08-03T09:05:00.123456+00:00"),
        ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00+00:00"),
        ("1990-12-31t23:59:60.9z", "1991-01-01T00:00:00+00:00"),
        ("1990-12-31T15:59:60-08:00", "1990-12-31T16:00:00-08:00"),
        ("1994-07-01T07:59:60+08:00", "1994-07-01T08:00:00+08:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00"),
    ],
)
def test_what_rfc_3339_calls_an_instant_is_read(text: str, means: str) -> None:
    assert instant_of(text).isoformat() == means
    assert parse_instant(text, ("at",)).isoformat() == means
    assert attribute_instant(text, field="ce_time") == instant_of(text)
    assert IN_CLAIMS.validate_json(json.dumps(text), strict=True) == instant_of(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("2026-08-03T09:05:60Z", "a leap second is the last one of a month"),
        ("1990-12-31T23:59:60+08:00", "a leap second is the last one of a month"),
        ("2026-02-30T09:05:00Z", "no such day"),
        ("2026-08-03T09:05:00", "with an offset"),
    ],
)
def test_what_is_wrong_with_an_instant_is_told(text: str, what: str) -> None:
    with pytest.raises(Fault, match=what):
        instant_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-03909:05:00Z",
        "2026-08-03 09:05:00Z",
        "2026-08-03_09:05:00Z",
        "2026-08-03T09:05:00 Z",
        " 2026-08-03T09:05:00Z",
        "2026-08-03T09:05:00Z\n",
        "2026-08-03T09:05:00",
        "2026-08-03T09:05Z",
        "2026-08-03T09Z",
        "2026-08-03",
        "20260803T090500Z",
        "2026-08-03T090500Z",
        "2026-W32-1T09:05:00Z",
        "2026-215T09:05:00Z",
        "2026-08-03T09:05:00,5Z",
        "2026-08-03T09:05:00.Z",
        "2026-08-03T09:05:00+0800",
        "2026-08-03T09:05:00+08",
        "2026-08-03T09:05:00+08:00:00",
        "2026-08-03T09:05:00+24:00",
        "2026-08-03T09:05:00+08:60",
        "2026-08-03T09:05:00UTC",
        "2026-08-03T09:05:00Z[UTC]",
        "2026-08-03T24:00:00Z",
        "2026-08-03T09:60:00Z",
        "2026-08-03T09:05:61Z",
        "2026-08-03T09:05:60Z",
        "1990-12-31T23:59:60+08:00",
        "9999-12-31T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "+2026-08-03T09:05:00Z",
        "-026-08-03T09:05:00Z",
        "２０２６-08-03T09:05:00Z",
        "2026-08-03T09:05:00−08:00",
        "1754212800",
        "",
    ],
)
def test_what_rfc_3339_calls_none_is_refused_by_every_reader(text: str) -> None:
    with pytest.raises(Fault):
        instant_of(text)
    with pytest.raises(Fault, match=r"expected|no such day"):
        parse_instant(text, ("at",))
    with pytest.raises(Malformed):
        attribute_instant(text, field="ce_time")
    with pytest.raises(ValidationError):
        IN_CLAIMS.validate_json(json.dumps(text), strict=True)


def test_instants_and_dates_lie_in_1900_to_2299() -> None:
    for year in (1900, 2299):
        assert parse_instant(f"{year}-07-01T00:00:00Z", ("at",)).year == parse_date(f"{year}-07-01", ("date",)).year == year
    for year in (1899, 2300):
        with pytest.raises(Fault, match="1900–2299"):
            parse_instant(f"{year}-07-01T00:00:00Z", ("at",))
        with pytest.raises(Fault, match="between 1900 and 2299"):
            parse_date(f"{year}-07-01", ("date",))


@pytest.mark.parametrize("text", ["2026-W32-1", "20260803", "2026-8-3 ", "2026-02-30", "２０２６-08-03", "2026-08-03Z", "1899-12-31", ""])
def test_a_date_is_written_with_year_month_and_day(text: str) -> None:
    with pytest.raises(Fault, match="a date like"):
        parse_date(text, ("date",))
