"""What dispatchers and the technician's app say about a work order; topic `work-order-claims`."""

from typing import Literal

from common.contracts.event import Claim
from common.contracts.fields import EmployeeId, Priority, TeamId, Word, WorkOrderId

Party = Literal["customer", "parts", "vendor", "other"]
"""Who the work waits for."""


class AssignmentMade(Claim, type="work_order.assignment_made"):
    """A dispatcher gave the work to a technician, or handed it to another one (D1-10)."""

    work_order_id: WorkOrderId
    technician: EmployeeId
    team: TeamId
    by: EmployeeId


class AssignmentTaken(Claim, type="work_order.assignment_taken"):
    """The technician took the work on."""

    work_order_id: WorkOrderId
    by: EmployeeId


class TechnicianArrived(Claim, type="work_order.technician_arrived"):
    """The technician is at the customer's (到场); the first arrival is the one that was promised."""

    work_order_id: WorkOrderId
    by: EmployeeId


class PriorityJudged(Claim, type="work_order.priority_judged"):
    """Whoever handles the work found that it is more or less urgent than the triage had it (D1-11, X-39)."""

    work_order_id: WorkOrderId
    priority: Priority
    reason: Word
    by: EmployeeId


class WorkHeldUp(Claim, type="work_order.work_held_up"):
    """The work cannot go on until somebody else has done something; the clock gives the time to that party."""

    work_order_id: WorkOrderId
    party: Party
    reason: Word
    by: EmployeeId


class WorkTakenUp(Claim, type="work_order.work_taken_up"):
    """The work goes on."""

    work_order_id: WorkOrderId
    by: EmployeeId


class WorkFinished(Claim, type="work_order.work_finished"):
    """The technician finished the work on site (D7-09)."""

    work_order_id: WorkOrderId
    by: EmployeeId


class DefectCameBack(Claim, type="work_order.defect_came_back"):
    """The same defect came back, or was never gone: the work order opens again."""

    work_order_id: WorkOrderId
    by: EmployeeId
