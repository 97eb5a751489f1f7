"""Rows of a log in any order, put into the order of case and time within a bounded memory."""

import heapq
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from tempfile import TemporaryFile
from typing import IO

from ops.replay.local_times import settled
from ops.replay.rows import Row

HELD = 100_000
"""How many rows are held in memory; more go to temporary files that are merged."""


def by_case(rows: Iterable[Row], held: int = HELD) -> Iterator[list[Row]]:
    """The rows of each case in the order of time, rows of one instant as they stood in the file; cases by their id."""
    for _, case in groupby(_sorted(rows, held), key=attrgetter("case")):
        yield settled(list(case))


def _sorted(rows: Iterable[Row], held: int) -> Iterator[Row]:
    runs: list[IO[str]] = []
    run: list[Row] = []
    try:
        for row in rows:
            run.append(row)
            if len(run) == held:
                runs.append(_written(sorted(run)))
                run = []
        run.sort()
        yield from heapq.merge(run, *map(_read, runs)) if runs else run
    finally:
        for file in runs:
            file.close()


def _written(run: list[Row]) -> IO[str]:
    file = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by the caller, after the merge
    file.writelines(json.dumps(row) + "\n" for row in run)
    return file


def _read(file: IO[str]) -> Iterator[Row]:
    file.seek(0)
    for line in file:
        case, at, number, rule, values, *rest = json.loads(line)
        yield Row(case, at, number, rule, tuple(values), *rest)
