"""Kafka in: what each event loads, and which use case it is."""

from common.contracts.claims import dispatch as claims
from common.contracts.service_requests import ServiceRequestRegistered
from common.runtime.handling import handler_table, on
from common.runtime.promise_handlers import promise_handlers
from dispatch import use_cases
from dispatch.repository import UnitOfWork

_BY_ID = UnitOfWork.work_orders.by("work_order_id")

HANDLERS = handler_table(
    on(
        ServiceRequestRegistered,
        use_cases.create_work_order,
        loads=(UnitOfWork.work_orders.maybe(use_cases.work_order_of), UnitOfWork.requests.maybe("request_id")),
    ),
    on(
        claims.WorkOrderOpened,
        use_cases.open_work_order,
        loads=(UnitOfWork.work_orders.maybe("work_order_id"), UnitOfWork.requests.by("request_id")),
    ),
    on(claims.AssignmentMade, use_cases.assign_technician, loads=_BY_ID),
    on(claims.AssignmentTaken, use_cases.accept_assignment, loads=_BY_ID),
    on(claims.TechnicianArrived, use_cases.note_arrival, loads=_BY_ID),
    on(claims.PriorityJudged, use_cases.judge_priority, loads=_BY_ID),
    on(claims.WorkHeldUp, use_cases.pause_work, loads=_BY_ID),
    on(claims.WorkTakenUp, use_cases.resume_work, loads=_BY_ID),
    on(claims.WorkFinished, use_cases.complete_work, loads=_BY_ID),
    on(claims.DefectCameBack, use_cases.reopen_work, loads=_BY_ID),
    *promise_handlers(_BY_ID, claims.WorkOrderPromisesVoided, claims.WorkOrderPromiseExtended, claims.WorkOrderPromiseRestarted),
)
