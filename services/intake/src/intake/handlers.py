"""Kafka in: what each event loads, and which use case it is."""

from common.contracts.claims import intake as claims
from common.runtime.handling import handler_table, on
from intake import use_cases
from intake.repository import UnitOfWork

_BY_ID = UnitOfWork.requests.by("request_id")

HANDLERS = handler_table(
    on(claims.ServiceRequestReceived, use_cases.register_request, loads=UnitOfWork.requests.maybe("request_id")),
    on(claims.CustomerAnswered, use_cases.answer_request, loads=_BY_ID),
    on(claims.ServiceEnded, use_cases.close_request, loads=_BY_ID),
    on(claims.SurveyAnswered, use_cases.record_survey, loads=_BY_ID),
)
