"""Whoever finds a line in a log finds it in the runbook: each event with its level, its fields and what to do, and no other."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("libs", "services") for path in sorted((ROOT / folder).glob("*/src/**/*.py"))]
RUNBOOK = (ROOT / "docs/runbook.md").read_text("utf-8")
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
OF_AN_ERROR = {"error", "raised_at"}
"""What a reader sees of `exc_info`."""


@dataclass
class Said:
    """What is known of one log event: over all places in the code, or in its row of the runbook."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def calls(source: str) -> Iterator[tuple[set[str], set[str], set[str]]]:
    """Events, levels and fields of each call on a module's `log`: `log.log` and `"a" if … else "b"` have two."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
            continue
        if node.func.value.id != "log" or node.func.attr not in (*LEVELS, "log"):
            continue
        levels, arguments = {node.func.attr}, node.args
        if node.func.attr == "log":
            found = re.compile("|".join(map(str.upper, LEVELS))).findall(_assigned(source, ast.unparse(arguments[0])))
            levels, arguments = {name.lower() for name in found}, arguments[1:]
        events = {one.value for one in _results(arguments[0]) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
        assert events, f"no name: {ast.unparse(node)}"
        assert len(arguments) == 1, f"a text that is filled in: {ast.unparse(node)}"
        names = {keyword.arg or "**" for keyword in node.keywords}
        yield events, levels, (names - {"exc_info"}) | (OF_AN_ERROR if "exc_info" in names else set())


def _results(node: ast.expr) -> list[ast.expr]:
    """What an expression may come to."""
    return [*_results(node.body), *_results(node.orelse)] if isinstance(node, ast.IfExp) else [node]


def _assigned(source: str, name: str) -> str:
    """The expression that a name stands for in its module, or the expression itself."""
    found = re.search(rf"^\s*{re.escape(name)} = (.+)$", source, re.MULTILINE)
    return name if found is None else found[1]


def in_the_code() -> dict[str, Said]:
    said: dict[str, Said] = defaultdict(Said)
    for path in SOURCES:
        for events, levels, fields in calls(path.read_text("utf-8")):
            for event in events:
                said[event].levels |= levels
                said[event].fields |= fields
    return dict(said)


def rows() -> Iterator[list[str]]:
    """The rows of the runbook's table of log events."""
    table = RUNBOOK.partition("## What a log says")[2]
    for line in table.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def in_the_runbook() -> dict[str, Said]:
    return {event.strip("`"): Said(set(levels.split(", ")), set(re.findall(r"`(\w+)`", fields))) for event, levels, fields, *_ in rows()}


def anchors() -> set[str]:
    """The headings of the runbook as links name them."""
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_log_event_stands_in_the_runbook_with_its_level_and_its_fields() -> None:
    assert in_the_runbook() == in_the_code()


def test_the_table_has_each_event_once_and_in_order() -> None:
    names = [event for event, *_ in rows()]
    assert names == sorted(set(names))


def test_every_warning_and_every_error_leads_to_an_entry_of_the_runbook() -> None:
    for event, levels, _, meaning, leads_to in rows():
        assert meaning, event
        link = re.fullmatch(r"\[.+\]\(#(.+)\)", leads_to)
        assert (link is None) == (levels == "info"), event
        assert link is None or link[1] in anchors(), event


def test_no_library_of_logs_is_called_but_by_the_name_log() -> None:
    made = re.compile(r"^(\w+) = structlog\.get_logger", re.MULTILINE)
    assert {name for path in SOURCES for name in made.findall(path.read_text("utf-8"))} == {"log"}


def test_calls_are_read_with_both_names_and_both_levels() -> None:
    source = """
level = logging.WARNING if mild else logging.ERROR
log.log(level, "failed", records=1)
log.info("lost" if gone else "taken", epoch=2, exc_info=error)
"""
    assert list(calls(source)) == [
        ({"failed"}, {"warning", "error"}, {"records"}),
        ({"lost", "taken"}, {"info"}, {"epoch", "error", "raised_at"}),
    ]
