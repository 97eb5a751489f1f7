"""How a work order is stored."""

from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store.aggregates import Aggregates
from dispatch.domain.work_order import TRAITS, WorkOrder
from dispatch.tables import WorkOrderRow


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of dispatch may read and change."""

    traits = TRAITS
    work_orders = Aggregates(WorkOrderRow, WorkOrder)
