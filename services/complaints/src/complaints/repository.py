"""How a complaint is stored."""

from datetime import datetime

from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store.aggregates import Aggregates
from complaints.domain.complaint import TRAITS, Complaint, Step
from complaints.tables import ComplaintRow


def _to_row(complaint: Complaint) -> ComplaintRow:
    return ComplaintRow(
        id=complaint.id,
        customer_id=complaint.customer_id,
        request_id=complaint.request_id,
        category=complaint.category,
        region=complaint.region,
        handled_by=complaint.handled_by,
        received_at=complaint.received_at,
        triggers=list(complaint.triggers),
        taken={step: at.isoformat() for step, at in complaint.taken.items()},
    )


def _to_domain(row: ComplaintRow) -> Complaint:
    return Complaint(
        id=row.id,
        customer_id=row.customer_id,
        request_id=row.request_id,
        category=row.category,
        region=row.region,
        handled_by=row.handled_by,
        received_at=row.received_at,
        triggers=tuple(row.triggers),
        taken={Step(step): datetime.fromisoformat(at) for step, at in row.taken.items()},
    )


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of complaints may read and change."""

    traits = TRAITS
    complaints = Aggregates(ComplaintRow, to_row=_to_row, to_domain=_to_domain)
