"""When a row happened: an instant out of a column, in the form and zone that the mapping declares."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from common.kernel.documents import Node
from common.kernel.instants import FIRST_YEAR, LAST_YEAR, begins_a_month, from_micros, to_micros
from common.kernel.zones import ZoneInfo, zone_named
from ops.replay.declarations import Columns
from ops.replay.missing import Part
from ops.replay.rows import Unusable
from ops.replay.stamps import Reader, iso_reader, pattern_reader

_KNOWN = ("column", "format", "zone", "clock", "missing")
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?", re.ASCII)


class Instant(NamedTuple):
    """When something happened, in microseconds since 1970."""

    at: int
    other: int | None = None
    """For a local time that the clocks show twice, the second of the two; for one that they skip, as if they had skipped later.

    For a mere date the last microsecond of its day: it happened between the two.
    """
    dated: bool = False
    """Whether the source knows the date only."""

    def first_from(self, reached: int | None) -> int | None:
        """The first instant that is meant, perhaps, at or after `reached`."""
        if reached is None:
            return self.at if self.other is None else min(self.at, self.other)
        if self.dated and self.other is not None:
            return max(self.at, reached) if reached <= self.other else None
        return min((found for found in (self.at, self.other) if found is not None and found >= reached), default=None)

    def last_until(self, next_at: int | None) -> int | None:
        """The last instant that is meant, perhaps, at or before `next_at`."""
        if self.dated and self.other is not None:
            return self.other if next_at is None else min(self.other, next_at)
        return max((found for found in (self.at, self.other) if found is not None and (next_at is None or found <= next_at)), default=None)


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
            if dated:
                return self._day(found)
            told = self._local(found) if found.tzinfo is None else Instant(to_micros(found))
        except (ValueError, OverflowError):
            raise Unusable("bad_time" if value else "no_time") from None
        if leap and not begins_a_month(from_micros(told.at, UTC)):
            raise Unusable("bad_time")
        return told

    def _day(self, found: datetime) -> Instant:
        """A mere date. Nobody wrote the time of day, so nobody means one that the clocks show twice or never."""
        found = found if found.tzinfo is not None else found.replace(tzinfo=self._zone())
        over = datetime.combine(found.date() + timedelta(days=1), time.min, found.tzinfo)
        return Instant(to_micros(found), to_micros(over) - 1, dated=True)

    def _local(self, found: datetime) -> Instant:
        at, other = (to_micros(found.replace(tzinfo=self._zone(), fold=fold)) for fold in (0, 1))
        return Instant(at, None if other == at else other)

    def _zone(self) -> ZoneInfo:
        if self.zone is None:
            raise Unusable("no_zone")
        return self.zone


def read_time(when: Node, columns: Columns) -> TimeColumn:
    """`{column, format: iso | a strptime pattern, zone: an IANA name, clock: "HH:MM" for mere dates, missing}`."""
    when.fields(known=_KNOWN, required=("column", "format"))
    form = when.field("format").text()
    zone = _read_zone(when.field("zone")) if "zone" in when else None
    read = iso_reader(zone) if form == "iso" else pattern_reader(form, when, zone)
    clock = _clock(when.field("clock")) if "clock" in when else None
    if clock is not None and re.search("%[HI]", form):
        raise when.field("clock").fault("the format reads a time of day, so that no clock is left to declare")
    return TimeColumn(columns.part(when), read, zone, clock)


def _read_zone(declaration: Node) -> ZoneInfo:
    try:
        return zone_named(declaration.text())
    except KeyError:
        raise declaration.fault("the IANA name of a time zone is expected, such as Europe/Stockholm") from None


def _clock(declaration: Node) -> time:
    written = declaration.text()
    if not _CLOCK.fullmatch(written):
        raise declaration.fault('a time of day like "09:00" is expected')
    return time.fromisoformat(written)
