"""`aftersales what-if`: what another promise or another calendar would have meant for the clocks of a period. Nothing is written."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Annotated, Any, get_args

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.clock_state import Outcome
from common.sla.policy import Policy, parse_policy
from common.sla.rulebook import CALENDARS, POLICIES, CalendarVersion, Rulebook
from common.sla.what_if import Comparison, compare, rulebook_if
from common.store import clock_outcomes, documents
from ops import document_files
from ops.connection import database_address
from ops.databases import ServiceOption, chosen, each_database
from ops.periods import By, ByOption, FromOption, Period, ToOption, ZoneOption, period_of
from ops.terminal import DatabaseOption, JsonOption, answered, bar, show, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)

_SHOWN = 20
"""So many clocks stand in the table of those that end otherwise."""
_OF_ITS_RELEASE = {"version_taken"}
"""Findings that speak of putting a policy in force: one that only asks may have any version."""
_WOULD_BE = tuple(f"would_be_{outcome}" for outcome in sorted(get_args(Outcome)))
_COLUMNS = ("clocks", "met", "breached", *_WOULD_BE, "breached_to_met", "met_to_breached")


@dataclass(slots=True)
class _Found:
    """What a period would have been, as it is counted; `changed` holds a line of JSON for each clock that would have ended otherwise."""

    period: Period
    by: By
    changed: IO[str]
    first: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[tuple[str, str, str], Counter[tuple[str, str]]] = field(default_factory=dict)
    changed_count: int = 0
    unreadable_count: int = 0
    unreadable: str = ""
    """The first clock that cannot be read."""
    counted_on: set[str] = field(default_factory=set)
    """The calendars that the promises counted on."""

    def count(self, service: str, clock: clock_outcomes.Closed, compared: Comparison, line: dict[str, Any] | None) -> None:
        """Adds one clock, with its line where it would have ended otherwise."""
        pair = compared.was.outcome, compared.would_be.outcome
        self.counts.setdefault((service, clock.stage, clock.value), Counter())[pair] += 1
        if line is not None:
            self.changed_count += 1
            self.first += [line] if self.changed_count <= _SHOWN else []
            self.changed.write(json.dumps(line, ensure_ascii=False) + "\n")

    def miss(self, clock: clock_outcomes.Closed) -> None:
        """Notes a clock that cannot be read, or folded under one of the rulebooks."""
        self.unreadable_count += 1
        self.unreadable = self.unreadable or clock.id

    def rows(self) -> Iterator[dict[str, Any]]:
        """What is told of each service and stage, and of what it is told apart by."""
        for (service, stage, value), pairs in sorted(self.counts.items()):
            was, would_be = Counter[str](), Counter[str]()
            for (before, after), number in pairs.items():
                was[before] += number
                would_be[f"would_be_{after}"] += number
            yield {
                "service": service,
                "stage": stage,
                **({} if self.by is By.STAGE else {str(self.by): value}),
                "clocks": pairs.total(),
                "met": was["met"],
                "breached": was["breached"],
                **{name: would_be[name] for name in _WOULD_BE},
                "breached_to_met": pairs["breached", "met"],
                "met_to_breached": pairs["met", "breached"],
            }

    def line(self, clock: clock_outcomes.Closed, compared: Comparison) -> dict[str, Any]:
        """What is told of a clock that would have ended otherwise."""
        was, would_be = compared
        return {
            "clock": clock.id,
            "stage": clock.stage,
            **({} if self.by is By.STAGE else {str(self.by): clock.value}),
            "was": was.outcome,
            "would_be": would_be.outcome,
            "deadline": self._text(was.deadline),
            "would_be_deadline": self._text(would_be.deadline),
        }

    def _text(self, instant: datetime | None) -> str | None:
        return None if instant is None else instant.astimezone(self.period.zone).isoformat(timespec="seconds")


@app.command()
def what_if(
    since: FromOption,
    until: ToOption = None,
    policy: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, metavar="FILE", help="A policy as it is activated.")] = None,
    calendar: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, metavar="FILE", help="A calendar as it is published; may be repeated.")
    ] = None,
    by: ByOption = By.STAGE,
    time_zone: ZoneOption = "Asia/Shanghai",
    service: ServiceOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show what another promise or another calendar would have meant for the clocks that were met or breached in a period.

    With --policy every version of the service's policy counts as if that file had been in force ever since; with --calendar the same
    goes for the calendar of its name. What would be neither by now is told as open. Nothing is published, activated or written.
    """
    if policy is None and not calendar:
        stop("Give --policy FILE, --calendar FILE or both.", 2)
    period, url = period_of(since, until, time_zone), database_address(database)
    others = _calendars_in(calendar or [])
    asked = None if policy is None else _policy_in(policy, named={*others}, is_first=True)
    services = chosen(service) if asked is None else _services_of(asked, service)

    async def read(found: _Found) -> None:
        async for name, connection in each_database(url, services, snapshot=True):
            rulebook = await documents.rulebook_of(connection, name)
            if policy is not None:
                _policy_in(policy, named={*others, *rulebook.calendars})
            other = rulebook_if(rulebook, asked, others.values())
            named = {calendar for version in other.activated for calendar in version.policy.named_calendars}
            found.counted_on |= named
            if asked is not None or named & others.keys():
                await _compare(found, connection, name, rulebook, other)

    with TemporaryFile("w+", encoding="utf-8") as changed:
        found = _Found(period, by, changed)
        answered(lambda: read(found), database_url=url)
        if unused := others.keys() - found.counted_on:
            stop(f"No promise of {', '.join(services)} counts on the calendar {', '.join(sorted(unused))}.")
        if found.unreadable:
            typer.echo(f"Clocks that cannot be read, and are not counted: {found.unreadable_count}, such as {found.unreadable}.", err=True)
        rules = [*([] if asked is None else [f"policy {asked.ref}"]), *(f"calendar {one.ref}" for one in others.values())]
        _print_json(found, rules) if json else _print(found, rules)


