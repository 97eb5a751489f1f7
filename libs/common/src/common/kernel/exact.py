"""Exact numbers as they cross a border: decimal strings and "p/q", never binary floats."""

import re
from decimal import Decimal
from fractions import Fraction

from common.kernel.faults import Fault

_NUMBER = re.compile(r"[+-]?([0-9]+)(?:[./]([0-9]+))?", re.ASCII)
MOST_DIGITS = 400


def parse_exact(value: object, *, most_digits: int = MOST_DIGITS) -> Fraction:
    """The exact number that a decimal string ("83.025"), a ratio ("887/10") or an integer stands for.

    Before and after the point or stroke it has at most so many digits. Raises a `Fault` `not_exact` for more, and for floats, booleans,
    exponents, blanks, NaN, infinities and a denominator of zero: a number that decides something must not depend on how a
    machine rounds (interfaces: "binary floats never appear").
    """
    match value:
        case bool() | float():
            raise _fault(f'{type(value).__name__} given where a decimal string like "83.025" is expected')
        case Fraction():
            return value
        case int():
            if value.bit_length() > most_digits * 10 // 3:  # a little less than so many digits have: Python would not write more
                raise _too_long(most_digits)
            return Fraction(value)
        case Decimal() if value.is_finite():
            if abs(value.adjusted()) > most_digits or len(value.as_tuple().digits) > 2 * most_digits:
                raise _too_long(most_digits)
            return Fraction(value)
        case str() if match := _NUMBER.fullmatch(value):
            if max(map(len, match.groups(""))) > most_digits:
                raise _too_long(most_digits)
            try:
                return Fraction(value)
            except ZeroDivisionError:
                raise _fault("the denominator is zero") from None
        case _:
            raise _fault('a decimal string like "83.025" or a ratio like "887/10" is expected')


def _too_long(most_digits: int) -> Fault:
    return _fault(f"at most {most_digits} digits are taken before and after the point")


def _fault(what: str) -> Fault:
    return Fault((), "not_exact", what)


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
