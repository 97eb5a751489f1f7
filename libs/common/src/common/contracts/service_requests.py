"""What intake decided about a service request; topic `service-requests`."""

from typing import Annotated, Literal

from pydantic import Field

from common.contracts.claims.complaints import Trigger
from common.contracts.claims.intake import Nature, Severity
from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import AssetId, ComplaintId, CustomerId, EmployeeId, Instant, Priority, RequestId, Word, WorkOrderId


def complaint_of(request_id: str) -> str:
    """The id of the complaint that a request opens."""
    return f"{request_id}-c1"


Route = Literal["work_order", "complaint", "desk"]
"""Where a request goes by the service catalogue: to the customer's, to complaints, or nowhere further."""


class _OfRequest(Event, topic="service-requests"):
    request_id: RequestId


class ServiceRequestRegistered(_OfRequest, type="service_request.registered"):
    """The request is on record and triaged: nature and severity gave its priority (D1-10, D1-11, X-39)."""

    customer_id: CustomerId
    channel: Word
    nature: Nature
    route: Route
    severity: Severity
    priority: Priority
    region: Word
    product: Word
    handled_by: EmployeeId | None
    asset_id: AssetId | None
    received_at: Instant
    customer_class: Word | None = None
    """What the customer is to the enterprise (客户等级): SLA policies may promise by it."""
    outlet: Word | None = None
    """The branch or shop that serves the customer (网点): it may have hours of its own."""
    category: Word | None = None
    """What kind of problem it is."""
    triggers: Annotated[tuple[Trigger, ...], Field(max_length=20)] = ()
    """What makes it a major case (X-09)."""


class ServiceRequestAnswered(_OfRequest, type="service_request.answered"):
    """The customer had a first response (D1-07)."""

    answered_at: Instant
    by: EmployeeId


class ServiceRequestClosed(_OfRequest, type="service_request.closed"):
    """The service has ended and the request is in the archive (D1-14)."""

    closed_at: Instant
    by: EmployeeId


class ServiceRequestResultRecorded(_OfRequest, type="service_request.result_recorded"):
    """What was done for the customer: work on site by a work order, or the solution of the complaint that the request was (D1-14)."""

    result: Literal["work_done", "solution_told"]
    work_order_id: WorkOrderId | None = None
    complaint_id: ComplaintId | None = None
    done_by: EmployeeId
    done_at: Instant
    remedy: Word | None = None
    """What a complainant gets."""
    justified: bool | None = None
    """Whether the complaint was found justified."""


class ServiceRequestReopened(_OfRequest, type="service_request.reopened"):
    """The defect came back after the service had ended: the request waits for its end again (P12)."""

    work_order_id: WorkOrderId
    reopened_at: Instant


class SurveyRecorded(_OfRequest, type="service_request.survey_recorded"):
    """How satisfied the customer was, 1 to 5 (D1-19). Who is credited with it, `kpi-facts` says: it moves when another one did the work."""

    satisfaction: int
    answered_at: Instant


class ServiceRequestClaimRejected(
    ClaimRejected, type="service_request.claim_rejected", topic="service-requests", answers="service-request-claims"
):
    """A rule refused a claim about a service request."""

    request_id: RequestId
