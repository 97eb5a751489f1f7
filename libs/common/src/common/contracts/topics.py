"""The topics table: each topic with its key, who writes, who reads, how long it is kept, and what travels on it.

Topics are created from it, documents generated from it, access lists derived from it, and tests forbid orphans in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from common.contracts import (
    complaints,
    cycles,
    grades,
    kpi_facts,
    org,
    ratings,
    service_requests,
    sla_clocks,
    work_orders,
)
from common.contracts.claims import appraisal as appraisal_claims
from common.contracts.claims import complaints as complaint_claims
from common.contracts.claims import dispatch as dispatch_claims
from common.contracts.claims import intake as intake_claims
from common.contracts.claims import operator as operator_claims
from common.contracts.event import ClaimRejected, Event

SERVICES = ("intake", "dispatch", "complaints", "appraisal")
ENTERPRISE = "enterprise"
"""Whoever is outside: CRM, hotline, the technician's app, HR, payroll."""


def source_of(service: str) -> str:
    """The CloudEvents source of everything that a service of ours says: `/aftersales/dispatch`."""
    return f"/aftersales/{service}"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `key` is the field of the event that is the record's key; `retention` None keeps records for ever."""

    name: str
    kind: Literal["claims", "decisions", "rules"]
    key: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    events: tuple[type[Event], ...]
    partitions: int = 6
    retention: timedelta | None = timedelta(days=30)
    compacted: bool = False
    rejected: type[ClaimRejected] | None = None
    """How a claim of this topic is answered when a rule refuses it."""
    bulk: str = ""
    """Set where each reader takes this topic in large batches, by a group of its own: `<service>-<bulk>`."""

    def key_of(self, event: Event) -> str:
        """The record's key for `event`, which is also its CloudEvents subject."""
        return str(getattr(event, self.key))

    @property
    def sources(self) -> tuple[str, ...]:
        """The CloudEvents sources of those of us who write to it; on a topic of decisions no other one is believed."""
        return tuple(source_of(service) for service in self.producers if service != ENTERPRISE)

    def dead_letters(self, service: str) -> str:
        """The topic that takes what `service` could not read of this one."""
        return f"{self.name}-{service}-dlq"


_YEARS = timedelta(days=3 * 366)

