"""What complaint handlers say about a complaint; topic `complaint-claims`."""

from typing import Annotated

from pydantic import Field

from common.contracts.claims import promises
from common.contracts.event import Claim
from common.contracts.fields import ComplaintId, CustomerId, EmployeeId, RequestId, TeamId, Word

Trigger = Word
"""What makes a complaint a major case: one of the list that the enterprise keeps, document `complaint-triggers` (X-09)."""


class _AboutComplaint(Claim, topic="complaint-claims"):
    complaint_id: ComplaintId


class ComplaintLodged(_AboutComplaint, type="complaint.lodged"):
    """A customer complained, through whichever channel (D4-11)."""

    customer_id: CustomerId
    category: Word
    region: Word
    handled_by: EmployeeId | None = None
    """Whose promises they are; while nobody is named they are the department's."""
    request_id: RequestId | None = None
    triggers: Annotated[tuple[Trigger, ...], Field(max_length=20)] = ()
    channel: Word | None = None
    customer_class: Word | None = None
    """What the customer is to the enterprise (客户等级): SLA policies may promise by it."""
    outlet: Word | None = None
    """The branch or shop that serves the customer (网点): it may have hours of its own."""


class HandlerAssigned(_AboutComplaint, type="complaint.handler_assigned"):
    """Somebody has the complaint from here on, perhaps in another one's place: its promises are theirs."""

    handled_by: EmployeeId
    team: TeamId | None = None
    """Their team on that day."""
    by: EmployeeId


class ComplainantTold(_AboutComplaint, type="complaint.complainant_told"):
    """The complainant was told that we have the complaint (D4-12)."""

    by: EmployeeId


class VerificationBegun(_AboutComplaint, type="complaint.verification_begun"):
    """Somebody began to verify what the complaint says (D4-12, X-08)."""

    by: EmployeeId


class VerificationEnded(_AboutComplaint, type="complaint.verification_ended"):
    """The facts are clear: the complaint was found justified or not (D11-15)."""

    justified: bool
    by: EmployeeId


class SolutionFound(_AboutComplaint, type="complaint.solution_found"):
    """A remedy was decided; the complainant does not know it yet (D4-13)."""

    remedy: Word
    by: EmployeeId


class SolutionTold(_AboutComplaint, type="complaint.solution_told"):
    """The complainant was told the solution (D4-13)."""

    by: EmployeeId


class ComplaintPromisesVoided(_AboutComplaint, promises.PromisesVoided, type="complaint.promises_voided"):
    """Promises of a complaint end without an outcome: it was cancelled or merged, is spam, or a promise was taken back."""


class ComplaintPromiseExtended(_AboutComplaint, promises.PromiseExtended, type="complaint.promise_extended"):
    """The customer was told of a later deadline of a complaint, before the one in force, within what the policy allows."""


class ComplaintPromiseRestarted(_AboutComplaint, promises.PromiseRestarted, type="complaint.promise_restarted"):
    """A promise of a complaint begins anew, as often as the policy allows."""
