"""Patterns in the hours of a calendar, instead of a list of dates: seasons, and weekdays that are others every second week."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from common.kernel.open_years import Hours

MonthDay = tuple[int, int]
"""A month and a day of it."""
Week = tuple[tuple[Hours, ...], ...]
"""The ranges of each weekday, Monday first."""
_FORTNIGHT = 14


class Season(NamedTuple):
    """A part of each year that has weekly hours of its own: from one day to another, with both, and perhaps over the new year."""

    first: MonthDay
    last: MonthDay
    weekly_hours: Week

    def covers(self, day: MonthDay) -> bool:
        """Whether the day lies in the season; 29 February may bound one, also in a year without it."""
        if self.first <= self.last:
            return self.first <= day <= self.last
        return day >= self.first or day <= self.last


class Alternating(NamedTuple):
    """Every second week has other hours on one weekday (大小周): the anchor has these, and so has each date whole fortnights away."""

    anchor: date
    hours: tuple[Hours, ...]


Pattern = Season | Alternating


class Patterns:
    """The patterns of one calendar: alternating weekdays go before seasons, and of two on one date the later in its list counts."""

    __slots__ = ("_alternating", "_seasons")

    def __init__(self, seasons: Sequence[Season] = (), alternating: Iterable[Alternating] = ()) -> None:
        self._seasons = tuple(reversed(seasons))
        self._alternating = {one.anchor.toordinal() % _FORTNIGHT: one for one in alternating}

    def on(self, ordinal: int) -> Pattern | None:
        """The pattern of the date with this ordinal; None when it goes by the ordinary week."""
        if self._alternating and (found := self._alternating.get(ordinal % _FORTNIGHT)) is not None:
            return found
        return self.season_on(ordinal)

    def season_on(self, ordinal: int) -> Season | None:
        """The season in which the date with this ordinal lies."""
        if not self._seasons:
            return None
        day = date.fromordinal(ordinal)
        return next((season for season in self._seasons if season.covers((day.month, day.day))), None)
