"""The rules that the operator sets for the services; topics `calendars` and `sla-policies`, written by `aftersales`."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from common.contracts.event import Claim
from common.contracts.fields import Instant, Word

_NAME = r"[a-z0-9][a-z0-9_-]{0,47}"
CalendarName = Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
RuleRef = Annotated[str, StringConstraints(pattern=f"^{_NAME}@[1-9][0-9]{{0,8}}$")]
"""Name and version, `cn@2027`: a version that was published is never published with other content."""
Version = Annotated[int, Field(ge=1, le=999_999_999)]


class CalendarPublished(Claim, type="calendar.published", topic="calendars"):
    """Working time as it is known from here on; open clocks that count on this calendar are derived anew (P2)."""

    calendar: RuleRef
    """`<name>@<version>`; every version stays on the topic, so that a service that is built anew decides as the old one did."""
    name: CalendarName
    version: Version
    """A higher one replaces a lower one."""
    document: dict[str, Any]
    """A whole calendar as `aftersales clock calculate` takes it inline."""
    notice: str = Field(default="", max_length=200)
    """By whose notice: `国办发明电〔2025〕7号`."""


class SlaPolicyActivated(Claim, type="sla_policy.activated", topic="sla-policies"):
    """What a service promises from `effective_at` on; an open clock keeps its promise, unless `applies_to_open` is set."""

    policy: RuleRef
    """`<service>@<version>`."""
    service: Word
    version: Version
    effective_at: Instant
    applies_to_open: bool = False
    """Whether open clocks go over to all that it promises from `effective_at` on; what was used before stays used."""
    document: dict[str, Any]
    """A whole policy, as `policy.yaml` states it."""
