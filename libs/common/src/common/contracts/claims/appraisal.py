"""What HR, appraisers and other systems say to appraisal; topics `org-claims`, `rating-claims`, `kpi-fact-claims`, `cycle-claims`."""

from typing import Annotated, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.contracts.event import Claim
from common.contracts.fields import DecimalString, Dimensions, EmployeeId, Instant, TeamId, Word
from common.kernel.staff import LEVELS, Member

Post = Word
"""What somebody is employed as, in the enterprise's own words: `sales_director`, `packing_specialist` (the list is open, D11-22)."""
Level = Literal["manager", "supervisor", "specialist"]
"""The three levels of D11-22, by which raters and cycles follow."""
CycleId = Annotated[str, Field(pattern=r"^[0-9]{4}(Q[1-4]|H[12]|-(0[1-9]|1[0-2]))?$")]
SchemeRef = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}@[1-9][0-9]{0,5}$")]
Subject = Annotated[str, StringConstraints(pattern=r"^(employee|team|department|parts|customer):[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""Whom a fact is about: `employee:E1001`."""


class OrgMember(BaseModel):
    """One person in the organisation: number, post, where, and the direct superior's number (absent at the top).

    The level is that of a post which is called after one; any other post has none unless it is named.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    employee_id: EmployeeId
    post: Post
    level: Level | None = None
    department: TeamId
    section: TeamId | None = None
    team: TeamId
    region: Word | None = None
    roles: Annotated[list[Word], Field(max_length=6)] = []
    """What the person may decide besides the post: `dispatcher`, `hr` (role aliases say which words mean the same)."""
    superior: EmployeeId | None = None

    @classmethod
    def of(cls, member: Member) -> Self:
        """The row of a member."""
        return cls(
            employee_id=member.employee_id,
            post=member.post,
            level=cast("Level | None", member.level or None),
            department=member.department,
            section=member.section or None,
            team=member.team,
            region=member.region or None,
            roles=list(member.roles),
            superior=member.superior,
        )

    def member(self) -> Member:
        """The member that the row describes."""
        level = self.level or (self.post if self.post in LEVELS else "")
        where = self.department, self.team, self.superior
        return Member(self.employee_id, self.post, *where, level, self.section or "", self.region or "", tuple(self.roles))


class _OfOrganisation(Claim, topic="org-claims"):
    """Something that HR says of one organisation; several are described each by itself."""

    org_id: TeamId


class OrgDescribed(_OfOrganisation, type="org.described"):
    """HR's picture of the whole organisation from an instant on (the event's time); sent again for that instant it corrects the first."""

    members: Annotated[list[OrgMember], Field(min_length=1, max_length=2000)]


class OrgMemberJoined(_OfOrganisation, type="org.member_joined"):
    """Somebody is a member from the event's time on."""

    member: OrgMember


class OrgMemberTransferred(_OfOrganisation, type="org.member_transferred"):
    """A member has another post, place or superior from the event's time on: the row as it is then, whole."""

    member: OrgMember


class OrgMemberLeft(_OfOrganisation, type="org.member_left"):
    """Somebody is no longer a member from the event's time on."""

    employee_id: EmployeeId


class RatingItem(BaseModel):
    """One line of a sheet, scored from 0 to 100."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    item: Word
    score: DecimalString


class RatingGiven(Claim, type="rating.given", topic="rating-claims"):
    """An appraiser scored an appraisee on the rated sheet, 0 to 100 (D11-39); the group follows from the organisation (X-18).

    Either `score`, for the sheet as a whole, or `items`, of which it is the arithmetic mean.
    """

    rating_id: Word
    """The rating's own id, which is published: it must name neither the appraiser nor the score."""
    cycle: CycleId
    scheme: SchemeRef
    sheet: Word | None = None
    """The section that is rated: `ability`; without one it is the scheme's only one."""
    appraisee: EmployeeId
    appraiser: EmployeeId
    score: DecimalString | None = None
    items: Annotated[list[RatingItem], Field(max_length=60)] = Field(default_factory=list)
    remark: Annotated[str, StringConstraints(max_length=2000)] = ""
    """What the appraiser says besides; it never leaves the table of ratings."""
    revision: int = Field(default=1, ge=1, lt=2**31)
    """Counted up when the appraiser corrects the rating: the highest one counts, whatever comes first."""


class KpiReported(Claim, type="kpi.reported", topic="kpi-fact-claims"):
    """A figure that another system measured for an indicator of the registry."""

    case_id: Word
    indicator: Word
    subject: Subject
    numerator: DecimalString
    denominator: DecimalString
    occurrence: int = Field(default=0, ge=0, lt=2**31)
    revision: int = Field(default=1, ge=1, lt=2**31)
    dimensions: Dimensions = Field(default_factory=dict)
    """What the figure can be asked by: region, product, the team of that day."""


class CycleCloseRequested(Claim, type="cycle.close_requested", topic="cycle-claims"):
    """Somebody in charge asks to close a cycle of a scheme: it is graded with all that is known as of `as_of`.

    One that lies ahead is a plan: the cycle begins to close when that instant has come. A later plan takes its place.
    """

    cycle_key: Annotated[str, Field(max_length=80)]
    """`<cycle>|<scheme>`."""
    cycle: CycleId
    scheme: SchemeRef
    as_of: Instant
    for_real: bool = False
    """Whether outcomes of replayed or simulated history may be paid."""
    by: EmployeeId | None = None
    """Who asks, where a person does; refused as `not_authorised` unless they hold a role that may (documents of the kind `authorities`)."""
