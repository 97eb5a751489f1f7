"""Every defect of one small step that could stand in a module: an edge moved, a condition turned, a statement left out.

A defect is a piece of the text and what stands there instead, so that the rest of the file, its lines and its comments stay as they are.
What nobody can observe is not planted: annotations, docstrings, log lines, `assert` and the `strict` of a zip, options of a dataclass,
words of a message, another order of what `min` or `max` compare.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
Step: TypeAlias = tuple[Span, str, str]
"""Where in the text, what stands there instead, and the name of the step."""

_COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_REACHED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
_OTHER_FUNCTION = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_OF_ANY_ORDER = {"min", "max"}
_SQL = re.compile(r"\b(SELECT|UPDATE|DELETE FROM|INSERT INTO|WHERE)\b")
_SQL_STEPS = {
    r"<=": "<",
    r">=": ">",
    r"(?<![<>-])<(?![=>])": "<=",
    r"(?<![<>=-])>(?![=>])": ">=",
    r"\bAND\b": "OR",
    r"\bOR\b": "AND",
    r"\bIS NULL\b": "IS NOT NULL",
    r"\bIS NOT NULL\b": "IS NULL",
    r"\bmin\(": "max(",
    r"\bmax\(": "min(",
    r"\bDESC\b": "ASC",
    r"\bleast\(": "greatest(",
    r"\bgreatest\(": "least(",
}
_UNSEEN_CALLS = {"log", "logger", "dataclass", "cast", "assert_never", "Literal", "TypeVar", "getLogger", "get_logger"}
_UNSEEN_OPTIONS = {"description", "slots", "frozen", "repr"}
_UNSEEN_ERRORS = {"AssertionError", "NotImplementedError"}


@dataclass(frozen=True)
class Defect:
    """One planted defect; `before` and `after` are the lines that differ, without their indentation, and name it beside its place.

    `statement` are the lines of the statement in which it stands, of a compound one its head; `run_by` those at which functions use it
    where an import runs it and it has a name, such as a query.
    """

    path: str
    inside: str
    line: int
    statement: range
    runs_on_import: bool
    run_by: frozenset[int]
    step: str
    span: Span
    text: str
    before: str
    after: str

    def planted_in(self, source: bytes) -> bytes:
        """The module with the defect."""
        start, end = self.span
        return source[:start] + self.text.encode() + source[end:]

    def diff(self, source: bytes) -> str:
        """The defect as a person reads it."""
        old, new = (text.decode().splitlines() for text in (source, self.planted_in(source)))
        return "\n".join(list(unified_diff(old, new, lineterm="", n=1))[2:])


def defects_of(path: str, source: bytes) -> list[Defect]:
    """Every defect that can be planted in the module, in the order of its text; of some no Python comes."""
    finder, module = _Finder(source), ast.parse(source)
    finder.visit(module)
    found = []
    run_by: dict[_Place, frozenset[int]] = {}
    for place, (span, text, step) in sorted(finder.found, key=lambda one: one[1]):
        if place not in run_by:
            run_by[place] = _run_by(module, place)
        defect = _named(path, replace(place, run_by=run_by[place]), source, span, text, step)
        if defect.before != defect.after:
            found.append(defect)
    return found


def at(path: str, source: bytes, before: str, after: str) -> Defect:
    """The defect that puts `after` where `before` stands, once; ValueError if it does not, or if no Python comes of it."""
    words = before.encode()
    if source.count(words) != 1:
        raise ValueError(f"{path}: stands {source.count(words)} times: {before}")
    start = source.index(words)
    line = source.count(b"\n", 0, start) + 1
    inside, statement, imported, module = "", range(line, line + 1), True, ast.parse(source)
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno < line <= (node.end_lineno or 0):
            inside, imported = node.name, False
        if isinstance(node, ast.stmt) and line in _lines(node):
            statement = _lines(node)
    place = _Place(inside, statement, imported)
    defect = _named(path, replace(place, run_by=_run_by(module, place)), source, (start, start + len(words)), after, "named")
    if not is_python(defect.planted_in(source)):
        raise ValueError(f"{path}: no Python: {after}")
    return defect


def is_python(source: bytes) -> bool:
    """Whether the text can be compiled."""
    try:
        compile(source, "planted", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


@dataclass(frozen=True)
class _Place:
    """Where in a module: the function or class, the statement, and whether an import runs it."""

    inside: str
    statement: range
    runs_on_import: bool
    run_by: frozenset[int] = frozenset()


def _run_by(module: ast.Module, place: _Place) -> frozenset[int]:
    """The lines of functions that use the constant which the statement makes, or another constant that is made of it."""
    names: set[str] = set()
    if place.runs_on_import:
        constants = [node for node in module.body if isinstance(node, ast.Assign | ast.AnnAssign)]
        for _ in range(3):  # a query of a query of a part
            names |= {
                name for node in constants if place.statement.start in _lines(node) or names & _used(node) for name in _assigned(node)
            }
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)] if names else []
    return frozenset(one.lineno for function in functions for one in ast.walk(function) if isinstance(one, ast.Name) and one.id in names)


def _used(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def _assigned(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _named(path: str, place: _Place, source: bytes, span: Span, text: str, step: str) -> Defect:
    start, end = source.rfind(b"\n", 0, span[0]) + 1, source.find(b"\n", span[1])
    lines = source[start : end if end >= 0 else len(source)]
    planted = lines[: span[0] - start] + text.encode() + lines[span[1] - start :]
    line = source.count(b"\n", 0, span[0]) + 1
    before, after = _words(lines), _words(planted)
    return Defect(path, place.inside, line, place.statement, place.runs_on_import, place.run_by, step, span, text, before, after)


def _words(lines: bytes) -> str:
    return " ".join(lines.decode().split())


class _Finder(ast.NodeVisitor):
    """Walks a module and keeps the steps that it finds, each with the function or class in which it stands."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._starts = [0, *(match.end() for match in re.finditer(rb"\n", source))]
        self._inside: list[str] = []
        self._functions = 0
        self._statement = range(0)
        self.found: list[tuple[_Place, Step]] = []

    def _span(self, node: ast.AST) -> Span:
        line, column, end_line, end_column = (getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"))
        return self._starts[line - 1] + column, self._starts[end_line - 1] + end_column

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _keep(self, steps: Iterator[Step]) -> None:
        place = _Place(".".join(self._inside), self._statement, self._functions == 0)
        self.found += [(place, step) for step in steps]

    def _between(self, left: ast.AST, right: ast.AST, old: str, new: str, step: str) -> Iterator[Step]:
        """The operator between two operands, whatever brackets stand around it."""
        start, end = self._span(left)[1], self._span(right)[0]
        words = rf"(?<!\w){re.escape(old)}(?!\w)" if old[0].isalpha() else re.escape(old)
        if match := re.search(words.replace(r"\ ", r"\s+").encode(), self._source[start:end]):
            yield (start + match.start(), start + match.end()), new, step

    def visit(self, node: ast.AST) -> None:
        """Keeps the steps of this node and goes on to what it holds."""
        if isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr):
            return
        if isinstance(node, ast.stmt):
            self._statement = _lines(node)
        if isinstance(node, ast.Call) and _root(node.func) in _UNSEEN_CALLS:
            return
        if isinstance(node, ast.keyword) and node.arg in _UNSEEN_OPTIONS:
            return
        if isinstance(node, ast.Call) and _root(node.func) == "zip":  # its `strict` is an assertion
            node = ast.copy_location(ast.Call(node.func, node.args, []), node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._visit_definition(node)
            return
        if isinstance(node, ast.AnnAssign):
            if node.value:
                self.visit(node.value)
            return
        if isinstance(node, ast.expr):
            self._keep(self._of_expression(node))
        elif isinstance(node, ast.stmt):
            self._keep(self._of_statement(node))
        elif isinstance(node, ast.comprehension):
            self._keep(self._of_filter(node))
        self.generic_visit(node)

    def _visit_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._inside.append(node.name)
        function = not isinstance(node, ast.ClassDef)
        if not isinstance(node, ast.ClassDef):
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default:
                    self.visit(default)
        self._functions += function
        for one in node.body:
            self.visit(one)
        self._functions -= function
        self._inside.pop()

    def _of_expression(self, node: ast.expr) -> Iterator[Step]:
        match node:
            case ast.Compare():
                for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                    yield from self._between(left, right, *_COMPARED[type(operator)], "comparison")
            case ast.BoolOp():
                old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield from self._between(left, right, old, new, "and or")
            case ast.BinOp(op=operator) if type(operator) in _REACHED:
                yield from self._between(node.left, node.right, *_REACHED[type(operator)], "operator")
            case ast.UnaryOp(op=ast.Not() | ast.USub()):
                yield self._span(node), self._text(node.operand), "not" if isinstance(node.op, ast.Not) else "sign"
            case ast.IfExp():
                yield from self._turned(node.test)
            case ast.Constant():
                yield from self._of_constant(node)
            case ast.Call():
                yield from self._of_call(node)
            case _:
                return

    def _turned(self, test: ast.expr) -> Iterator[Step]:
        """A condition that is no comparison of its own: those are turned by their operators."""
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield self._span(test), f"(not ({self._text(test)}))", "condition"

    def _of_constant(self, node: ast.Constant) -> Iterator[Step]:
        value = node.value
        if isinstance(value, bool):
            yield self._span(node), str(not value), "constant"
        elif isinstance(value, int):
            yield self._span(node), str(value + 1), "constant"
            if value:
                yield self._span(node), str(value - 1), "constant"
        elif isinstance(value, str) and _SQL.search(value):
            yield from self._of_sql(node)

    def _of_sql(self, node: ast.Constant) -> Iterator[Step]:
        start = self._span(node)[0]
        for pattern, other in _SQL_STEPS.items():
            for match in re.finditer(pattern.encode(), self._source[slice(*self._span(node))]):
                yield (start + match.start(), start + match.end()), other, "sql"

    def _of_call(self, node: ast.Call) -> Iterator[Step]:
        if isinstance(node.func, ast.Name) and node.func.id in _OTHER_FUNCTION:
            yield self._span(node.func), _OTHER_FUNCTION[node.func.id], "function"
        in_order = not (isinstance(node.func, ast.Name) and node.func.id in _OF_ANY_ORDER)
        if in_order and len(node.args) >= 2 and not any(isinstance(one, ast.Starred) for one in node.args[:2]):
            first, second = node.args[:2]
            between = self._source[self._span(first)[1] : self._span(second)[0]].decode()
            span = (self._span(first)[0], self._span(second)[1])
            yield span, self._text(second) + between + self._text(first), "arguments"
        for keyword in node.keywords:
            if keyword.arg and keyword.arg not in _UNSEEN_OPTIONS:
                start, end = self._span(keyword)
                rest = re.match(rb"\s*,", self._source[end:])
                yield (start, end + (rest.end() if rest else 0)), "", "keyword"

    def _of_filter(self, node: ast.comprehension) -> Iterator[Step]:
        for test in node.ifs:
            yield self._span(test), "True", "filter"

    def _of_statement(self, node: ast.stmt) -> Iterator[Step]:
        match node:
            case ast.Expr(value=ast.Constant()):
                return
            case ast.Expr(value=ast.Call() | ast.Await()):
                called = node.value.value if isinstance(node.value, ast.Await) else node.value
                if not (isinstance(called, ast.Call) and _root(called.func) in _UNSEEN_CALLS):
                    yield self._span(node), "pass", "statement"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign() | ast.Delete() | ast.Continue() | ast.Break():
                yield self._span(node), "pass", "statement"
            case ast.Raise(exc=raised):
                if _root(raised.func if isinstance(raised, ast.Call) else raised) not in _UNSEEN_ERRORS:
                    yield self._span(node), "pass", "statement"
            case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
                yield self._span(value), "None", "return"
            case ast.If() | ast.While():
                yield from self._turned(node.test)
            case _:
                return


def _lines(node: ast.stmt) -> range:
    """The lines of a statement, without those of the statements that it holds."""
    held = [one.lineno for one in ast.walk(node) if isinstance(one, ast.stmt) and one is not node]
    end = node.end_lineno or node.lineno
    return range(node.lineno, max(node.lineno + 1, min([*held, end + 1])))


def _root(node: ast.expr | None) -> str:
    """The first name of `log.info` or the only one of `log`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
