"""Reading declarations strictly: each wrong one is named by its place, as `claims[2].fields.by`, with the nearest known word."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any

from ops.replay.missing import Part


class MappingError(ValueError):
    """The mapping cannot be used; the text names the place and what is expected there."""

    def __init__(self, place: str, expected: str) -> None:
        super().__init__(f"{place}: {expected}" if place else expected)
        self.place = place
        self.expected = expected


def entries(document: object, place: str, *, known: Collection[str] = (), required: Iterable[str] = ()) -> dict[str, Any]:
    """A mapping whose keys are texts; with `known`, no others than these."""
    if not isinstance(document, dict):
        raise MappingError(place, "names with values are expected")
    for key in document:
        if not isinstance(key, str):
            raise MappingError(place, f"{key!r} is no text: YAML reads it so unless it stands in quotes")
        if known and key not in known:
            raise MappingError(f"{place}.{key}", f"there is no such declaration; {meant(key, known)}")
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
        raise MappingError(place, f"{word[:64]!r} is none of its words; {meant(word, known)}")
    return word


def meant(word: str, known: Collection[str]) -> str:
    """What a word that is not known may have been meant to be, in half a sentence."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"{near[0]} is the nearest of those that are known" if near else f"known are {', '.join(known)}"


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
