"""One function a command: loaded data in, changes and events staged. No I/O."""

from collections.abc import Mapping
from typing import Any

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    HandlerAssigned,
    SolutionFound,
    SolutionTold,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.complaints import (
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintEscalated,
    ComplaintReceived,
    ComplaintRemedyDone,
    ComplaintRemedyFailed,
    ComplaintSolutionCommunicated,
    ComplaintSolutionProposed,
    ComplaintVerificationStarted,
    ComplaintVerified,
)
from common.contracts.service_requests import ServiceRequestRegistered, complaint_of
from common.contracts.triggers import TRIGGERS
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderReopened
from common.kernel.clocks import traits_of
from common.kernel.errors import Refused
from complaints.domain.complaint import TRAITS, Complaint
from complaints.repository import UnitOfWork


def receive_complaint(lodged: ComplaintLodged, existing: Complaint | None, uow: UnitOfWork) -> None:
    """A complaint is on record from the moment it was lodged; a major one is escalated in the same transaction (D4-14)."""
    if existing is not None:
        uow.reject(lodged, Refused("received_once", was=existing.status, field="complaint_id"))
        return
    if lodged.triggers and (refused := uow.documents.at(TRIGGERS, lodged.time).refused(lodged.triggers)):
        uow.reject(lodged, refused)
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
    """A service request that is a complaint, or a major case by its triggers, opens one, `<request>-c1`; others are none of ours."""
    if (request.route != "complaint" and not request.triggers) or existing is not None:
        return
    category = request.category or request.product
    _receive(
        Complaint(
            id=complaint_of_request(request),
            customer_id=request.customer_id,
            request_id=request.request_id,
            category=category,
            region=request.region,
            handled_by=request.handled_by,
            opened_at=request.received_at,
            triggers=request.triggers,
        ),
        {**traits_of(request, TRAITS), "category": category},
        uow,
    )


def complaint_of_request(request: ServiceRequestRegistered) -> str:
    """The id of the complaint that a request opens."""
    return complaint_of(request.request_id)


def _receive(complaint: Complaint, traits: Mapping[str, str], uow: UnitOfWork) -> None:
    complaint = complaint.received(traits)
    uow.complaints.add(complaint)
    uow.publish(
        ComplaintReceived(
            **_names(complaint),
            customer_id=complaint.customer_id,
            category=complaint.category,
            region=complaint.region,
            handled_by=complaint.handled_by,
            received_at=complaint.opened_at,
        )
    )
    if complaint.is_major:
        uow.publish(ComplaintEscalated(**_names(complaint), triggers=complaint.triggers, escalated_at=complaint.opened_at))


def acknowledge_complaint(told: ComplainantTold, complaint: Complaint, uow: UnitOfWork) -> None:
    """The complainant knows that we have the complaint (D4-12)."""
    if uow.complaints.answer(told, complaint.acknowledge(told.time, told.by)):
        uow.publish(ComplaintAcknowledged(**_names(complaint), acknowledged_at=told.time, by=told.by))


def start_verification(begun: VerificationBegun, complaint: Complaint, uow: UnitOfWork) -> None:
    """Somebody verifies what the complaint says (D4-12, X-08)."""
    if uow.complaints.answer(begun, complaint.start_verification(begun.time, begun.by)):
        uow.publish(ComplaintVerificationStarted(**_names(complaint), started_at=begun.time, by=begun.by))


def verify_complaint(ended: VerificationEnded, complaint: Complaint, uow: UnitOfWork) -> None:
    """It is clear whether the complaint is justified (D11-15)."""
    if uow.complaints.answer(ended, complaint.verify(ended.time, ended.by, justified=ended.justified)):
        uow.publish(ComplaintVerified(**_names(complaint), justified=ended.justified, verified_at=ended.time, by=ended.by))


def propose_solution(found: SolutionFound, complaint: Complaint, uow: UnitOfWork) -> None:
    """A remedy is decided (D4-13)."""
    if uow.complaints.answer(found, complaint.propose_solution(found.time, found.by, found.remedy)):
        justified, _ = complaint.found(found.time)
        uow.publish(
            ComplaintSolutionProposed(**_names(complaint), remedy=found.remedy, proposed_at=found.time, by=found.by, justified=justified)
        )


def communicate_solution(told: SolutionTold, complaint: Complaint, uow: UnitOfWork) -> None:
    """The complainant knows the solution, which stops the clock of 3 working days (D4-13, X-07)."""
    if uow.complaints.answer(told, complaint.communicate_solution(told.time, told.by)):
        justified, remedy = complaint.found(told.time)
        uow.publish(
            ComplaintSolutionCommunicated(
                **_names(complaint),
                communicated_at=told.time,
                by=told.by,
                team=complaint.team_of(told.by, told.time) or None,
                justified=justified,
                remedy=remedy,
            )
        )


def assign_handler(assigned: HandlerAssigned, complaint: Complaint, uow: UnitOfWork) -> None:
    """Somebody has the complaint, perhaps in another one's place: its promises are theirs from then on."""
    team = assigned.team or ""
    if uow.complaints.answer(assigned, complaint.assign(assigned.time, assigned.by, assigned.handled_by, team)):
        uow.publish(
            ComplaintAssigned(
                **_names(complaint), handled_by=assigned.handled_by, team=assigned.team, assigned_at=assigned.time, by=assigned.by
            )
        )


def note_remedy(done: WorkOrderCompleted, complaint: Complaint | None, uow: UnitOfWork) -> None:
    """The work that puts a complaint right is done; other work is none of ours."""
    if complaint is None:
        return
    match complaint.remedied(done.time, done.technician, done.work_order_id):
        case Complaint() as changed:
            uow.complaints.save(changed)
            uow.publish(
                ComplaintRemedyDone(
                    **_names(complaint), work_order_id=done.work_order_id, done_by=done.technician, done_at=done.completed_at
                )
            )
        case _:  # work of before the complaint puts nothing of it right
            return


def note_failed_remedy(reopened: WorkOrderReopened, complaint: Complaint | None, uow: UnitOfWork) -> None:
    """The defect came back after the work that was to put a complaint right."""
    if complaint is None:
        return
    match complaint.remedy_failed(reopened.time, reopened.completed_by, reopened.work_order_id):
        case Complaint() as changed:
            uow.complaints.save(changed)
            uow.publish(
                ComplaintRemedyFailed(
                    **_names(complaint),
                    work_order_id=reopened.work_order_id,
                    done_by=reopened.completed_by,
                    reopened_at=reopened.reopened_at,
                )
            )
        case _:  # as above
            return


def _names(complaint: Complaint) -> dict[str, Any]:
    """The complaint, and the request that it is about: each of its decisions says so."""
    return {"complaint_id": complaint.id, "request_id": complaint.request_id}
