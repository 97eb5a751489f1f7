"""`aftersales calendar`: working days and hours are looked at, and become known to the services that keep clocks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from common.contracts.documents import DocumentActivated, DocumentControl, ref_of
from common.contracts.yaml_files import read_yaml
from common.kernel.calendars import BUILT_IN, built_in
from common.kernel.faults import Fault
from common.kernel.instants import parse_date
from common.kernel.known_fields import nearest, unknown_field
from common.kernel.working_time import Calendar
from common.sla.rulebook import CALENDARS
from ops import country_calendars
from ops.connection import kafka_settings
from ops.document_records import effective_from, send
from ops.terminal import KafkaOption, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)

_HEAD = frozenset({"kind", "name", "version", "notice"})
_PATTERNS = country_calendars.PATTERNS
_WAYS = {"calendar": frozenset({"calendar"}), "years": frozenset({"years"}) | _PATTERNS, "country": country_calendars.FIELDS}
"""How a file says its days, by the field that tells: the fields that go with it."""

FileArgument = Annotated[Path | None, typer.Argument(help="YAML or JSON: name, version, notice, and calendar, years or country.")]
ChinaOption = Annotated[list[int] | None, typer.Option("--china", metavar="YEAR", help="The shipped statutory days up to YEAR.")]


@app.callback()
def calendar() -> None:
    """Working days and hours become known: a calendar is looked at, and published to the services."""


@app.command()
def publish(
    file: FileArgument = None,
    china: ChinaOption = None,
    kafka: KafkaOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check, and say what would be published.")] = False,
) -> None:
    """Publish one version of a calendar; open clocks that count on it are derived anew, closed ones stay as they are.

    `calendar: {time_zone: …, weekly_hours: …}` is a whole calendar, as `aftersales clock calculate` takes it.
    `years: {2027: {closed: [01-01], make_up: [02-20]}}` adds years to the built-in `cn`, as the State Council's notice states them.
    `country: DE`, `time_zone: Europe/Berlin`, `known_years: [2026, 2027]` is closed on the country's public holidays, with
    `subdivision: BY` on those of a region too; `weekly_hours` is Monday to Friday, 09:00 to 18:00, unless it is said. Deadlines
    after the last known year are provisional. Beside `years` and `country`, `seasons` and `alternating` are those of a whole calendar.
    """
    event = _event_of(file, china or [])
    said = f"{event.name}@{event.version}, known until {event.body.get('known_until', 'further notice')}"
    if dry_run:
        typer.echo(f"Would publish {said}.")
        return
    send(kafka_settings(kafka, "calendar"), event)
    typer.echo(f"Published {said}; open clocks that count on {event.name} follow within seconds.")


@app.command()
def show(file: FileArgument = None, china: ChinaOption = None) -> None:
    """Print the calendar that `publish` would publish, as JSON, to be read and to be asked: `{name: calendar}`.

    `aftersales clock calculate --calendars` takes it. A built-in name is that of the built-in calendar there, so `cn` is shown
    under name and version: `cn@2027`.
    """
    event = _event_of(file, china or [])
    name = f"{event.name}@{event.version}" if event.name in BUILT_IN else event.name
    typer.echo(json.dumps({name: event.body}, ensure_ascii=False, indent=2))


def _event_of(file: Path | None, china: list[int]) -> DocumentActivated:
    """What is to be published; ends the command where there is none."""
    if (file is None) == (not china):
        stop("Give either a FILE or --china YEAR.", 2)
    try:
        return _of_china(china) if file is None else _read(file)
    except (OSError, ValueError) as problem:
        stop(f"{file or '--china'}: {problem}")


def _of_china(years: list[int]) -> DocumentActivated:
    shipped = built_in("cn").to_json()
    last, known = max(years), int(shipped["known_until"][:4])
    if last > known:
        raise Fault(
            (), "bad_calendar", f"the shipped days end with {known}; write those of {last} into a file as the notice states them (years: …)"
        )
    until = f"{last}-12-31"
    for field in ("closed_dates", "make_up_days"):
        shipped[field] = [day for day in shipped[field] if day <= until]
    return _event("cn", last, shipped | {"known_until": until}, "")


def _read(file: Path) -> DocumentActivated:
    return calendar_in(read_yaml(file.read_bytes()).value)


def is_calendar(document: Mapping[str, Any]) -> bool:
    """Whether a file says the days of a calendar, in any of the ways."""
    return any(way in document for way in _WAYS)


def calendar_in(document: Any) -> DocumentActivated:
    """The calendar that a file states, to be published; a `Fault`, or another ValueError, for what is none."""
    if not isinstance(document, dict) or not {"name", "version"} <= document.keys():
        raise Fault((), "bad_calendar", "name, version, and one of calendar, years and country are expected")
    ways = [way for way in _WAYS if way in document]
    known = _HEAD.union(*(_WAYS[way] for way in ways or _WAYS))
    if unknown := unknown_field(document, sorted(known)):
        near = nearest(unknown[0], known)
        guess = f"; the nearest is {near}" if near else ""
        raise Fault((), "unknown_field", f"unknown field {unknown[0]}; there are {', '.join(sorted(known))}{guess}")
    if len(ways) != 1:
        raise Fault((), "bad_calendar", "one of calendar, years and country is expected")
    found, source = _days(ways[0], document)
    return _event(document["name"], document["version"], found, document.get("notice", source))


def _days(way: str, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The calendar of a file, and the notice where the file has none."""
    if way == "country":
        try:
            return country_calendars.country_calendar(document).to_json(), country_calendars.source_of(document)
        except Fault as fault:
            raise Fault(fault.where, fault.rule, f"{fault.rule}: {fault.what}") from None
    if way == "calendar":
        return document["calendar"], ""
    shipped = built_in("cn").to_json()
    Calendar.from_json({**shipped, **(patterns := {name: document[name] for name in _PATTERNS & document.keys()})}, ())
    return _with_years(shipped | patterns, document["years"]), ""


