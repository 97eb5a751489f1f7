"""What a grade was computed from, as each version keeps it, and how a version is verified from that alone. Pure.

A version names its parts by their digests. Rules, the lots of each person and the facts of each lot are stored once under theirs,
however many grades share them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from appraisal.domain.answer import exact_text
from appraisal.domain.digest import digest
from appraisal.domain.grade import Graded, grade_period
from appraisal.domain.grading import GradeInputs, PersonalGrade
from appraisal.domain.indicators import Indicator, indicators_in
from appraisal.domain.lots import KpiFact, Lot, lot_digest
from appraisal.domain.raters import GroupRatings
from appraisal.domain.rating import Rating
from appraisal.domain.scheme import Scheme, scheme_from
from appraisal.domain.sections import Measured
from appraisal.domain.year_end import EarlierGrade, year_result
from common.kernel.documents import Plain
from common.kernel.exact import parse_exact
from common.kernel.faults import Fault
from common.kernel.staff import Member, Staff

RULES = ("scheme", "registry", "calendar")


@dataclass(frozen=True, slots=True)
class CloseInputs:
    """What a close has found when it began to grade, besides its scheme: every one of its grades rests on this and on nothing later."""

    members: tuple[Member, ...]
    former: tuple[Member, ...]
    lots: tuple[Lot, ...]
    ratings: tuple[Rating, ...]
    calendar: Mapping[str, Any]
    registry: Mapping[str, Any]
    before: Mapping[str, Mapping[str, Any]]
    """What earlier closes have told of ratings, by appraisee."""
    earlier: Mapping[str, Mapping[str, EarlierGrade]]

    @property
    def staff(self) -> Staff:
        """Everybody, as of the end of the cycle."""
        return Staff(self.members, lambda: self.former)


@dataclass(frozen=True, slots=True)
class StoredGrade:
    """One version with everything that it names: `contents` and `lots` by the digest under which they are stored."""

    document: Mapping[str, Any]
    inputs: Mapping[str, Any]
    contents: Mapping[str, Plain]
    lots: Mapping[str, Sequence[KpiFact]]

    @property
    def facts(self) -> list[KpiFact]:
        """Every fact that the grade counted."""
        return [fact for lot in self.lot_digests for fact in self.lots.get(lot, ())]

    @property
    def lot_digests(self) -> list[str]:
        """The digest of every lot that the grade counted."""
        return sorted({lot for _, lots in self.lots_of_persons() for lot in lots.values()})

    @property
    def scheme(self) -> Scheme | None:
        """The scheme as it was when the grade was computed; None when it is not stored, or this release cannot read it."""
        try:
            return scheme_from(self.contents[self.inputs["scheme"]])
        except (KeyError, Fault):
            return None

    @property
    def indicators(self) -> dict[str, Indicator]:
        """The indicators that were registered when the grade was computed, by id; none where that is not stored, or cannot be read."""
        try:
            return indicators_in(self.contents[self.inputs["registry"]])  # type: ignore[arg-type]  # a registry has fields, or cannot be read
        except (LookupError, TypeError, ValueError):
            return {}

    @property
    def least_samples(self) -> dict[str, int]:
        """How much each indicator had to count to say something."""
        return {name: one.least_sample for name, one in self.indicators.items()}

    def lots_of_persons(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Each person whose cases count, with the digest of each of their lots by indicator."""
        for subject, name in self.inputs["facts"].items():
            found: Any = self.contents.get(name, {})
            yield subject, found.get("lots", {})


