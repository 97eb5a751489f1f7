"""`aftersales sla report`: how the promises of a period were kept, by stage and by what operations and managers ask for."""

from collections import Counter
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any

import typer

from common.kernel.exact import ratio_text
from common.kernel.faults import Fault
from common.kernel.instants import parse_date
from common.kernel.wall_clock import now
from common.kernel.zones import ZoneInfo, zone_named
from common.store import clocks
from ops.connection import database_address
from ops.databases import ServiceOption, chosen, each_database
from ops.terminal import DatabaseOption, JsonOption, answered, show, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)


class By(StrEnum):
    """What the rows of a stage are told apart by."""

    STAGE = "stage"
    PRIORITY = "priority"
    REGION = "region"
    PERSON = "person"
    POLICY = "policy"


@app.callback()
def sla() -> None:
    """The promises as they were kept."""


@app.command()
def report(
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day, such as 2026-07-01.")],
    until: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day; today by default.")] = None,
    by: Annotated[By, typer.Option(help="What the rows of a stage are told apart by.")] = By.STAGE,
    time_zone: Annotated[str, typer.Option(help="Whose midnights the days begin at.")] = "Asia/Shanghai",
    service: ServiceOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show by service and stage how many clocks were met and breached in a period, by event time, and what is open now.

    A clock belongs to the day of its stop, or of its deadline when it was breached; corrections count, and what is void or was never
    promised counts for nothing. `excused` are those of the met that would be breached without excused windows. `compliance` is exact,
    met of closed; `used` are shares of the target (the half and nine tenths of the clocks used no more).
    """
    zone, url = _zone(time_zone), database_address(database)
    first, last, begin, end = _period(since, until, zone)

    async def read() -> list[dict[str, Any]]:
        rows = []
        async for name, connection in each_database(url, chosen(service)):
            rows += [_row(name, by, dict(row), zone) for row in await clocks.report(connection, by.value, begin, end)]
        return [row for row in rows if row["met"] or row["breached"] or row["open"]]

    told = ("met", "breached", "excused", "compliance", "percent", "used_p50", "used_p90", "open", "next_deadline")
    named = () if by is By.STAGE else (str(by),)
    show(f"SLA {first} to {last}, {time_zone}", answered(read, database_url=url), ("service", "stage", *named, *told), as_json=json)


@app.command()
def compensations(
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day, such as 2026-07-01.")],
    until: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day; today by default.")] = None,
    totals: Annotated[bool, typer.Option("--totals", help="How many by person, stage and what was done, instead of each.")] = False,
    time_zone: Annotated[str, typer.Option(help="Whose midnights the days begin at.")] = "Asia/Shanghai",
    service: ServiceOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show who voided, extended and excused which promise, when and why: whatever makes a rate better than what was done.

    `by` is who said so, for a window who approved it, and empty where a system did. `unexcused` is the outcome without windows. An
    extension that did not count is listed too; `clock explain` says why it did not.
    """
    zone, url = _zone(time_zone), database_address(database)
    first, last, begin, end = _period(since, until, zone)

    async def read() -> list[dict[str, Any]]:
        rows = []
        async for name, connection in each_database(url, chosen(service)):
            rows += [
                {"service": name, **row, "at": row["at"].astimezone(zone)} for row in await clocks.compensations(connection, begin, end)
            ]
        return _totals(rows) if totals else rows

    told = ("number",) if totals else ("at", "clock", "reason", "owner", "unexcused", "outcome")
    columns = ("service", "stage", "what", "by", *told)
    show(f"Compensations {first} to {last}, {time_zone}", answered(read, database_url=url), columns, as_json=json)


def _totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = ("service", "stage", "what", "by")
    found = Counter(tuple(row[name] for name in names) for row in rows)
    return [{**dict(zip(names, key, strict=True)), "number": number} for key, number in sorted(found.items())]


def _period(since: str, until: str | None, zone: ZoneInfo) -> tuple[date, date, datetime, datetime]:
    """The first and the last day, the instant at which the one begins, and that at which the other is over."""
    first = _day(since, "--from")
    last = now().astimezone(zone).date() if until is None else _day(until, "--to")
    begin, end = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (first, last + timedelta(days=1)))
    if end <= begin:
        stop("--to lies before --from.", 2)
    return first, last, begin, end


def _row(service: str, by: By, row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    met, closed = row["met"], row["met"] + row["breached"]
    value = row.pop("value")
    named = {} if by is By.STAGE else {str(by): value}
    kept = Fraction(met, closed) if closed else None
    percent = None if kept is None else "{}.{}".format(*divmod(int(kept * 1000), 10))  # cut, not rounded: 99.96 % is not 100 %
    used = {name: None if row[name] is None else str(row[name]) for name in ("used_p50", "used_p90")}
    due = row.pop("next_deadline")
    return {
        "service": service,
        **named,
        **row,
        **used,
        "compliance": None if kept is None else ratio_text(kept),
        "percent": percent,
        "next_deadline": None if due is None else due.astimezone(zone),
    }


def _day(given: str, option: str) -> date:
    try:
        return parse_date(given, (option,))
    except Fault as fault:
        stop(f"{option} {given}: {fault.what}.", 2)


def _zone(name: str) -> ZoneInfo:
    try:
        return zone_named(name)
    except KeyError:
        stop(f"--time-zone {name}: no such zone; one is called Asia/Shanghai.", 2)
