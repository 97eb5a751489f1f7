"""A published grade taken apart again: sections, parts, facts, events, and what would have made the next grade. Pure.

Rater groups appear as the means and weights that the grade itself tells, never as a rater's score.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from appraisal.domain.grade import grade_period
from appraisal.domain.indicators import Indicator
from appraisal.domain.inputs import StoredGrade, means_of, measured_of
from appraisal.domain.lots import KpiFact
from appraisal.domain.raters import GroupRatings
from appraisal.domain.reason import name_of
from appraisal.domain.scale import Band, Scale
from appraisal.domain.scheme import Scheme
from appraisal.domain.sections import Measured, WeightedIndicator
from common.kernel.exact import parse_exact, ratio_text
from common.kernel.faults import Fault

_MOST = 1000
"""More further successes than this are no advice."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one indicator alone would have made the next grade; None where it could not.

    `further` counts further cases that succeed, `of_the_missed` those of the cases that missed it which would have had to succeed.
    """

    indicator: str
    further: int | None
    of_the_missed: int | None


@dataclass(frozen=True, slots=True)
class NextGrade:
    """The band above, how many points of score are missing, and the ways there by one indicator."""

    band: Band
    missing: Fraction
    ways: tuple[Way, ...]


def explanation(stored: StoredGrade, *, versions: int) -> dict[str, Any]:
    """The grade's own document with its parts by section, each indicator with the facts it counted, and the next grade."""
    document, inputs, scheme, facts = stored.document, stored.inputs, stored.scheme, [fact.shown() for fact in stored.facts]
    told, registry = dict(document), stored.indicators
    parts = {part["part"]: dict(part) for part in told.pop("contributions")}
    for name, part in parts.items():
        part |= {"zh": _named(name, part, zh=True), "en": _named(name, part, zh=False)}
        if name in inputs["indicators"]:
            part["measured"] = inputs["indicators"][name]
            part |= _registered(registry.get(name))
            part["facts"] = [fact for fact in facts if fact["indicator"] == name]
    told["versions"] = versions
    told["too_few_cases"] = _too_few(measured_of(inputs), stored.least_samples)
    told["sections"] = _sections(parts, inputs, scheme)
    # without a score nothing may be said that it could be computed from
    found = None if scheme is None or document["score_exact"] is None else _next_of(stored, scheme)
    told["next_grade"] = None if found is None else _next_as_document(found)
    return told


def _registered(one: Indicator | None) -> dict[str, str]:
    """What the registry said of an indicator when the grade was computed; nothing where that is not known."""
    if one is None:
        return {}
    return {"zh": one.zh, "en": one.en, "unit": one.unit, "direction": one.direction, "attributed_at": one.attributed_at}


