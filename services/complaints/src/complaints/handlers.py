"""Kafka in: what each event loads, and which use case it is."""

from common.contracts.claims.complaints import (
    ComplainantTold,
    ComplaintLodged,
    SolutionFound,
    SolutionTold,
    VerificationBegun,
    VerificationEnded,
)
from common.contracts.service_requests import ServiceRequestRegistered
from common.runtime.handling import on
from complaints import use_cases
from complaints.domain.complaint import Complaint
from complaints.repository import UnitOfWork

_BY_ID = UnitOfWork.complaints.by("complaint_id")


@on(ComplaintLodged, loads=UnitOfWork.complaints.maybe("complaint_id"))
def on_complaint_lodged(event: ComplaintLodged, existing: Complaint | None, uow: UnitOfWork) -> None:
    use_cases.receive_complaint(event, existing, uow)


@on(ServiceRequestRegistered, loads=UnitOfWork.complaints.maybe(use_cases.complaint_of))
def on_service_request_registered(event: ServiceRequestRegistered, existing: Complaint | None, uow: UnitOfWork) -> None:
    use_cases.open_complaint_of_request(event, existing, uow)


@on(ComplainantTold, loads=_BY_ID)
def on_complainant_told(event: ComplainantTold, complaint: Complaint, uow: UnitOfWork) -> None:
    use_cases.acknowledge_complaint(event, complaint, uow)


@on(VerificationBegun, loads=_BY_ID)
def on_verification_begun(event: VerificationBegun, complaint: Complaint, uow: UnitOfWork) -> None:
    use_cases.start_verification(event, complaint, uow)


@on(VerificationEnded, loads=_BY_ID)
def on_verification_ended(event: VerificationEnded, complaint: Complaint, uow: UnitOfWork) -> None:
    use_cases.verify_complaint(event, complaint, uow)


@on(SolutionFound, loads=_BY_ID)
def on_solution_found(event: SolutionFound, complaint: Complaint, uow: UnitOfWork) -> None:
    use_cases.propose_solution(event, complaint, uow)


@on(SolutionTold, loads=_BY_ID)
def on_solution_told(event: SolutionTold, complaint: Complaint, uow: UnitOfWork) -> None:
    use_cases.communicate_solution(event, complaint, uow)
