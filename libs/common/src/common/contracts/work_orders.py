"""What dispatch decided about a work order; topic `work-orders`."""

from common.contracts.claims.dispatch import Party
from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import ComplaintId, EmployeeId, Instant, Priority, RequestId, TeamId, Word, WorkOrderId


class _OfWorkOrder(Event, topic="work-orders"):
    work_order_id: WorkOrderId
    request_id: RequestId
    """The service request that needs the work."""
    complaint_id: ComplaintId | None = None
    """The complaint that the work puts right, where it does."""


class WorkOrderCreated(_OfWorkOrder, type="work_order.created"):
    """A service request has a work order: the first one by its nature, others because somebody opened them (D1-10)."""

    priority: Priority
    region: Word
    product: Word
    created_at: Instant
    reason: Word | None = None
    """Why somebody opened it; None for the one that the request's nature calls for."""


class WorkOrderAssigned(_OfWorkOrder, type="work_order.assigned"):
    """A technician has the work; `reassigned` tells that somebody else had it before."""

    technician: EmployeeId
    team: TeamId
    reassigned: bool
    assigned_at: Instant
    by: EmployeeId


class WorkOrderAccepted(_OfWorkOrder, type="work_order.accepted"):
    """The technician took the work on."""

    technician: EmployeeId
    accepted_at: Instant


class WorkOrderArrived(_OfWorkOrder, type="work_order.arrived"):
    """The technician is at the customer's; finished work says the same for whoever never said it."""

    technician: EmployeeId
    arrived_at: Instant


class WorkOrderReprioritised(_OfWorkOrder, type="work_order.reprioritised"):
    """The work has another priority from `judged_at` on, and its clocks the promise that goes with it (X-39)."""

    priority: Priority
    reason: Word
    judged_at: Instant
    by: EmployeeId


class WorkOrderPaused(_OfWorkOrder, type="work_order.paused"):
    """The work waits for a party; its completion clock stands still."""

    party: Party
    reason: Word
    paused_at: Instant


class WorkOrderResumed(_OfWorkOrder, type="work_order.resumed"):
    """The work goes on."""

    resumed_at: Instant


class WorkOrderCompleted(_OfWorkOrder, type="work_order.completed"):
    """The work is done; the problem counts as solved unless the defect comes back."""

    technician: EmployeeId
    completed_at: Instant
    team: TeamId | None = None
    """The technician's team on that day, as the assignment named it."""


class WorkOrderReopened(_OfWorkOrder, type="work_order.reopened"):
    """The defect came back: the work goes on where it stood, charged to whoever completed it (P12)."""

    completed_by: EmployeeId
    reopened_at: Instant


class WorkOrderClaimRejected(ClaimRejected, type="work_order.claim_rejected", topic="work-orders", answers="work-order-claims"):
    """A rule refused a claim about a work order."""

    work_order_id: WorkOrderId