def stored_inputs(personal: PersonalGrade) -> dict[str, Any]:
    """The inputs of a grade as its version keeps them: for verifying its digest later, and for explaining it down to the events."""
    graded, inputs = personal.graded, personal.inputs
    return {
        "facts": dict(inputs.facts),
        "rated": inputs.rated,
        "org": inputs.org,
        "scheme": inputs.scheme,
        "registry": inputs.registry,
        "calendar": inputs.calendar,
        "indicators": {
            name: {"numerator": exact_text(one.numerator), "denominator": exact_text(one.denominator)}
            for name, one in personal.measured.items()
        },
        "group_means": {group: exact_text(mean) for group, mean in graded.group_means.items()},
        "group_weights": {group: exact_text(weight) for group, weight in graded.weights.items()},
        "attainment": {name: exact_text(Fraction(value)) for name, value in graded.attainment.items()},
        "sections": {name: {"weight": exact_text(one.weight), "score": exact_text(one.score)} for name, one in graded.sections.items()},
        "score_exact": exact_text(graded.score_exact),
        "periods": {cycle: exact_text(score) for cycle, score in personal.periods.items()},
        "level": personal.member.level,
        "disclosed": None if personal.disclosed is None else personal.disclosed.document(),
    }


def measured_of(inputs: Mapping[str, Any]) -> dict[str, Measured]:
    """The sums that a version keeps, by indicator."""
    return {name: Measured(parse_exact(one["numerator"]), parse_exact(one["denominator"])) for name, one in inputs["indicators"].items()}


def means_of(inputs: Mapping[str, Any], scheme: Scheme) -> dict[str, GroupRatings] | None:
    """The groups' means that a version keeps, as ratings of one each: they give the same score; None where no group rates."""
    means = {group: GroupRatings((parse_exact(mean),)) for group, mean in inputs["group_means"].items()}
    return means if scheme.rated_section else None


def recomputed_digest(stored: StoredGrade) -> str:
    """The digest that the stored parts give; `KeyError` when one of them is not there."""
    inputs = stored.inputs
    own = GradeInputs(inputs["facts"], inputs["rated"], inputs["org"], inputs["scheme"], inputs["registry"], inputs["calendar"])
    rules = {part: digest(stored.contents[inputs[part]]) for part in RULES}
    facts = {subject: digest(stored.contents[name]) for subject, name in own.facts.items()}
    return replace(own, facts=facts, **rules).digest


def differing(stored: StoredGrade) -> list[str]:
    """Which parts of a version are not what was digested and graded, in words; empty when it verifies."""
    found = [f"the {part}" for part in RULES if _is_other(stored, stored.inputs[part])]
    found += [f"the lots of {subject}" for subject, name in stored.inputs["facts"].items() if _is_other(stored, name)]
    for subject, lots in stored.lots_of_persons():
        for indicator, name in lots.items():
            if lot_digest(subject, indicator, stored.lots.get(name, ())) != name:
                found.append(f"the facts of {subject} for {indicator}")
    if _sums(stored) != measured_of(stored.inputs):
        found.append("the sums")
    scheme = stored.scheme
    if scheme is not None and not _gives_its_score(stored, scheme):
        found.append("the score")
    if not found and recomputed_digest(stored) != stored.document["digest"]:
        found.append("the ratings, the organisation or the digest")
    return found


def _is_other(stored: StoredGrade, name: str) -> bool:
    return name not in stored.contents or digest(stored.contents[name]) != name


def _sums(stored: StoredGrade) -> dict[str, Measured]:
    sums: dict[str, Measured] = {}
    for fact in stored.facts:
        before = sums.get(fact.indicator, Measured(Fraction(0), Fraction(0)))
        more = parse_exact(fact.numerator), parse_exact(fact.denominator)
        sums[fact.indicator] = Measured(before.numerator + more[0], before.denominator + more[1])
    return sums


def _graded_again(stored: StoredGrade, scheme: Scheme) -> Graded:
    inputs = stored.inputs
    if periods := inputs["periods"]:
        return year_result(scheme, inputs["level"], {cycle: parse_exact(score) for cycle, score in periods.items()})
    return grade_period(scheme, measured_of(inputs), means_of(inputs, scheme), stored.least_samples)


def _gives_its_score(stored: StoredGrade, scheme: Scheme) -> bool:
    try:
        graded = _graded_again(stored, scheme)
    except Fault:
        return False
    score = exact_text(graded.score_exact)
    published = stored.document["score_exact"] in (None, score), stored.document["grade"]
    return stored.inputs["score_exact"] == score and published == (True, graded.grade)
