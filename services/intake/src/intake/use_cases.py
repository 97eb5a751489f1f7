"""One function a command: loaded data in, changes and events staged. No I/O."""

from common.contracts.claims.intake import CustomerAnswered, ServiceEnded, ServiceRequestReceived, SurveyAnswered
from common.contracts.event import Claim
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.service_requests import (
    ServiceRequestAnswered,
    ServiceRequestClosed,
    ServiceRequestRegistered,
    SurveyRecorded,
)
from common.kernel.clocks import traits_of
from common.kernel.errors import Refused
from intake.domain.service_request import TRAITS, Credit, ServiceRequest
from intake.domain.triage import triage
from intake.repository import UnitOfWork


def register_request(received: ServiceRequestReceived, existing: ServiceRequest | None, uow: UnitOfWork) -> None:
    """A request is on record and has its priority from the moment it was received (D1-10, X-39)."""
    if existing is not None:
        uow.reject(received, Refused("registered_once", was=existing.status, field="request_id"))
        return
    priority = triage(received.nature, received.severity)
    request = ServiceRequest(
        id=received.request_id,
        customer_id=received.customer_id,
        channel=received.channel,
        nature=received.nature,
        severity=received.severity,
        priority=priority,
        region=received.region,
        product=received.product,
        handled_by=received.handled_by,
        asset_id=received.asset_id,
        remarks=received.remarks,
        opened_at=received.time,
    )
    uow.requests.add(request.registered({"priority": priority, **traits_of(received, TRAITS)}))
    uow.publish(
        ServiceRequestRegistered(
            request_id=request.id,
            customer_id=request.customer_id,
            channel=request.channel,
            nature=received.nature,
            severity=received.severity,
            priority=priority,
            region=request.region,
            product=request.product,
            handled_by=request.handled_by,
            asset_id=request.asset_id,
            received_at=request.opened_at,
            customer_class=received.customer_class,
            outlet=received.outlet,
        )
    )


def answer_request(answered: CustomerAnswered, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The customer had a first response (D1-07)."""
    if uow.requests.answer(answered, request.answer(answered.time, answered.by)):
        uow.publish(ServiceRequestAnswered(request_id=request.id, answered_at=answered.time, by=answered.by))


def close_request(ended: ServiceEnded, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The service has ended and the request is in the archive (D1-14)."""
    if closed := uow.requests.answer(ended, request.close(ended.time, ended.by)):
        uow.publish(ServiceRequestClosed(request_id=request.id, closed_at=ended.time, by=ended.by))
        _credit(ended, request.credit, closed, uow)


def record_survey(survey: SurveyAnswered, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The customer's satisfaction is credited to whoever gave the service, for the day on which the case closed (D1-19, decision 26)."""
    surveyed = uow.requests.answer(survey, request.survey(survey.time, survey.satisfaction))
    if surveyed is not None and (credit := surveyed.credit) is not None:
        uow.publish(
            SurveyRecorded(request_id=request.id, satisfaction=survey.satisfaction, credited_to=credit.employee, answered_at=survey.time)
        )
        _credit(survey, request.credit, surveyed, uow)


def _credit(claim: Claim, was: Credit | None, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The fact of the survey; where an end or a survey of an earlier time becomes known late, it takes the place of the one before."""
    now = request.credit
    if now is None or now == was:
        return
    facts = [(now, now.points)]
    if was is not None and was.employee != now.employee:
        facts.append((was, (0, 0)))  # nothing to count, whoever was credited before
    for credit, (given, possible) in facts:
        uow.publish(
            KpiRecorded(
                case_id=request.id,
                indicator="customer_satisfaction",
                subject=f"employee:{credit.employee}",
                revision=request.credits_known - 1,
                numerator=str(given),
                denominator=str(possible),
                source_event_ids=[claim.envelope.id],
            ),
            at=credit.at,
        )
