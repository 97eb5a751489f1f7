"""How a work order is stored."""

from datetime import datetime

from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store.aggregates import Aggregates
from dispatch.domain.work_order import TRAITS, Step, Taken, WorkOrder
from dispatch.tables import WorkOrderRow


def _to_row(order: WorkOrder) -> WorkOrderRow:
    standing = order.standing()
    return WorkOrderRow(
        id=order.id,
        request_id=order.request_id,
        priority=order.priority,
        region=order.region,
        product=order.product,
        created_at=order.created_at,
        status=standing.status,
        technician=standing.technician,
        team=standing.team,
        steps=[
            {"step": taken.step, "at": taken.at.isoformat(), "who": taken.who, "team": taken.team, "priority": taken.priority}
            for taken in order.steps
        ],
    )


def _to_domain(row: WorkOrderRow) -> WorkOrder:
    return WorkOrder(
        id=row.id,
        request_id=row.request_id,
        priority=row.priority,
        region=row.region,
        product=row.product,
        created_at=row.created_at,
        steps=tuple(Taken(**{**taken, "step": Step(taken["step"]), "at": datetime.fromisoformat(taken["at"])}) for taken in row.steps),
    )


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of dispatch may read and change."""

    traits = TRAITS
    work_orders = Aggregates(WorkOrderRow, to_row=_to_row, to_domain=_to_domain)
