"""Which tests run which lines, and how long each takes: asked once for each file of tests, and kept as long as what it ran is the same."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage
from tests.mutation.tree import ROOT, in_child

CACHE = ROOT / ".cache/mutation"
_LONGEST_FILE = 900.0
OPTIONS = ["-q", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
"""Packages of others are imported before pytest starts, which it would say of each."""
_IMPORTED = ""
PLANTED_IN = ("libs/common/", "services/")


@dataclass(frozen=True)
class PassedTest:
    """One passed test: its name, its seconds, and the lines it ran in each module."""

    name: str
    seconds: float
    lines: dict[str, frozenset[int]]

    @property
    def file(self) -> str:
        """The file in which the test stands."""
        return self.name.split("::")[0]


def runs_of(tree: Path, tests: list[str], say: Any = print) -> list[PassedTest]:
    """Each test of these files that passes, cheapest first."""
    found: list[PassedTest] = []
    for test in tests:
        kept = CACHE / (test.replace("/", "+") + ".json")
        if not _is_current(kept):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.unlink(missing_ok=True)
            began = time.monotonic()
            code = in_child(tree, kept.with_suffix(".log"), partial(_collect, tree, test, kept), seconds=_LONGEST_FILE)
            say(f"  {test}: {time.monotonic() - began:.0f} s" + (f", ended with {code}" if code else ""), flush=True)
        if kept.exists():
            found += [
                PassedTest(one["name"], one["seconds"], {path: frozenset(lines) for path, lines in one["lines"].items()})
                for one in json.loads(kept.read_text("utf-8"))["passed"]
            ]
    return sorted(found, key=lambda run: (run.seconds, run.name))


def _is_current(kept: Path) -> bool:
    """Whether every module that the tests ran is as it was then, the tests among them."""
    if not kept.exists():
        return False
    ran: dict[str, str] = json.loads(kept.read_text("utf-8"))["ran"]
    return all((ROOT / path).exists() and _digest(ROOT / path) == digest for path, digest in ran.items())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


class _Lines:
    """A plugin of pytest: the lines of each test are counted under its name."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._failed: set[str] = set()
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        began = time.monotonic()
        result = yield
        self.seconds[item.nodeid] = time.monotonic() - began
        self._coverage.switch_context(_IMPORTED)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self._failed.add(report.nodeid)

    @property
    def passed(self) -> list[str]:
        """The tests that neither failed nor were skipped."""
        return [name for name in self.seconds if name not in self._failed]


def _collect(tree: Path, test: str, kept: Path) -> int:
    """Runs one file of tests under coverage and writes what it saw."""
    places = [f"{tree}/libs/*/src/*", f"{tree}/services/*/src/*", f"{tree}/tests/*"]
    coverage = Coverage(data_file=None, config_file=False, include=places, concurrency=["greenlet", "thread"])
    lines = _Lines(coverage)
    coverage.start()
    code = pytest.main([*OPTIONS, "--tb=short", test], plugins=[lines])
    coverage.stop()
    data = coverage.get_data()
    found: dict[str, dict[str, list[int]]] = {name: {} for name in [_IMPORTED, *lines.passed]}
    found_in = {Path(file).relative_to(tree).as_posix() for file in data.measured_files()}
    for path in sorted(path for path in found_in if path.startswith(PLANTED_IN)):
        file = str(tree / path)
        for line, contexts in data.contexts_by_lineno(file).items():
            for name in contexts:
                if name in found:
                    found[name].setdefault(path, []).append(line)
    imported = {path: [0] for path in found.pop(_IMPORTED)}
    written = [{"name": name, "seconds": round(lines.seconds[name], 4), "lines": imported | by_path} for name, by_path in found.items()]
    ran = {path: _digest(tree / path) for path in sorted({*found_in, test})}
    kept.write_text(json.dumps({"ran": ran, "passed": written}), encoding="utf-8")
    return int(code)
