"""What a grade makes of the cycles before it: the year-end result, and how often in a row it was such a grade (D11-34, X-24, X-32)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from appraisal.domain.grade import Graded, grade_year
from appraisal.domain.outcomes import OutcomeRule, Trigger
from appraisal.domain.period import Period, PeriodLength, period_named
from appraisal.domain.scheme import Scheme
from common.kernel.documents import Plain
from common.kernel.staff import LEVELS


@dataclass(frozen=True, slots=True)
class EarlierGrade:
    """The grade of an earlier cycle that stands: its current version, as of the close that asks for it."""

    cycle: str
    grade: str
    score_exact: Fraction
    told: bool
    """Whether its score was told; where it was not, no score that it is a part of may be (ADR 0021)."""
    digest: str
    replay_of: str = ""


Earlier = Mapping[str, EarlierGrade]
"""A person's earlier grades by cycle."""


def cycles_of_year(scheme: Scheme, cycle: str) -> tuple[str, ...]:
    """The cycles of which a year-end result is the mean, in their order; none but for a year."""
    year = period_named(cycle)
    if year.length is not PeriodLength.YEAR:
        return ()
    lengths = [one for one in PeriodLength if one in {scheme.cycle.period, *scheme.cycle.posts.values()} and one is not PeriodLength.YEAR]
    return tuple(Period(length, year.year, number).id for length in lengths for number in range(1, length.per_year + 1))


def year_end_levels(scheme: Scheme, cycle: str) -> frozenset[str]:
    """The levels that have shorter cycles, and so a mean at the end of the year."""
    if period_named(cycle).length is not PeriodLength.YEAR:
        return frozenset()
    return frozenset(level for level in LEVELS if (scheme.cycle.posts.get(level) or scheme.cycle.period) is not PeriodLength.YEAR)


def cycles_in_a_row(scheme: Scheme, cycle: str) -> tuple[str, ...]:
    """The cycles before this one at which an outcome looks that follows from the n-th such grade in a row, the latest first."""
    period, found = period_named(cycle), list[str]()
    for _ in range(max((rule.times for rule in scheme.outcomes), default=1) - 1):
        first = period.number == 1
        period = Period(period.length, period.year - first, period.length.per_year if first else period.number - 1)
        found.append(period.id)
    return tuple(found)


def year_result(scheme: Scheme, level: str, scores: Mapping[str, Fraction]) -> Graded:
    """The mean of the scores of a year's cycles, each a part that is called after its cycle; a `Fault` where there are too few."""
    post = level if level in scheme.cycle.posts else None
    graded = grade_year(scheme, list(scores.values()), post)
    parts = zip(graded.contributions, scores, strict=True)
    return replace(graded, contributions=tuple(replace(leaf, part=cycle) for leaf, cycle in parts))


def triggers_of(scheme: Scheme, cycle: str) -> frozenset[Trigger]:
    """What a result of this cycle may lead to: a year's is the year-end one, and where cycles are years also that of the cycle (X-32)."""
    if period_named(cycle).length is not PeriodLength.YEAR:
        return frozenset({Trigger.CYCLE})
    return frozenset(Trigger) if scheme.cycle.period is PeriodLength.YEAR else frozenset({Trigger.YEAR_END})


def outcomes_of(scheme: Scheme, cycle: str, grade: str, earlier: Earlier) -> tuple[OutcomeRule, ...]:
    """The rules that follow from a grade, with those before it in a row."""
    before = [earlier[one].grade if one in earlier else "" for one in cycles_in_a_row(scheme, cycle)]
    triggers = triggers_of(scheme, cycle)
    return tuple(rule for rule in scheme.outcomes if any(rule.applies(grade, trigger, _in_a_row(rule, before)) for trigger in triggers))


def _in_a_row(rule: OutcomeRule, before: Sequence[str]) -> int:
    """How often in a row, this time included; a cycle without a grade ends the row."""
    return 1 + next((number for number, grade in enumerate(before) if grade not in rule.grades), len(before))


def earlier_documents(scheme: Scheme, cycle: str, earlier: Earlier) -> dict[str, Plain]:
    """What a digest holds of earlier cycles, by name: of a year's cycles which version, of those in a row which grade."""
    year = {f"cycle:{one}": {"cycle": one, "digest": earlier[one].digest} for one in cycles_of_year(scheme, cycle) if one in earlier}
    row = {f"before:{one}": {"cycle": one, "grade": earlier[one].grade} for one in cycles_in_a_row(scheme, cycle) if one in earlier}
    return {**year, **row}
