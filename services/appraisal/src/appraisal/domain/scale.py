"""Scales: which grade an exact score has, and how the score is shown to people (X-01, X-02, X-03)."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor

from appraisal.domain.document import parts, percent, texts
from common.kernel.documents import Node

LOWEST, HIGHEST = Fraction(0), Fraction(100)
_ROUNDINGS = {"false": None, "true": 2, "0": 0, "1": 1, "2": 2}


@dataclass(frozen=True, slots=True)
class Band:
    """One grade and its half-open band of scores: `lower` belongs to it, `upper` does not, except 100, which the top band holds."""

    grade: str
    en: str
    lower: Fraction
    upper: Fraction
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """Bands from the worst to the best, together 0 to 100. `decimals` is the rounding before banding, None for none (the default)."""

    bands: tuple[Band, ...]
    decimals: int | None

    def grade_of(self, score: Fraction) -> str:
        """The name of the band that the exact score lies in; ValueError outside 0 to 100."""
        return self._band_of(self.deciding(score)).grade

    def deciding(self, score: Fraction) -> Fraction:
        """The number that is compared with the bands: the score itself, or rounded half up where the scheme says so."""
        return score if self.decimals is None else _half_up(score, self.decimals)

    def displayed(self, score: Fraction) -> str:
        """The score for people: two decimals, half up, but never across a band's edge, so 79.995 is shown as 79.99 (X-03)."""
        decides = self.deciding(score)
        shown = _half_up(decides, 2)
        if self._band_of(shown) is not self._band_of(decides):
            shown = Fraction(floor(decides * 100), 100)  # edges have two decimals at most, so the floor is in the band
        whole, cents = divmod(int(shown * 100), 100)
        return f"{whole}.{cents:02}"

    def named(self, word: str) -> Band | None:
        """The band that goes by this name or alias: 中等 is 中 (X-23)."""
        return next((band for band in self.bands if word == band.grade or word in band.aliases), None)

    def lower_of(self, one: str, other: str) -> str:
        """The worse of two of its grades, given by name."""
        order = [band.grade for band in self.bands]
        return min(one, other, key=order.index)

    def _band_of(self, score: Fraction) -> Band:
        if not LOWEST <= score <= HIGHEST:
            raise ValueError("a score lies from 0 to 100")
        return next(band for band in reversed(self.bands) if band.lower <= score)


def scale_from(part: Node) -> Scale:
    """The scale of a scheme's `scale` object; a `Fault` unless the bands cover 0 to 100 with no gap and no overlap."""
    part.fields(known=("bands", "round_before_banding"))
    rows = sorted((_band_from(row) for row in parts(part.field("bands"))), key=lambda band: band.lower)
    if not rows:
        raise part.field("bands").fault("a scale has at least one band", "required")
    if rows[0].lower != LOWEST or rows[-1].upper != HIGHEST:
        raise part.field("bands").fault("the bands must reach from 0 to 100", "bands_cover")
    for below, above in pairwise(rows):
        if below.upper != above.lower:
            what = "leave a gap" if below.upper < above.lower else "overlap"
            raise part.field("bands").fault(f"{below.grade} and {above.grade} {what}", "bands_meet")
    names = [name for band in rows for name in (band.grade, *band.aliases)]
    if len(set(names)) != len(names):
        raise part.field("bands").fault("two bands go by one name", "twice")
    rounding = part.field("round_before_banding").text("false")
    if rounding not in _ROUNDINGS:
        raise part.field("round_before_banding").fault("must be false, or the number of decimals: 0, 1 or 2", "unknown_word")
    return Scale(tuple(rows), _ROUNDINGS[rounding])


def _band_from(part: Node) -> Band:
    part.fields(known=("grade", "en", "from", "to", "aliases"))
    lower, upper = percent(part.field("from")), percent(part.field("to"))
    if lower >= upper:
        raise part.field("to").fault("a band ends above its start", "bands_cover")
    for key, edge in (("from", lower), ("to", upper)):
        if (edge * 100).denominator != 1:
            raise part.field(key).fault("an edge has at most two decimals, or no displayed score could respect it", "edge_decimals")
    return Band(part.field("grade").text(), part.field("en").text(), lower, upper, texts(part.field("aliases")))


def _half_up(score: Fraction, decimals: int) -> Fraction:
    step: int = 10**decimals
    return Fraction(floor(score * step + Fraction(1, 2)), step)