def _too_few(measured: Mapping[str, Measured], least_samples: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """The indicators with something to judge by, and with less than their least sample: what was counted, and what had to be."""
    return {
        name: {"sample": ratio_text(one.denominator), "least": str(least)}
        for name, one in measured.items()
        if 0 < one.denominator < (least := least_samples.get(name, 0))
    }


def _named(name: str, part: Mapping[str, Any], *, zh: bool) -> str:
    """How a part is called: an indicator, a group, or the groups that are told as one sum."""
    return ("、" if zh else " and ").join(name_of(one, zh=zh) for one in part.get("of") or (name,))


def next_grade(
    scheme: Scheme,
    measured: Mapping[str, Measured],
    ratings: Mapping[str, GroupRatings] | None,
    units: Mapping[str, Fraction],
    least_samples: Mapping[str, int] | None = None,
) -> NextGrade | None:
    """What would have made the next grade, one indicator at a time; None at the top, and where nothing has bands.

    `units` tells what one case of an indicator counts, 1 where nothing is said. Raises a `Fault` as `grade_period` does.
    """
    if scheme.scale is None:
        return None
    now = grade_period(scheme, measured, ratings, least_samples)
    order = _order(scheme.scale)
    if order[now.grade] + 1 == len(order):
        return None
    band = scheme.scale.bands[order[now.grade] + 1]

    def better(name: str, one: Measured) -> bool:
        try:
            return order[grade_period(scheme, {**measured, name: one}, ratings, least_samples).grade] > order[now.grade]
        except Fault:
            return False

    def way(used: WeightedIndicator) -> Way:
        one, unit = measured[used.id], units.get(used.id, Fraction(1))
        further = _least(_MOST, lambda number: better(used.id, _further(used, one, number * unit)))
        turned = _least(_missed(used, one) // unit, lambda number: better(used.id, _turned(used, one, number * unit)))
        return Way(used.id, further, turned)

    # an indicator with nothing to judge by is no way: its first case would only move the weights
    ways = [way(used) for section in scheme.sections for used in section.indicators if used.id in now.attainment]
    return NextGrade(band, max(band.lower - now.score_exact, Fraction(0)), tuple(one for one in ways if one.further or one.of_the_missed))


def _further(used: WeightedIndicator, one: Measured, more: Fraction) -> Measured:
    """Further successes; where the indicator counts what should be rare, a success is a case without it."""
    return Measured(one.numerator + (0 if _is_rare(used) else more), one.denominator + more)


def _turned(used: WeightedIndicator, one: Measured, turned: Fraction) -> Measured:
    return Measured(one.numerator + (-turned if _is_rare(used) else turned), one.denominator)


def _missed(used: WeightedIndicator, one: Measured) -> Fraction:
    return one.numerator if _is_rare(used) else max(one.denominator - one.numerator, Fraction(0))


def _is_rare(used: WeightedIndicator) -> bool:
    return used.full_at < used.zero_at


def _least(most: int, enough: Callable[[int], bool]) -> int | None:
    """The least number from 1 to `most` that is enough, where more never is less; None when not even `most` is."""
    if most < 1 or not enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _order(scale: Scale) -> dict[str, int]:
    return {band.grade: rank for rank, band in enumerate(scale.bands)}


def _next_of(stored: StoredGrade, scheme: Scheme) -> NextGrade | None:
    """None also when the stored inputs no longer give the published score: then a forecast from them would be wrong."""
    measured, ratings, least = measured_of(stored.inputs), means_of(stored.inputs, scheme), stored.least_samples
    try:
        if grade_period(scheme, measured, ratings, least).score_exact != parse_exact(stored.document["score_exact"]):
            return None
        return next_grade(scheme, measured, ratings, _units(stored.facts), least)
    except Fault:
        return None


def _units(facts: Sequence[KpiFact]) -> dict[str, Fraction]:
    """What a case of each indicator usually counts: 1 for a deadline, the points of a survey."""
    counted: dict[str, Counter[Fraction]] = {}
    for fact in facts:
        if denominator := parse_exact(fact.denominator):
            counted.setdefault(fact.indicator, Counter())[denominator] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in counted.items()}


def _sections(parts: Mapping[str, dict[str, Any]], inputs: Mapping[str, Any], scheme: Scheme | None) -> list[dict[str, Any]]:
    """The parts under the section that they belong to; under none without the scheme."""
    if scheme is None:
        return [{"section": "", "zh": "", "en": "", "parts": list(parts.values())}]
    told = []
    for section in scheme.sections:
        names = [used.id for used in section.indicators] + [section.id, *(section.raters.groups if section.raters else ())]
        inside = [parts[name] for name in names if name in parts]
        if inside:
            told.append({"section": section.id, "zh": section.zh, "en": section.en, **inputs["sections"][section.id], "parts": inside})
    shown = {part["part"] for section in told for part in section["parts"]}
    others = [part for name, part in parts.items() if name not in shown]  # the cycles of a year
    return [*told, {"section": "", "zh": "", "en": "", "parts": others}] if others else told


def _next_as_document(found: NextGrade) -> dict[str, Any]:
    return {
        "grade": found.band.grade,
        "en": found.band.en,
        "from": ratio_text(found.band.lower),
        "points_missing": ratio_text(found.missing),
        "ways": [{"indicator": way.indicator, "further": way.further, "of_the_missed": way.of_the_missed} for way in found.ways],
    }
