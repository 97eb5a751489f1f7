"""The grade: a pure function of a scheme and what was measured and rated, in exact fractions from end to end.

The score is the sum of its contributions: each leaf (an indicator, a rater group, a period) has a weight in the whole and a
value from 0 to 100, and brings weight × value points. Nothing is rounded before the grade is known (X-03).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce

from appraisal.domain.raters import GroupRatings, Judgement, RatersRate
from appraisal.domain.scale import Scale
from appraisal.domain.scheme import Scheme, WhenNotAssessable
from appraisal.domain.sections import Measured, Section
from appraisal.domain.sums import total
from common.kernel.faults import Fault, Where


@dataclass(frozen=True, slots=True)
class Contribution:
    """One leaf of a score: its part (indicator, group, period), its section, its weight in the whole and its value."""

    part: str
    section: str
    weight: Fraction
    value: Fraction

    @property
    def points(self) -> Fraction:
        """What it brings: weight × value."""
        return self.weight * self.value


@dataclass(frozen=True, slots=True)
class SectionScore:
    """One section's share in the whole, after redistribution, and its score from 0 to 100."""

    weight: Fraction
    score: Fraction


@dataclass(frozen=True, slots=True)
class Graded:
    """A grade and all that led to it. `score_exact` is the exact sum of the contributions' points; `score` is for people only."""

    scheme: Scheme
    score_exact: Fraction
    score: str
    grade: str
    contributions: tuple[Contribution, ...]
    sections: Mapping[str, SectionScore] = field(default_factory=dict)
    weights: Mapping[str, Fraction] = field(default_factory=dict)
    """The weight of each rater group that exists, in the section that they rate."""
    group_means: Mapping[str, Fraction] = field(default_factory=dict)
    raters: Mapping[str, int] = field(default_factory=dict)
    """How many of each of these groups have rated."""
    attainment: Mapping[str, Fraction] = field(default_factory=dict)
    not_assessable: tuple[str, ...] = ()
    """Indicators of the scheme with nothing to judge by: their weight went to the others of the section, or of the score."""
    redistributed: Mapping[str, Fraction] = field(default_factory=dict)
    """The weight in the whole that each of these would have had."""
    too_few: Mapping[str, int] = field(default_factory=dict)
    """Those of them with cases, and fewer than say something, each with its least sample."""
    incomplete: tuple[str, ...] = ()
    capped_by: tuple[str, ...] = ()
    """Gates that were opened: they hold the grade down whatever the score says, and a person must confirm it (X-25)."""
    cap: str = ""
    """The best grade that these gates admit; empty without one."""
    partial_year: bool = False


@dataclass(frozen=True, slots=True)
class _Leaf:
    part: str
    share: Fraction
    value: Fraction


@dataclass(frozen=True, slots=True)
class _Sheet:
    section: Section
    leaves: tuple[_Leaf, ...]


