"""What `aftersales clock calculate` answers a second on one core, and how soon it answers the first question.

Beside it, in the same run, the ceiling of any such command in Python: a process that only reads each line as JSON and writes it
again. Goals (interfaces 3): 20,000 single questions a second, calendars named, or inline and seen before; the first answer within
half a second.

    python benchmarks/clock_calculate.py [--questions 200000]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

RATE, START = 20_000, 0.5
COMMAND = [str(Path(sys.executable).with_name("aftersales")), "clock", "calculate"]
ECHO = [sys.executable, "-c", "import json, sys\nfor line in sys.stdin.buffer: sys.stdout.write(json.dumps(json.loads(line)) + '\\n')"]
SHOP = {
    "time_zone": "Asia/Shanghai",
    "weekly_hours": {day: [["09:00", "12:00"], ["13:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    "closed_dates": ["2026-10-01", "2026-10-02"],
}


class Run(NamedTuple):
    """What one process took."""

    cpu: float
    wall: float


def questions(number: int, calendar: object) -> Iterator[dict[str, Any]]:
    """Deadlines in working time and working days, spans and dates, in turns."""
    for n in range(number):
        at = f"2026-{n % 9 + 1:02}-{n % 28 + 1:02}T{n % 24:02}:00:00+08:00"
        asked: list[dict[str, Any]] = [
            {"start": at, "target": {"working_seconds": n * 37 % 10**6}},
            {"start": at, "target": {"working_days": n % 5 + 1}},
            {"start": at, "end": f"2026-11-{n % 28 + 1:02}T10:00:00+08:00"},
            {"date": at[:10]},
        ]
        yield {"id": n, "calendar": calendar, **asked[n % len(asked)]}


def run(command: list[str], lines: bytes) -> Run:
    """Feeds a process and waits for its end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, input=lines, capture_output=True, check=True)
    assert done.stdout.count(b"\n") == lines.count(b"\n")
    assert b'"error"' not in done.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - began)


def main() -> None:
    """Prints the rates beside the ceiling; exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200_000)
    number = parser.parse_args().questions
    one = b'{"id": 1, "calendar": "cn", "start": "2026-01-05T09:00:00Z", "target": {"working_days": 3}}\n'
    start = min(run(COMMAND, one).wall for _ in range(5))
    met = start < START
    print(f"the first answer: {start:.2f} s (goal: below {START} s)")
    print(f"{'questions a second of CPU time':<34}{'ours':>12}{'JSON in and out':>18}{'share':>10}")
    for name, calendar in (("a calendar by name", "cn"), ("inline, seen before", SHOP)):
        lines = b"".join(json.dumps(question).encode() + b"\n" for question in questions(number, calendar))
        rates = [max(number / run(command, lines).cpu for _ in range(3)) for command in (COMMAND, ECHO)]
        met &= rates[0] >= RATE
        print(f"{name:<34}{rates[0]:>12,.0f}{rates[1]:>18,.0f}{rates[0] / rates[1]:>10.0%}")
    print(f"goals: {'met' if met else 'missed'}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
