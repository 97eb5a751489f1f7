"""How a set of spans spreads, exact until it is written: spans in whole microseconds, figures in hours or days."""

from array import array
from collections.abc import Iterable
from fractions import Fraction

from common.kernel.instants import DAY, SECOND

HOUR = 3600 * SECOND
PLACES = 9
"""Decimals that are written; an hour of 3,600 seconds does not divide evenly into decimals."""


class Spread:
    """Spans, gathered one by one."""

    def __init__(self, spans: Iterable[int] = ()) -> None:
        self._spans = array("q", spans)

    def add(self, micros: int) -> None:
        """Takes one more span."""
        self._spans.append(micros)

    def document(self, percents: Iterable[int], unit: int = HOUR) -> dict[str, int | str | None]:
        """`n`, `mean`, the percentiles and `sum` as decimal strings in the unit; null for what no spans have."""
        spans = sorted(self._spans)
        total = sum(spans)
        figures: dict[str, int | str | None] = {"n": len(spans), "mean": in_unit(Fraction(total, len(spans)), unit) if spans else None}
        for percent in percents:
            figures[f"p{percent}"] = in_unit(_percentile(spans, percent), unit) if spans else None
        return figures | {"sum": in_unit(total, unit)}


def in_unit(micros: int | Fraction, unit: int = HOUR) -> str:
    """Microseconds as a decimal string in the unit, rounded half up to nine places, without closing zeros."""
    return decimal(Fraction(micros) / unit)


def decimal(value: Fraction) -> str:
    """The number as a decimal string, rounded half up to nine places (away from zero below it), without closing zeros."""
    scaled = (abs(value) * 10**PLACES + Fraction(1, 2)) // 1
    digits = str(scaled).rjust(PLACES + 1, "0")
    written = f"{digits[:-PLACES]}.{digits[-PLACES:]}".rstrip("0").rstrip(".")
    return f"-{written}" if value < 0 and scaled else written


def _percentile(spans: list[int], percent: int) -> Fraction:
    """The value at this percentile of sorted spans, by linear interpolation between the two next to it."""
    place, part = divmod((len(spans) - 1) * percent, 100)
    low = spans[place]
    high = spans[min(place + 1, len(spans) - 1)]
    return low + Fraction((high - low) * part, 100)


__all__ = ["DAY", "HOUR", "Spread", "decimal", "in_unit"]