def grade_period(
    scheme: Scheme,
    indicators: Mapping[str, Measured] | None = None,
    ratings: Mapping[str, GroupRatings] | None = None,
    least_samples: Mapping[str, int] | None = None,
) -> Graded:
    """The grade of one cycle from indicators, ratings, or both; what was not given at all leaves its sections out (X-33).

    An indicator that is missing or has a denominator of 0 is not assessable, nor one below its least sample: its weight goes to the
    rest of its section, and a section without any gives its weight to the others. Raises a `Fault`: `no_score_scale`,
    `nothing_to_grade`, `unknown_indicator`, `no_rater_groups`, `not_assessable`, `too_few_cases`, `out_of_range`, and those of
    `Raters.judged`.
    """
    scale = _scale_of(scheme)
    if indicators is None and ratings is None:
        raise Fault((), "nothing_to_grade", "neither indicators nor ratings are given")
    attainment = _attainment(scheme, indicators)
    too_few = _too_few(indicators or {}, attainment, least_samples or {})
    attainment = {name: value for name, value in attainment.items() if name not in too_few}
    judgement = _judgement(scheme, ratings)
    missing = _not_assessable(scheme, attainment, too_few) if indicators is not None else {}
    sheets = tuple(_sheets(scheme, attainment, judgement))
    if not sheets:
        raise Fault(("indicators",), "not_assessable", "there is nothing to judge by in any section")
    contributions = tuple(_weighed(sheets, judgement))
    opened = tuple(gate for gate in scheme.gates if _opened(indicators, gate.indicator))
    cap = reduce(scale.lower_of, (gate.cap for gate in opened)) if opened else ""
    score = total(leaf.points for leaf in contributions)
    return Graded(
        scheme=scheme,
        score_exact=score,
        score=scale.displayed(score),
        grade=scale.lower_of(scale.grade_of(score), cap) if cap else scale.grade_of(score),
        contributions=contributions,
        sections=_section_scores(contributions),
        weights=judgement.weights if judgement else {},
        group_means=judgement.means if judgement else {},
        raters={group: len(ratings[group].submitted) for group in judgement.means} if judgement and ratings else {},
        attainment=attainment,
        not_assessable=tuple(missing),
        redistributed=missing,
        too_few=too_few,
        incomplete=judgement.incomplete if judgement else (),
        capped_by=tuple(gate.indicator for gate in opened),
        cap=cap,
    )


def grade_score(scheme: Scheme, score: Fraction) -> Graded:
    """The grade of a score that somebody else computed; a `Fault` `out_of_range` outside 0 to 100."""
    scale = _scale_of(scheme)
    _in_range(score, ("score",))
    whole = (Contribution("score", "", Fraction(1), score),)
    return Graded(scheme, score, scale.displayed(score), scale.grade_of(score), whole)


def grade_year(scheme: Scheme, scores: Sequence[Fraction], post: str | None = None) -> Graded:
    """The year-end grade: the arithmetic mean of the scores of the cycles that there were (D11-34, X-19).

    `partial_year` when there are fewer than the cycles of a year for this post (a manager's is one, D11-35). Raises a `Fault`:
    `unknown_post`, `too_few_periods`, `too_many_periods`, `out_of_range`.
    """
    scale = _scale_of(scheme)
    period = scheme.cycle.period_of(post)
    if period is None:
        raise Fault(("post",), "unknown_post", f"this scheme's posts are {', '.join(scheme.cycle.posts) or 'not told apart'}")
    if len(scores) > period.per_year:
        raise Fault(("period_scores",), "too_many_periods", f"a year has {period.per_year} cycles under this scheme")
    if len(scores) < min(scheme.cycle.least_periods, period.per_year):
        raise Fault(("period_scores",), "too_few_periods", f"a year needs {scheme.cycle.least_periods} at least")
    for index, one in enumerate(scores):
        _in_range(one, ("period_scores", index))
    share = Fraction(1, len(scores))
    contributions = tuple(Contribution(f"period_{number}", "", share, one) for number, one in enumerate(scores, start=1))
    mean = total(leaf.points for leaf in contributions)
    partial = len(scores) < period.per_year
    return Graded(scheme, mean, scale.displayed(mean), scale.grade_of(mean), contributions, partial_year=partial)


def _scale_of(scheme: Scheme) -> Scale:
    if scheme.scale is None:
        raise Fault(("scheme",), "no_score_scale", f"{scheme.reference} grades in words, without scores")
    return scheme.scale


def _in_range(score: Fraction, where: Where) -> None:
    if not 0 <= score <= 100:
        raise Fault(where, "out_of_range", "a score lies from 0 to 100")


def _attainment(scheme: Scheme, indicators: Mapping[str, Measured] | None) -> dict[str, Fraction]:
    """The attainment of each indicator that can be judged."""
    given = indicators or {}
    gates = {gate.indicator for gate in scheme.gates}
    used = {one.id: one for section in scheme.sections for one in section.indicators}
    found: dict[str, Fraction] = {}
    for name, measured in given.items():
        if name not in used and name not in gates:
            raise Fault(("indicators", name), "unknown_indicator", f"{scheme.reference} does not weigh this indicator")
        if measured.numerator < 0 or measured.denominator < 0:
            raise Fault(("indicators", name), "out_of_range", "a numerator or denominator below 0 counts nothing")
    for name, one in used.items():
        value = one.attainment(given[name]) if name in given else None
        if value is not None:
            found[name] = value
    return found


