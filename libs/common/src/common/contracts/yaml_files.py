"""YAML as people hand it in: read in time that grows with the file, with the line of what is wrong.

What aliases (`*name`) stand for counts as if it were written out, since a few lines of them may stand for gigabytes, or for
themselves. Tags (`!name`) are refused. Days stay text, as in JSON.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import yaml

from common.kernel.nesting import DEEPEST

MOST_BYTES = 1024 * 1024
"""The largest file; the schemes and policies that ship have a hundredth of it."""
MOST_VALUES = 200_000
"""How many values a file may hold, with those that its aliases stand for."""


class NotYaml(ValueError):
    """The file holds no YAML that we take; `line` is where, `problem` what it is."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


class Document(NamedTuple):
    """A document, and the node that it was made from, which knows the lines; None for an empty file."""

    value: Any
    root: yaml.Node | None


class _Loader(yaml.CSafeLoader):
    """Days stay text, and a number too long to be read is an error of its line like any other."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML keeps its table of shapes in the class
        first: [(tag, shape) for tag, shape in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError:
            raise NotYaml(node.start_mark.line + 1, "the value cannot be read: write it as text, in quotes") from None


def checked_text(raw: bytes) -> str:
    """The text of a YAML file; raises `NotYaml` for other encodings, tags, too much or too deep, and what is no YAML."""
    if len(raw) > MOST_BYTES:
        raise NotYaml(1, f"the file has {len(raw)} bytes, and at most {MOST_BYTES} are taken")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise NotYaml(raw.count(b"\n", 0, problem.start) + 1, "the file is not text in UTF-8") from None
    try:
        _measure(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as problem:
        raise _no_yaml(problem) from None
    return text


class _Size(NamedTuple):
    values: int
    depth: int  # levels of lists and objects, 0 for a scalar


def _measure(events: Iterable[yaml.Event]) -> None:
    """Refuses what is too large or too deep once aliases are written out, or never ends, and tags."""
    anchored: dict[str, _Size] = {}
    inside: list[tuple[str | None, _Size]] = [(None, _Size(0, 0))]  # the collections around, each with what was in it so far
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchored:
                raise _at(event, f"the alias *{str(event.anchor)[:64]} stands for nothing before it, or for what it stands in")
            anchor, size = None, anchored[event.anchor]
        elif getattr(event, "tag", None) is not None:
            raise _at(event, "a tag (!name) is not taken: a value is what it looks like")
        elif isinstance(event, yaml.CollectionStartEvent):
            inside.append((event.anchor, _Size(1, 0)))
            if len(inside) - 1 > DEEPEST:
                raise _at(event, f"nested deeper than {DEEPEST} levels")
            continue
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, (values, depth) = inside.pop()
            size = _Size(values, depth + 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, _Size(1, 0)
        else:
            continue
        if anchor is not None:
            anchored[anchor] = size
        around, (values, depth) = inside[-1]
        inside[-1] = around, _Size(values + size.values, max(depth, size.depth))
        if len(inside) - 1 + size.depth > DEEPEST:
            raise _at(event, f"nested deeper than {DEEPEST} levels")
        if values + size.values > MOST_VALUES:
            raise _at(event, f"more than {MOST_VALUES} values, with those that aliases stand for")


def _at(event: yaml.Event, problem: str) -> NotYaml:
    return NotYaml(1 if event.start_mark is None else event.start_mark.line + 1, problem)


def read_yaml(raw: bytes) -> Document:
    """The one document of a file; raises `NotYaml` as `checked_text` does, and for values that cannot be read."""
    loader = _Loader(checked_text(raw))
    try:
        root = loader.get_single_node()
        return Document(None if root is None else loader.construct_document(root), root)
    except yaml.YAMLError as problem:
        raise _no_yaml(problem) from None
    finally:
        loader.dispose()


def _no_yaml(problem: yaml.YAMLError) -> NotYaml:
    mark = getattr(problem, "problem_mark", None)
    return NotYaml(1 if mark is None else mark.line + 1, str(getattr(problem, "problem", None) or "the text is no YAML"))
