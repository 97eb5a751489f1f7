"""Exact sums that stay short enough to be written: a number of thousands of digits is no score, and takes for ever to add to."""

from collections.abc import Iterable
from fractions import Fraction

from common.kernel.faults import Fault

MOST_BITS = 14_000
"""About 4,200 digits: Python writes no longer integers, and no score needs them."""


def total(values: Iterable[Fraction]) -> Fraction:
    """The exact sum; a `Fault` `too_precise` as soon as it would take thousands of digits."""
    found = Fraction(0)
    for value in values:
        found += value
        if found.denominator.bit_length() > MOST_BITS:
            raise too_precise()
    return found


def too_precise() -> Fault:
    """The refusal, to be raised."""
    return Fault((), "too_precise", "the exact answer has more than four thousand digits")
