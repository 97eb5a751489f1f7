"""What intake decided about a service request; topic `service-requests`."""

from common.contracts.claims.intake import Nature, Severity
from common.contracts.event import ClaimRejected, Event
from common.contracts.fields import AssetId, CustomerId, EmployeeId, Instant, Priority, RequestId, Word


class _OfRequest(Event, topic="service-requests"):
    request_id: RequestId


class ServiceRequestRegistered(_OfRequest, type="service_request.registered"):
    """The request is on record and triaged: nature and severity gave its priority (D1-10, D1-11, X-39)."""

    customer_id: CustomerId
    channel: Word
    nature: Nature
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


class ServiceRequestAnswered(_OfRequest, type="service_request.answered"):
    """The customer had a first response (D1-07)."""

    answered_at: Instant
    by: EmployeeId


class ServiceRequestClosed(_OfRequest, type="service_request.closed"):
    """The service has ended and the request is in the archive (D1-14)."""

    closed_at: Instant
    by: EmployeeId


class SurveyRecorded(_OfRequest, type="service_request.survey_recorded"):
    """How satisfied the customer was, 1 to 5, and the person who is credited with it (D1-19)."""

    satisfaction: int
    credited_to: EmployeeId
    answered_at: Instant


class ServiceRequestClaimRejected(
    ClaimRejected, type="service_request.claim_rejected", topic="service-requests", answers="service-request-claims"
):
    """A rule refused a claim about a service request."""

    request_id: RequestId
