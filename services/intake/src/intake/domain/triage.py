"""Triage: which priority a request gets from its nature and severity, before anybody is assigned (D1-11, D3-03, X-39)."""

from collections.abc import Mapping
from typing import Literal

Nature = Literal["repair", "installation", "maintenance", "consultation", "complaint"]
Severity = Literal["low", "normal", "high", "critical"]
Priority = Literal["low", "normal", "high", "urgent"]

TRIAGE: Mapping[Nature, Mapping[Severity, Priority]] = {
    # something that worked does not: as bad as it is for the customer
    "repair": {"low": "low", "normal": "normal", "high": "high", "critical": "urgent"},
    # the customer has paid and waits to use it
    "installation": {"low": "low", "normal": "normal", "high": "high", "critical": "urgent"},
    # planned work: it can wait for longer than a defect of the same severity
    "maintenance": {"low": "low", "normal": "low", "high": "normal", "critical": "urgent"},
    "consultation": {"low": "low", "normal": "normal", "high": "normal", "critical": "urgent"},
    # somebody is dissatisfied already: never last in the queue
    "complaint": {"low": "normal", "normal": "high", "high": "high", "critical": "urgent"},
}
"""What is critical for the customer is urgent, whatever it is."""


def triage(nature: Nature, severity: Severity) -> Priority:
    """The priority of a request; the handler may change it later, which is another matter (X-39)."""
    return TRIAGE[nature][severity]
