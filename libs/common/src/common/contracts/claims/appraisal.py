"""What HR, appraisers and other systems say to appraisal; topics `org-claims`, `rating-claims`, `kpi-fact-claims`, `cycle-claims`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.contracts.event import Claim
from common.contracts.fields import DecimalString, EmployeeId, Instant, TeamId, Word

Post = Literal["manager", "supervisor", "specialist"]
"""The three levels of D11-22."""
CycleId = Annotated[str, Field(pattern=r"^[0-9]{4}(Q[1-4]|H[12]|-(0[1-9]|1[0-2]))?$")]
SchemeRef = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}@[1-9][0-9]{0,5}$")]
Subject = Annotated[str, StringConstraints(pattern=r"^(employee|team|department|parts|customer):[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""Whom a fact is about: `employee:E1001`."""


class OrgMember(BaseModel):
    """One person in the organisation: number, post, where, and the direct superior's number (absent at the top)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    employee_id: EmployeeId
    post: Post
    department: TeamId
    team: TeamId
    superior: EmployeeId | None = None


class OrgDescribed(Claim, type="org.described", topic="org-claims"):
    """HR's picture of the whole organisation from an instant on (the event's time); the latest one before a cycle's end counts."""

    org_id: TeamId
    members: Annotated[list[OrgMember], Field(min_length=1, max_length=2000)]


class RatingGiven(Claim, type="rating.given", topic="rating-claims"):
    """An appraiser scored an appraisee on the ability sheet, 0 to 100 (D11-39); the group follows from the org snapshot (X-18)."""

    rating_id: Word
    cycle: CycleId
    scheme: SchemeRef
    appraisee: EmployeeId
    appraiser: EmployeeId
    score: DecimalString


class KpiReported(Claim, type="kpi.reported", topic="kpi-fact-claims"):
    """A figure that another system measured for an indicator of the registry."""

    case_id: Word
    indicator: Word
    subject: Subject
    numerator: DecimalString
    denominator: DecimalString
    occurrence: int = Field(default=0, ge=0, lt=2**31)
    revision: int = Field(default=1, ge=1, lt=2**31)


class CycleCloseRequested(Claim, type="cycle.close_requested", topic="cycle-claims"):
    """Somebody in charge asks to close a cycle of a scheme: it is graded with all that is known as of `as_of`."""

    cycle_key: Annotated[str, Field(max_length=80)]
    """`<cycle>|<scheme>`."""
    cycle: CycleId
    scheme: SchemeRef
    as_of: Instant
    for_real: bool = False
    """Whether outcomes of replayed or simulated history may be paid."""
