"""3,000 questions to the two calculators with their answers, kept beside this module.

A file holds two lines for each question: the question, and the answer that the command line gave to it.
"""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.net.clock_questions import clock_question
from tests.net.grade_questions import grade_question

from ops.main import main

HERE = Path(__file__).parent
NUMBER = 1_500
COMMANDS = {
    "clock": ("clock", "calculate", "--calendars", str(HERE / "calendars.json")),
    "grade": ("grade", "calculate", "--schemes", str(HERE / "schemes")),
}
_DRAWN: dict[str, Callable[[int], bytes]] = {"clock": clock_question, "grade": grade_question}


def drawn(calculator: str) -> list[bytes]:
    """The questions to one calculator, by their number."""
    return [_DRAWN[calculator](number) for number in range(NUMBER)]


def kept(calculator: str) -> tuple[list[bytes], list[bytes]]:
    """The questions and the answers that are kept for it."""
    lines = file_of(calculator).read_bytes().split(b"\n")[:-1]
    return lines[::2], lines[1::2]


def asked(calculator: str, questions: list[bytes]) -> list[bytes]:
    """What the command answers, one line a question; AssertionError unless it answers each."""
    with _standard_streams(b"\n".join(questions) + b"\n") as answers:
        try:
            status = main(COMMANDS[calculator])
        except SystemExit as end:
            status = end.code  # type: ignore[assignment]  # how Typer ends a command: always with a number
    found = answers.getvalue().split(b"\n")[:-1]
    assert (status, len(found)) == (0, len(questions))
    return found


@contextmanager
def _standard_streams(given: bytes) -> Iterator[io.BytesIO]:
    """Standard input that holds these bytes, and what is written to standard output meanwhile."""
    before = sys.stdin, sys.stdout
    taken = io.BytesIO()
    sys.stdin, sys.stdout = io.TextIOWrapper(io.BytesIO(given)), io.TextIOWrapper(taken)
    output = sys.stdout
    try:
        yield taken
    finally:
        output.detach()
        sys.stdin, sys.stdout = before


def file_of(calculator: str) -> Path:
    """Where they are kept."""
    return HERE / f"{calculator}.jsonl"
