"""What appraisal decided about organisations, with its whole content, so that every service knows who is what; topic `organisations`."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from common.contracts.claims.appraisal import OrgMember
from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import EmployeeId, Instant, Name, TeamId
from common.kernel.parties import Change, Kind

LISTED = 80
"""So many members at most are in one event; a picture of more comes in parts."""


class _OfOrganisation(Event, topic="organisations"):
    """One change of one organisation from `effective_at` on; `change` names the claim that it follows from."""

    org_id: TeamId
    change: Name
    effective_at: Instant


class OrganisationDescribed(_OfOrganisation, type="organisation.described"):
    """One part, from 1 to `parts`, of a picture of the whole organisation: it counts as soon as all parts are there."""

    part: int
    parts: int
    members: Annotated[list[OrgMember], Field(max_length=LISTED)]


class OrganisationMemberJoined(_OfOrganisation, type="organisation.member_joined"):
    """Somebody is a member from then on."""

    member: OrgMember


class OrganisationMemberTransferred(_OfOrganisation, type="organisation.member_transferred"):
    """A member has another post, place or superior from then on."""

    member: OrgMember


class OrganisationMemberLeft(_OfOrganisation, type="organisation.member_left"):
    """Somebody is no longer a member from then on."""

    employee_id: EmployeeId


class OrgClaimRejected(ClaimRejected, type="org.claim_rejected", topic="organisations", answers="org-claims"):
    """A rule refused what HR said of the organisation."""

    org_id: TeamId


OrganisationChanged = OrganisationDescribed | OrganisationMemberJoined | OrganisationMemberTransferred | OrganisationMemberLeft


def events_of(change: Change) -> Iterator[OrganisationChanged]:
    """The events that publish a change; several where a picture has more members than one event may list."""
    head = {"org_id": change.org_id, "change": change.id, "effective_at": change.effective_at}
    rows = [OrgMember.of(member) for member in change.members]
    match change.kind:
        case Kind.DESCRIBED:
            lots = [rows[start : start + LISTED] for start in range(0, len(rows), LISTED)]
            for number, lot in enumerate(lots, 1):
                yield OrganisationDescribed.model_validate({**head, "part": number, "parts": len(lots), "members": lot})
        case Kind.LEFT:
            yield OrganisationMemberLeft.model_validate({**head, "employee_id": change.leaver})
        case Kind.JOINED:
            yield OrganisationMemberJoined.model_validate({**head, "member": rows[0]})
        case Kind.TRANSFERRED:
            yield OrganisationMemberTransferred.model_validate({**head, "member": rows[0]})


def change_of(event: OrganisationChanged) -> Change:
    """The change, or the part of one, that an event publishes."""
    head = event.change, event.org_id
    times = event.effective_at, event.envelope.recorded_at
    match event:
        case OrganisationDescribed(members=rows, part=part, parts=parts):
            return Change(*head, Kind.DESCRIBED, *times, tuple(one.member() for one in rows), part=part, parts=parts)
        case OrganisationMemberLeft(employee_id=leaver):
            return Change(*head, Kind.LEFT, *times, leaver=leaver)
        case OrganisationMemberJoined(member=row):
            return Change(*head, Kind.JOINED, *times, (row.member(),))
        case OrganisationMemberTransferred(member=row):
            return Change(*head, Kind.TRANSFERRED, *times, (row.member(),))
