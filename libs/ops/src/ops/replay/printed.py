"""A replay's report as tables on the terminal; everything that is not printed stands in the report file."""

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ops.replay.rows import numbers_text

_HUNDREDTH = Decimal("0.01")
_SPREADS = {
    "first_response_hours": "first response, hours",
    "first_response_working_hours": "first response, working hours",
    "completion_hours": "completion, hours",
    "completion_working_hours": "completion, working hours",
    "queue_hours": "in a queue, hours",
    "solution_days": "solution, days",
}
_LOCAL_TIMES = {
    "twice": "a local time that the clocks show twice",
    "never": "a local time that the clocks skip",
    "guessed": "of these, the order of the file leaves open which time is meant",
}
_READINGS = {
    "elapsed_days": "n × 24 hours",
    "working_days_end_of_day": "end of the n-th working day",
    "working_hours_days": "n working days of hours",
}


def print_report(report: dict[str, Any], console: Console) -> None:
    """Prints what became of the rows, then the figures."""
    rows, figures = report["rows"], report["figures"]
    counts = [f"{value:,} {name.replace('_', ' ')}" for name, value in figures.items() if isinstance(value, int)]
    for line in (
        f"{report['file']['name']} with the mapping {report['mapping']}",
        f"{rows['read']:,} rows read: {rows['mapped']:,} mapped to {rows['events']:,} events{_rest(rows)}",
        ", ".join(counts),
    ):
        console.print(line, soft_wrap=True, highlight=False)
    for line in (*_refusals(report), *_local_times(report["local_times"]), *(f"hint: {hint['hint']}" for hint in report["hints"])):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(_spreads(figures))
    if "completed_within" in figures:
        console.print(_within(figures))
        for table in _priorities(figures["by_priority"] | {"all": figures}):
            console.print(table)
    for name in ("within_working_days", "satisfaction", "by_outcome"):
        if name in figures:
            how = f", {_judged(figures)}" if name == "within_working_days" else ""
            console.print(_pairs(f"{name.replace('_', ' ')}{how}", figures[name].items()))
    if "compensation" in figures:
        console.print(f"compensation in all: {Decimal(figures['compensation']):,}", highlight=False)
    if "published" in report:
        console.print(f"{report['published']:,} events published to Kafka", highlight=False)


def _rest(rows: dict[str, Any]) -> str:
    parts = [f"{count:,} {what} ({reason})" for what in ("skipped", "rejected") for reason, count in rows[what].items()]
    return ", " + ", ".join(parts) if parts else ", none skipped, none rejected"


def _refusals(report: dict[str, Any]) -> Iterator[str]:
    """Why rows are rejected and which; what is refused of a row that can be read changes no figure."""
    for reason, rows in report["rejected"].items():
        yield f"  {reason}: {numbers_text(rows['first'], rows['rows'])}"


def _local_times(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Which rows have a time that the clocks show twice or never, and for which of them nothing says what is meant."""
    for kind, told in _LOCAL_TIMES.items():
        if rows := found[kind]["rows"]:
            yield f"  {told}: {numbers_text(found[kind]['first'], rows)}"


def _judged(figures: dict[str, Any]) -> str:
    """How it was judged what is in time."""
    by = figures["in_time_by"]
    if not by["date"]:
        return "by the deadline"
    return "by the date" if not by["deadline"] else f"{by['deadline']:,} by the deadline and {by['date']:,} by the date"


def _spreads(figures: dict[str, Any]) -> Table:
    names = ("n", "mean", "p50", "p90", "p99")
    table = _table("how long it took", names)
    for key, title in _SPREADS.items():
        if key in figures:
            table.add_row(title, *(_short(figures[key].get(name)) for name in names))
    return table


def _within(figures: dict[str, Any]) -> Table:
    readings = figures["completed_within"]
    table = _table(
        f"in time, of {figures['completions']:,} completions, {_judged(figures)}", (f"n = {days}" for days in readings["elapsed_days"])
    )
    for key, title in _READINGS.items():
        table.add_row(title, *(f"{count:,}" for count in readings[key].values()))
    return table


def _priorities(parts: dict[str, dict[str, Any]]) -> Iterator[Table]:
    hours = _table("working hours", ("cases", "to response", "to completion", "p50", "p90", "reopened"))
    parties = list(parts["all"]["waiting_hours"])
    waits = _table("paused, of the time from first to last event", parties)
    for name, part in parts.items():
        response, done = part["first_response_working_hours"], part["completion_working_hours"]
        times = (response["mean"], done["mean"], done["p50"], done["p90"])
        hours.add_row(name, f"{part['cases']:,}", *map(_short, times), f"{part['reopened_cases']:,}")
        waits.add_row(name, *(f"{_short(Decimal(part['paused_share'].get(party, '0')) * 100)} %" for party in parties))
    yield hours
    yield waits


def _pairs(title: str, pairs: Iterable[tuple[str, Any]]) -> Table:
    table = _table(title, ("",))
    for name, value in pairs:
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    return table


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(title, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _short(value: object) -> str:
    match value:
        case None:
            return "–"
        case int():
            return f"{value:,}"
        case _:
            return f"{Decimal(str(value)).quantize(_HUNDREDTH, ROUND_HALF_UP):,}"
