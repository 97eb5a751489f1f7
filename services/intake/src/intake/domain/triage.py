"""Triage: which priority a request gets from its nature and severity, before anybody is assigned (D1-11, D3-03, X-39).

The rules are a reference document. They may not turn the order of severities round.
"""

from collections.abc import Mapping
from typing import Literal, cast

from common.kernel.documents import Node
from common.kernel.reference import Findings, Kind

Severity = Literal["low", "normal", "high", "critical"]
Priority = Literal["low", "normal", "high", "urgent"]
SEVERITIES = ("low", "normal", "high", "critical")
PRIORITIES = ("low", "normal", "high", "urgent")
Rules = Mapping[str, Mapping[str, Priority]]
"""The priority by nature and severity."""


def triage(rules: Rules, nature: str, severity: Severity, otherwise: Priority) -> Priority:
    """The priority of a request, `otherwise` where the rules have no line for its nature; the handler may change it later (X-39)."""
    return rules[nature][severity] if nature in rules else otherwise


def _read(body: Node, findings: Findings) -> Rules:
    return dict(findings.entries(body, "priorities", _line))


def _line(node: Node) -> tuple[str, Mapping[str, Priority]]:
    node.fields(known=SEVERITIES, required=SEVERITIES)
    found = {severity: node.field(severity).one_of(PRIORITIES) for severity in SEVERITIES}
    ranks = [PRIORITIES.index(priority) for priority in found.values()]
    if ranks != sorted(ranks):
        raise node.fault("what is worse for the customer has no lower priority", "falling_priority")
    return str(node.where[-1]), cast("Mapping[str, Priority]", found)


TRIAGE = Kind.collected(
    "triage-rules", _read, presets="intake/presets", remedies={"falling_priority": "raise the priority of the worse severity"}
)
"""The rules from an instant on."""
