"""A whole cycle: sums of facts, ratings, scheme and organisation in; a grade, or the reason for none, for each person out. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from appraisal.domain.anonymity import Disclosed, disclosed_from, disclosed_with, news
from appraisal.domain.digest import digest, grade_digest
from appraisal.domain.grade import Graded, grade_period
from appraisal.domain.indicators import indicator, indicators_in, registry_document
from appraisal.domain.lots import Lot, subject_document
from appraisal.domain.outcomes import OutcomeRule
from appraisal.domain.rating import Handed, Rating, Revision, digested, handed_in
from appraisal.domain.scheme import Scheme
from appraisal.domain.sections import Measured
from appraisal.domain.year_end import Earlier, cycles_of_year, earlier_documents, outcomes_of, year_end_levels, year_result
from common.kernel.documents import Plain
from common.kernel.errors import Refused
from common.kernel.faults import Fault
from common.kernel.staff import Member, Staff


@dataclass(frozen=True, slots=True)
class GradeInputs:
    """What one grade was computed from, each part with what its digest is made of: enough to compute it again for ever."""

    facts: Mapping[str, str]
    """The digest of the facts of each person whose cases count."""
    rated: Plain
    org: Plain
    """The person's own part of the organisation."""
    scheme: str
    registry: str
    calendar: str
    """The digests of the rules, which many grades share."""

    @property
    def digest(self) -> str:
        """The grade's digest."""
        return grade_digest(
            facts=self.facts, rated=self.rated, scheme=self.scheme, registry=self.registry, calendar=self.calendar, org=self.org
        )


@dataclass(frozen=True, slots=True)
class PersonalGrade:
    """The grade of one person with all that it was computed from."""

    member: Member
    graded: Graded
    measured: Mapping[str, Measured]
    inputs: GradeInputs
    digest: str
    replay_of: str
    told: bool = True
    """Whether the score may be told (ADR 0021)."""
    disclosed: Disclosed | None = None
    """What all versions have told of ratings, this one included."""
    outcomes: tuple[OutcomeRule, ...] = ()
    """What follows from the grade."""
    periods: Mapping[str, Fraction] = field(default_factory=dict)
    """The scores of which a year-end result is the mean, by cycle."""
    late: int = 0
    """So many raters say something new that does not count yet, since it would be told by comparing two versions."""


@dataclass(frozen=True, slots=True)
class CycleResults:
    """How a cycle ended: how many have a grade, who has none and by which rule, and whom facts are about that nobody knows."""

    graded: int
    not_graded: Mapping[str, str]
    unknown_subjects: Sequence[str]
    uncounted_ratings: Mapping[str, int] = field(default_factory=dict)
    """How many ratings of each appraisee count for nothing: by nobody's rater, of nobody who is graded, or late."""
    unknown_indicators: Mapping[str, int] = field(default_factory=dict)
    """How many facts are of each indicator that nobody has registered."""


