"""YAML as people hand it in: read in time that grows with the file, with the line of what is wrong.

What aliases (`*name`) stand for counts as if it were written out, since a few lines of them may stand for gigabytes, or for
themselves. Tags (`!name`) are refused. Days stay text, as in JSON.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import yaml

from common.kernel.faults import Fault, Where
from common.kernel.nesting import DEEPEST

MOST_BYTES = 1024 * 1024
"""The largest file; the schemes and policies that ship have a hundredth of it."""
MOST_VALUES = 200_000
"""How many values a file may hold, with those that its aliases stand for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a file: in which line, which rule it breaks, what it is, and what to do about it."""

    file: str
    line: int
    rule: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.what} · {self.remedy}"


@dataclass(frozen=True)
class YamlFile:
    """What a file holds, and in which line; `root` is the node that the value was made from, None for an empty file."""

    value: Any
    root: yaml.Node | None

    def line_of(self, where: Where) -> int:
        """The line of a value, or of the nearest one around it that the file has."""
        while where not in self._lines and where:
            where = where[:-1]
        return self._lines.get(where, 1)

    def twice(self) -> list[tuple[Where, int]]:
        """The names that stand twice in one object, and the line of each before: of two values nobody knows which one counts."""
        return self._read[1]

    @property
    def _lines(self) -> dict[Where, int]:
        return self._read[0]

    @cached_property
    def _read(self) -> tuple[dict[Where, int], list[tuple[Where, int]]]:
        lines: dict[Where, int] = {}
        return lines, [] if self.root is None else list(_noted(self.root, (), lines))


def _noted(node: yaml.Node, where: Where, lines: dict[Where, int]) -> Iterator[tuple[Where, int]]:
    """Notes the line of each value, and finds the names that come again."""
    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*where, str(key.value))
            if inner in lines:
                yield inner, lines[inner]
            lines[inner] = key.start_mark.line + 1
            yield from _noted(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _noted(value, (*where, number), lines)


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
            raise _no_yaml(node.start_mark.line + 1, "the value cannot be read: write it as text, in quotes") from None


class _TextLoader(yaml.CBaseLoader):
    """Text, lists and objects only: `70`, `"70"` and `no` are what they look like."""


def _checked_text(raw: bytes) -> str:
    """The text of a YAML file; raises a `Fault` `bad_yaml` for other encodings, tags, too much or too deep, and what is no YAML."""
    if len(raw) > MOST_BYTES:
        raise _no_yaml(1, f"the file has {len(raw)} bytes, and at most {MOST_BYTES} are taken")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _no_yaml(raw.count(b"\n", 0, problem.start) + 1, "the file is not text in UTF-8") from None
    try:
        _measure(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as problem:
        raise _refused(problem) from None
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


def _at(event: yaml.Event, problem: str) -> Fault:
    assert event.start_mark is not None  # the parser marks each event
    return _no_yaml(event.start_mark.line + 1, problem)


def read_yaml(raw: bytes, *, as_text: bool = False) -> YamlFile:
    """The one document of a file; with `as_text` all its scalars are text.

    Raises a `Fault` `bad_yaml` with the line, for other encodings, tags, too much or too deep, values that cannot be read, and what is
    no YAML. A name that stands twice is read: ask `twice`.
    """
    loader = (_TextLoader if as_text else _Loader)(_checked_text(raw))
    try:
        root = loader.get_single_node()
        return YamlFile(None if root is None else loader.construct_document(root), root)
    except yaml.YAMLError as problem:
        raise _refused(problem) from None
    finally:
        loader.dispose()


def as_yaml(value: Any) -> str:
    """A value as a file that people read and hand in again, its fields in their order."""
    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=120)
    return text


def _refused(problem: yaml.YAMLError) -> Fault:
    mark = getattr(problem, "problem_mark", None)
    return _no_yaml(1 if mark is None else mark.line + 1, str(getattr(problem, "problem", None) or "the text is no YAML"))


def _no_yaml(line: int, what: str) -> Fault:
    return Fault((), "bad_yaml", what, line=line)
