"""A whole cycle: facts, ratings, scheme and organisation in; a grade, or the reason for none, for each person out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from appraisal.domain.digest import Fact, Plain, grade_digest
from appraisal.domain.grade import Graded, grade_period
from appraisal.domain.indicators import registry_document
from appraisal.domain.org import Member, OrgSnapshot
from appraisal.domain.raters import GroupRatings
from appraisal.domain.scheme import Scheme
from appraisal.domain.sections import Measured
from common.kernel.exact import parse_exact, ratio_text
from common.kernel.faults import Fault


@dataclass(frozen=True, slots=True)
class KpiFact:
    """One stored observation: `subject` without its kind is the person's number; numbers are exact text."""

    key: str
    event_id: str
    indicator: str
    case_id: str
    subject: str
    revision: int
    numerator: str
    denominator: str
    time: str
    source_event_ids: tuple[str, ...]
    replay_of: str = ""

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was taken back: 0 of 0 tells that there is nothing to count, whoever was credited before."""
        return parse_exact(self.numerator) == parse_exact(self.denominator) == 0


@dataclass(frozen=True, slots=True)
class Rating:
    """One rating as it was handed in: aggregate and contents at once, since it never changes."""

    id: str
    rating_id: str
    cycle: str
    scheme: str
    appraisee: str
    appraiser: str
    score: str


@dataclass(frozen=True, slots=True)
class PersonalGrade:
    """The grade of one person with all that it was computed from."""

    member: Member
    graded: Graded
    measured: Mapping[str, Measured]
    facts: tuple[KpiFact, ...]
    digest: str
    replay_of: str


@dataclass(frozen=True, slots=True)
class CycleGrades:
    """A graded cycle: who has a grade, who has none and why, and whom facts are about that the organisation does not know."""

    grades: tuple[PersonalGrade, ...]
    not_graded: Mapping[str, str]
    unknown_subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GradingInputs:
    """What a cycle is graded from."""

    scheme: Scheme
    org: OrgSnapshot
    posts: frozenset[str]
    """The posts whose cycle this is: under one scheme a manager's may be another (D11-35)."""
    facts: Sequence[KpiFact]
    ratings: Sequence[Rating]
    tzdata: str
    calendar: Plain = field(default_factory=dict)


def grade_cycle(inputs: GradingInputs) -> CycleGrades:
    """Grades everybody of the organisation whose post is graded in this cycle."""
    by_person: dict[str, list[KpiFact]] = {}
    for fact in inputs.facts:
        if not fact.is_withdrawn:
            by_person.setdefault(fact.subject, []).append(fact)
    ratings: dict[str, list[Rating]] = {}
    for rating in inputs.ratings:
        ratings.setdefault(rating.appraisee, []).append(rating)
    weighed = {one.id for section in inputs.scheme.sections for one in section.indicators}
    org_digest, scheme_document = inputs.org.document(), inputs.scheme.document
    grades, not_graded = [], {}
    for member in sorted(inputs.org.members, key=lambda one: one.employee_id):
        if member.post not in inputs.posts:
            continue
        facts = tuple(
            fact
            for number in inputs.org.charged_with(member)
            for fact in by_person.get(f"employee:{number}", ())
            if fact.indicator in weighed
        )
        measured = _measured(facts)
        groups = _groups(inputs.org.raters_of(member), ratings.get(member.employee_id, ()))
        try:
            graded = grade_period(inputs.scheme, measured, groups if inputs.scheme.rated_section else None)
        except Fault as fault:
            not_graded[member.employee_id] = fault.rule
            continue
        name = grade_digest(
            facts=[*map(_digested, facts), *_rated(groups)],
            scheme=scheme_document,
            registry=registry_document(),
            calendar=inputs.calendar,
            tzdata=inputs.tzdata,
            org=org_digest,
        )
        replay_of = next((fact.replay_of for fact in facts if fact.replay_of), "")
        grades.append(PersonalGrade(member, graded, measured, facts, name, replay_of))
    known = {f"employee:{one.employee_id}" for one in inputs.org.members}
    unknown = sorted(subject for subject in by_person if subject.startswith("employee:") and subject not in known)
    return CycleGrades(tuple(grades), not_graded, tuple(unknown))


def _measured(facts: Sequence[KpiFact]) -> dict[str, Measured]:
    sums: dict[str, tuple[Fraction, Fraction]] = {}
    for fact in facts:
        numerator, denominator = sums.get(fact.indicator, (Fraction(0), Fraction(0)))
        sums[fact.indicator] = numerator + parse_exact(fact.numerator), denominator + parse_exact(fact.denominator)
    return {indicator: Measured(*sums[indicator]) for indicator in sorted(sums)}


def _groups(raters: Mapping[str, Sequence[str]], ratings: Sequence[Rating]) -> dict[str, GroupRatings]:
    """The ratings by group; who is in no group does not count, whatever was handed in."""
    by_rater = {rating.appraiser: parse_exact(rating.score) for rating in ratings}
    return {
        group: GroupRatings(tuple(by_rater[number] for number in sorted(numbers) if number in by_rater), assigned=len(numbers))
        for group, numbers in raters.items()
        if numbers
    }


def _digested(fact: KpiFact) -> Fact:
    values = {"indicator": fact.indicator, "subject": fact.subject, "numerator": fact.numerator, "denominator": fact.denominator}
    return Fact(fact.key, fact.revision, values, fact.time)


def _rated(groups: Mapping[str, GroupRatings]) -> list[Fact]:
    """The ratings as facts, by group and without their raters, so that a digest can be checked by somebody who may not know them."""
    return [
        Fact(f"ratings:{group}", 1, {str(n): ratio_text(score) for n, score in enumerate(sorted(given.submitted))}, "")
        for group, given in sorted(groups.items())
    ]
