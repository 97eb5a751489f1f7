"""`aftersales sla report`: how the promises of a period were kept, by stage and by what operations and managers ask for."""

from collections import Counter
from fractions import Fraction
from typing import Annotated, Any

import typer

from common.kernel.exact import ratio_text
from common.kernel.zones import ZoneInfo
from common.store import clocks
from ops.connection import database_address
from ops.databases import ServiceOption, chosen, each_database
from ops.periods import By, ByOption, FromOption, ToOption, ZoneOption, period_of
from ops.terminal import DatabaseOption, JsonOption, answered, show

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def sla() -> None:
    """The promises as they were kept."""


@app.command()
def report(
    since: FromOption,
    until: ToOption = None,
    by: ByOption = By.STAGE,
    time_zone: ZoneOption = "Asia/Shanghai",
    service: ServiceOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show by service and stage how many clocks were met and breached in a period, by event time, and what is open now.

    A clock belongs to the day of its stop, or of its deadline when it was breached; corrections count, and what is void or was never
    promised counts for nothing. `excused` are those of the met that would be breached without excused windows. `compliance` is exact,
    met of closed; `used` are shares of the target (the half and nine tenths of the clocks used no more).
    """
    period, url = period_of(since, until, time_zone), database_address(database)

    async def read() -> list[dict[str, Any]]:
        rows = []
        async for name, connection in each_database(url, chosen(service)):
            found = await clocks.report(connection, by.value, period.begin, period.end)
            rows += [_row(name, by, dict(row), period.zone) for row in found]
        return [row for row in rows if row["met"] or row["breached"] or row["open"]]

    told = ("met", "breached", "excused", "compliance", "percent", "used_p50", "used_p90", "open", "next_deadline")
    named = () if by is By.STAGE else (str(by),)
    show(f"SLA {period}", answered(read, database_url=url), ("service", "stage", *named, *told), as_json=json)


@app.command()
def compensations(
    since: FromOption,
    until: ToOption = None,
    totals: Annotated[bool, typer.Option("--totals", help="How many by person, stage and what was done, instead of each.")] = False,
    time_zone: ZoneOption = "Asia/Shanghai",
    service: ServiceOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show who voided, extended and excused which promise, when and why: whatever makes a rate better than what was done.

    `by` is who said so, for a window who approved it, and empty where a system did. `unexcused` is the outcome without windows. An
    extension that did not count is listed too; `clock explain` says why it did not.
    """
    period, url = period_of(since, until, time_zone), database_address(database)

    async def read() -> list[dict[str, Any]]:
        rows = []
        async for name, connection in each_database(url, chosen(service)):
            found = await clocks.compensations(connection, period.begin, period.end)
            rows += [{"service": name, **row, "at": row["at"].astimezone(period.zone)} for row in found]
        return _totals(rows) if totals else rows

    told = ("number",) if totals else ("at", "clock", "reason", "owner", "unexcused", "outcome")
    columns = ("service", "stage", "what", "by", *told)
    show(f"Compensations {period}", answered(read, database_url=url), columns, as_json=json)


def _totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = ("service", "stage", "what", "by")
    found = Counter(tuple(row[name] for name in names) for row in rows)
    return [{**dict(zip(names, key, strict=True)), "number": number} for key, number in sorted(found.items())]


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
