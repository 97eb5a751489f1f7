"""`aftersales clock`: `calculate` answers JSON lines about working time and SLA clocks, without Kafka or a database (interfaces 3).

Read with argparse: Typer imports pydantic as soon as it reads an option, and `calculate` starts in under half a second. What
`explain` needs is imported when it is asked for.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from common.kernel.calendars import BUILT_IN
from common.kernel.faults import Fault
from common.kernel.json_lines import Source, answer_lines, parse_object
from common.kernel.working_time import Calendar
from ops.clock_questions import Questions


def run(arguments: Sequence[str]) -> int:
    """Working time, deadlines and SLA clocks, calculated from JSON lines.

    Runs `aftersales clock` with the words after its name; 0 when every line was answered, 2 for a wrong option or file,
    1 when the reader of the answers went away.
    """
    if arguments[:1] == ["explain"]:
        return _explain(arguments[1:])
    parser = argparse.ArgumentParser(prog="aftersales clock", description="Working time, deadlines and SLA clocks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    calculate = commands.add_parser(
        "calculate",
        help="answer questions about working time and clocks",
        description="Answers each JSON line of standard input by one line on standard output, in the same order.",
    )
    calculate.add_argument("--calendars", type=Path, metavar="FILE", help="JSON file of further calendars: {name: calendar}")
    commands.add_parser("explain", help="show how a service's clock came to its deadline and outcome", add_help=False)
    options = parser.parse_args(arguments)
    try:
        others = {} if options.calendars is None else _read_calendars(options.calendars)
    except (OSError, Fault) as problem:
        calculate.error(f"--calendars {options.calendars}: {problem}")
    return _calculate(Questions(others))


def _explain(arguments: Sequence[str]) -> int:
    from ops.clock_explain import app

    app(args=list(arguments), prog_name="aftersales clock explain")  # ends the process with its own status
    return 0


def _calculate(questions: Questions) -> int:
    try:
        answer_lines(cast(Source, sys.stdin.buffer), sys.stdout.buffer, questions.answer)
    except BrokenPipeError:
        # Without this the interpreter would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _read_calendars(path: Path) -> dict[str, Calendar]:
    documents = parse_object(path.read_bytes())
    taken = sorted(set(documents) & set(BUILT_IN))
    if taken:
        raise Fault((taken[0],), "bad_calendar", "a built-in calendar has this name")
    return {name: Calendar.from_json(document, (name,)) for name, document in documents.items()}
