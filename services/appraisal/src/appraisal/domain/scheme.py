"""Schemes: a rule book as data (weights, scale, raters, cycle, pay, approvals, appeals), with an id and a version.

A scheme is read from a document of text, lists and objects, and keeps it: the document is what is published, stored and
digested. What this package decides by is parsed and checked here; what other parts of appraisal will read (approvals,
appeals, windows, …) is carried through untouched in `document`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from appraisal.domain.committee import Committee, committee_from
from appraisal.domain.digest import digest
from appraisal.domain.document import SCHEME, count, parts, plain, word
from appraisal.domain.outcomes import OutcomeRule, outcomes_from
from appraisal.domain.pay import PayRule, pay_from
from appraisal.domain.period import PeriodLength
from appraisal.domain.raters import RatersRate
from appraisal.domain.scale import Scale, scale_from
from appraisal.domain.sections import Section, sections_from
from common.kernel.documents import Node, Plain
from common.kernel.faults import Fault
from common.kernel.zones import ZoneInfo, zone_named

_ID = re.compile(r"[a-z][a-z0-9-]{0,47}")
_VERSION = re.compile(r"[1-9][0-9]{0,5}")
_DECIDING = (
    "id", "version", "name", "source", "cycle", "scale", "sections", "when_not_assessable", "gates", "committee", "pay", "outcomes",
)  # fmt: skip
_CARRIED = ("assumed", "effective", "approvals", "appeals", "publication", "windows", "dimensions", "forms", "roles", "reviews", "notes")


LEAST_RATERS = 3
"""So few raters are told as a sum at least, where a scheme says nothing (assumed: no rule book does, X-30)."""


class WhenNotAssessable(StrEnum):
    """What becomes of the weight of an indicator that there is nothing to judge by, or too little: shared out by weight, or no grade."""

    REDISTRIBUTE = "redistribute"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class CycleRule:
    """How long a cycle is, for each post where posts differ (D11-34, D11-35), in which zone, and what a year needs (X-19)."""

    period: PeriodLength
    zone: ZoneInfo
    posts: Mapping[str, PeriodLength]
    least_periods: int
    first_day: int
    calendar: str
    """By whose working days the cycle goes; each grade's digest holds it."""

    def period_of(self, post: str | None) -> PeriodLength | None:
        """The period for a post; the scheme's own without a post; None for a post that the scheme does not know."""
        return self.period if post is None else self.posts.get(post)


@dataclass(frozen=True, slots=True)
class Gate:
    """An indicator that is never averaged away: anything above zero caps the grade at `cap`, to be confirmed by a person (X-25)."""

    indicator: str
    cap: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """One version of one rule book. It has either a numeric scale with sections, or a committee with axes in words."""

    id: str
    version: str
    zh: str
    en: str
    cycle: CycleRule
    scale: Scale | None
    sections: tuple[Section, ...]
    committee: Committee | None
    pay: PayRule | None
    gates: tuple[Gate, ...]
    outcomes: tuple[OutcomeRule, ...]
    when_not_assessable: WhenNotAssessable
    document: Mapping[str, Plain]
    digest: str
    """`sha256:…` over the whole document, so that a changed word is a changed scheme."""
    least_raters: int
    """Nothing is told that rests on the ratings of fewer (X-30, ADR 0021)."""

    @property
    def reference(self) -> str:
        """The scheme as events and answers name it: `department-360@1`."""
        return f"{self.id}@{self.version}"

    @property
    def indicators(self) -> frozenset[str]:
        """Every indicator that the scheme names: those that it weighs, and its gates."""
        weighed = (one.id for section in self.sections for one in section.indicators)
        return frozenset((*weighed, *(gate.indicator for gate in self.gates)))

    @property
    def rated_section(self) -> Section | None:
        """The section that rater groups fill in, where there is one."""
        return next((section for section in self.sections if section.raters is not None), None)

    @property
    def rater_groups(self) -> tuple[str, ...]:
        """The groups that rate under the scheme; whoever else the organisation knows of is not asked."""
        rated = self.rated_section
        return rated.raters.groups if rated is not None and rated.raters is not None else ()


