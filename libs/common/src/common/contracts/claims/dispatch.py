"""What dispatchers and the technician's app say about a work order; topic `work-order-claims`."""

from typing import Literal

from common.contracts.claims import promises
from common.contracts.event import Claim
from common.contracts.fields import ComplaintId, EmployeeId, Priority, RequestId, TeamId, Word, WorkOrderId

Party = Literal["customer", "parts", "vendor", "other"]
"""Who the work waits for."""


class _AboutWorkOrder(Claim, topic="work-order-claims"):
    work_order_id: WorkOrderId


class WorkOrderOpened(_AboutWorkOrder, type="work_order.opened"):
    """A request needs one more work order than its nature calls for: a second visit, a visit after a consultation, work for a complaint."""

    request_id: RequestId
    reason: Word
    complaint_id: ComplaintId | None = None
    """The complaint that the work is to put right; by default the one that the request opened, where it is a complaint."""
    by: EmployeeId


class AssignmentMade(_AboutWorkOrder, type="work_order.assignment_made"):
    """A dispatcher gave the work to a technician, or handed it to another one (D1-10)."""

    technician: EmployeeId
    team: TeamId
    by: EmployeeId


class AssignmentTaken(_AboutWorkOrder, type="work_order.assignment_taken"):
    """The technician took the work on."""

    by: EmployeeId


class TechnicianArrived(_AboutWorkOrder, type="work_order.technician_arrived"):
    """The technician is at the customer's (到场); the first arrival is the one that was promised."""

    by: EmployeeId


class PriorityJudged(_AboutWorkOrder, type="work_order.priority_judged"):
    """Whoever handles the work found that it is more or less urgent than the triage had it (D1-11, X-39)."""

    priority: Priority
    reason: Word
    by: EmployeeId


class WorkHeldUp(_AboutWorkOrder, type="work_order.work_held_up"):
    """The work cannot go on until somebody else has done something; the clock gives the time to that party."""

    party: Party
    reason: Word
    by: EmployeeId


class WorkTakenUp(_AboutWorkOrder, type="work_order.work_taken_up"):
    """The work goes on."""

    by: EmployeeId


class WorkFinished(_AboutWorkOrder, type="work_order.work_finished"):
    """The technician finished the work on site (D7-09)."""

    by: EmployeeId


class DefectCameBack(_AboutWorkOrder, type="work_order.defect_came_back"):
    """The same defect came back, or was never gone: the work order opens again."""

    by: EmployeeId


class WorkOrderPromisesVoided(_AboutWorkOrder, promises.PromisesVoided, type="work_order.promises_voided"):
    """Promises of a work order end without an outcome: it was cancelled or merged, is spam, or a promise was taken back."""


class WorkOrderPromiseExtended(_AboutWorkOrder, promises.PromiseExtended, type="work_order.promise_extended"):
    """The customer was told of a later deadline of a work order, before the one in force, within what the policy allows."""


class WorkOrderPromiseRestarted(_AboutWorkOrder, promises.PromiseRestarted, type="work_order.promise_restarted"):
    """A promise of a work order begins anew, as often as the policy allows."""
