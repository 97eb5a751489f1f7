"""Exact numbers as they cross a border: decimal strings and "p/q", never binary floats."""

import re
from decimal import Decimal
from fractions import Fraction

_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{1,400}|/[0-9]{1,400})?", re.ASCII)


class NotExact(ValueError):
    """The value is no exact number; the text says what was expected instead."""


def parse_exact(value: object) -> Fraction:
    """The exact number that a decimal string ("83.025"), a ratio ("887/10") or an integer stands for.

    Raises `NotExact` for floats, booleans, exponents, blanks, NaN, infinities and a denominator of zero: a number that
    decides something must not depend on how a machine rounds (interfaces: "binary floats never appear").
    """
    match value:
        case bool() | float():
            raise NotExact(f'{type(value).__name__} given where a decimal string like "83.025" is expected')
        case int() | Fraction():
            return Fraction(value)
        case Decimal() if value.is_finite():
            return Fraction(value)
        case str() if _NUMBER.fullmatch(value):
            try:
                return Fraction(value)
            except ZeroDivisionError:
                raise NotExact("the denominator is zero") from None
        case _:
            raise NotExact('a decimal string like "83.025" or a ratio like "887/10" is expected')


def ratio_text(value: Fraction) -> str:
    """The number as "p/q" in lowest terms, or as an integer when it is whole ("90")."""
    return str(value)


def decimal_text(value: Fraction) -> str:
    """The number as a decimal string when its decimals end ("83.025"), else as "p/q"; whole numbers without a point."""
    rest = value.denominator
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    fives = 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    if rest != 1:
        return str(value)
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"
