"""Instants: the offset and the date that a zone shows, in the half days too in which its clocks change."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from common.kernel.instants import from_micros, ordinal_on, to_micros, written_on
from common.kernel.zones import zone_named

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
