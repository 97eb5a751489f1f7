"""Sections of a score: a sheet of indicators, or the sheet that rater groups fill in, with its weight in the whole (X-16, X-33)."""

from dataclasses import dataclass
from fractions import Fraction

from appraisal.domain.document import Part
from appraisal.domain.raters import Raters, raters_from


@dataclass(frozen=True, slots=True)
class Measured:
    """What an indicator came to: an exact rate, numerator over denominator. A denominator of 0 means that nothing was to be judged."""

    numerator: Fraction
    denominator: Fraction


@dataclass(frozen=True, slots=True)
class WeightedIndicator:
    """An indicator's share of its section (0 to 1) and its attainment curve: a straight line between two rates in percent.

    At `zero_at` the attainment is 0, at `full_at` it is 100, beyond them it stays there. The default 0 and 100 is the rate
    itself, capped at 100. `full_at` below `zero_at` is for what should be rare, a complaint rate.
    """

    id: str
    share: Fraction
    zero_at: Fraction = Fraction(0)
    full_at: Fraction = Fraction(100)

    def attainment(self, measured: Measured) -> Fraction | None:
        """From 0 to 100; None when there was nothing to judge, which is never a zero (X-27)."""
        if measured.denominator == 0:
            return None
        rate = measured.numerator / measured.denominator * 100
        return min(Fraction(100), max(Fraction(0), (rate - self.zero_at) / (self.full_at - self.zero_at) * 100))


@dataclass(frozen=True, slots=True)
class Section:
    """A sheet with its weight in the whole (0 to 1): either indicators, whose shares sum to 1, or rater groups."""

    id: str
    zh: str
    en: str
    weight: Fraction
    indicators: tuple[WeightedIndicator, ...] = ()
    raters: Raters | None = None


def sections_from(whole: Part) -> tuple[Section, ...]:
    """The sections of a scheme; BadScheme unless their weights sum to 100 and at most one is filled in by rater groups."""
    sections = tuple(_section_from(part) for part in whole.parts("sections"))
    if sum((section.weight for section in sections), Fraction(0)) != 1:
        raise whole.bad("sections", "weights_sum", "the weights of the sections must sum to 100")
    ids = [section.id for section in sections] + [used.id for section in sections for used in section.indicators]
    if len(set(ids)) != len(ids):
        raise whole.bad("sections", "twice", "a section or an indicator stands here twice")
    rated = [section for section in sections if section.raters is not None]
    if len(rated) > 1:
        raise whole.bad("sections", "one_rated", "rater groups fill in one section, since a question carries one set of ratings")
    return sections


def _section_from(part: Part) -> Section:
    part.only("id", "zh", "en", "weight", "indicators", "raters")
    if part.has("indicators") == part.has("raters"):
        raise part.bad("", "one_source", "a section has either indicators or raters")
    return Section(
        id=part.text("id"),
        zh=part.text("zh"),
        en=part.text("en"),
        weight=_share(part),
        indicators=_indicators_from(part) if part.has("indicators") else (),
        raters=raters_from(part.part("raters")) if part.has("raters") else None,
    )


def _indicators_from(section: Part) -> tuple[WeightedIndicator, ...]:
    found = []
    for part in section.parts("indicators"):
        part.only("id", "weight", "zero_at", "full_at")
        used = WeightedIndicator(part.text("id"), _share(part), part.number("zero_at", "0"), part.number("full_at", "100"))
        if used.zero_at == used.full_at:
            raise part.bad("full_at", "no_curve", "must differ from zero_at")
        found.append(used)
    if sum((used.share for used in found), Fraction(0)) != 1:
        raise section.bad("indicators", "weights_sum", "the weights of a section's indicators must sum to 100")
    return tuple(found)


def _share(part: Part) -> Fraction:
    share = part.percent("weight") / 100
    if share == 0:
        raise part.bad("weight", "out_of_range", "must be more than 0: what does not count is left out")
    return share
