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
from appraisal.domain.cycle import Period
from appraisal.domain.digest import Plain, digest
from appraisal.domain.document import Part, plain
from appraisal.domain.outcomes import OutcomeRule, outcomes_from
from appraisal.domain.pay import PayRule, pay_from
from appraisal.domain.raters import RatersRate
from appraisal.domain.scale import Scale, scale_from
from appraisal.domain.sections import Section, sections_from
from common.kernel.zones import ZoneInfo, zone_named

_ID = re.compile(r"[a-z][a-z0-9-]{0,47}")
_VERSION = re.compile(r"[1-9][0-9]{0,5}")
_DECIDING = (
    "id", "version", "name", "source", "cycle", "scale", "sections", "when_not_assessable", "gates", "committee", "pay", "outcomes",
)  # fmt: skip
_CARRIED = ("assumed", "effective", "approvals", "appeals", "publication", "windows", "dimensions", "forms", "roles", "reviews", "notes")


class WhenNotAssessable(StrEnum):
    """What becomes of the weight of an indicator that there is nothing to judge by: shared out by weight, or no grade at all."""

    REDISTRIBUTE = "redistribute"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class CycleRule:
    """How long a cycle is, for each post where posts differ (D11-34, D11-35), in which zone, and what a year needs (X-19)."""

    period: Period
    zone: ZoneInfo
    posts: Mapping[str, Period]
    least_periods: int = 1
    first_day: int = 1

    def period_of(self, post: str | None) -> Period | None:
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

    @property
    def reference(self) -> str:
        """The scheme as events and answers name it: `department-360@1`."""
        return f"{self.id}@{self.version}"

    @property
    def rated_section(self) -> Section | None:
        """The section that rater groups fill in, where there is one."""
        return next((section for section in self.sections if section.raters is not None), None)


def scheme_from(value: object) -> Scheme:
    """The scheme of a document out of JSON or YAML; numbers may be numbers or text, but no binary floats.

    Raises BadScheme with the path of the field and the rule that it breaks; the first one found.
    """
    document = plain(value)
    if not isinstance(document, Mapping):
        raise Part({}).bad("", "not_an_object", "a scheme is an object")
    whole = Part(document)
    whole.only(*_DECIDING, *_CARRIED)
    name = whole.part("name")
    name.only("zh", "en")
    scale = scale_from(whole.part("scale")) if whole.has("scale") else None
    committee = committee_from(whole.part("committee")) if whole.has("committee") else None
    if (scale is None) == (committee is None):
        raise whole.bad("scale", "one_scale", "a scheme has either a scale or a committee")
    sections = sections_from(whole) if whole.has("sections") else ()
    if committee is not None and sections:
        raise whole.bad("sections", "one_scale", "a committee grades in words: it has no sections")
    grades = committee.grades if committee is not None else tuple(band.grade for band in scale.bands) if scale is not None else ()
    pay = pay_from(whole.part("pay")) if whole.has("pay") else None
    if pay is not None and scale is None:
        raise whole.bad("pay", "one_scale", "pay follows from a score, and a committee gives none")
    scheme = Scheme(
        id=_matching(whole, "id", _ID, "lower-case letters, digits and hyphens, at most 48"),
        version=_matching(whole, "version", _VERSION, "a whole number from 1 on"),
        zh=name.text("zh"),
        en=name.text("en"),
        cycle=_cycle_from(whole.part("cycle")),
        scale=scale,
        sections=sections,
        committee=committee,
        pay=pay,
        gates=_gates_from(whole, grades),
        outcomes=outcomes_from(whole, grades),
        when_not_assessable=whole.word("when_not_assessable", WhenNotAssessable, WhenNotAssessable.REDISTRIBUTE),
        document=document,
        digest=digest(document),
    )
    _check_whole(scheme, whole)
    return scheme


def _matching(part: Part, key: str, pattern: re.Pattern[str], what: str) -> str:
    value = part.text(key)
    if pattern.fullmatch(value) is None:
        raise part.bad(key, "bad_name", f"must be {what}")
    return value


def _cycle_from(part: Part) -> CycleRule:
    part.only("period", "zone", "posts", "least_periods", "first_day")
    posts = part.part("posts") if part.has("posts") else Part({})
    period = part.word("period", Period)
    first_day = part.count("first_day", "1", most=28)
    if first_day > 1 and period is not Period.MONTH:
        raise part.bad("first_day", "out_of_range", "only a month may start on another day than the first")
    return CycleRule(
        period=period,
        zone=_zone_from(part),
        posts={post: posts.word(post, Period) for post in posts.values},
        least_periods=part.count("least_periods", "1", most=period.per_year),
        first_day=first_day,
    )


def _zone_from(part: Part) -> ZoneInfo:
    try:
        return zone_named(part.text("zone", "Asia/Shanghai"))
    except KeyError as error:
        raise part.bad("zone", "unknown_zone", "must be a time zone of the IANA data base") from error


def _gates_from(whole: Part, grades: tuple[str, ...]) -> tuple[Gate, ...]:
    gates = []
    for part in whole.parts("gates"):
        part.only("indicator", "cap")
        gate = Gate(part.text("indicator"), part.text("cap"))
        if gate.cap not in grades:
            raise part.bad("cap", "unknown_grade", f"{gate.cap} is no grade of this scheme")
        gates.append(gate)
    if gates and not whole.has("scale"):
        raise whole.bad("gates", "one_scale", "a gate caps the grade of a score")
    return tuple(gates)


def _check_whole(scheme: Scheme, whole: Part) -> None:
    averaged = {used.id for section in scheme.sections for used in section.indicators}
    for gate in scheme.gates:
        if gate.indicator in averaged:
            raise whole.bad("gates", "gate_averaged", f"{gate.indicator} is a gate and must not be averaged in a section too")
    rated = scheme.rated_section
    if rated is not None and rated.raters is not None and rated.raters.rate is RatersRate.WHOLE and len(scheme.sections) == 1:
        raise whole.bad("sections", "one_source", "group weights of the whole need another section than the rated one")
