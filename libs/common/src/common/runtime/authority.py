"""Whether the person on whose word a claim comes may say it, by the documents and the organisation as they were at its own time."""

from common.contracts.event import Claim
from common.contracts.topics import topic_of
from common.kernel.authorities import AUTHORITIES, ROLE_ALIASES, RoleAliases
from common.kernel.errors import Refused
from common.runtime.unit_of_work import UnitOfWork


def not_authorised(claim: Claim, uow: UnitOfWork) -> Refused | None:
    """The rule by which a claim is refused whoever else could have said it; None where the person may, or nobody is asked.

    What became known of the organisation after the claim was recorded does not count, so that a service that is made from its topics
    again answers as it did.
    """
    if topic_of(type(claim)).rejected is None:
        return None
    documents, at = uow.documents, claim.time
    if not documents.in_force(AUTHORITIES) or (authority := documents.at(AUTHORITIES, at).claims.get(claim.TYPE)) is None:
        return None
    aliases = documents.at(ROLE_ALIASES, at) if documents.in_force(ROLE_ALIASES) else RoleAliases()
    staff = uow.parties.as_of(claim.envelope.recorded_at).at(at)
    return authority.judge(lambda field: getattr(claim, field, None), staff, aliases)
