"""The period that a command on clocks is about, and what the rows of a stage are told apart by."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, NamedTuple

import typer

from common.kernel.faults import Fault
from common.kernel.instants import parse_date
from common.kernel.wall_clock import now
from common.kernel.zones import ZoneInfo, zone_named
from ops.terminal import stop


class By(StrEnum):
    """What the rows of a stage are told apart by."""

    STAGE = "stage"
    PRIORITY = "priority"
    REGION = "region"
    PERSON = "person"
    POLICY = "policy"


FromOption = Annotated[str, typer.Option("--from", metavar="DATE", help="The first day, such as 2026-07-01.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day; today by default.")]
ByOption = Annotated[By, typer.Option(help="What the rows of a stage are told apart by.")]
ZoneOption = Annotated[str, typer.Option("--time-zone", help="Whose midnights the days begin at.")]


class Period(NamedTuple):
    """Whole days of a time zone, from `begin` to before `end`."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def begin(self) -> datetime:
        """The midnight at which the first day begins."""
        return self._midnight(self.first)

    @property
    def end(self) -> datetime:
        """The midnight at which the last day ends."""
        return self._midnight(self.last + timedelta(days=1))

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}, {self.zone}"


def period_of(since: str, until: str | None, time_zone: str) -> Period:
    """The period that the options name, up to today without `until`; ends the command where they name none."""
    zone, first = _zone(time_zone), _day(since, "--from")
    last = now().astimezone(zone).date() if until is None else _day(until, "--to")
    if last < first:
        stop("--to lies before --from.", 2)
    return Period(first, last, zone)


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
