"""One function a command: loaded data in, changes and events staged. No I/O."""

from common.contracts.claims.intake import CustomerAnswered, ServiceEnded, ServiceRequestReceived, SurveyAnswered
from common.contracts.complaints import ComplaintSolutionCommunicated
from common.contracts.service_requests import (
    ServiceRequestAnswered,
    ServiceRequestClosed,
    ServiceRequestRegistered,
    ServiceRequestReopened,
    ServiceRequestResultRecorded,
    SurveyRecorded,
    complaint_of,
)
from common.contracts.triggers import TRIGGERS
from common.contracts.work_orders import WorkOrderCompleted, WorkOrderReopened
from common.kernel.errors import Refused
from common.kernel.works import WorkStep
from intake.domain.catalogue import CATALOGUE
from intake.domain.service_request import ServiceRequest
from intake.domain.triage import TRIAGE, triage
from intake.repository import UnitOfWork


def register_request(received: ServiceRequestReceived, existing: ServiceRequest | None, uow: UnitOfWork) -> None:
    """A request is on record and has its priority from the moment it was received (D1-10, X-39)."""
    if (refused := _refusal(received, existing, uow)) is not None:
        uow.reject(received, refused)
        return
    item = uow.documents.at(CATALOGUE, received.time)[received.nature]
    priority = triage(uow.documents.at(TRIAGE, received.time), received.nature, received.severity, item.priority)
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
        category=received.category,
        customer_class=received.customer_class,
        outlet=received.outlet,
        opened_at=received.time,
    )
    uow.requests.add(request.registered())
    uow.publish(
        ServiceRequestRegistered(
            request_id=request.id,
            customer_id=request.customer_id,
            channel=request.channel,
            nature=received.nature,
            route=item.route,
            severity=received.severity,
            priority=priority,
            region=request.region,
            product=request.product,
            handled_by=request.handled_by,
            asset_id=request.asset_id,
            received_at=request.opened_at,
            customer_class=received.customer_class,
            outlet=received.outlet,
            category=received.category,
            triggers=received.triggers,
        )
    )


def _refusal(received: ServiceRequestReceived, existing: ServiceRequest | None, uow: UnitOfWork) -> Refused | None:
    """Why a request is not taken: it is on record, or it asks for what the documents in force do not know."""
    if existing is not None:
        return Refused("registered_once", was=existing.status, field="request_id")
    catalogue = uow.documents.at(CATALOGUE, received.time)
    if received.nature not in catalogue:
        return Refused("unknown_nature", was=", ".join(catalogue)[:256], field="nature")
    return uow.documents.at(TRIGGERS, received.time).refused(received.triggers) if received.triggers else None


def answer_request(answered: CustomerAnswered, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The customer had a first response (D1-07)."""
    if uow.requests.answer(answered, request.answer(answered.time, answered.by)):
        uow.publish(ServiceRequestAnswered(request_id=request.id, answered_at=answered.time, by=answered.by))


def close_request(ended: ServiceEnded, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The service has ended and the request is in the archive (D1-14)."""
    if closed := uow.requests.answer(ended, request.close(ended.time, ended.by, ended.envelope.id)):
        uow.publish(ServiceRequestClosed(request_id=request.id, closed_at=ended.time, by=ended.by))
        _follow(request, closed, uow)


def record_survey(survey: SurveyAnswered, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The customer's satisfaction is credited to whoever did the work, for the day on which the case closed (D1-19, decision 26)."""
    if surveyed := uow.requests.answer(survey, request.survey(survey.time, survey.satisfaction, survey.envelope.id)):
        uow.publish(SurveyRecorded(request_id=request.id, satisfaction=survey.satisfaction, answered_at=survey.time))
        _follow(request, surveyed, uow)


def record_work(done: WorkOrderCompleted, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The work on site is the request's result; a survey of the time after it is about whoever did it."""
    step = WorkStep(done.work_order_id, done.time, done.envelope.sequence or 0, done.technician, done.team or "", done.envelope.id)
    _learn(request, request.done(step), uow)
    uow.publish(
        ServiceRequestResultRecorded(
            request_id=request.id,
            result="work_done",
            work_order_id=done.work_order_id,
            done_by=done.technician,
            done_at=done.completed_at,
        )
    )


def record_solution(told: ComplaintSolutionCommunicated, request: ServiceRequest | None, uow: UnitOfWork) -> None:
    """The solution is the result of a request that is a complaint; a complaint about another request is none of ours."""
    if request is None:
        return
    step = WorkStep(told.complaint_id, told.time, told.envelope.sequence or 0, told.by, told.team or "", told.envelope.id)
    _learn(request, request.done(step), uow)
    uow.publish(
        ServiceRequestResultRecorded(
            request_id=request.id,
            result="solution_told",
            complaint_id=told.complaint_id,
            done_by=told.by,
            done_at=told.communicated_at,
            remedy=told.remedy,
            justified=told.justified,
        )
    )


def request_of(told: ComplaintSolutionCommunicated) -> str | None:
    """The request that is this complaint; None for a complaint that a request did not open."""
    return told.request_id if told.request_id is not None and told.complaint_id == complaint_of(told.request_id) else None


def reopen_request(reopened: WorkOrderReopened, request: ServiceRequest, uow: UnitOfWork) -> None:
    """The defect came back: a request that had ended waits for its end again (P12)."""
    match request.reopen(reopened.time, WorkStep(reopened.work_order_id, reopened.time, reopened.envelope.sequence or 0)):
        case ServiceRequest() as changed:
            _learn(request, changed, uow)
        case _:  # work that was done again before the request came in is none of its story
            return


def _learn(was: ServiceRequest, request: ServiceRequest, uow: UnitOfWork) -> None:
    uow.requests.save(request)
    _follow(was, request, uow)


def _follow(was: ServiceRequest, request: ServiceRequest, uow: UnitOfWork) -> None:
    """What follows from a step or from work, whichever becomes known last: reopenings, and the facts of the surveys."""
    known = {closing.reopened for closing in was.closings}
    for closing in request.closings:
        if (reopened := closing.reopened) is not None and reopened not in known:
            uow.publish(
                ServiceRequestReopened(request_id=request.id, work_order_id=reopened.work_order, reopened_at=reopened.at), at=reopened.at
            )
    uow.observe(request.id, was.observations, request.observations)
