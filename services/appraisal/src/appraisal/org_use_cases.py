"""What HR says of organisations, one function a claim: judged, kept and published with its whole content. No I/O."""

from collections.abc import Sequence

from appraisal.domain.org import DescribedOrganisation
from appraisal.repository import UnitOfWork
from common.contracts.claims.appraisal import OrgDescribed, OrgMember, OrgMemberJoined, OrgMemberLeft, OrgMemberTransferred
from common.contracts.org import events_of
from common.kernel.errors import Refused, TooEarly
from common.kernel.ids import derived_id
from common.kernel.parties import Change, Kind


def describe_organisation(described: OrgDescribed, known: DescribedOrganisation | None, uow: UnitOfWork) -> None:
    """HR's picture of an organisation counts from its own time on."""
    if not _change(described, Kind.DESCRIBED, uow, described.members):
        return
    if known is None:
        uow.organisations.add(DescribedOrganisation(described.org_id, described.time))
    else:
        uow.organisations.save(known.described(described.time))


def join_organisation(joined: OrgMemberJoined, organisation: DescribedOrganisation, uow: UnitOfWork) -> None:  # noqa: ARG001 - locked by it
    """Somebody is a member from the claim's time on."""
    _change(joined, Kind.JOINED, uow, [joined.member])


def transfer_member(
    transferred: OrgMemberTransferred,
    organisation: DescribedOrganisation,  # noqa: ARG001 - locked by it
    uow: UnitOfWork,
) -> None:
    """A member has another post, place or superior from the claim's time on."""
    _change(transferred, Kind.TRANSFERRED, uow, [transferred.member])


def leave_organisation(left: OrgMemberLeft, organisation: DescribedOrganisation, uow: UnitOfWork) -> None:  # noqa: ARG001 - locked by it
    """Somebody is no longer a member from the claim's time on."""
    _change(left, Kind.LEFT, uow, leaver=left.employee_id)


_OrgClaim = OrgDescribed | OrgMemberJoined | OrgMemberTransferred | OrgMemberLeft


def _change(said: _OrgClaim, kind: Kind, uow: UnitOfWork, members: Sequence[OrgMember] = (), leaver: str = "") -> bool:
    """Keeps and publishes what HR said, unless a rule refuses it or something is still missing before it; whether it was kept."""
    rows = tuple(one.member() for one in members)
    id = derived_id(said.time, uow.cause.id)
    change = Change(id, said.org_id, kind, said.time, uow.cause.recorded_at, rows, leaver)
    match uow.parties.judge(change):
        case Refused() as refused:
            uow.reject(said, refused)
        case TooEarly() as early:
            uow.wait(early)
        case None:
            uow.organisation_changes.append(change)
            for event in events_of(change):
                uow.publish(event)
            return True
    return False