def scheme_from(value: object) -> Scheme:
    """The scheme of a document out of JSON or YAML; numbers may be numbers or text, but no binary floats.

    Raises a `Fault` with the path of the field and the rule that it breaks; the first one found.
    """
    document = plain(value)
    if not isinstance(document, Mapping):
        raise Fault((), "not_an_object", "a scheme is an object")
    whole = Node(document, (), SCHEME)
    whole.fields(known=(*_DECIDING, *_CARRIED))
    name = whole.field("name")
    name.fields(known=("zh", "en"))
    scale = scale_from(whole.field("scale")) if "scale" in whole else None
    committee = committee_from(whole.field("committee")) if "committee" in whole else None
    if (scale is None) == (committee is None):
        raise whole.field("scale").fault("a scheme has either a scale or a committee", "one_scale")
    sections = sections_from(whole) if "sections" in whole else ()
    if committee is not None and sections:
        raise whole.field("sections").fault("a committee grades in words: it has no sections", "one_scale")
    grades = committee.grades if committee is not None else tuple(band.grade for band in scale.bands) if scale is not None else ()
    pay = pay_from(whole.field("pay")) if "pay" in whole else None
    if pay is not None and scale is None:
        raise whole.field("pay").fault("pay follows from a score, and a committee gives none", "one_scale")
    scheme = Scheme(
        id=_matching(whole, "id", _ID, "lower-case letters, digits and hyphens, at most 48"),
        version=_matching(whole, "version", _VERSION, "a whole number from 1 on"),
        zh=name.field("zh").text(),
        en=name.field("en").text(),
        cycle=_cycle_from(whole.field("cycle")),
        scale=scale,
        sections=sections,
        committee=committee,
        pay=pay,
        gates=_gates_from(whole, grades),
        outcomes=outcomes_from(whole, grades),
        when_not_assessable=word(whole.field("when_not_assessable"), WhenNotAssessable, WhenNotAssessable.REDISTRIBUTE),
        document=document,
        digest=digest(document),
        least_raters=_least_raters_from(whole.field("publication", {})),
    )
    _check_whole(scheme, whole)
    return scheme


def _matching(part: Node, key: str, pattern: re.Pattern[str], what: str) -> str:
    value = part.field(key).text()
    if pattern.fullmatch(value) is None:
        raise part.field(key).fault(f"must be {what}", "bad_name")
    return value


def _cycle_from(part: Node) -> CycleRule:
    part.fields(known=("period", "zone", "posts", "least_periods", "first_day", "calendar"))
    posts = part.field("posts", {})
    posts.fields()
    period = word(part.field("period"), PeriodLength)
    first_day = count(part.field("first_day"), "1", most=28)
    if first_day > 1 and period is not PeriodLength.MONTH:
        raise part.field("first_day").fault("only a month may start on another day than the first", "out_of_range")
    return CycleRule(
        period=period,
        zone=_zone_from(part),
        posts={post: word(posts.field(post), PeriodLength) for post in posts.value},
        least_periods=count(part.field("least_periods"), "1", most=period.per_year),
        first_day=first_day,
        calendar=part.field("calendar").text("cn"),
    )


def _least_raters_from(publication: Node) -> int:
    if not isinstance(publication.value, Mapping) or "least_raters" not in publication.value:
        return LEAST_RATERS
    return count(publication.field("least_raters"), most=100)


def _zone_from(part: Node) -> ZoneInfo:
    try:
        return zone_named(part.field("zone").text("Asia/Shanghai"))
    except KeyError as error:
        raise part.field("zone").fault("must be a time zone of the IANA data base", "unknown_zone") from error


def _gates_from(whole: Node, grades: tuple[str, ...]) -> tuple[Gate, ...]:
    gates = []
    for part in parts(whole.field("gates")):
        part.fields(known=("indicator", "cap"))
        gate = Gate(part.field("indicator").text(), part.field("cap").text())
        if gate.cap not in grades:
            raise part.field("cap").fault(f"{gate.cap} is no grade of this scheme", "unknown_grade")
        gates.append(gate)
    if gates and "scale" not in whole:
        raise whole.field("gates").fault("a gate caps the grade of a score", "one_scale")
    return tuple(gates)


def _check_whole(scheme: Scheme, whole: Node) -> None:
    averaged = {used.id for section in scheme.sections for used in section.indicators}
    for gate in scheme.gates:
        if gate.indicator in averaged:
            raise whole.field("gates").fault(f"{gate.indicator} is a gate and must not be averaged in a section too", "gate_averaged")
    rated = scheme.rated_section
    if rated is not None and rated.raters is not None and rated.raters.rate is RatersRate.WHOLE and len(scheme.sections) == 1:
        raise whole.field("sections").fault("group weights of the whole need another section than the rated one", "one_source")
