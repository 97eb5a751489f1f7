"""A defect is planted, and the tests that run its line are asked, cheapest first, until one fails."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pytest
from tests.mutation.covered_lines import OPTIONS, PassedTest
from tests.mutation.defects import Defect
from tests.mutation.tree import TOO_LONG, in_child, planted

_LEAST_SECONDS = 60.0
_MOST_SECONDS = 300.0
"""Of the tests that run a line so many seconds are tried; a defect that only a dearer one finds counts as not found."""
_FOUND = {int(pytest.ExitCode.TESTS_FAILED), int(pytest.ExitCode.INTERRUPTED), int(pytest.ExitCode.USAGE_ERROR), 3}


@dataclass(frozen=True)
class Verdict:
    """Whether a planted defect was found, and by which test; `by` says why not, if it was not."""

    defect: Defect
    found: bool
    by: str


def asked(defect: Defect, runs: Iterable[PassedTest]) -> list[PassedTest]:
    """The tests that run the statement, cheapest first; if an import runs it, those that use what it makes first, for half of the time."""
    runs = list(runs)
    lines = defect.run_by if defect.runs_on_import else defect.statement
    at_line = [run for run in runs if not run.lines.get(defect.path, frozenset()).isdisjoint(lines)]
    if not defect.runs_on_import:
        return _within(_MOST_SECONDS, at_line)
    using = _within(_MOST_SECONDS / 2, at_line)
    names = {run.name for run in using}
    importing = [run for run in runs if defect.path in run.lines and run.name not in names]
    return using + _within(_MOST_SECONDS / 2, importing)


def _within(seconds: float, runs: list[PassedTest]) -> list[PassedTest]:
    """The first of these tests that take no longer together."""
    return [run for run, until in zip(runs, accumulate(run.seconds for run in runs), strict=True) if until <= seconds]


def tried(defect: Defect, runs: Iterable[PassedTest], tree: Path, output: Path) -> Verdict:
    """What the tests say to the defect."""
    chosen = asked(defect, runs)
    if not chosen:
        return Verdict(defect, False, "no test runs it")
    file = tree / defect.path
    limit = _LEAST_SECONDS + 5 * sum(run.seconds for run in chosen)
    with planted(file, defect.planted_in(file.read_bytes())):
        code = in_child(tree, output, lambda: _ask(chosen), seconds=limit)
    if code == TOO_LONG:
        if in_child(tree, output, lambda: _ask(chosen), seconds=limit) == TOO_LONG:
            return Verdict(defect, False, f"no end after {limit:.0f} s, with the defect or without it")
        return Verdict(defect, True, f"no end after {limit:.0f} s")
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        return Verdict(defect, False, "with it none of the tests that run it is there")
    if code in _FOUND:
        return Verdict(defect, True, _failed_in(output))
    if code:
        return Verdict(defect, True, f"the run ended with {code}")
    return Verdict(defect, False, f"{len(chosen)} tests passed")


class _Chosen:
    """A plugin of pytest: only the chosen tests, in their order."""

    def __init__(self, runs: list[PassedTest]) -> None:
        self._order = {run.name: number for number, run in enumerate(runs)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid])


def _ask(chosen: list[PassedTest]) -> int:
    tests = sorted({run.file for run in chosen})
    return int(pytest.main([*OPTIONS, "-x", "--tb=line", *tests], plugins=[_Chosen(chosen)]))


def _failed_in(output: Path) -> str:
    said = output.read_text("utf-8", errors="replace")
    named = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", said, re.MULTILINE)
    return named[1] if named else "the tests could not be collected"
