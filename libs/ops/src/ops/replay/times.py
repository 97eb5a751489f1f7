"""When a row happened: an instant out of a column, in the form and zone that the mapping declares."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from common.kernel.clock_errors import ClockError
from common.kernel.instants import FIRST_YEAR, LAST_YEAR, from_micros, to_micros
from ops.replay.declarations import Columns, MappingError, entries, text
from ops.replay.missing import Part
from ops.replay.rows import Unusable
from ops.replay.stamps import Reader, iso_reader, pattern_reader

_KNOWN = ("column", "format", "zone", "clock", "missing")
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?", re.ASCII)


class Instant(NamedTuple):
    """When something happened, in microseconds since 1970."""

    at: int
    other: int | None = None
    """For a local time that the clocks show twice, the second of the two; for one that they skip, as if they had skipped later."""
    dated: bool = False
    """Whether the source knows the date only."""


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A column that tells when: its form, the zone of stamps that carry no offset, the wall clock of mere dates."""

    part: Part
    read: Reader
    zone: ZoneInfo | None
    clock: time | None

    def instant(self, value: str) -> Instant:
        """When the stamp says; raises `Unusable` for what is no time, has no zone or one that nobody knows."""
        try:
            found, dated, leap = self.read(value)
            if dated and self.clock is not None:
                found = datetime.combine(found, self.clock, found.tzinfo)
            if not FIRST_YEAR <= found.year <= LAST_YEAR:
                raise Unusable("bad_time")
            told = self._local(found, dated) if found.tzinfo is None else Instant(to_micros(found), None, dated)
        except (ValueError, OverflowError, ClockError):
            raise Unusable("bad_time" if value else "no_time") from None
        if leap and not _begins_a_month(told.at):
            raise Unusable("bad_time")
        return told

    def _local(self, found: datetime, dated: bool) -> Instant:
        if self.zone is None:
            raise Unusable("no_zone")
        at = to_micros(found.replace(tzinfo=self.zone))
        if dated:  # nobody wrote the time of day, so nobody means one that does not come
            return Instant(at, None, True)
        other = to_micros(found.replace(tzinfo=self.zone, fold=1))
        return Instant(at, None if other == at else other)


def read_time(document: object, place: str, columns: Columns) -> TimeColumn:
    """`{column, format: iso | a strptime pattern, zone: an IANA name, clock: "HH:MM" for mere dates, missing}`."""
    declared = entries(document, place, known=_KNOWN, required=("column", "format"))
    form = text(declared["format"], f"{place}.format")
    zone = _zone(declared["zone"], f"{place}.zone") if "zone" in declared else None
    read = iso_reader(zone) if form == "iso" else pattern_reader(form, place, zone)
    clock = _clock(declared["clock"], f"{place}.clock") if "clock" in declared else None
    if clock is not None and re.search("%[HI]", form):
        raise MappingError(f"{place}.clock", "the format reads a time of day, so that no clock is left to declare")
    return TimeColumn(columns.part(declared, place), read, zone, clock)


def _begins_a_month(at: int) -> bool:
    """Whether a month begins at the instant in UTC: a leap second is the last one of a month."""
    begins = from_micros(at, UTC)
    return begins == begins.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _zone(document: object, place: str) -> ZoneInfo:
    name = text(document, place)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # zoneinfo's answers to unknown names, odd characters and folders
        raise MappingError(place, "the IANA name of a time zone is expected, such as Europe/Stockholm") from None


def _clock(document: object, place: str) -> time:
    written = text(document, place)
    if not _CLOCK.fullmatch(written):
        raise MappingError(place, 'a time of day like "09:00" is expected')
    return time.fromisoformat(written)
