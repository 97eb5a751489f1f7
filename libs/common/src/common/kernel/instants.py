"""Instants as they cross a border, and as whole microseconds since 1970 inside."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple

from common.kernel.faults import Fault, Where

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
SECOND = 1_000_000
DAY = 86_400 * SECOND
MICROSECOND = timedelta(microseconds=1)
_HALF_DAY = DAY // 2
FIRST_YEAR, LAST_YEAR = 1900, 2299
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|(60))(?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_MINUTE, _SECOND = len("2026-01-01T00:00:"), len("2026-01-01T00:00:00")


def instant_of(text: str) -> datetime:
    """The instant that an RFC 3339 text names, with the offset that it has; fractions beyond microseconds are cut.

    A leap second is the first instant of the next minute. Raises a `Fault` `bad_instant` for anything else: Python's own reader
    takes any character for the `T`, week dates, and texts without an offset or without seconds.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise Fault((), "bad_instant", "a date and time with an offset is expected, such as 2026-08-03T09:05:00+08:00 (RFC 3339)")
    if text[-1] == "z":
        text = f"{text[:-1]}Z"
    try:
        if not match[1]:
            return datetime.fromisoformat(text)
        at = after_second_60(text)
        is_known = begins_a_month(at)
    except (ValueError, OverflowError):
        raise Fault((), "bad_instant", "there is no such day") from None
    if not is_known:
        raise Fault((), "bad_instant", "a leap second is the last one of a month in UTC: the second 60 is expected nowhere else")
    return at


def after_second_60(text: str) -> datetime:
    """The first instant after the leap second `2016-12-31T23:59:60`, with its offset if it has one; `ValueError` for no such day."""
    offset = text[_SECOND:].lstrip(".0123456789")
    return datetime.fromisoformat(f"{text[:_MINUTE]}59{offset}") + timedelta(seconds=1)


def begins_a_month(at: datetime) -> bool:
    """Whether a month begins with the minute of the instant in UTC: a leap second is the last one of a month."""
    in_utc = at.astimezone(UTC)
    return (in_utc.day, in_utc.hour, in_utc.minute) == (1, 0, 0)


def parse_instant(value: object, where: Where) -> datetime:
    """The instant that an RFC 3339 text names, as `instant_of` reads it.

    Raises a `Fault` `bad_instant` for anything else than such a text, and outside 1900–2299.
    """
    if not isinstance(value, str):
        raise Fault(where, "bad_instant", "a text such as 2026-08-03T09:05:00+08:00 is expected (RFC 3339)")
    try:
        instant = instant_of(value)
    except Fault as fault:
        raise Fault(where, fault.rule, fault.what) from None
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise Fault(where, "bad_instant", f"the year must lie in {FIRST_YEAR}–{LAST_YEAR}")
    return instant


def parse_date(value: object, where: Where, rule: str = "bad_date") -> date:
    """The local date that an ISO 8601 text (YYYY-MM-DD) names; raises a `Fault` of the rule that is given."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            pass
        else:
            if FIRST_YEAR <= day.year <= LAST_YEAR:
                return day
    raise Fault(where, rule, f"a date like 2026-10-01 between {FIRST_YEAR} and {LAST_YEAR} is expected")


def to_micros(instant: datetime) -> int:
    """Whole microseconds since 1970 in UTC; `bad_instant` for a datetime without a zone."""
    if instant.tzinfo is None:
        raise Fault((), "bad_instant", "the instant has no offset from UTC")
    span = instant - EPOCH
    return (span.days * 86_400 + span.seconds) * SECOND + span.microseconds


def from_micros(micros: int, zone: tzinfo) -> datetime:
    """The instant so many microseconds after 1970, on the clocks of the zone."""
    return (EPOCH + timedelta(microseconds=micros)).astimezone(zone)


def year_of(micros: int) -> int:
    """The year in UTC that the instant lies in."""
    return date.fromordinal(micros // DAY + EPOCH_ORDINAL).year


def written_on(micros: int, zone: tzinfo) -> datetime:
    """The same instant with the zone's offset of that moment instead of the zone.

    Python calls two instants of different zones unequal whenever one lies in an hour that the clocks repeat or skip
    (PEP 495); with a plain offset they compare as what they are.
    """
    found = _offset_through(zone, micros // _HALF_DAY) or _offset_at(zone, micros)
    return found.epoch + timedelta(0, 0, micros)


def offset_on(micros: int, zone: tzinfo) -> int:
    """The zone's offset from UTC at the instant, in microseconds."""
    offset = from_micros(micros, zone).utcoffset()
    assert offset is not None  # astimezone never yields a datetime without an offset
    return (offset.days * 86_400 + offset.seconds) * SECOND


def ordinal_on(micros: int, zone: tzinfo) -> int:
    """The ordinal of the date that the zone's calendar shows at the instant."""
    found = _offset_through(zone, micros // _HALF_DAY) or _offset_at(zone, micros)
    return (micros + found.micros) // DAY + EPOCH_ORDINAL


class _Offset(NamedTuple):
    micros: int
    epoch: datetime  # 1970 on this offset


@lru_cache(maxsize=32_768)
def _offset_through(zone: tzinfo, half_day: int) -> _Offset | None:
    """The offset that the zone keeps through a half day since 1970; None for one in which it changes (never twice in one)."""
    first = _offset_at(zone, half_day * _HALF_DAY)
    return first if first == _offset_at(zone, (half_day + 1) * _HALF_DAY - 1) else None


def _offset_at(zone: tzinfo, micros: int) -> _Offset:
    offset = offset_on(micros, zone)
    return _Offset(offset, EPOCH.astimezone(timezone(timedelta(microseconds=offset))))
