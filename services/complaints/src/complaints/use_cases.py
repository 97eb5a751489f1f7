"""One function a command: loaded data in, changes and events staged. No I/O."""

from collections.abc import Mapping

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    SolutionFound,
    SolutionTold,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.complaints import (
    ComplaintAcknowledged,
    ComplaintEscalated,
    ComplaintReceived,
    ComplaintSolutionCommunicated,
    ComplaintSolutionProposed,
    ComplaintVerificationStarted,
    ComplaintVerified,
)
from common.contracts.service_requests import ServiceRequestRegistered
from common.kernel.clocks import traits_of
from common.kernel.errors import Refused
from complaints.domain.complaint import TRAITS, Complaint
from complaints.repository import UnitOfWork


def receive_complaint(lodged: ComplaintLodged, existing: Complaint | None, uow: UnitOfWork) -> None:
    """A complaint is on record from the moment it was lodged; a major one is escalated in the same transaction (D4-14)."""
    if existing is not None:
        uow.reject(lodged, Refused("received_once", was=existing.status, field="complaint_id"))
        return
    _receive(
        Complaint(
            id=lodged.complaint_id,
            customer_id=lodged.customer_id,
            request_id=lodged.request_id,
            category=lodged.category,
            region=lodged.region,
            handled_by=lodged.handled_by,
            opened_at=lodged.time,
            triggers=lodged.triggers,
        ),
        traits_of(lodged, TRAITS),
        uow,
    )


def open_complaint_of_request(request: ServiceRequestRegistered, existing: Complaint | None, uow: UnitOfWork) -> None:
    """A service request that is a complaint opens one, `<request>-c1`; other requests are none of ours."""
    if request.nature != "complaint" or existing is not None:
        return
    _receive(
        Complaint(
            id=complaint_of(request),
            customer_id=request.customer_id,
            request_id=request.request_id,
            category=request.product,
            region=request.region,
            handled_by=request.handled_by,
            opened_at=request.received_at,
        ),
        {"category": request.product, **traits_of(request, TRAITS)},
        uow,
    )


def complaint_of(request: ServiceRequestRegistered) -> str:
    """The id of the complaint that a request opens."""
    return f"{request.request_id}-c1"


def _receive(complaint: Complaint, traits: Mapping[str, str], uow: UnitOfWork) -> None:
    complaint = complaint.received(traits)
    uow.complaints.add(complaint)
    uow.publish(
        ComplaintReceived(
            complaint_id=complaint.id,
            customer_id=complaint.customer_id,
            request_id=complaint.request_id,
            category=complaint.category,
            region=complaint.region,
            handled_by=complaint.handled_by,
            received_at=complaint.opened_at,
        )
    )
    if complaint.is_major:
        uow.publish(
            ComplaintEscalated(complaint_id=complaint.id, triggers=complaint.triggers, escalated_at=complaint.opened_at)  # type: ignore[arg-type]  # the claim's own triggers
        )


def acknowledge_complaint(told: ComplainantTold, complaint: Complaint, uow: UnitOfWork) -> None:
    """The complainant knows that we have the complaint (D4-12)."""
    if uow.complaints.answer(told, complaint.acknowledge(told.time, told.by)):
        uow.publish(ComplaintAcknowledged(complaint_id=complaint.id, acknowledged_at=told.time, by=told.by))


def start_verification(begun: VerificationBegun, complaint: Complaint, uow: UnitOfWork) -> None:
    """Somebody verifies what the complaint says (D4-12, X-08)."""
    if uow.complaints.answer(begun, complaint.start_verification(begun.time, begun.by)):
        uow.publish(ComplaintVerificationStarted(complaint_id=complaint.id, started_at=begun.time, by=begun.by))


def verify_complaint(ended: VerificationEnded, complaint: Complaint, uow: UnitOfWork) -> None:
    """It is clear whether the complaint is justified (D11-15)."""
    if uow.complaints.answer(ended, complaint.verify(ended.time, ended.by, justified=ended.justified)):
        uow.publish(ComplaintVerified(complaint_id=complaint.id, justified=ended.justified, verified_at=ended.time, by=ended.by))


def propose_solution(found: SolutionFound, complaint: Complaint, uow: UnitOfWork) -> None:
    """A remedy is decided (D4-13)."""
    if uow.complaints.answer(found, complaint.propose_solution(found.time, found.by, found.remedy)):
        uow.publish(ComplaintSolutionProposed(complaint_id=complaint.id, remedy=found.remedy, proposed_at=found.time, by=found.by))


def communicate_solution(told: SolutionTold, complaint: Complaint, uow: UnitOfWork) -> None:
    """The complainant knows the solution, which stops the clock of 3 working days (D4-13, X-07)."""
    if uow.complaints.answer(told, complaint.communicate_solution(told.time, told.by)):
        uow.publish(ComplaintSolutionCommunicated(complaint_id=complaint.id, communicated_at=told.time, by=told.by))
