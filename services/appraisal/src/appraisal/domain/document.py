"""Reading a scheme's document: every complaint names the field and the rule.

A document is text, lists and objects only (`70`, `"70"` and YAML's 70 are the same text), so it has one digest wherever it
comes from. Numbers are exact: a decimal (`"79.995"`) or a fraction (`"1/3"`).
"""

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from common.kernel.documents import Node, Plain, Wording
from common.kernel.exact import parse_exact
from common.kernel.faults import Fault, Where

_DEEPEST = 20
_MOST_ITEMS = 200
_MOST_DIGITS = 20
_TRUTH = {"true": True, "false": False}
_Word = TypeVar("_Word", bound=StrEnum)
SCHEME = Wording(
    fields=("not_an_object", "must be an object"),
    items=("not_a_list", "must be a list"),
    text=("not_text", "must be text"),
    missing=("required", "is missing"),
    rule="bad_value",
    absent=("required", "must be an object"),
    blank=("required", "is blank"),
    word=("unknown_word", lambda _, known: f"must be one of {', '.join(known)}"),
)


def plain(value: object, where: Where = (), depth: int = 0) -> Plain:
    """`value` out of JSON or YAML as text, lists and objects; an object's null members are left out.

    Raises a `Fault` for a binary float, a null in a list, and anything nested deeper than 20 levels.
    """
    if depth > _DEEPEST:
        raise Fault(where, "too_deep", f"is nested deeper than {_DEEPEST} levels")
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case list() | tuple():
            return [plain(item, (*where, index), depth + 1) for index, item in enumerate(value)]
        case Mapping():
            return {str(key): plain(item, (*where, str(key)), depth + 1) for key, item in value.items() if item is not None}
        case float():
            raise Fault(where, "binary_float", 'write the number as text: "79.995"')
        case _:
            raise Fault(where, "not_text", "is neither text, number, list nor object")


def number(part: Node, default: str | None = None) -> Fraction:
    """The exact number that a part of a scheme is."""
    try:
        return parse_exact(part.text(default), most_digits=_MOST_DIGITS)
    except Fault as fault:
        if fault.rule != "not_exact":
            raise
        raise part.fault(f'must be an exact number of at most {_MOST_DIGITS} digits: "79.995" or "1/3"', "not_a_number") from None


def percent(part: Node, default: str | None = None) -> Fraction:
    """The exact number from 0 to 100 that a part is, as it is written (not divided by 100)."""
    value = number(part, default)
    if not 0 <= value <= 100:
        raise part.fault("must be from 0 to 100", "out_of_range")
    return value


def count(part: Node, default: str | None = None, *, most: int = 1000) -> int:
    """The whole number from 1 to `most` that a part is."""
    value = number(part, default)
    if value.denominator != 1 or not 1 <= value <= most:
        raise part.fault(f"must be a whole number from 1 to {most}", "out_of_range")
    return int(value)


def flag(part: Node, *, default: bool) -> bool:
    """The truth of a part: `true` or `false`."""
    value = part.text(str(default).lower())
    if value not in _TRUTH:
        raise part.fault("must be true or false", "not_a_flag")
    return _TRUTH[value]


def word(part: Node, words: type[_Word], default: _Word | None = None) -> _Word:
    """The word that a part is, one of `words`."""
    return words(part.one_of([str(one) for one in words], default))


def items(part: Node) -> list[Node]:
    """The items of a list, which is empty when the part is absent."""
    if part.value is None:
        return []
    found = part.items()
    if len(found) > _MOST_ITEMS:
        raise part.fault(f"has at most {_MOST_ITEMS} items, not {len(found)}", "too_many")
    return found


def parts(part: Node) -> list[Node]:
    """The objects of a list, which is empty when the part is absent."""
    found = items(part)
    for one in found:
        one.fields()
    return found


def texts(part: Node) -> tuple[str, ...]:
    """The texts of a list, each once; empty when the part is absent."""
    found: list[str] = []
    for one in items(part):
        if not isinstance(one.value, str) or not one.value.strip():
            raise one.fault("must be text", "not_text")
        if one.value in found:
            raise one.fault(f"{one.value} stands here twice", "twice")
        found.append(one.value)
    return tuple(found)
