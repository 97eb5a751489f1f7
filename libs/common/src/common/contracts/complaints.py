"""What complaints decided about a complaint; topic `complaints`."""

from typing import Annotated

from pydantic import Field

from common.contracts.claims.complaints import Trigger
from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import ComplaintId, CustomerId, EmployeeId, Instant, RequestId, TeamId, Word, WorkOrderId


class _OfComplaint(Event, topic="complaints"):
    complaint_id: ComplaintId
    request_id: RequestId | None
    """The service request that it is about, where it is about one."""


class ComplaintReceived(_OfComplaint, type="complaint.received"):
    """The complaint is on record and its clocks run (D4-12, D4-13)."""

    customer_id: CustomerId
    category: Word
    region: Word
    handled_by: EmployeeId | None
    received_at: Instant


class ComplaintEscalated(_OfComplaint, type="complaint.escalated"):
    """A major case was reported to the management at once, in the same transaction as its classification (D4-14, X-09)."""

    triggers: Annotated[tuple[Trigger, ...], Field(max_length=50)]
    escalated_at: Instant


class ComplaintAssigned(_OfComplaint, type="complaint.assigned"):
    """From `assigned_at` on the promises are those of another handler."""

    handled_by: EmployeeId
    team: TeamId | None = None
    assigned_at: Instant
    by: EmployeeId


class ComplaintAcknowledged(_OfComplaint, type="complaint.acknowledged"):
    """The complainant knows that we have the complaint; verifying it is a separate event (D4-12, X-08)."""

    acknowledged_at: Instant
    by: EmployeeId


class ComplaintVerificationStarted(_OfComplaint, type="complaint.verification_started"):
    """Somebody is verifying the complaint (D4-12, X-08)."""

    started_at: Instant
    by: EmployeeId


class ComplaintVerified(_OfComplaint, type="complaint.verified"):
    """What the complaint says was found justified or not (D11-15)."""

    justified: bool
    verified_at: Instant
    by: EmployeeId


class ComplaintSolutionProposed(_OfComplaint, type="complaint.solution_proposed"):
    """A remedy was decided; the complainant does not know it yet (D4-13)."""

    remedy: Word
    proposed_at: Instant
    by: EmployeeId
    justified: bool
    """Whether the complaint had been found justified."""


class ComplaintSolutionCommunicated(_OfComplaint, type="complaint.solution_communicated"):
    """The complainant knows the solution; this stops the clock of 3 working days (D4-13, X-07)."""

    communicated_at: Instant
    by: EmployeeId
    team: TeamId | None = None
    """Their team on that day, as the assignment named it."""
    justified: bool
    """Whether the complaint had been found justified."""
    remedy: Word
    """What the complainant gets."""


class ComplaintRemedyDone(_OfComplaint, type="complaint.remedy_done"):
    """The work that puts the complaint right is done: from here on one watches whether that was the end of it."""

    work_order_id: WorkOrderId
    done_by: EmployeeId
    done_at: Instant


class ComplaintRemedyFailed(_OfComplaint, type="complaint.remedy_failed"):
    """The defect came back after the work that was to put the complaint right."""

    work_order_id: WorkOrderId
    done_by: EmployeeId
    """Who had done the work."""
    reopened_at: Instant


class ComplaintClaimRejected(ClaimRejected, type="complaint.claim_rejected", topic="complaints", answers="complaint-claims"):
    """A rule refused a claim about a complaint."""

    complaint_id: ComplaintId
