"""What is read at once is short, and an import that no rule allows says why."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = [path for folder in ("libs", "services") for path in sorted((ROOT / folder).glob("*/src/**/*.py"))]
CODE = [path for path in SHIPPED if "versions" not in path.parts]  # a migration is a list of statements
MODULE_LINES, FUNCTION_LINES = 300, 50


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


def test_every_import_that_a_rule_lets_pass_says_why() -> None:
    lines = (ROOT / ".importlinter").read_text("utf-8").splitlines()
    passed = [(before, line.strip()) for before, line in pairwise(lines) if "->" in line and not line.startswith(";")]
    assert passed
    assert [line for before, line in passed if not before.strip().startswith(";")] == []
