"""`aftersales sla report`: how the promises of a period were kept, by stage and by what operations and managers ask for."""

from collections import Counter
from fractions import Fraction
from typing import Annotated, Any

import typer

from common.kernel.exact import ratio_text
from common.kernel.faults import Fault
from common.kernel.zones import ZoneInfo
from common.sla.months import Month, MonthOfStage
from common.store import clock_outcomes, clocks, documents, sla_months
from ops.connection import database_address
from ops.databases import ServiceOption, chosen, each_database
from ops.periods import By, ByOption, FromOption, ToOption, ZoneOption, period_of
from ops.terminal import DatabaseOption, JsonOption, answered, show, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def sla() -> None:
    """The promises as they were kept."""


@app.command()
def report(
    since: Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first day, such as 2026-07-01.")] = None,
    until: ToOption = None,
    month: Annotated[str | None, typer.Option(metavar="MONTH", help="A calendar month, such as 2026-11, with its budget.")] = None,
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

    With --month: the objective of each stage by the policy in force at the end of the month, how many promises could be broken of those
    that closed (`allowed`) and how many of these are left (`remaining`); empty where no objective is set, or nothing closed.
    """
    if month is not None:
        if since is not None or until is not None or by is not By.STAGE:
            stop("--month stands alone: its days and rows are those of the policy.", 2)
        _show_month(_month(month), service, database_address(database), as_json=json)
        return
    if since is None:
        stop("Name the first day with --from, or a calendar month with --month.", 2)
    period, url = period_of(since, until, time_zone), database_address(database)

    async def read() -> list[dict[str, Any]]:
        rows = []
        async for name, connection in each_database(url, chosen(service)):
            found = await clock_outcomes.report(connection, by.value, period.begin, period.end)
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
    """Show who voided, extended, restarted and excused which promise, when and why: whatever makes a rate better than what was done.

    `by` is who said so, for a window who approved it, and empty where a system did. `unexcused` is the outcome without windows. An
    extension or a restart that did not count is listed too; `clock explain` says why it did not.
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


def _show_month(month: Month, service: str | None, url: str, *, as_json: bool) -> None:
    async def read() -> list[dict[str, Any]]:
        rows = []
        async for name, connection in each_database(url, chosen(service)):
            rulebook = await documents.rulebook_of(connection, name)
            rows += [_month_row(name, kept) for kept in await sla_months.month_of_stages(connection, rulebook, month)]
        return [row for row in rows if row["met"] or row["breached"] or row["objective"]]

    columns = ("service", "stage", "met", "breached", "objective", "allowed", "remaining")
    show(f"SLA {month}", answered(read, database_url=url), columns, as_json=as_json)


def _month_row(service: str, kept: MonthOfStage) -> dict[str, Any]:
    return {
        "service": service,
        "stage": kept.stage,
        "met": kept.counts.met,
        "breached": kept.counts.breached,
        "objective": None if kept.objective is None else ratio_text(kept.objective),
        "allowed": None if kept.budget is None else kept.budget.allowed,
        "remaining": None if kept.budget is None else kept.budget.remaining,
    }


def _month(given: str) -> Month:
    try:
        return Month.read(given, ("--month",))
    except Fault as fault:
        stop(f"--month {given}: {fault.what}.", 2)


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
