"""`aftersales clock calculate`: working time and SLA clocks as JSON lines, without Kafka or a database (interfaces 3)."""

import os
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from common.kernel.calendars import BUILT_IN
from common.kernel.clock_errors import ClockError
from common.kernel.json_lines import NotStrict, Source, answer_lines, parse_object
from common.kernel.working_time import Calendar
from ops.clock_questions import Questions

app = typer.Typer(help="Working time, deadlines and SLA clocks.", no_args_is_help=True, add_completion=False)


@app.callback()
def clock() -> None:
    """Working time, deadlines and SLA clocks."""


@app.command()
def calculate(
    calendars: Annotated[
        Path | None, typer.Option(help="JSON file of further calendars by name: {name: calendar}.", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Answers each JSON line of standard input by one line on standard output, in the same order."""
    questions = Questions({} if calendars is None else _read_calendars(calendars))
    try:
        answer_lines(cast(Source, sys.stdin.buffer), sys.stdout.buffer, questions.answer)
    except BrokenPipeError:
        # Whoever reads has gone; without this the interpreter would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def _read_calendars(path: Path) -> dict[str, Calendar]:
    try:
        documents = parse_object(path.read_bytes())
        taken = sorted(set(documents) & set(BUILT_IN))
        if taken:
            raise ClockError("bad_calendar", taken[0], "a built-in calendar has this name")
        return {name: Calendar.from_json(document, name) for name, document in documents.items()}
    except (NotStrict, ClockError) as problem:
        raise typer.BadParameter(f"{path}: {problem}", param_hint="--calendars") from None
