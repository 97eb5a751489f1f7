"""Reading declarations strictly: each wrong one is named by its place, as `claims[2].fields.by`."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

from ops.replay.missing import Part


class MappingError(ValueError):
    """The mapping cannot be used; the text names the place and what is expected there."""

    def __init__(self, place: str, expected: str) -> None:
        super().__init__(f"{place}: {expected}" if place else expected)
        self.place = place


class _Once(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error: of two rules for one thing nobody knows which one counts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep)
        if len(found) != len(node.value):
            raise MappingError(f"line {node.start_mark.line + 1}", "a key stands twice")
        return found


def read_yaml(path: Path) -> dict[str, Any]:
    """The declarations of a file; raises `MappingError` for what is no YAML, and `OSError`."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Once)  # noqa: S506 - a SafeLoader that refuses more
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise MappingError("", f"not YAML in UTF-8: {problem}") from None
    return entries(document, "mapping")


def entries(document: object, place: str, *, known: Collection[str] = (), required: Iterable[str] = ()) -> dict[str, Any]:
    """A mapping whose keys are texts; with `known`, no others than these."""
    if not isinstance(document, dict):
        raise MappingError(place, "names with values are expected")
    for key in document:
        if not isinstance(key, str):
            raise MappingError(place, f"{key!r} is no text: YAML reads it so unless it stands in quotes")
        if known and key not in known:
            raise MappingError(f"{place}.{key}", f"there is no such declaration; known are {', '.join(known)}")
    for key in required:
        if key not in document:
            raise MappingError(f"{place}.{key}", "the declaration is missing")
    return document


def text(document: object, place: str) -> str:
    """A text that is not empty."""
    if not isinstance(document, str) or not document:
        raise MappingError(place, "a text is expected; YAML reads yes, no, on, off and numbers as texts only in quotes")
    return document


def one_of(document: object, place: str, known: Collection[str]) -> str:
    """One of the known words."""
    word = text(document, place)
    if word not in known:
        raise MappingError(place, f"one of {', '.join(known)} is expected")
    return word


def items(document: object, place: str) -> list[tuple[Any, str]]:
    """The items of a list, each with its place."""
    if not isinstance(document, list) or not document:
        raise MappingError(place, "a list with at least one item is expected")
    return [(item, f"{place}[{index}]") for index, item in enumerate(document)]


def words(document: object, place: str) -> frozenset[str]:
    """A list of texts, perhaps an empty one."""
    if not isinstance(document, list):
        raise MappingError(place, 'a list of texts is expected, such as ["?", "N/A"]')
    return frozenset(text(word, f"{place}[{index}]") for index, word in enumerate(document))


class Columns:
    """The columns that a mapping names, in the order in which it first names them, and what stands for nothing in them."""

    def __init__(self, missing: frozenset[str] = frozenset()) -> None:
        self._index: dict[str, int] = {}
        self._missing = missing
        self._explained: dict[int, frozenset[str]] = {}

    def index(self, document: object, place: str) -> int:
        """Where the values of the column stand in a row."""
        return self._index.setdefault(text(document, place), len(self._index))

    def part(self, declared: dict[str, Any], place: str, meaning: Iterable[str] = ()) -> Part:
        """The column that `{column, missing}` names; `missing` there counts in place of the general words.

        `meaning` are words to which the mapping gives a meaning in this place.
        """
        column = self.index(declared["column"], f"{place}.column")
        missing = words(declared["missing"], f"{place}.missing") if "missing" in declared else self._missing
        explained = missing.union(meaning)
        self._explained[column] = explained & self._explained.get(column, explained)
        return Part(column, missing)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that were named so far."""
        return tuple(self._index)

    @property
    def explained(self) -> dict[int, frozenset[str]]:
        """For each column whose values are read as names, times or fields, the words that mean something everywhere it is read."""
        return dict(self._explained)