@dataclass(frozen=True, slots=True)
class CycleInputs:
    """What a cycle is graded from."""

    cycle: str
    scheme: Scheme
    staff: Staff
    posts: frozenset[str]
    """The levels whose cycle this is: under one scheme a manager's may be another (D11-35)."""
    lots: Iterable[Lot]
    ratings: Iterable[Rating]
    as_of: datetime
    """With what was known when; facts and the organisation have been chosen by it."""
    calendar: Plain
    """Name, version and content of the calendar in force, and the version of the time zone data."""
    registry: Mapping[str, Any] = field(default_factory=registry_document)
    """The indicators that are registered as of then."""
    before: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By appraisee what the versions so far have told of ratings, as it is stored."""
    earlier: Mapping[str, Earlier] = field(default_factory=dict)
    """By person the grades of earlier cycles that this one looks at."""


@dataclass(frozen=True, slots=True)
class _Rated:
    graded: Graded
    sheet: Mapping[str, Handed]
    told: bool
    disclosed: Disclosed | None
    late: int


class Grading:
    """A cycle's inputs, indexed and digested once, so that each person costs only what is theirs; `grade` gives one after the other."""

    def __init__(self, inputs: CycleInputs) -> None:
        self._inputs = inputs
        scheme, staff = inputs.scheme, inputs.staff
        named = scheme.indicators
        self._lots: dict[str, dict[str, Lot]] = {}
        unknown, registered = set(), indicators_in(inputs.registry)
        self._least_samples = {name: one.least_sample for name, one in registered.items()}
        self.unknown_indicators: Counter[str] = Counter()
        """How many facts are of each indicator that nobody has registered."""
        for lot in inputs.lots:
            if lot.indicator not in registered:
                self.unknown_indicators[lot.indicator] += lot.facts
            kind, _, number = lot.subject.partition(":")
            if kind == "employee" and not staff.has_known(number):
                unknown.add(lot.subject)
            elif lot.indicator in named:
                self._lots.setdefault(lot.subject, {})[lot.indicator] = lot
        self._ratings: dict[str, dict[str, Rating]] = {}
        for rating in inputs.ratings:
            self._ratings.setdefault(rating.appraisee, {})[rating.appraiser] = rating
        self.documents = {digest(one): one for one in (scheme.document, inputs.registry, inputs.calendar)}
        """What the digests of many grades are made of, by digest: the rules, and the lots of each person."""
        self._scheme, self._registry, self._calendar = scheme.digest, digest(inputs.registry), digest(inputs.calendar)
        self._facts: dict[str, str] = {}
        for subject, lots in self._lots.items():
            document = subject_document(subject, {indicator: lot.digest for indicator, lot in lots.items()})
            self._facts[subject] = digest(document)
            self.documents[self._facts[subject]] = document
        self._earlier_facts: dict[str, dict[str, str]] = {}
        for number, earlier in inputs.earlier.items():
            documents = earlier_documents(scheme, inputs.cycle, earlier)
            self._earlier_facts[number] = {name: digest(document) for name, document in documents.items()}
            self.documents |= {self._earlier_facts[number][name]: document for name, document in documents.items()}
        self._year_end = year_end_levels(scheme, inputs.cycle)
        self.appraisees = tuple(one for one in staff.members if one.level in inputs.posts | self._year_end)
        """Whoever is graded in this cycle, by number."""
        self.unknown_subjects = tuple(sorted(unknown))
        """Whom facts are about that the organisation does not know."""

    def grade(self, members: Iterable[Member]) -> tuple[list[PersonalGrade], dict[str, str]]:
        """The grades of these appraisees, in their order, and who has none, by which rule."""
        grades, without = [], {}
        for member in members:
            try:
                grades.append(self._year(member) if member.level in self._year_end else self._grade(member))
            except Fault as fault:
                without[member.employee_id] = fault.rule
        return grades, without

    def _grade(self, member: Member) -> PersonalGrade:
        staff = self._inputs.staff
        subjects = [one for one in (f"employee:{number}" for number in staff.charged_with(member)) if one in self._lots]
        measured = self._measured(subjects)
        rated = self._rated(member, measured)
        inputs = self._digests(member, {subject: self._facts[subject] for subject in subjects}, digested(rated.sheet))
        replays = sorted({lot.replay_of for subject in subjects for lot in self._lots[subject].values() if lot.replay_of})
        replay_of = replays[0] if replays else ""
        outcomes = self._outcomes(member, rated.graded)
        known = rated.told, rated.disclosed, outcomes
        return PersonalGrade(member, rated.graded, measured, inputs, inputs.digest, replay_of, *known, late=rated.late)

    def _year(self, member: Member) -> PersonalGrade:
        """The year-end result of somebody whose cycles are shorter: from the grades of these, and from nothing else (D11-34)."""
        scheme, earlier = self._inputs.scheme, self._earlier(member)
        cycles = [earlier[one] for one in cycles_of_year(scheme, self._inputs.cycle) if one in earlier]
        scores = {one.cycle: one.score_exact for one in cycles}
        graded = year_result(scheme, member.level, scores)
        inputs = self._digests(member, {}, {})
        replay_of = max((one.replay_of for one in cycles), default="")
        known = all(one.told for one in cycles), None, self._outcomes(member, graded)
        return PersonalGrade(member, graded, {}, inputs, inputs.digest, replay_of, *known, periods=scores)

    def _digests(self, member: Member, facts: Mapping[str, str], rated: Plain) -> GradeInputs:
        return GradeInputs(
            facts={**facts, **self._earlier_facts.get(member.employee_id, {})},
            rated=rated,
            org=self._inputs.staff.document_of(member),
            scheme=self._scheme,
            registry=self._registry,
            calendar=self._calendar,
        )

    def _earlier(self, member: Member) -> Earlier:
        return self._inputs.earlier.get(member.employee_id, {})

    def _outcomes(self, member: Member, graded: Graded) -> tuple[OutcomeRule, ...]:
        return outcomes_of(self._inputs.scheme, self._inputs.cycle, graded.grade, self._earlier(member))

    def _rated(self, member: Member, measured: Mapping[str, Measured]) -> "_Rated":
        """With everything that was handed in, if that may be told; else with what was told before; else without telling the score."""
        ratings, document = self._ratings.get(member.employee_id, {}), self._inputs.before.get(member.employee_id)
        before = None if document is None else disclosed_from(document, ratings)
        now = handed_in(self._raters(member), self._known(member.employee_id))
        sheets = [now] if before is None or not before.sheet else [now, before.sheet]
        for sheet in sheets:
            graded = self._graded(measured, sheet)
            if (disclosed := disclosed_with(graded, sheet, before)) is not None:
                return _Rated(graded, sheet, told=True, disclosed=disclosed, late=news(now, sheet))
        return _Rated(self._graded(measured, now), now, told=False, disclosed=before, late=0)

    def _graded(self, measured: Mapping[str, Measured], sheet: Mapping[str, Handed]) -> Graded:
        groups = {group: handed.ratings for group, handed in sheet.items()}
        return grade_period(self._inputs.scheme, measured, groups if self._inputs.scheme.rated_section else None, self._least_samples)

    def _known(self, appraisee: str) -> dict[str, Revision]:
        """By rater, the revisions that count with what was known."""
        found = {rater: rating.as_of(self._inputs.as_of) for rater, rating in self._ratings.get(appraisee, {}).items()}
        return {rater: revision for rater, revision in found.items() if revision is not None}

    def _raters(self, member: Member) -> dict[str, Sequence[str]]:
        asked = self._inputs.scheme.rater_groups
        return {group: found for group, found in self._inputs.staff.raters_of(member).items() if group in asked}

    def uncounted_ratings(self) -> dict[str, int]:
        """How many ratings of each appraisee are by nobody's rater, or of somebody who is not graded in this cycle."""
        graded = {one.employee_id: one for one in self.appraisees}
        found = {}
        for appraisee in sorted(self._ratings):
            member = graded.get(appraisee)
            raters = {rater for group in self._raters(member).values() for rater in group} if member is not None else set()
            if number := len(self._known(appraisee).keys() - raters):
                found[appraisee] = number
        return found

    def _measured(self, subjects: Iterable[str]) -> dict[str, Measured]:
        sums: dict[str, tuple[Fraction, Fraction]] = {}
        for subject in subjects:
            for name, lot in self._lots[subject].items():
                numerator, denominator = sums.get(name, (Fraction(0), Fraction(0)))
                sums[name] = numerator + lot.numerator, denominator + lot.denominator
        return {name: Measured(*both) for name, both in sums.items()}


def nobody_graded(scheme: Scheme, results: CycleResults) -> Refused:
    """Why a cycle in which nobody has a grade is not closed: how often which reason, and what nobody of ours measures."""
    reasons = [f"{reason}: {number}" for reason, number in Counter(results.not_graded.values()).most_common()]
    foreign = sorted(name for name in scheme.indicators if (found := indicator(name)) is None or not found.producers)
    only_reported = [f"to be reported by other systems: {' '.join(foreign)}"] if foreign else []
    return Refused("nobody_could_be_graded", was="; ".join((*reasons, *only_reported))[:256], field="scheme")
