"""What appraisal decided about an appraisal cycle; topic `cycles`."""

from typing import Annotated

from pydantic import Field, StringConstraints

from common.contracts.claims.appraisal import Subject
from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import Instant, Name, Word

LISTED = 200
"""So many of those without a grade, and so many unknown subjects, are named in one event; further ones follow in events of their own."""

_Key = Annotated[str, StringConstraints(max_length=96)]
NotGraded = Annotated[dict[_Key, Word], Field(max_length=LISTED)]
"""Who of the organisation has no grade, and why: `{"E1004": "ratings_missing"}`."""
UnknownSubjects = Annotated[list[Subject], Field(max_length=LISTED)]
"""Whom facts are about that the org snapshot does not know: `["employee:E9"]`; their facts are kept, not graded."""


class _OfCycle(Event, topic="cycles"):
    cycle_key: Name


class CycleClosed(_OfCycle, type="cycle.closed"):
    """The cycle is graded with all that was known as of `as_of`; `cut` tells up to which record of each partition.

    The two lists hold at most 200 each; `cycle.exceptions_listed` events with the same `as_of` name the others.
    """

    cycle: Name
    scheme: Name
    as_of: Instant
    starts_at: Instant
    ends_at: Instant
    cut: Annotated[dict[_Key, int], Field(max_length=100)]
    """`{"kpi-facts/0": 1234}`: the first record of that partition that was not looked at."""
    graded: int
    not_graded: NotGraded
    not_graded_count: int = 0
    """How many there are in all."""
    unknown_subjects: UnknownSubjects
    unknown_subjects_count: int = 0
    """How many there are in all."""


class CycleExceptionsListed(_OfCycle, type="cycle.exceptions_listed"):
    """More of those whom a closed cycle could not grade than `cycle.closed` has room for, in parts from 1 to `parts`."""

    as_of: Instant
    part: int
    parts: int
    not_graded: NotGraded
    unknown_subjects: UnknownSubjects


class CycleClaimRejected(ClaimRejected, type="cycle.claim_rejected", topic="cycles", answers="cycle-claims"):
    """A rule refused to close a cycle."""

    cycle_key: Name
