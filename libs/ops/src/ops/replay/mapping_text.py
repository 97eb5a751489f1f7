"""The text of a mapping: YAML read within bounds, each place of it with its line."""

import re
from typing import Any

import yaml

from ops.replay.declarations import MappingError

LARGEST = 128 * 1024
"""The most characters that a mapping may have."""
_DEEPEST = 50
_MOST_VALUES = 50_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same in C where PyYAML has it, ten times as fast."""
_STEP = re.compile(r"\[(\d+)\]")


class Declared:
    """A text's declarations, and where they stand; raises `MappingError` for what is no YAML or exceeds a bound."""

    def __init__(self, text: str) -> None:
        if len(text) > LARGEST:
            raise MappingError("", f"a mapping may have {LARGEST // 1024} KB; this one is larger")
        try:
            self._root = yaml.compose(text, Loader=_LOADER)
        except yaml.YAMLError as problem:
            raise MappingError("", f"not YAML: {_said(problem)}") from None
        except (RecursionError, UnicodeError) as problem:
            raise (_too_deep(None) if isinstance(problem, RecursionError) else MappingError("", "not YAML: half a character")) from None
        self.document: object = None
        if self._root is not None:
            _measured(self._root, {}, 0)
            self.document = _constructed(self._root)

    def line_of(self, place: str) -> int:
        """The line of a place such as `claims[2].fields.by`, or of what is nearest around it."""
        node, rest, line = self._root, place, 1
        while node is not None and rest:
            line = node.start_mark.line + 1 if node is not self._root else 1
            found = _inner(node, rest)
            if found is None:
                break
            line, node, rest = found
        return line


def _inner(node: yaml.Node, rest: str) -> tuple[int, yaml.Node, str] | None:
    """One step into a node along a place: the line, the node there, and the rest of the way."""
    if isinstance(node, yaml.SequenceNode):
        step = _STEP.match(rest)
        if step is None or int(step[1]) >= len(node.value):
            return None
        inner = node.value[int(step[1])]
        return inner.start_mark.line + 1, inner, rest[step.end() :].removeprefix(".")
    if isinstance(node, yaml.MappingNode):
        for key, value in sorted(node.value, key=lambda pair: -len(str(pair[0].value))):
            name = str(key.value)
            if rest == name or rest.startswith((f"{name}.", f"{name}[")):
                return key.start_mark.line + 1, value, rest[len(name) :].removeprefix(".")
    return None


def _measured(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """How many values a node stands for, those that it refers to counted wherever it does so."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in known:
        if known[id(node)] == 0:
            raise MappingError(_line(node), "it refers to itself")
        return known[id(node)]
    if depth > _DEEPEST:
        raise _too_deep(node)
    known[id(node)] = 0
    inner = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
    total = 1 + sum(_measured(part, known, depth + 1) for part in inner)
    if total > _MOST_VALUES:
        raise MappingError(_line(node), f"it stands for more than {_MOST_VALUES:,} values")
    known[id(node)] = total
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
    return total


def _check_keys(node: yaml.MappingNode) -> None:
    """A key that stands twice is an error: of two rules for one thing nobody knows which one counts."""
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise MappingError(_line(key), "a text is expected as a key")
        if (key.tag, key.value) in seen:
            raise MappingError(_line(key), f"the key {key.value[:64]!r} stands twice")
        seen.add((key.tag, key.value))


def _constructed(root: yaml.Node) -> object:
    try:
        return yaml.constructor.SafeConstructor().construct_document(root)
    except yaml.YAMLError as problem:
        raise MappingError("", f"not YAML: {_said(problem)}") from None
    except (ValueError, AttributeError, KeyError, IndexError, TypeError, OverflowError) as problem:
        # PyYAML's answers to a date like 2026-13-45, a number of 5,000 digits and tags on texts that do not suit them
        raise MappingError("", f"not YAML: a value is not what it looks like ({type(problem).__name__}); put it in quotes") from None


def _said(problem: yaml.YAMLError) -> str:
    mark = getattr(problem, "problem_mark", None)
    what = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "it cannot be read"
    return what if mark is None else f"line {mark.line + 1}: {what}"


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _too_deep(node: yaml.Node | None) -> MappingError:
    return MappingError("" if node is None else _line(node), f"it is nested more than {_DEEPEST} deep")
