"""Reading a scheme's document: every complaint names the field and the rule.

A document is text, lists and objects only (`70`, `"70"` and YAML's 70 are the same text), so it has one digest wherever it
comes from. Numbers are exact: a decimal (`"79.995"`) or a fraction (`"1/3"`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from appraisal.domain.digest import Plain
from appraisal.domain.errors import BadScheme
from common.kernel.exact import NotExact, parse_exact
from common.kernel.known_fields import unknown_field

_DEEPEST = 20
_MOST_ITEMS = 200
_MOST_DIGITS = 20
_TRUTH = {"true": True, "false": False}
_Word = TypeVar("_Word", bound=StrEnum)


def plain(value: object, field: str = "scheme", depth: int = 0) -> Plain:
    """`value` out of JSON or YAML as text, lists and objects; an object's null members are left out.

    Raises BadScheme for a binary float, a null in a list, and anything nested deeper than 20 levels.
    """
    if depth > _DEEPEST:
        raise BadScheme(field, "too_deep", f"is nested deeper than {_DEEPEST} levels")
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case list() | tuple():
            return [plain(item, f"{field}[{index}]", depth + 1) for index, item in enumerate(value)]
        case Mapping():
            return {str(key): plain(item, f"{field}.{key}", depth + 1) for key, item in value.items() if item is not None}
        case float():
            raise BadScheme(field, "binary_float", 'write the number as text: "79.995"')
        case _:
            raise BadScheme(field, "not_text", "is neither text, number, list nor object")


@dataclass(frozen=True, slots=True)
class Part:
    """One object of the document and where it stands (`sections[0]`; empty for the whole)."""

    values: Mapping[str, Plain]
    path: str = ""

    def at(self, key: str) -> str:
        """The path of one of its fields, as complaints name it; its own path for an empty key."""
        return ".".join(name for name in (self.path, key) if name)

    def bad(self, key: str, rule: str, message: str) -> BadScheme:
        """The complaint that `key` breaks `rule`, to be raised."""
        return BadScheme(self.at(key), rule, message)

    def only(self, *keys: str) -> None:
        """BadScheme when it has a field that is none of `keys`: a misspelt field must not pass in silence."""
        if found := unknown_field(self.values, keys):
            raise self.bad(found[0], "unknown_field", found[1])

    def has(self, key: str) -> bool:
        """Whether the field is there at all."""
        return key in self.values

    def text(self, key: str, default: str | None = None) -> str:
        """The field's text; required, and not blank, unless there is a default."""
        value = self.values.get(key, default)
        if value is None:
            raise self.bad(key, "required", "is missing")
        if not isinstance(value, str):
            raise self.bad(key, "not_text", "must be text")
        if default is None and not value.strip():
            raise self.bad(key, "required", "is blank")
        return value

    def number(self, key: str, default: str | None = None) -> Fraction:
        """The field's exact number."""
        try:
            return parse_exact(self.text(key, default), most_digits=_MOST_DIGITS)
        except NotExact as error:
            what = f'must be an exact number of at most {_MOST_DIGITS} digits: "79.995" or "1/3"'
            raise self.bad(key, "not_a_number", what) from error

    def percent(self, key: str, default: str | None = None) -> Fraction:
        """The field's exact number from 0 to 100, as it is written (not divided by 100)."""
        value = self.number(key, default)
        if not 0 <= value <= 100:
            raise self.bad(key, "out_of_range", "must be from 0 to 100")
        return value

    def count(self, key: str, default: str | None = None, *, least: int = 1, most: int = 1000) -> int:
        """The field's whole number between `least` and `most`."""
        value = self.number(key, default)
        if value.denominator != 1 or not least <= value <= most:
            raise self.bad(key, "out_of_range", f"must be a whole number from {least} to {most}")
        return int(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """The field's truth: `true` or `false`."""
        value = self.text(key, str(default).lower())
        if value not in _TRUTH:
            raise self.bad(key, "not_a_flag", "must be true or false")
        return _TRUTH[value]

    def word(self, key: str, words: type[_Word], default: _Word | None = None) -> _Word:
        """The field's word, one of `words`."""
        value = self.text(key, default)
        try:
            return words(value)
        except ValueError as error:
            raise self.bad(key, "unknown_word", f"must be one of {', '.join(words)}") from error

    def part(self, key: str) -> "Part":
        """The field's object."""
        value = self.values.get(key)
        if not isinstance(value, Mapping):
            raise self.bad(key, "required" if value is None else "not_an_object", "must be an object")
        return Part(value, self.at(key))

    def parts(self, key: str) -> "tuple[Part, ...]":
        """The field's list of objects; empty when the field is absent."""
        found = []
        for index, item in enumerate(self._list(key)):
            if not isinstance(item, Mapping):
                raise self.bad(f"{key}[{index}]", "not_an_object", "must be an object")
            found.append(Part(item, self.at(f"{key}[{index}]")))
        return tuple(found)

    def texts(self, key: str) -> tuple[str, ...]:
        """The field's list of texts, each once; empty when the field is absent."""
        found: list[str] = []
        for index, item in enumerate(self._list(key)):
            if not isinstance(item, str) or not item.strip():
                raise self.bad(f"{key}[{index}]", "not_text", "must be text")
            if item in found:
                raise self.bad(f"{key}[{index}]", "twice", f"{item} stands here twice")
            found.append(item)
        return tuple(found)

    def _list(self, key: str) -> "list[Plain] | tuple[Plain, ...]":
        value = self.values.get(key, [])
        if not isinstance(value, list | tuple):
            raise self.bad(key, "not_a_list", "must be a list")
        if len(value) > _MOST_ITEMS:
            raise self.bad(key, "too_many", f"has at most {_MOST_ITEMS} items, not {len(value)}")
        return value
