"""What makes a complaint a major case (D4-14, X-09): a list that the enterprise keeps, as a reference document."""

from collections.abc import Iterable
from dataclasses import dataclass

from common.kernel.documents import Node
from common.kernel.errors import Refused
from common.kernel.reference import Findings, Kind


@dataclass(frozen=True, slots=True)
class Triggers:
    """The triggers that are known, each with its Chinese and its English name."""

    names: dict[str, tuple[str, str]]

    def refused(self, given: Iterable[str]) -> Refused | None:
        """Why a claim with these triggers is refused, which names those that are known; None when all are."""
        if set(given) <= set(self.names):
            return None
        return Refused("unknown_trigger", was=", ".join(self.names)[:256], field="triggers")


def _read(body: Node, findings: Findings) -> Triggers:
    return Triggers(dict(findings.entries(body, "triggers", _trigger)))


def _trigger(node: Node) -> tuple[str, tuple[str, str]]:
    node.fields(known=("zh", "en"), required=("zh", "en"))
    return str(node.where[-1]), (node.field("zh").text(), node.field("en").text())


TRIGGERS = Kind.collected("complaint-triggers", _read, presets="common/presets")
"""What makes a complaint major, from an instant on: intake and complaints decide by it."""
