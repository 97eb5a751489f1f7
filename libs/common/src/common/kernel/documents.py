"""The one strict reader of documents: each value is asked for its shape, and what is wrong is a `Fault` with its place.

A document is plain data (out of JSON or YAML). Kinds of documents differ in the rules and sentences with which they refuse
a value (`Wording`), and in nothing else.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

from common.kernel.exact import parse_exact
from common.kernel.faults import Fault, Where
from common.kernel.instants import parse_date, parse_instant
from common.kernel.known_fields import unknown_field

Plain: TypeAlias = "str | Sequence[Plain] | Mapping[str, Plain]"
"""A document as it is digested: text, lists and objects only."""
Expected = tuple[str, str]
"""A rule, and the sentence that says what it expects."""


def none_of(_: str, known: Collection[str]) -> str:
    """What is expected instead of a word that is not known."""
    return f"one of {', '.join(known)} is expected"


class Wording(NamedTuple):
    """With which rule and sentence a kind of document refuses a value of another shape."""

    fields: Expected
    items: Expected
    text: Expected
    missing: Expected
    """A field that must be there is not."""
    rule: str
    """The rule that a value breaks where nothing more is said."""
    absent: Expected | None = None
    """Null, or nothing at all, where fields are expected; `fields` unless something else is said."""
    blank: Expected | None = None
    """A text of blanks. Where this is said, a text that is not there is `missing`; else it is no `text`, as an empty one is."""
    unknown: Callable[[Iterable[object], Collection[str]], tuple[str, str] | None] = unknown_field
    """Finds the first field that is not known, and the sentence about it."""
    word: tuple[str, Callable[[str, Collection[str]], str]] = ("bad_value", none_of)
    """The rule that a word breaks which is none of the known ones, and the sentence about it."""
    names: Callable[[object], str] | None = None
    """The sentence about a field's name that is no text, as YAML has them; None where any name is taken."""


def by_rule(
    rule: str,
    *,
    fields: str = "an object is expected",
    items: str = "a list is expected",
    text: str = "a text is expected",
    missing: str = "the field is missing",
) -> Wording:
    """The wording of a kind of document in which every wrong value breaks the same rule."""
    return Wording((rule, fields), (rule, items), (rule, text), (rule, missing), rule)


@dataclass(slots=True)  # not frozen, which takes three times as long: one is made for each value that is read
class Node:
    """A value of a document, where it stands, and how it is refused. A field that is not there has the value None."""

    value: Any
    where: Where
    wording: Wording

    def fault(self, what: str, rule: str = "", *inside: str | int) -> Fault:
        """What is wrong with the value, or with what stands `inside`, to be raised; by the wording's rule unless one is named."""
        return Fault((*self.where, *inside), rule or self.wording.rule, what)

    def fields(self, *, known: Collection[str] = (), required: Iterable[str] = ()) -> Mapping[str, Any]:
        """The value as fields with names; with `known`, no others than these, and all that are `required`."""
        if not isinstance(self.value, Mapping):
            raise self._refused(self.wording.absent if self.value is None and self.wording.absent else self.wording.fields)
        if (said := self.wording.names) is not None:
            for name in self.value:
                if not isinstance(name, str):
                    raise self._refused((self.wording.fields[0], said(name)))
        if known and (found := self.wording.unknown(self.value, known)):
            raise self.fault(found[1], "unknown_field", found[0])
        for name in required:
            if name not in self.value:
                rule, what = self.wording.missing
                raise self.fault(what, rule, name)
        return self.value

    def __contains__(self, name: str) -> bool:
        return name in self.value

    def field(self, name: str, default: object = None) -> "Node":
        """One field of the value; with the default where it is not there."""
        return Node(self.value.get(name, default), (*self.where, name), self.wording)

    def items(self) -> "list[Node]":
        """The items of the value, which is a list."""
        if not isinstance(self.value, list | tuple):
            raise self._refused(self.wording.items)
        return [Node(item, (*self.where, index), self.wording) for index, item in enumerate(self.value)]

    def text(self, default: str | None = None, *, what: str = "") -> str:
        """The value as text; null is the default, and without one the text must not be empty. `what` says what is expected, if not any."""
        value, wording = self.value, self.wording
        if value is None and default is not None:
            return default
        if value is None and wording.blank:
            raise self._refused(wording.missing)
        if not isinstance(value, str) or (not value and default is None and not wording.blank):
            raise self.fault(what or wording.text[1], wording.text[0])
        if wording.blank and default is None and not value.strip():
            raise self._refused(wording.blank)
        return value

    def texts(self) -> tuple[str, ...]:
        """The items of the value as texts."""
        return tuple(item.text() for item in self.items())

    def one_of(self, known: Collection[str], default: str | None = None) -> str:
        """The value as one of the known words."""
        word = self.text(default)
        if word not in known:
            rule, said = self.wording.word
            raise self.fault(said(word, known), rule)
        return word

    def number(self, rule: str = "") -> Fraction:
        """The value as an exact number (`exact.parse_exact`)."""
        try:
            return parse_exact(self.value)
        except Fault as fault:
            raise self.fault(fault.what, rule) from None

    def integer(self, lowest: int, highest: int, what: str, rule: str = "") -> int:
        """The value as an integer of these bounds; `what` says what is expected."""
        if type(self.value) is not int or not lowest <= self.value <= highest:
            raise self.fault(what, rule)
        return self.value

    def flag(self) -> bool:
        """The value as true or false."""
        if not isinstance(self.value, bool):
            raise self.fault("true or false is expected")
        return self.value

    def instant(self) -> datetime:
        """The value as an instant (`instants.parse_instant`)."""
        return parse_instant(self.value, self.where)

    def date(self, rule: str = "bad_date") -> date:
        """The value as a date (`instants.parse_date`)."""
        return parse_date(self.value, self.where, rule)

    def _refused(self, expected: Expected) -> Fault:
        return self.fault(expected[1], expected[0])
