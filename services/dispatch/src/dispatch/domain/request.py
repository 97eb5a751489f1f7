"""What dispatch knows of a service request: enough to open one more work order for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from common.kernel.errors import Refused
from dispatch.domain.work_order import WorkOrder

DERIVED = "-w1"
"""How the id of the work order ends that a request's nature calls for: `<request>-w1`. Nobody else may give such a name."""


@dataclass(frozen=True, slots=True)
class Request:
    """A registered service request, as far as work orders need it."""

    id: str
    opened_at: datetime
    priority: str
    region: str
    product: str
    complaint_id: str | None
    """The complaint that it is, if it is one."""
    traits: Mapping[str, str]

    def work_order(self, id: str, at: datetime, complaint_id: str | None = None) -> WorkOrder:
        """A work order for the request, with its clocks running from `at`."""
        order = WorkOrder(
            id=id,
            request_id=self.id,
            complaint_id=complaint_id or self.complaint_id,
            priority=self.priority,
            region=self.region,
            product=self.product,
            opened_at=at,
        )
        return order.created(self.traits)

    def open(self, id: str, at: datetime, complaint_id: str | None) -> WorkOrder | Refused:
        """One more work order, which somebody asked for at that instant."""
        if id.endswith(DERIVED):
            return Refused("name_of_a_first_work_order", field="work_order_id")
        if at < self.opened_at:
            return Refused("not_before_receipt", field="ce_time")
        return self.work_order(id, at, complaint_id)
