"""Kafka in: what each event loads, and which use case it is."""

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
from common.runtime.handling import on
from dispatch import use_cases
from dispatch.domain.work_order import WorkOrder
from dispatch.repository import UnitOfWork

_BY_ID = UnitOfWork.work_orders.by("work_order_id")


@on(ServiceRequestRegistered, loads=UnitOfWork.work_orders.maybe(use_cases.work_order_of))
def on_service_request_registered(event: ServiceRequestRegistered, existing: WorkOrder | None, uow: UnitOfWork) -> None:
    use_cases.create_work_order(event, existing, uow)


@on(AssignmentMade, loads=_BY_ID)
def on_assignment_made(event: AssignmentMade, order: WorkOrder, uow: UnitOfWork) -> None:
    use_cases.assign_technician(event, order, uow)


@on(AssignmentTaken, loads=_BY_ID)
def on_assignment_taken(event: AssignmentTaken, order: WorkOrder, uow: UnitOfWork) -> None:
    use_cases.accept_assignment(event, order, uow)


@on(TechnicianArrived, loads=_BY_ID)
def on_technician_arrived(event: TechnicianArrived, order: WorkOrder, uow: UnitOfWork) -> None:
    use_cases.note_arrival(event, order, uow)


@on(PriorityJudged, loads=_BY_ID)
def on_priority_judged(event: PriorityJudged, order: WorkOrder, uow: UnitOfWork) -> None:
    use_cases.judge_priority(event, order, uow)


@on(WorkHeldUp, loads=_BY_ID)
def on_work_held_up(event: WorkHeldUp, order: WorkOrder, uow: UnitOfWork) -> None:
    use_cases.pause_work(event, order, uow)


@on(WorkTakenUp, loads=_BY_ID)
def on_work_taken_up(event: WorkTakenUp, order: WorkOrder, uow: UnitOfWork) -> None:
    use_cases.resume_work(event, order, uow)


@on(WorkFinished, loads=_BY_ID)
def on_work_finished(event: WorkFinished, order: WorkOrder, uow: UnitOfWork) -> None:
    use_cases.complete_work(event, order, uow)


@on(DefectCameBack, loads=_BY_ID)
def on_defect_came_back(event: DefectCameBack, order: WorkOrder, uow: UnitOfWork) -> None:
    use_cases.reopen_work(event, order, uow)
