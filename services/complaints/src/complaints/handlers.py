"""Kafka in: what each event loads, and which use case it is."""

from common.contracts.claims import complaints as claims
from common.contracts.service_requests import ServiceRequestRegistered
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderReopened
from common.runtime.handling import handler_table, on
from common.runtime.promise_handlers import promise_handlers
from complaints import use_cases
from complaints.repository import UnitOfWork

_BY_ID = UnitOfWork.complaints.by("complaint_id")

HANDLERS = handler_table(
    on(claims.ComplaintLodged, use_cases.receive_complaint, loads=UnitOfWork.complaints.maybe("complaint_id")),
    on(ServiceRequestRegistered, use_cases.open_complaint_of_request, loads=UnitOfWork.complaints.maybe(use_cases.complaint_of_request)),
    on(claims.HandlerAssigned, use_cases.assign_handler, loads=_BY_ID),
    on(claims.ComplainantTold, use_cases.acknowledge_complaint, loads=_BY_ID),
    on(claims.VerificationBegun, use_cases.start_verification, loads=_BY_ID),
    on(claims.VerificationEnded, use_cases.verify_complaint, loads=_BY_ID),
    on(claims.SolutionFound, use_cases.propose_solution, loads=_BY_ID),
    on(claims.SolutionTold, use_cases.communicate_solution, loads=_BY_ID),
    on(WorkOrderCompleted, use_cases.note_remedy, loads=_BY_ID),  # of the complaint that the work puts right, if it does
    on(WorkOrderReopened, use_cases.note_failed_remedy, loads=_BY_ID),
    *promise_handlers(_BY_ID, claims.ComplaintPromisesVoided, claims.ComplaintPromiseExtended, claims.ComplaintPromiseRestarted),
)
