"""Periods of appraisal: which instants `2026Q3` takes in."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from common.kernel.zones import ZoneInfo

_WRITTEN = re.compile(r"(?P<year>[0-9]{4})(?:Q(?P<quarter>[1-4])|H(?P<half>[12])|-(?P<month>0[1-9]|1[0-2]))?")
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


class PeriodLength(StrEnum):
    """How long a period is (X-04)."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"

    @property
    def months(self) -> int:
        """The number of calendar months in one period."""
        return {PeriodLength.MONTH: 1, PeriodLength.QUARTER: 3, PeriodLength.HALF_YEAR: 6, PeriodLength.YEAR: 12}[self]

    @property
    def per_year(self) -> int:
        """How many periods make a year: 12, 4, 2 or 1."""
        return 12 // self.months


@dataclass(frozen=True, slots=True)
class Period:
    """One period of one year: `number` counts from 1 inside the year."""

    length: PeriodLength
    year: int
    number: int

    @property
    def id(self) -> str:
        """The period as it is written: `2026-07`, `2026Q3`, `2026H2`, `2026`."""
        return (
            f"{self.year:04}"
            + {
                PeriodLength.MONTH: f"-{self.number:02}",
                PeriodLength.QUARTER: f"Q{self.number}",
                PeriodLength.HALF_YEAR: f"H{self.number}",
                PeriodLength.YEAR: "",
            }[self.length]
        )


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span of instants in UTC: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


def period_named(written: str) -> Period:
    """The period that `2026Q3`, `2026-07`, `2026H2` or `2026` names; ValueError for anything else."""
    match = _WRITTEN.fullmatch(written)
    if match is None or not _FIRST_YEAR <= int(match["year"]) <= _LAST_YEAR:
        raise ValueError("a cycle is written 2026-07, 2026Q3, 2026H2 or 2026")
    year = int(match["year"])
    if match["quarter"]:
        return Period(PeriodLength.QUARTER, year, int(match["quarter"]))
    if match["half"]:
        return Period(PeriodLength.HALF_YEAR, year, int(match["half"]))
    if match["month"]:
        return Period(PeriodLength.MONTH, year, int(match["month"]))
    return Period(PeriodLength.YEAR, year, 1)


def span_of(period: Period, zone: ZoneInfo, *, first_day: int = 1) -> Span:
    """The instants of `period`: from local midnight to local midnight in `zone` (decisions 26).

    With a `first_day` after 1 a month runs from that day of the month before to the same day of its own: `2026-07` with
    16 is 16 June to 15 July (X-15). Every month has the days 1 to 28; other values, and longer periods, are a ValueError.
    """
    if not 1 <= first_day <= 28 or (first_day > 1 and period.length is not PeriodLength.MONTH):
        raise ValueError("only a month may start on another day than the first, and not after the 28th")
    first = period.year * 12 + (period.number - 1) * period.length.months - (1 if first_day > 1 else 0)
    return Span(_midnight(first, first_day, zone), _midnight(first + period.length.months, first_day, zone))


def _midnight(month: int, day: int, zone: ZoneInfo) -> datetime:
    # In UTC, since two instants of one zone compare by their wall clocks. Fold 0 is the first of two midnights, and where
    # the clocks skip midnight it is the instant of the change: the first instant of that date.
    return datetime(month // 12, month % 12 + 1, day, tzinfo=zone).astimezone(UTC)