def _too_few(indicators: Mapping[str, Measured], attainment: Mapping[str, Fraction], least_samples: Mapping[str, int]) -> dict[str, int]:
    """The least sample of each indicator that has something to judge by, and less than that."""
    return {name: least_samples[name] for name in attainment if indicators[name].denominator < least_samples.get(name, 0)}


def _not_assessable(scheme: Scheme, attainment: Mapping[str, Fraction], too_few: Mapping[str, int]) -> dict[str, Fraction]:
    """The nominal weight in the whole of each indicator that cannot be judged."""
    missing = {one.id: section.weight * one.share for section in scheme.sections for one in section.indicators if one.id not in attainment}
    if missing and scheme.when_not_assessable is WhenNotAssessable.REFUSE:
        name = next(iter(missing))
        if name in too_few:
            raise Fault(("indicators", name), "too_few_cases", f"this scheme gives no grade while it counts fewer than {too_few[name]}")
        raise Fault(("indicators", name), "not_assessable", "this scheme gives no grade while an indicator cannot be judged")
    return missing


def _judgement(scheme: Scheme, ratings: Mapping[str, GroupRatings] | None) -> Judgement | None:
    if ratings is None:
        return None
    rated = scheme.rated_section
    if rated is None or rated.raters is None:
        raise Fault(("ratings",), "no_rater_groups", f"{scheme.reference} has no section that rater groups fill in")
    for group, given in ratings.items():
        for index, one in enumerate(given.submitted):
            _in_range(one, ("ratings", group, index))
    return rated.raters.judged(ratings)


def _sheets(scheme: Scheme, attainment: Mapping[str, Fraction], judgement: Judgement | None) -> Iterator[_Sheet]:
    """The sections that have something to judge by, each with leaves whose shares sum to 1."""
    for section in scheme.sections:
        if section.raters is not None and judgement is not None:
            yield _Sheet(section, tuple(_Leaf(group, judgement.weights[group], mean) for group, mean in judgement.means.items()))
        judged = [one for one in section.indicators if one.id in attainment]
        whole = total(one.share for one in judged)
        if judged:
            yield _Sheet(section, tuple(_Leaf(one.id, one.share / whole, attainment[one.id]) for one in judged))


def _weighed(sheets: Sequence[_Sheet], judgement: Judgement | None) -> Iterator[Contribution]:
    """The leaves with their weights in the whole; the weights of sections without a leaf are shared out by weight."""
    whole = total(sheet.section.weight for sheet in sheets)
    raters = next((sheet.section.raters for sheet in sheets if sheet.section.raters is not None), None)
    of_the_whole = raters is not None and raters.rate is RatersRate.WHOLE
    for sheet in sheets:
        share = sheet.section.weight / whole
        for leaf in sheet.leaves:
            weight = leaf.share * share
            if of_the_whole and raters is not None and judgement is not None:
                # X-33, the option: the superior's share is made of all sections, the other groups' of what they rate.
                if sheet.section.raters is None:
                    weight *= judgement.weights[raters.required]
                elif leaf.part != raters.required:
                    weight = leaf.share
            yield Contribution(leaf.part, sheet.section.id, weight, leaf.value)


def _section_scores(contributions: Sequence[Contribution]) -> dict[str, SectionScore]:
    scores = {}
    for name in dict.fromkeys(leaf.section for leaf in contributions):
        leaves = [leaf for leaf in contributions if leaf.section == name]
        weight = total(leaf.weight for leaf in leaves)
        points = total(leaf.points for leaf in leaves)
        scores[name] = SectionScore(weight, points / weight)
    return scores


def _opened(indicators: Mapping[str, Measured] | None, gate: str) -> bool:
    return indicators is not None and gate in indicators and indicators[gate].numerator > 0
