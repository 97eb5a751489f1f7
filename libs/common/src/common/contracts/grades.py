"""Grades and what follows from them; topics `grade-results` (the current grade), `grade-history` (every version), `grade-outcomes`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from common.contracts.event import Event
from common.contracts.fields import ExactString, Instant, Name, Sentence, Word


class Contribution(BaseModel):
    """One part of a score: its weight in the whole, its value from 0 to 100, and the points it brings. Points sum to the score exactly."""

    model_config = ConfigDict(frozen=True)

    part: Word
    weight: ExactString
    value: ExactString
    points: ExactString


class _Grade(Event):
    grade_key: Name
    """`<cycle>|<scheme>|employee:<number>`: the record's key."""
    cycle: Name
    scheme: Name
    subject: Name
    version: int
    """Counts up; a consumer keeps the highest."""
    score: Name
    """For people: two decimals, never across the edge of a band."""
    score_exact: ExactString
    grade: Name
    contributions: Annotated[list[Contribution], Field(max_length=60)]
    not_assessable: Annotated[list[Word], Field(max_length=60)]
    incomplete: Annotated[list[Word], Field(max_length=60)]
    reason_zh: Sentence
    reason_en: Sentence
    digest: Name
    """`sha256:…` over facts, scheme, registry, calendar and org snapshot: the same inputs give the same digest."""
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
