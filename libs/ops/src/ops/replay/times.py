"""When a row happened: an instant out of a column, in the form and zone that the mapping declares."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from common.kernel.clock_errors import ClockError
from common.kernel.instants import FIRST_YEAR, LAST_YEAR, to_micros
from ops.replay.declarations import Columns, MappingError, entries, text
from ops.replay.missing import Part
from ops.replay.rows import Unusable

_KNOWN = ("column", "format", "zone", "clock", "missing")


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A column that tells when: its form, the zone of stamps that carry no offset, the wall clock of mere dates."""

    part: Part
    parse: Callable[[str], datetime]
    zone: ZoneInfo | None
    clock: time | None

    def instant(self, value: str) -> int:
        """Microseconds since 1970; raises `Unusable` for what is no such time or has no zone."""
        try:
            found = self.parse(value)
            if self.clock is not None:
                found = datetime.combine(found.date(), self.clock)
            if found.tzinfo is None and self.zone is not None:
                found = found.replace(tzinfo=self.zone)
            if not FIRST_YEAR <= found.year <= LAST_YEAR:
                raise Unusable("bad_time")
            return to_micros(found)
        except (ValueError, OverflowError, ClockError):
            raise Unusable("bad_time" if value else "no_time") from None


def read_time(document: object, place: str, columns: Columns) -> TimeColumn:
    """`{column, format: iso | a strptime pattern, zone: an IANA name, clock: "HH:MM" for mere dates}`."""
    declared = entries(document, place, known=_KNOWN, required=("column", "format"))
    form = text(declared["format"], f"{place}.format")
    return TimeColumn(
        columns.part(declared, place),
        datetime.fromisoformat if form == "iso" else lambda value: datetime.strptime(value, form),  # noqa: DTZ007 - the zone follows
        _zone(declared["zone"], f"{place}.zone") if "zone" in declared else None,
        _clock(declared["clock"], f"{place}.clock") if "clock" in declared else None,
    )


def _zone(document: object, place: str) -> ZoneInfo:
    name = text(document, place)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # zoneinfo's answers to unknown names, odd characters and folders
        raise MappingError(place, "the IANA name of a time zone is expected, such as Europe/Stockholm") from None


def _clock(document: object, place: str) -> time:
    try:
        return time.fromisoformat(text(document, place))
    except ValueError:
        raise MappingError(place, 'a time of day like "09:00" is expected') from None
