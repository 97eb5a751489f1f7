"""Sections of a score: a sheet of indicators, or the sheet that rater groups fill in, with its weight in the whole (X-16, X-33)."""

from dataclasses import dataclass
from fractions import Fraction

from appraisal.domain.document import number, parts, percent
from appraisal.domain.raters import Raters, raters_from
from common.kernel.documents import Node


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
    zero_at: Fraction
    full_at: Fraction

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
    indicators: tuple[WeightedIndicator, ...]
    raters: Raters | None


def sections_from(whole: Node) -> tuple[Section, ...]:
    """The sections of a scheme; a `Fault` unless their weights sum to 100 and at most one is filled in by rater groups."""
    sections = tuple(_section_from(part) for part in parts(whole.field("sections")))
    if sum((section.weight for section in sections), Fraction(0)) != 1:
        raise whole.field("sections").fault("the weights of the sections must sum to 100", "weights_sum")
    ids = [section.id for section in sections] + [used.id for section in sections for used in section.indicators]
    if len(set(ids)) != len(ids):
        raise whole.field("sections").fault("a section or an indicator stands here twice", "twice")
    rated = [section for section in sections if section.raters is not None]
    if len(rated) > 1:
        raise whole.field("sections").fault("rater groups fill in one section, since a question carries one set of ratings", "one_rated")
    return sections


def _section_from(part: Node) -> Section:
    part.fields(known=("id", "zh", "en", "weight", "indicators", "raters"))
    if ("indicators" in part) == ("raters" in part):
        raise part.fault("a section has either indicators or raters", "one_source")
    return Section(
        id=part.field("id").text(),
        zh=part.field("zh").text(),
        en=part.field("en").text(),
        weight=_share(part),
        indicators=_indicators_from(part) if "indicators" in part else (),
        raters=raters_from(part.field("raters")) if "raters" in part else None,
    )


def _indicators_from(section: Node) -> tuple[WeightedIndicator, ...]:
    found = []
    for part in parts(section.field("indicators")):
        part.fields(known=("id", "weight", "zero_at", "full_at"))
        used = WeightedIndicator(
            part.field("id").text(), _share(part), number(part.field("zero_at"), "0"), number(part.field("full_at"), "100")
        )
        if used.zero_at == used.full_at:
            raise part.field("full_at").fault("must differ from zero_at", "no_curve")
        found.append(used)
    if sum((used.share for used in found), Fraction(0)) != 1:
        raise section.field("indicators").fault("the weights of a section's indicators must sum to 100", "weights_sum")
    return tuple(found)


def _share(part: Node) -> Fraction:
    share = percent(part.field("weight")) / 100
    if share == 0:
        raise part.field("weight").fault("must be more than 0: what does not count is left out", "out_of_range")
    return share
