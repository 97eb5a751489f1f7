"""One function a command: loaded data in, changes and events staged. No I/O."""

from common.contracts.claims.dispatch import (
    AssignmentMade,
    AssignmentTaken,
    DefectCameBack,
    PriorityJudged,
    TechnicianArrived,
    WorkFinished,
    WorkHeldUp,
    WorkTakenUp,
)
from common.contracts.service_requests import ServiceRequestRegistered
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
from dispatch.domain.work_order import TRAITS, WorkOrder
from dispatch.repository import UnitOfWork

ON_SITE = ("repair", "installation", "maintenance")
"""The natures of request that somebody has to go to the customer for (D4-04)."""


def create_work_order(request: ServiceRequestRegistered, existing: WorkOrder | None, uow: UnitOfWork) -> None:
    """A service request that needs work on site has its work order, `<request>-w1`; other requests are none of ours (D1-10)."""
    if request.nature not in ON_SITE or existing is not None:
        return
    order = WorkOrder(
        id=work_order_of(request),
        request_id=request.request_id,
        priority=request.priority,
        region=request.region,
        product=request.product,
        opened_at=request.received_at,
    )
    uow.work_orders.add(order.created(traits_of(request, TRAITS)))
    uow.publish(
        WorkOrderCreated(
            work_order_id=order.id,
            request_id=order.request_id,
            priority=request.priority,
            region=order.region,
            product=order.product,
            created_at=order.opened_at,
        )
    )


def work_order_of(request: ServiceRequestRegistered) -> str:
    """The id of the work order that a request needs."""
    return f"{request.request_id}-w1"


def assign_technician(made: AssignmentMade, order: WorkOrder, uow: UnitOfWork) -> None:
    """A technician has the work, perhaps in another one's place (D1-10)."""
    if uow.work_orders.answer(made, order.assign(made.time, made.by, made.technician, made.team)):
        uow.publish(
            WorkOrderAssigned(
                work_order_id=order.id,
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
        uow.publish(WorkOrderAccepted(work_order_id=order.id, technician=taken.by, accepted_at=taken.time))


def note_arrival(arrived: TechnicianArrived, order: WorkOrder, uow: UnitOfWork) -> None:
    """The technician is at the customer's."""
    if uow.work_orders.answer(arrived, order.arrive(arrived.time, arrived.by)):
        uow.publish(WorkOrderArrived(work_order_id=order.id, technician=arrived.by, arrived_at=arrived.time))


def judge_priority(judged: PriorityJudged, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work is more or less urgent than the triage had it (D1-11, X-39)."""
    if uow.work_orders.answer(judged, order.judge(judged.time, judged.by, judged.priority, judged.reason)):
        uow.publish(
            WorkOrderReprioritised(
                work_order_id=order.id, priority=judged.priority, reason=judged.reason, judged_at=judged.time, by=judged.by
            )
        )


def pause_work(held_up: WorkHeldUp, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work waits for somebody else, whose time it is (P12)."""
    if uow.work_orders.answer(held_up, order.hold_up(held_up.time, held_up.by, held_up.party, held_up.reason)):
        uow.publish(WorkOrderPaused(work_order_id=order.id, party=held_up.party, reason=held_up.reason, paused_at=held_up.time))


def resume_work(taken_up: WorkTakenUp, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work goes on."""
    if uow.work_orders.answer(taken_up, order.take_up(taken_up.time, taken_up.by)):
        uow.publish(WorkOrderResumed(work_order_id=order.id, resumed_at=taken_up.time))


def complete_work(finished: WorkFinished, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work is done (D1-09, D7-09)."""
    if uow.work_orders.answer(finished, order.complete(finished.time, finished.by)):
        uow.publish(WorkOrderCompleted(work_order_id=order.id, technician=finished.by, completed_at=finished.time))


def reopen_work(came_back: DefectCameBack, order: WorkOrder, uow: UnitOfWork) -> None:
    """The defect came back, which is charged to whoever had completed the work (P12)."""
    if uow.work_orders.answer(came_back, order.reopen(came_back.time, came_back.by)):
        completed_by = order.technician(came_back.time)
        uow.publish(WorkOrderReopened(work_order_id=order.id, completed_by=completed_by, reopened_at=came_back.time))