TOPICS: tuple[Topic, ...] = (
    Topic(
        "service-request-claims",
        "claims",
        "request_id",
        (ENTERPRISE,),
        ("intake",),
        (
            intake_claims.ServiceRequestReceived,
            intake_claims.CustomerAnswered,
            intake_claims.ServiceEnded,
            intake_claims.SurveyAnswered,
        ),
        rejected=service_requests.ServiceRequestClaimRejected,
    ),
    Topic(
        "work-order-claims",
        "claims",
        "work_order_id",
        (ENTERPRISE,),
        ("dispatch",),
        (
            dispatch_claims.AssignmentMade,
            dispatch_claims.AssignmentTaken,
            dispatch_claims.WorkHeldUp,
            dispatch_claims.WorkTakenUp,
            dispatch_claims.WorkFinished,
            dispatch_claims.DefectCameBack,
            dispatch_claims.PriorityJudged,
            dispatch_claims.TechnicianArrived,
        ),
        rejected=work_orders.WorkOrderClaimRejected,
    ),
    Topic(
        "complaint-claims",
        "claims",
        "complaint_id",
        (ENTERPRISE,),
        ("complaints",),
        (
            complaint_claims.ComplaintLodged,
            complaint_claims.ComplainantTold,
            complaint_claims.VerificationBegun,
            complaint_claims.VerificationEnded,
            complaint_claims.SolutionFound,
            complaint_claims.SolutionTold,
        ),
        rejected=complaints.ComplaintClaimRejected,
    ),
    Topic(
        "org-claims",
        "claims",
        "org_id",
        (ENTERPRISE,),
        ("appraisal",),
        (appraisal_claims.OrgDescribed,),
        partitions=1,
        rejected=org.OrgClaimRejected,
    ),
    Topic(
        "rating-claims",
        "claims",
        "appraisee",
        (ENTERPRISE,),
        ("appraisal",),
        (appraisal_claims.RatingGiven,),
        rejected=ratings.RatingClaimRejected,
    ),
    Topic("kpi-fact-claims", "claims", "case_id", (ENTERPRISE,), ("appraisal",), (appraisal_claims.KpiReported,)),
    Topic(
        "cycle-claims",
        "claims",
        "cycle_key",
        (ENTERPRISE,),
        ("appraisal",),
        (appraisal_claims.CycleCloseRequested,),
        partitions=1,
        rejected=cycles.CycleClaimRejected,
    ),
    Topic(
        "calendars",
        "rules",
        "calendar",
        (ENTERPRISE,),
        SERVICES,
        (operator_claims.CalendarPublished,),
        partitions=1,
        retention=None,
        compacted=True,
    ),
    Topic(
        "sla-policies",
        "rules",
        "policy",
        (ENTERPRISE,),
        SERVICES,
        (operator_claims.SlaPolicyActivated,),
        partitions=1,
        retention=None,
        compacted=True,
    ),
    Topic(
        "service-requests",
        "decisions",
        "request_id",
        ("intake",),
        ("dispatch", "complaints", ENTERPRISE),
        (
            service_requests.ServiceRequestRegistered,
            service_requests.ServiceRequestAnswered,
            service_requests.ServiceRequestClosed,
            service_requests.SurveyRecorded,
            service_requests.ServiceRequestClaimRejected,
        ),
    ),
    Topic(
        "work-orders",
        "decisions",
        "work_order_id",
        ("dispatch",),
        (ENTERPRISE,),
        (
            work_orders.WorkOrderCreated,
            work_orders.WorkOrderAssigned,
            work_orders.WorkOrderAccepted,
            work_orders.WorkOrderPaused,
            work_orders.WorkOrderResumed,
            work_orders.WorkOrderCompleted,
            work_orders.WorkOrderReopened,
            work_orders.WorkOrderReprioritised,
            work_orders.WorkOrderArrived,
            work_orders.WorkOrderClaimRejected,
        ),
    ),
    Topic(
        "complaints",
        "decisions",
        "complaint_id",
        ("complaints",),
        (ENTERPRISE,),
        (
            complaints.ComplaintReceived,
            complaints.ComplaintEscalated,
            complaints.ComplaintAcknowledged,
            complaints.ComplaintVerificationStarted,
            complaints.ComplaintVerified,
            complaints.ComplaintSolutionProposed,
            complaints.ComplaintSolutionCommunicated,
            complaints.ComplaintClaimRejected,
        ),
    ),
    Topic(
        "sla-clocks",
        "decisions",
        "clock_id",
        SERVICES,
        (ENTERPRISE,),
        (
            sla_clocks.SlaClockStarted,
            sla_clocks.SlaClockPaused,
            sla_clocks.SlaClockResumed,
            sla_clocks.SlaClockOwnerChanged,
            sla_clocks.SlaClockReopened,
            sla_clocks.SlaClockRederived,
            sla_clocks.SlaClockAtRisk,
            sla_clocks.SlaClockBreached,
            sla_clocks.SlaClockMet,
            sla_clocks.SlaClockCorrected,
        ),
    ),
    Topic(
        "kpi-facts", "decisions", "case_id", SERVICES, ("appraisal",), (kpi_facts.KpiRecorded,), partitions=12, retention=None, bulk="facts"
    ),
    Topic(
        "org-snapshots",
        "decisions",
        "org_id",
        ("appraisal",),
        (ENTERPRISE,),
        (org.OrgSnapshotTaken, org.OrgClaimRejected),
        partitions=1,
        retention=_YEARS,
    ),
    Topic("ratings", "decisions", "rating_id", ("appraisal",), (ENTERPRISE,), (ratings.RatingRecorded, ratings.RatingClaimRejected)),
    Topic(
        "cycles",
        "decisions",
        "cycle_key",
        ("appraisal",),
        (ENTERPRISE,),
        (cycles.CycleClosed, cycles.CycleExceptionsListed, cycles.CycleClaimRejected),
        partitions=1,
        retention=None,
    ),
    Topic(
        "grade-results",
        "decisions",
        "grade_key",
        ("appraisal",),
        (ENTERPRISE,),
        (grades.GradePublished,),
        retention=None,
        compacted=True,
    ),
    Topic("grade-history", "decisions", "grade_key", ("appraisal",), (ENTERPRISE,), (grades.GradeRecorded,), retention=None),
    Topic(
        "grade-outcomes",
        "decisions",
        "grade_key",
        ("appraisal",),
        (ENTERPRISE,),
        (grades.OutcomeProposed, grades.OutcomeReversed),
        retention=None,
    ),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
_TOPIC_OF: dict[type[Event], Topic] = {event: topic for topic in TOPICS for event in topic.events}
EVENTS: dict[str, type[Event]] = {event.TYPE: event for event in _TOPIC_OF}


def topic_of(event: type[Event]) -> Topic:
    """The topic on which events of this class travel; `LookupError` for a class that is on none."""
    return _TOPIC_OF[event]


def consumed_by(service: str) -> tuple[Topic, ...]:
    """The topics that `service` reads."""
    return tuple(topic for topic in TOPICS if service in topic.consumers)


def dead_letter_topics() -> Iterator[tuple[str, Topic]]:
    """Every dead-letter topic by name, with the topic that it belongs to."""
    for topic in TOPICS:
        for service in topic.consumers:
            if service != ENTERPRISE:
                yield topic.dead_letters(service), topic
