"""What the hotline, the web form and the CRM say about a service request; topic `service-request-claims`."""

from typing import Annotated, Literal

from pydantic import Field

from common.contracts.claims import promises
from common.contracts.claims.complaints import Trigger
from common.contracts.event import Claim
from common.contracts.fields import AssetId, CustomerId, EmployeeId, RequestId, Word

Nature = Word
"""What is asked for: one of the list that the enterprise keeps, document `service-catalogue` (D4-04)."""
Severity = Literal["low", "normal", "high", "critical"]
"""How bad it is for the customer (D1-11)."""


class _AboutRequest(Claim, topic="service-request-claims"):
    request_id: RequestId


class ServiceRequestReceived(_AboutRequest, type="service_request.received"):
    """A customer asked for service (D1-03, D4-05); the claimant gives the request its id."""

    customer_id: CustomerId
    channel: Word
    nature: Nature
    severity: Severity
    region: Word
    product: Word
    handled_by: EmployeeId | None = None
    asset_id: AssetId | None = None
    customer_class: Word | None = None
    """What the customer is to the enterprise (客户等级): SLA policies may promise by it."""
    outlet: Word | None = None
    """The branch or shop that serves the customer (网点): it may have hours of its own."""
    category: Word | None = None
    """What kind of problem it is: no water, noise, wrong invoice."""
    triggers: Annotated[tuple[Trigger, ...], Field(max_length=20)] = ()
    """What makes it a major case (X-09): it opens a complaint that is escalated at once, whatever else is asked for."""
    remarks: str = Field(default="", max_length=2000)
    """Free text of the hotline; kept out of every other event, log and metric."""


class CustomerAnswered(_AboutRequest, type="service_request.customer_answered"):
    """The customer got a first, preliminary answer (D1-07)."""

    by: EmployeeId


class ServiceEnded(_AboutRequest, type="service_request.service_ended"):
    """Everything asked for was done and the customer knows (D11-04); the request can be closed."""

    by: EmployeeId


class SurveyAnswered(_AboutRequest, type="service_request.survey_answered"):
    """The customer's answer to the satisfaction survey, from 1 (very dissatisfied) to 5 (very satisfied) (D1-19, D11-06)."""

    satisfaction: int = Field(ge=1, le=5)


class RequestPromisesVoided(_AboutRequest, promises.PromisesVoided, type="service_request.promises_voided"):
    """Promises of a service request end without an outcome: it was cancelled or merged, is spam, or a promise was taken back."""


class RequestPromiseExtended(_AboutRequest, promises.PromiseExtended, type="service_request.promise_extended"):
    """The customer was told of a later deadline of a service request, before the one in force, within what the policy allows."""


class RequestPromiseRestarted(_AboutRequest, promises.PromiseRestarted, type="service_request.promise_restarted"):
    """A promise of a service request begins anew, as often as the policy allows."""
