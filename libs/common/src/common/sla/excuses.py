"""Time that counts for nobody: a typhoon, an outage of our own, a recall (documents of the kind `excused-windows`).

Such a window is known late as a rule, and counts for the past as well: what was breached in it is corrected. So the newest approved
version of a name counts from the moment it is known, whatever its instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from common.kernel.documents import Node
from common.kernel.reference import EVER, Findings, Kind
from common.sla.policy import TRAITS


@dataclass(frozen=True, slots=True)
class ExcusedWindow:
    """From when to when nobody's clock runs, why, and for which clocks."""

    since: datetime
    until: datetime
    reason: str
    where: Mapping[str, str] = field(default_factory=dict)
    """Traits that a case has to have at the beginning of the window; empty for every case."""
    stages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The clocks, by service; empty for all of all services."""
    withdrawn: bool = False
    """Whether it does not count after all."""

    def covers(self, service: str, stage: str) -> bool:
        """Whether it is about clocks of this stage of a service."""
        return not self.stages or stage in self.stages.get(service, ())


@dataclass(frozen=True, slots=True)
class ExcusedVersion:
    """One version of an excused window, as it was published to a service; `content` is None where this release cannot read it."""

    name: str
    version: int
    content: ExcusedWindow | None
    effective_at: datetime
    event_id: str

    @property
    def ref(self) -> str:
        """`typhoon-2026-08@1`."""
        return f"{self.name}@{self.version}"


_FIELDS = ("from", "to", "reason", "where", "stages", "withdrawn")


def _read(body: Node, findings: Findings) -> ExcusedWindow:
    findings.of(lambda: body.fields(required=("from", "to", "reason"), known=_FIELDS))
    since, until = findings.of(body.field("from").instant), findings.of(body.field("to").instant)
    if since is not None and until is not None and until <= since:
        findings.of(lambda: _refuse(body.field("to")))
    where = findings.of(lambda: _where(body.field("where"))) if "where" in body else {}
    stages = findings.of(lambda: _stages(body.field("stages"))) if "stages" in body else {}
    reason = findings.of(body.field("reason").text)
    withdrawn = findings.of(body.field("withdrawn", default=False).flag)
    # where one of them could not be read, its fault is told in place of the window
    return ExcusedWindow(since or EVER, until or EVER, reason or "", where or {}, stages or {}, bool(withdrawn))


def _refuse(until: Node) -> None:
    raise until.fault("an instant after `from` is expected", "bad_window")


def _where(node: Node) -> dict[str, str]:
    for name in node.fields():
        if name not in TRAITS:
            raise node.fault(f"a text for one of {', '.join(TRAITS)} is expected", "unknown_trait", name)
    return {name: node.field(name).text() for name in node.fields()}


def _stages(node: Node) -> dict[str, tuple[str, ...]]:
    return {service: node.field(service).texts() for service in node.fields()}


EXCUSES: Kind[ExcusedWindow] = Kind.collected(
    "excused-windows",
    _read,
    needs_approval=True,
    remedies={"bad_window": "let it end after it begins", "unknown_trait": "ask for a trait that clocks have"},
)
"""Windows of time that are excused, each a document of its own name; somebody else than its author has to approve it."""
