"""A calendar with the public holidays of a country or of one of its regions, for the years that somebody vouches for."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

from common.kernel.faults import Fault
from common.kernel.working_time import Calendar

if TYPE_CHECKING:
    from holidays import HolidayBase

PATTERNS = frozenset({"seasons", "alternating"})
"""The fields of a whole calendar that go with its public holidays as well."""
FIELDS = PATTERNS | {"country", "subdivision", "time_zone", "weekly_hours", "known_years"}
_OFFICE_HOURS = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CODE = re.compile(r"[A-Z]{2}", re.ASCII)


def country_calendar(fields: Mapping[str, Any]) -> Calendar:
    """The country's calendar: closed on its public holidays, open on its make-up days, provisional outside the known years.

    `fields` are those of `FIELDS`, as YAML or JSON gives them; `subdivision` and `weekly_hours` (Monday to Friday, 09:00 to
    18:00 unless said otherwise) may be missing. The days are those of the package `holidays`, which would answer for any
    later year from its rules; only `known_years` are taken over. Raises a `Fault`.
    """
    for name in ("country", "time_zone", "known_years"):
        if name not in fields:
            _refuse(name, "missing_field", "country, time_zone and known_years are expected")
    land = _found(_code(fields["country"]), _subdivision(fields))
    years = _years(fields["known_years"], land)
    first, last = date(years[0], 1, 1), date(years[-1], 12, 31)
    days = [first + timedelta(days=index) for index in range((last - first).days + 1)]
    week = _week(fields, land, days)
    # A shop without Monday hours has no hours for a make-up day either: the day goes by its weekday.
    worked = [day for day in days if land.is_weekend(day) and land.is_working_day(day)] if week.weekly_hours[0] else []
    return replace(
        week,
        closed_dates=frozenset(day for day in days if day in land).difference(worked),
        make_up_days=frozenset(worked),
        known_until=last,
        known_from=first,
    )


def source_of(fields: Mapping[str, Any]) -> str:
    """By whose word the days are what they are, for the notice of a calendar: `holidays 0.109: DE, BY`."""
    return f"holidays {version('holidays')}: {', '.join(fields[name] for name in ('country', 'subdivision') if name in fields)}"


def _code(given: object) -> str:
    if not isinstance(given, str):
        _refuse("country", "bad_code", "a text like DE is expected; Norway needs quotes ('NO'), since YAML reads NO as false")
    if not _CODE.fullmatch(given):
        _refuse("country", "bad_code", f"two capitals of ISO 3166 like DE are expected, not {given!r}")
    if given == "CN":
        _refuse(
            "country",
            "statutory_calendar",
            "the days of China are the State Council's notices, not rules: the built-in calendar cn has them; "
            "publish it with --china YEAR, and a new notice as years: {2027: {closed: […], make_up: […]}}",
        )
    return given


def _subdivision(fields: Mapping[str, Any]) -> str | None:
    given = fields.get("subdivision")
    if "subdivision" in fields and not isinstance(given, str):
        _refuse("subdivision", "bad_code", "a text like BY is expected; numbers and 'ON' need quotes, since YAML reads ON as true")
    return given


def _found(country: str, subdivision: str | None) -> "HolidayBase":
    """The package's entry, which computes a year when it is asked for."""
    from holidays import country_holidays  # costs a tenth of a second, and no other command needs it

    try:
        land = country_holidays(country)
    except NotImplementedError:
        _refuse("country", "unknown_country", f"the package holidays knows no country {country}; write its days as calendar: {{…}}")
    if subdivision is None:
        return land
    if subdivision not in (*land.subdivisions, *land.subdivisions_aliases):
        there_are = f"one of {', '.join(land.subdivisions)} is" if land.subdivisions else "none is known there, so no subdivision is"
        _refuse("subdivision", "unknown_subdivision", f"{country} has no {subdivision!r}; {there_are} expected")
    return country_holidays(country, subdiv=subdivision)


def _years(given: object, land: "HolidayBase") -> range:
    if not isinstance(given, list) or not given or not all(type(year) is int for year in given):
        _refuse("known_years", "bad_years", "a list of the years whose days you have compared is expected, such as [2026, 2027]")
    covered = range(land.start_year, land.end_year + 1)
    if outside := sorted(set(given) - set(covered)):
        _refuse("known_years", "year_not_covered", f"years from {covered[0]} to {covered[-1]} are expected, not {outside[0]}")
    years = range(min(given), max(given) + 1)
    if gap := sorted(set(years) - set(given)):
        _refuse("known_years", "years_with_a_gap", f"each year from {years[0]} to {years[-1]} is expected; {gap[0]} is missing")
    return years


def _week(fields: Mapping[str, Any], land: "HolidayBase", days: list[date]) -> Calendar:
    """The calendar without any holiday; the usual week only for those who rest on Saturday and Sunday."""
    if "weekly_hours" not in fields and (rests := {day.weekday() for day in days if day.weekday() < 5 and land.is_weekend(day)}):
        resting = ", ".join(_WEEKDAYS[weekday] for weekday in sorted(rests))
        _refuse("weekly_hours", "missing_field", f"the weekend of {fields['country']} has {resting}, so the hours are expected")
    hours = {"time_zone": fields["time_zone"], "weekly_hours": fields.get("weekly_hours", _OFFICE_HOURS)}
    return Calendar.from_json({**hours, **{name: fields[name] for name in PATTERNS & fields.keys()}}, ())


def _refuse(field: str, rule: str, what: str) -> NoReturn:
    raise Fault((field,), rule, what) from None
