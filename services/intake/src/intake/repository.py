"""How a service request is stored."""

from datetime import datetime

from common.runtime.unit_of_work import UnitOfWork as ChassisUnitOfWork
from common.store.aggregates import Aggregates
from intake.domain.service_request import TRAITS, ServiceRequest, Step
from intake.tables import ServiceRequestRow


def _to_row(request: ServiceRequest) -> ServiceRequestRow:
    return ServiceRequestRow(
        id=request.id,
        customer_id=request.customer_id,
        channel=request.channel,
        nature=request.nature,
        severity=request.severity,
        priority=request.priority,
        region=request.region,
        product=request.product,
        handled_by=request.handled_by,
        asset_id=request.asset_id,
        remarks=request.remarks,
        received_at=request.received_at,
        closed_by=request.closed_by,
        satisfaction=request.satisfaction,
        taken={step: at.isoformat() for step, at in request.taken.items()},
    )


def _to_domain(row: ServiceRequestRow) -> ServiceRequest:
    return ServiceRequest(
        id=row.id,
        customer_id=row.customer_id,
        channel=row.channel,
        nature=row.nature,
        severity=row.severity,
        priority=row.priority,
        region=row.region,
        product=row.product,
        handled_by=row.handled_by,
        asset_id=row.asset_id,
        remarks=row.remarks,
        received_at=row.received_at,
        closed_by=row.closed_by,
        satisfaction=row.satisfaction,
        taken={Step(step): datetime.fromisoformat(at) for step, at in row.taken.items()},
    )


class UnitOfWork(ChassisUnitOfWork):
    """What a use case of intake may read and change."""

    traits = TRAITS
    requests = Aggregates(ServiceRequestRow, to_row=_to_row, to_domain=_to_domain)
