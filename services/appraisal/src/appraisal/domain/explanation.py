"""A published grade taken apart again: sections, parts, facts, events, and what would have made the next grade. Pure.

Rater groups appear as the means and weights that the grade itself tells, never as a rater's score.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from appraisal.domain.grade import grade_period
from appraisal.domain.grading import KpiFact
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


def explanation(document: Mapping[str, Any], inputs: Mapping[str, Any], scheme: Scheme | None, *, versions: int) -> dict[str, Any]:
    """The grade's own document with its parts by section, each indicator with the facts it counted, and the next grade."""
    told = dict(document)
    parts = {part["part"]: dict(part) for part in told.pop("contributions")}
    for name, part in parts.items():
        part |= {"zh": name_of(name, zh=True), "en": name_of(name, zh=False)}
        if name in inputs["indicators"]:
            part["measured"] = inputs["indicators"][name]
            part["facts"] = [fact for fact in inputs["facts"] if fact["indicator"] == name]
    told["versions"] = versions
    told["sections"] = _sections(parts, inputs, scheme)
    found = None if scheme is None else _next_of(document, inputs, scheme)
    told["next_grade"] = None if found is None else _next_as_document(found)
    return told


def facts_of(inputs: Mapping[str, Any]) -> list[KpiFact]:
    """The facts that a grade was computed from, out of its stored inputs."""
    return [
        KpiFact(
            key=fact["key"],
            event_id=fact["id"],
            indicator=fact["indicator"],
            case_id=fact["case_id"],
            subject=fact["subject"],
            revision=int(fact["revision"]),
            numerator=fact["numerator"],
            denominator=fact["denominator"],
            time=fact["time"],
            source_event_ids=tuple(fact["events"]),
        )
        for fact in inputs["facts"]
    ]


def next_grade(
    scheme: Scheme, measured: Mapping[str, Measured], ratings: Mapping[str, GroupRatings] | None, units: Mapping[str, Fraction]
) -> NextGrade | None:
    """What would have made the next grade, one indicator at a time; None at the top, and where nothing has bands.

    `units` tells what one case of an indicator counts, 1 where nothing is said. Raises a `Fault` as `grade_period` does.
    """
    if scheme.scale is None:
        return None
    now = grade_period(scheme, measured, ratings)
    order = _order(scheme.scale)
    if order[now.grade] + 1 == len(order):
        return None
    band = scheme.scale.bands[order[now.grade] + 1]

    def better(name: str, one: Measured) -> bool:
        try:
            return order[grade_period(scheme, {**measured, name: one}, ratings).grade] > order[now.grade]
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


def _next_of(document: Mapping[str, Any], inputs: Mapping[str, Any], scheme: Scheme) -> NextGrade | None:
    """None also when the stored inputs no longer give the published score: then a forecast from them would be wrong."""
    measured = {
        name: Measured(parse_exact(one["numerator"]), parse_exact(one["denominator"])) for name, one in inputs["indicators"].items()
    }
    means = {group: GroupRatings((parse_exact(mean),)) for group, mean in inputs["group_means"].items()}
    ratings = means if scheme.rated_section else None
    told, units = parse_exact(document["score_exact"]), _units(inputs["facts"])
    try:
        if grade_period(scheme, measured, ratings).score_exact != told:
            return None
        return next_grade(scheme, measured, ratings, units)
    except Fault:
        return None


def _units(facts: Sequence[Mapping[str, Any]]) -> dict[str, Fraction]:
    """What a case of each indicator usually counts: 1 for a deadline, the points of a survey."""
    counted: dict[str, Counter[Fraction]] = {}
    for fact in facts:
        if denominator := parse_exact(fact["denominator"]):
            counted.setdefault(fact["indicator"], Counter())[denominator] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in counted.items()}


def _sections(parts: Mapping[str, dict[str, Any]], inputs: Mapping[str, Any], scheme: Scheme | None) -> list[dict[str, Any]]:
    """The parts under the section that they belong to; under none without the scheme."""
    if scheme is None:
        return [{"section": "", "zh": "", "en": "", "parts": list(parts.values())}]
    told = []
    for section in scheme.sections:
        names = [used.id for used in section.indicators] + list(section.raters.groups if section.raters else ())
        inside = [parts[name] for name in names if name in parts]
        if inside:
            told.append({"section": section.id, "zh": section.zh, "en": section.en, **inputs["sections"][section.id], "parts": inside})
    return told


def _next_as_document(found: NextGrade) -> dict[str, Any]:
    return {
        "grade": found.band.grade,
        "en": found.band.en,
        "from": ratio_text(found.band.lower),
        "points_missing": ratio_text(found.missing),
        "ways": [{"indicator": way.indicator, "further": way.further, "of_the_missed": way.of_the_missed} for way in found.ways],
    }
