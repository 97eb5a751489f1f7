"""One function a command: loaded data in, changes and events staged. No I/O."""

from typing import assert_never

from common.contracts.claims.dispatch import (
    AssignmentMade,
    AssignmentTaken,
    DefectCameBack,
    WorkFinished,
    WorkHeldUp,
    WorkTakenUp,
)
from common.contracts.event import Claim
from common.contracts.service_requests import ServiceRequestRegistered
from common.contracts.work_orders import (
    WorkOrderAccepted,
    WorkOrderAssigned,
    WorkOrderCompleted,
    WorkOrderCreated,
    WorkOrderPaused,
    WorkOrderReopened,
    WorkOrderResumed,
)
from common.kernel.errors import Refused, TooEarly
from dispatch.domain.work_order import WorkOrder
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
        created_at=request.received_at,
    )
    uow.work_orders.add(order.created())
    uow.publish(
        WorkOrderCreated(
            work_order_id=order.id,
            request_id=order.request_id,
            priority=request.priority,
            region=order.region,
            product=order.product,
            created_at=order.created_at,
        )
    )


def work_order_of(request: ServiceRequestRegistered) -> str:
    """The id of the work order that a request needs."""
    return f"{request.request_id}-w1"


def assign_technician(made: AssignmentMade, order: WorkOrder, uow: UnitOfWork) -> None:
    """A technician has the work, perhaps in another one's place (D1-10)."""
    if _settled(made, order.assign(made.time, made.technician, made.team), uow):
        uow.publish(
            WorkOrderAssigned(
                work_order_id=order.id,
                technician=made.technician,
                team=made.team,
                reassigned=bool(order.standing(made.time).technician),
                assigned_at=made.time,
                by=made.by,
            )
        )


def accept_assignment(taken: AssignmentTaken, order: WorkOrder, uow: UnitOfWork) -> None:
    """The assigned technician took the work on."""
    if _settled(taken, order.accept(taken.time, taken.by), uow):
        uow.publish(WorkOrderAccepted(work_order_id=order.id, technician=taken.by, accepted_at=taken.time))


def pause_work(held_up: WorkHeldUp, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work waits for somebody else, whose time it is (P12)."""
    if _settled(held_up, order.hold_up(held_up.time, held_up.party, held_up.reason), uow):
        uow.publish(WorkOrderPaused(work_order_id=order.id, party=held_up.party, reason=held_up.reason, paused_at=held_up.time))


def resume_work(taken_up: WorkTakenUp, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work goes on."""
    if _settled(taken_up, order.take_up(taken_up.time), uow):
        uow.publish(WorkOrderResumed(work_order_id=order.id, resumed_at=taken_up.time))


def complete_work(finished: WorkFinished, order: WorkOrder, uow: UnitOfWork) -> None:
    """The work is done (D1-09, D7-09)."""
    if _settled(finished, order.complete(finished.time, finished.by), uow):
        uow.publish(WorkOrderCompleted(work_order_id=order.id, technician=finished.by, completed_at=finished.time))


def reopen_work(came_back: DefectCameBack, order: WorkOrder, uow: UnitOfWork) -> None:
    """The defect came back, which is charged to whoever had completed the work (P12)."""
    if _settled(came_back, order.reopen(came_back.time), uow):
        completed_by = order.standing(came_back.time).technician
        uow.publish(WorkOrderReopened(work_order_id=order.id, completed_by=completed_by, reopened_at=came_back.time))


def _settled(claim: Claim, decision: WorkOrder | Refused | TooEarly, uow: UnitOfWork) -> WorkOrder | None:
    """The changed order, saved; None when the claim was refused or waits."""
    match decision:
        case WorkOrder() as changed:
            uow.work_orders.save(changed)
            return changed
        case Refused() as refused:
            uow.reject(claim, refused)
        case TooEarly() as early:
            uow.wait(early)
        case never:
            assert_never(never)
    return None
