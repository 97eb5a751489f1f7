"""How a complaint is stored."""

from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store.aggregates import Aggregates
from complaints.domain.complaint import TRAITS, Complaint
from complaints.tables import ComplaintRow


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of complaints may read and change."""

    traits = TRAITS
    complaints = Aggregates(ComplaintRow, Complaint)
