"""Kafka in: what each event loads, and which use case it is."""

from common.contracts.claims.intake import CustomerAnswered, ServiceEnded, ServiceRequestReceived, SurveyAnswered
from common.runtime.handling import on
from intake import use_cases
from intake.domain.service_request import ServiceRequest
from intake.repository import UnitOfWork

_BY_ID = UnitOfWork.requests.by("request_id")


@on(ServiceRequestReceived, loads=UnitOfWork.requests.maybe("request_id"))
def on_service_request_received(event: ServiceRequestReceived, existing: ServiceRequest | None, uow: UnitOfWork) -> None:
    use_cases.register_request(event, existing, uow)


@on(CustomerAnswered, loads=_BY_ID)
def on_customer_answered(event: CustomerAnswered, request: ServiceRequest, uow: UnitOfWork) -> None:
    use_cases.answer_request(event, request, uow)


@on(ServiceEnded, loads=_BY_ID)
def on_service_ended(event: ServiceEnded, request: ServiceRequest, uow: UnitOfWork) -> None:
    use_cases.close_request(event, request, uow)


@on(SurveyAnswered, loads=_BY_ID)
def on_survey_answered(event: SurveyAnswered, request: ServiceRequest, uow: UnitOfWork) -> None:
    use_cases.record_survey(event, request, uow)
