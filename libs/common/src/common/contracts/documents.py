"""What an enterprise decides for itself, as documents; topic `reference-documents`, written by `aftersales` and by the services."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.contracts.event import Claim
from common.contracts.fields import EmployeeId, Instant, Sentence

_NAME = r"[a-z0-9][a-z0-9_-]{0,47}"
DocumentName = Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
DocumentRef = Annotated[str, StringConstraints(pattern=f"^{_NAME}/{_NAME}@[1-9][0-9]{{0,8}}$")]
"""Kind, name and version, `calendar/cn@2027`: a version that was published is never published with other content."""
DocumentVersion = Annotated[int, Field(ge=1, le=999_999_999)]


class DocumentControl(BaseModel):
    """How a document is controlled (D11-20). It counts as approved when somebody else than its author has approved it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    number: Annotated[str, StringConstraints(max_length=64)] = ""
    status: Literal["draft", "in_force", "shipped"] = "in_force"
    """A draft has no effect yet; what ships with a release needs no approval."""
    author: EmployeeId | None = None
    reviewer: EmployeeId | None = None
    reviewed_on: date | None = None
    approver: EmployeeId | None = None
    approved_on: date | None = None
    issued_on: date | None = None
    remarks: Sentence = ""

    @property
    def is_approved(self) -> bool:
        """Whether it was approved, by somebody else than its author, or ships with a release."""
        by_another = None not in (self.author, self.approver, self.approved_on) and self.approver != self.author
        return self.status == "shipped" or (self.status == "in_force" and by_another)


class DocumentActivated(Claim, type="document.activated", topic="reference-documents"):
    """A version of a document takes effect at `effective_at`, not before the event's own time (D1-17, D11-49)."""

    document: DocumentRef
    """`<kind>/<name>@<version>`; every record stays on the topic, so that a service that is built anew decides as the old one did."""
    kind: DocumentName
    """What it is: `calendar`, `sla-policy`, `complaint-triggers` …"""
    name: DocumentName
    version: DocumentVersion
    """A higher one replaces a lower one from its instant on."""
    effective_at: Instant
    applies_to_open: bool = False
    """Whether clocks that run go over to it too, where it is a policy; what was used before stays used."""
    body: dict[str, Any]
    """The whole document."""
    control: DocumentControl = DocumentControl()


def ref_of(kind: str, name: str, version: int) -> str:
    """How a version of a document is named everywhere: `calendar/cn@2027`."""
    return f"{kind}/{name}@{version}"