def _with_years(extended: dict[str, Any], years: Any) -> dict[str, Any]:
    """The built-in Chinese calendar and more years, which must follow without a gap, or correct one that is known."""
    if not isinstance(years, dict) or not years or not all(type(year) is int for year in years):
        raise Fault(("years",), "bad_calendar", "{2027: {closed: […], make_up: […]}} is expected")
    known = int(extended["known_until"][:4])
    for year in sorted(years):
        if year > known + 1:
            raise Fault((), "bad_calendar", f"years.{known + 1} is missing: the years must follow each other")
        known = max(known, year)
        entry = years[year]
        if not isinstance(entry, dict) or set(entry) != {"closed", "make_up"}:
            raise Fault(("years", str(year)), "bad_calendar", "closed and make_up are expected, each a list of days like 10-01")
        for field, name in (("closed_dates", "closed"), ("make_up_days", "make_up")):
            kept = [day for day in extended[field] if not day.startswith(f"{year}-")]
            extended[field] = sorted([*kept, *_days_of(year, name, entry[name])])
    return extended | {"known_until": f"{known}-12-31"}


def _days_of(year: int, name: str, days: Any) -> list[str]:
    """The dates of the days of a year, `10-01`."""
    if not isinstance(days, list):
        raise Fault(("years", str(year), name), "bad_calendar", "a list of days like 10-01 is expected")
    found = []
    for index, day in enumerate(days):
        where = ("years", str(year), name, index)
        try:
            found.append(parse_date(f"{year}-{day}", where).isoformat())
        except Fault as fault:
            what = f"{str(day)[:32]} is no day of {year} (day is out of range); one like 10-01 is expected"
            raise Fault(where, fault.rule, what) from None
    return found


def _event(name: str, version: int, document: dict[str, Any], notice: str) -> DocumentActivated:
    body = CALENDARS.parse(document).to_json()
    return DocumentActivated(
        document=ref_of(CALENDARS.name, name, version),
        kind=CALENDARS.name,
        name=name,
        version=version,
        effective_at=effective_from(None),
        body=body,
        control=DocumentControl(remarks=notice),
    )
