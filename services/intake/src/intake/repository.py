"""How a service request is stored."""

from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store.aggregates import Aggregates
from intake.domain.service_request import TRAITS, ServiceRequest
from intake.tables import ServiceRequestRow


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of intake may read and change."""

    traits = TRAITS
    requests = Aggregates(ServiceRequestRow, ServiceRequest)
