"""Grades and what follows from them; topics `grade-results` (the current grade), `grade-history` (every version), `grade-outcomes`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.contracts.event import Event
from common.contracts.fields import ExactString, Instant, Name, Sentence, Word

PARTS = 40
"""The most parts that a grade is made of: indicators and rater groups together."""


class Contribution(BaseModel):
    """One part of a score: its weight in the whole, its value from 0 to 100, and the points it brings. Points sum to the score exactly."""

    model_config = ConfigDict(frozen=True)

    part: Word
    """An indicator, a rater group, or the section of which `of` names the groups that are told as one sum (X-30)."""
    of: Annotated[list[Word], Field(max_length=6)] = Field(default_factory=list)
    weight: ExactString
    value: ExactString
    points: ExactString
    sample: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9./]{1,64}$")] | None = None
    """How much was counted: cases, or the points that could be reached; absent for what was rated."""


Kind = Literal["employee", "team", "department"]
Status = Literal["final", "proposed", "provisional"]


class _Grade(Event):
    grade_key: Name
    """`<cycle>|<scheme>|employee:<number>`: the record's key."""
    cycle: Name
    scheme: Name
    subject: Name
    kind: Kind = "employee"
    """What was graded: the kind of `subject`."""
    version: int
    """Counts up; a consumer keeps the highest."""
    score: Name | None
    """For people: two decimals, never across the edge of a band. Absent where a grade is given in words, or where so few have rated
    that their ratings could be computed from it (X-30)."""
    score_exact: ExactString | None
    grade: Name
    scale: Annotated[list[Word], Field(max_length=20)] = Field(default_factory=list)
    """The grades that the scheme has, from the worst to the best (X-01)."""
    status: Status = "final"
    """`proposed`: a person has to confirm or settle it; `provisional`: something is still to come in."""
    contributions: Annotated[list[Contribution], Field(max_length=PARTS)]
    """What the score is made of; where it is absent, what of it may be told."""
    not_assessable: Annotated[list[Word], Field(max_length=PARTS)]
    incomplete: Annotated[list[Word], Field(max_length=6)]
    """The rater groups of which somebody has not rated."""
    partial_year: bool = False
    """A year-end result of fewer cycles than a year has (X-19)."""
    cap: Name = ""
    """The best grade that the opened gates admit, whatever the score says; empty without one (X-25)."""
    capped_by: Annotated[list[Word], Field(max_length=PARTS)] = Field(default_factory=list)
    """The gates: `["safety_incidents"]`."""
    to_confirm: bool = False
    """A person has to confirm the cap before anything follows from it."""
    reason_zh: Sentence
    reason_en: Sentence
    digest: Name
    """`sha256:…` over facts, ratings by their ids, scheme, registry, calendar and the person's part of the organisation."""
    as_of: Instant


class GradePublished(_Grade, type="grade.published", topic="grade-results"):
    """The current grade of one person (or team) in one cycle of one scheme; on the compacted topic."""


class GradeRecorded(_Grade, type="grade.recorded", topic="grade-history"):
    """One version of a grade, kept for ever; a later one supersedes and never deletes it."""

    supersedes: int | None


class OutcomeProposed(Event, type="outcome.proposed", topic="grade-outcomes"):
    """What follows from a grade by the scheme's rules: a recommendation until a named person confirms it (X-28)."""

    outcome_id: Name
    grade_key: Name
    subject: Name
    version: int
    outcome: Word
    """As the scheme calls it: `raise_eligible`, `coaching` …"""
    rule: Name
    """The seed's rule: `D11-46`."""
    needs_confirmation: bool


class OutcomeReversed(Event, type="outcome.reversed", topic="grade-outcomes"):
    """A later version of the grade took the outcome's ground away."""

    outcome_id: Name
    grade_key: Name
    subject: Name
    version: int
    reverses: Name
