"""How a mapping refuses a declaration: each is named by its place, as `claims[2].fields.by`, with the nearest known word."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from common.kernel.documents import Node, Wording
from ops.replay.missing import Part

RULE = "bad_mapping"
"""The rule of every fault of a mapping, and of a table that it does not fit."""


def meant(word: str, known: Collection[str]) -> str:
    """What a word that is not known may have been meant to be, in half a sentence."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"{near[0]} is the nearest of those that are known" if near else f"known are {', '.join(known)}"


def _unknown(given: Iterable[object], known: Collection[str]) -> tuple[str, str] | None:
    name = next((str(one) for one in given if one not in known), None)
    return None if name is None else (name, f"there is no such declaration; {meant(name, known)}")


_MAPPING = Wording(
    fields=(RULE, "names with values are expected"),
    items=(RULE, "a list with at least one item is expected"),
    text=(RULE, "a text is expected; YAML reads yes, no, on, off and numbers as texts only in quotes"),
    missing=(RULE, "the declaration is missing"),
    rule=RULE,
    unknown=_unknown,
    word=(RULE, lambda word, known: f"{word[:64]!r} is none of its words; {meant(word, known)}"),
    names=lambda name: f"{name!r} is no text: YAML reads it so unless it stands in quotes",
)


def declared(document: object, *where: str | int) -> Node:
    """A declaration of a mapping that stands there."""
    return Node(document, where, _MAPPING)


def some(declaration: Node) -> list[Node]:
    """The items of a list that has one at least."""
    if not declaration.value:
        raise declaration.fault(declaration.wording.items[1])
    return declaration.items()


def words(declaration: Node) -> frozenset[str]:
    """A list of texts, perhaps an empty one."""
    if not isinstance(declaration.value, list):
        raise declaration.fault('a list of texts is expected, such as ["?", "N/A"]')
    return frozenset(declaration.texts())


class Columns:
    """The columns that a mapping names, in the order in which it first names them, and what stands for nothing in them."""

    def __init__(self, missing: frozenset[str] = frozenset()) -> None:
        self._index: dict[str, int] = {}
        self._missing = missing
        self._explained: dict[int, frozenset[str]] = {}

    def index(self, name: str) -> int:
        """Where the values of the column stand in a row."""
        return self._index.setdefault(name, len(self._index))

    def part(self, declaration: Node, meaning: Iterable[str] = ()) -> Part:
        """The column that `{column, missing}` names; `missing` there counts in place of the general words.

        `meaning` are words to which the mapping gives a meaning in this place.
        """
        column = self.index(declaration.field("column").text())
        missing = words(declaration.field("missing")) if "missing" in declaration else self._missing
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
