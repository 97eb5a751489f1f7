"""What appraisal decided about an appraisal cycle; topic `cycles`."""

from typing import Annotated

from pydantic import Field, StringConstraints

from common.contracts.claims.appraisal import Subject
from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import Instant, Name, Word

LISTED = 100
"""So many of those without a grade, and so many unknown subjects, are named in one event; further ones follow in events of their own."""

INDICATORS = 40
"""So many unknown indicators are named; the others wait for the next close."""

_Key = Annotated[str, StringConstraints(max_length=96)]
NotGraded = Annotated[dict[_Key, Word], Field(max_length=LISTED)]
"""Who of the organisation has no grade, and why: `{"E1004": "ratings_missing"}`."""
UnknownSubjects = Annotated[list[Subject], Field(max_length=LISTED)]
"""Whom facts are about that the organisation does not know: `["employee:E9"]`; their facts are kept, not graded."""


UncountedRatings = Annotated[dict[_Key, int], Field(max_length=LISTED)]
"""How many ratings of whom count for nothing: by nobody's rater, of nobody who is graded in the cycle, or late and too few (X-30)."""


class _OfCycle(Event, topic="cycles"):
    cycle_key: Name


class CycleClosePlanned(_OfCycle, type="cycle.close_planned"):
    """The cycle will begin to close at `as_of`, which lies ahead; a plan that is made later takes its place."""

    cycle: Name
    scheme: Name
    as_of: Instant
    for_real: bool


class CycleClosed(_OfCycle, type="cycle.closed"):
    """The cycle is graded with all that was known as of `as_of`; `watermarks` tell up to which record of each partition.

    The two lists hold at most 100 each; `cycle.exceptions_listed` events with the same `as_of` name the others.
    """

    cycle: Name
    scheme: Name
    as_of: Instant
    starts_at: Instant
    ends_at: Instant
    watermarks: Annotated[dict[_Key, int], Field(max_length=100)]
    """`{"kpi-facts/0": 1234}`: the first record of that partition that was not looked at."""
    graded: int
    not_graded: NotGraded
    not_graded_count: int = 0
    """How many there are in all."""
    unknown_subjects: UnknownSubjects
    unknown_subjects_count: int = 0
    """How many there are in all."""
    uncounted_ratings: UncountedRatings = Field(default_factory=dict)
    uncounted_ratings_count: int = 0
    """How many appraisees there are in all of whom some do not count."""
    unknown_indicators: Annotated[dict[_Key, int], Field(max_length=INDICATORS)] = Field(default_factory=dict)
    """How many facts are of each indicator that nobody has registered; they are kept, not graded."""


class CycleExceptionsListed(_OfCycle, type="cycle.exceptions_listed"):
    """More of those whom a closed cycle could not grade than `cycle.closed` has room for, in parts from 1 to `parts`."""

    as_of: Instant
    part: int
    parts: int
    not_graded: NotGraded
    unknown_subjects: UnknownSubjects
    uncounted_ratings: UncountedRatings = Field(default_factory=dict)


class CycleClaimRejected(ClaimRejected, type="cycle.claim_rejected", topic="cycles", answers="cycle-claims"):
    """A rule refused to close a cycle."""

    cycle_key: Name