async def _compare(found: _Found, connection: AsyncConnection, service: str, rulebook: Rulebook, other: Rulebook) -> None:
    """Counts the clocks of one service."""
    period = found.period
    with bar(f"Clocks of {service}", None) as counted:
        async for clock in clock_outcomes.closed(connection, found.by.value, period.begin, period.end):
            counted(1)
            try:
                if clock.ledger is None:
                    raise LookupError(clock.id)
                compared = compare(clock.ledger, clock.as_of, rulebook, other, clock.round)
                line = found.line(clock, compared) if compared.is_other else None
            except Exception:  # noqa: BLE001 - whatever a ledger holds: the others are told, and this one is named
                found.miss(clock)
                continue
            found.count(service, clock, compared, line)


def _policy_in(file: Path, *, named: set[str], is_first: bool = False) -> Policy:
    """The policy that a file states; ends the command with all that is wrong with it, but for calendars that only the service knows."""
    passed = _OF_ITS_RELEASE | ({"unknown_calendar"} if is_first else set())
    _refuse([one for one in document_files.lint(file, kind=POLICIES.name, calendars=tuple(named)) if one.rule not in passed])
    return parse_policy(document_files.written_in(file, POLICIES.name).body)


def _calendars_in(files: Sequence[Path]) -> dict[str, CalendarVersion]:
    """The calendars that files state, by name; ends the command with all that is wrong with them."""
    _refuse([finding for file in files for finding in document_files.lint(file, kind=CALENDARS.name)])
    written = [document_files.written_in(file, CALENDARS.name) for file in files]
    found = {one.name: CalendarVersion(one.name, one.version, CALENDARS.parse(one.body)) for one in written}
    if len(found) < len(written):
        stop("--calendar: two files state a calendar of the same name.", 2)
    return found


def _refuse(findings: Sequence[object]) -> None:
    if findings:
        stop("\n".join(map(str, findings)))


def _services_of(policy: Policy, given: str | None) -> tuple[str, ...]:
    name = policy.ref.partition("@")[0]
    if given not in (None, name):
        stop(f"--service {given}: the policy is one of {name}.", 2)
    return (name,)


def _print_json(found: _Found, rules: Sequence[str]) -> None:
    """One object, whose clocks are written one by one: there may be more than memory holds."""
    period = found.period
    whole = {
        "from": str(period.first),
        "to": str(period.last),
        "time_zone": str(period.zone),
        "rules": rules,
        "rows": list(found.rows()),
        "unreadable": found.unreadable_count,
        "changed": found.changed_count,
    }
    found.changed.seek(0)
    sys.stdout.write(json.dumps(whole, ensure_ascii=False, indent=2).removesuffix("\n}") + ',\n  "clocks": [')
    sys.stdout.writelines(f"{',' if number else ''}\n    {line.rstrip()}" for number, line in enumerate(found.changed))
    sys.stdout.write("\n  ]\n}\n")


def _print(found: _Found, rules: Sequence[str]) -> None:
    named = () if found.by is By.STAGE else (str(found.by),)
    title = f"What if {', '.join(rules)} had been in force: clocks closed {found.period}"
    rows: list[Mapping[str, Any]] = list(found.rows())
    show(title, rows, ("service", "stage", *named, *_COLUMNS), as_json=False)
    if not found.changed_count:
        typer.echo("No clock would have ended otherwise.")
        return
    columns = ("clock", *named, "was", "would_be", "deadline", "would_be_deadline")
    show(f"{found.changed_count} clocks would have ended otherwise", found.first, columns, as_json=False)
    if found.changed_count > _SHOWN:
        typer.echo(f"These are the first {_SHOWN}; --json lists all.")
