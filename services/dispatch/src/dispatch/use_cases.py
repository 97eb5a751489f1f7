"""One function a command: loaded data in, changes and events staged. No I/O."""

from typing import Any

from common.contracts.claims.dispatch import (
    AssignmentMade,
    AssignmentTaken,
    DefectCameBack,
    PriorityJudged,
    TechnicianArrived,
    WorkFinished,
    WorkHeldUp,
    WorkOrderOpened,
    WorkTakenUp,
)
from common.contracts.service_requests import ServiceRequestRegistered, complaint_of
from common.contracts.work_orders import (
    WorkOrderAccepted,
    WorkOrderArrived,
    WorkOrderAssigned,
    WorkOrderCompleted,
    WorkOrderCreated,
    WorkOrderPaused,
    WorkOrderReopened,
    WorkOrderReprioritised,
    WorkOrderResumed,
)
from common.kernel.clocks import traits_of
from common.kernel.errors import Refused
from dispatch.domain.request import DERIVED, Request
from dispatch.domain.work_order import TRAITS, WorkOrder
from dispatch.repository import UnitOfWork


def create_work_order(registered: ServiceRequestRegistered, existing: WorkOrder | None, request: Request | None, uow: UnitOfWork) -> None:
    """A service request is known from here on; one that needs work on site has its first work order, `<request>-w1` (D1-10)."""
    if request is None:
        request = Request(
            id=registered.request_id,
            opened_at=registered.received_at,
            priority=registered.priority,
            region=registered.region,
            product=registered.product,
            complaint_id=complaint_of(registered.request_id) if registered.route == "complaint" else None,
            traits=traits_of(registered, TRAITS),
        )
        uow.requests.add(request)
    if registered.route == "work_order" and existing is None:
        _create(request.work_order(work_order_of(registered), request.opened_at), None, uow)


def work_order_of(request: ServiceRequestRegistered) -> str:
    """The id of the work order that a request's nature calls for."""
    return f"{request.request_id}{DERIVED}"


def open_work_order(opened: WorkOrderOpened, existing: WorkOrder | None, request: Request, uow: UnitOfWork) -> None:
    """A request has one more work order than its nature calls for, with promises of its own from that instant on."""
    if existing is not None:
        uow.reject(opened, Refused("opened_once", was=existing.status, field="work_order_id"))
        return
    match request.open(opened.work_order_id, opened.time, opened.complaint_id):
        case Refused() as refused:
            uow.reject(opened, refused)
        case order:
            _create(order, opened.reason, uow)


def _create(order: WorkOrder, reason: str | None, uow: UnitOfWork) -> None:
    uow.work_orders.add(order)
    uow.publish(
        WorkOrderCreated(
            **_names(order),
            priority=order.priority,  # type: ignore[arg-type]  # the request's own
            region=order.region,
            product=order.product,
            created_at=order.opened_at,
            reason=reason,
        )
    )


def _names(order: WorkOrder) -> dict[str, Any]:
    """The work order, and what it is for: each of its decisions says so, so that whoever has the request or complaint knows the work."""
    return {"work_order_id": order.id, "request_id": order.request_id, "complaint_id": order.complaint_id}


def assign_technician(made: AssignmentMade, order: WorkOrder, uow: UnitOfWork) -> None:
    """A technician has the work, perhaps in another one's place (D1-10)."""
    if uow.work_orders.answer(made, order.assign(made.time, made.by, made.technician, made.team)):
        uow.publish(
            WorkOrderAssigned(
                **_names(order),
                technician=made.technician,
                team=made.team,
                reassigned=bool(order.technician(made.time)),
                assigned_at=made.time,
                by=made.by,
            )
        )


def accept_assignment(taken: AssignmentTaken, order: WorkOrder, uow: UnitOfWork) -> None:
    """The assigned technician took the work on."""
    if uow.work_orders.answer(taken, order.accept(taken.time, taken.by)):
        uow.publish(WorkOrderAccepted(**_names(order), technician=taken.by, accepted_at=taken.time))


def note_arrival(arrived: TechnicianArrived, order: WorkOrder, uow: UnitOfWork) -> None:
    """The technician is at the customer's."""
    if uow.work_orders.answer(arrived, order.arrive(arrived.time, arrived.by)):
        uow.publish(WorkOrderArrived(**_names(order), technician=arrived.by, arrived_at=arrived.time))


def judge_priority(judged: PriorityJudged, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work is more or less urgent than the triage had it (D1-11, X-39)."""
    if uow.work_orders.answer(judged, order.judge(judged.time, judged.by, judged.priority, judged.reason)):
        uow.publish(
            WorkOrderReprioritised(**_names(order), priority=judged.priority, reason=judged.reason, judged_at=judged.time, by=judged.by)
        )


def pause_work(held_up: WorkHeldUp, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work waits for somebody else, whose time it is (P12)."""
    if uow.work_orders.answer(held_up, order.hold_up(held_up.time, held_up.by, held_up.party, held_up.reason)):
        uow.publish(WorkOrderPaused(**_names(order), party=held_up.party, reason=held_up.reason, paused_at=held_up.time))


def resume_work(taken_up: WorkTakenUp, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work goes on."""
    if uow.work_orders.answer(taken_up, order.take_up(taken_up.time, taken_up.by)):
        uow.publish(WorkOrderResumed(**_names(order), resumed_at=taken_up.time))


def complete_work(finished: WorkFinished, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work is done (D1-09, D7-09)."""
    if uow.work_orders.answer(finished, order.complete(finished.time, finished.by)):
        uow.publish(
            WorkOrderCompleted(
                **_names(order),
                technician=finished.by,
                team=order.team_of(finished.by, finished.time) or None,
                completed_at=finished.time,
            )
        )


def reopen_work(came_back: DefectCameBack, order: WorkOrder, uow: UnitOfWork) -> None:
    """The defect came back, which is charged to whoever had completed the work (P12)."""
    if uow.work_orders.answer(came_back, order.reopen(came_back.time, came_back.by)):
        completed_by = order.technician(came_back.time)
        uow.publish(WorkOrderReopened(**_names(order), completed_by=completed_by, reopened_at=came_back.time))
