"""How work orders, and what dispatch knows of requests, are stored."""

from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store.aggregates import Aggregates
from dispatch.domain.request import Request
from dispatch.domain.work_order import TRAITS, WorkOrder
from dispatch.tables import RequestRow, WorkOrderRow


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of dispatch may read and change."""

    traits = TRAITS
    requests = Aggregates(RequestRow, Request)
    work_orders = Aggregates(WorkOrderRow, WorkOrder)
