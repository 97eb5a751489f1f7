"""Kafka in: what each event loads, and which use case it is."""

from common.contracts.claims import intake as claims
from common.contracts.complaints import ComplaintSolutionCommunicated
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderReopened
from common.runtime.handling import handler_table, on
from common.runtime.promise_handlers import promise_handlers
from intake import use_cases
from intake.repository import UnitOfWork

_BY_ID = UnitOfWork.requests.by("request_id")

HANDLERS = handler_table(
    on(claims.ServiceRequestReceived, use_cases.register_request, loads=UnitOfWork.requests.maybe("request_id")),
    on(claims.CustomerAnswered, use_cases.answer_request, loads=_BY_ID),
    on(claims.ServiceEnded, use_cases.close_request, loads=_BY_ID),
    on(claims.SurveyAnswered, use_cases.record_survey, loads=_BY_ID),
    on(WorkOrderCompleted, use_cases.record_work, loads=_BY_ID),
    on(WorkOrderReopened, use_cases.reopen_request, loads=_BY_ID),
    on(ComplaintSolutionCommunicated, use_cases.record_solution, loads=UnitOfWork.requests.by(use_cases.request_of)),
    *promise_handlers(_BY_ID, claims.RequestPromisesVoided, claims.RequestPromiseExtended, claims.RequestPromiseRestarted),
)
