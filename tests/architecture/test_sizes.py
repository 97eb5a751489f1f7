"""What is read at once is short, and a check that is switched off says why."""

import ast
import re
import tokenize
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = [path for folder in ("libs", "services") for path in sorted((ROOT / folder).glob("*/src/**/*.py"))]
CODE = [path for path in SHIPPED if "versions" not in path.parts]  # a migration is a list of statements
EVERYTHING = [*SHIPPED, *(path for folder in ("tests", "tools", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py")))]
MODULE_LINES, FUNCTION_LINES = 300, 50
_SWITCHED_OFF = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b(?P<rules>:?[\s\w,]*?|\[[^\]]*\])(?P<reason>\s+(?:-|#)\s+\S.*)?$")


def test_no_module_is_longer_than_300_lines() -> None:
    long = {str(path.relative_to(ROOT)): n for path in CODE if (n := len(path.read_text("utf-8").splitlines())) > MODULE_LINES}
    assert long == {}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a module with its length in lines, its docstring included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_function_is_longer_than_50_lines() -> None:
    long = {f"{path.relative_to(ROOT)}: {name}": n for path in CODE for name, n in functions(path) if n > FUNCTION_LINES}
    assert long == {}


def without_reason(comment: str) -> bool:
    """Whether a comment switches a check off and does not say why."""
    found = _SWITCHED_OFF.search(comment)
    return found is not None and found["reason"] is None


def test_every_check_that_is_switched_off_says_why() -> None:
    silent = []
    for path in EVERYTHING:
        with tokenize.open(path) as source:
            comments = [token for token in tokenize.generate_tokens(source.readline) if token.type == tokenize.COMMENT]
        silent += [f"{path.relative_to(ROOT)}:{token.start[0]}: {token.string}" for token in comments if without_reason(token.string)]
    assert silent == []


def test_every_import_that_a_rule_lets_pass_says_why() -> None:
    lines = (ROOT / ".importlinter").read_text("utf-8").splitlines()
    passed = [(before, line.strip()) for before, line in pairwise(lines) if "->" in line and not line.startswith(";")]
    assert passed
    assert [line for before, line in passed if not before.strip().startswith(";")] == []


@pytest.mark.parametrize(
    ("comment", "is_silent"),
    [
        ("# noqa: S608", True),
        ("# noqa", True),
        ("# type: ignore[misc]", True),
        ("# noqa: S608 - a constant of ours", False),
        ("# type: ignore[misc]  # aiokafka ships no types", False),
        ("# why a retry is safe", False),
    ],
)
def test_a_silent_switch_is_told_from_one_with_a_reason(comment: str, is_silent: bool) -> None:
    assert without_reason(comment) is is_silent
