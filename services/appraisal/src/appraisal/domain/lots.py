"""Lots: all facts of one subject and one indicator that a close counts, with their exact sums and one digest.

A lot is digested once, whoever it counts for: a leader's grade is made of the lots of everybody below.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

from appraisal.domain.digest import digest
from common.kernel.documents import Plain


@dataclass(frozen=True, slots=True)
class KpiFact:
    """One stored observation: `subject` has its kind before the number; numbers are exact text, `time` microseconds since 1970."""

    key: str
    event_id: str
    indicator: str
    case_id: str
    subject: str
    revision: int
    numerator: str
    denominator: str
    time: int
    source_event_ids: tuple[str, ...]
    dimensions: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, object]:
        """The fact for people and other programs, its time in ISO 8601."""
        at = datetime.fromtimestamp(self.time // 10**6, UTC).replace(microsecond=self.time % 10**6)
        return {
            "key": self.key,
            "id": self.event_id,
            "indicator": self.indicator,
            "case_id": self.case_id,
            "subject": self.subject,
            "revision": str(self.revision),
            "numerator": self.numerator,
            "denominator": self.denominator,
            "time": at.isoformat(),
            "dimensions": dict(self.dimensions),
            "events": list(self.source_event_ids),
        }


@dataclass(frozen=True, slots=True)
class Lot:
    """The sums of one lot and its digest; `replay_of` names a replayed history where any of its facts comes from one."""

    subject: str
    indicator: str
    numerator: Fraction
    denominator: Fraction
    digest: str
    replay_of: str = ""
    facts: int = 1


def lot_digest(subject: str, indicator: str, facts: Iterable[KpiFact]) -> str:
    """The digest of a lot, from its facts in any order: of each its key, the revision that won, its numbers, event time and dimensions."""
    rows: list[Plain] = [
        {
            "id": fact.key,
            "revision": str(fact.revision),
            "numerator": fact.numerator,
            "denominator": fact.denominator,
            "time": str(fact.time),
            "dimensions": fact.dimensions,
        }
        for fact in sorted(facts, key=lambda fact: fact.key)
    ]
    return digest({"subject": subject, "indicator": indicator, "facts": rows})


def subject_document(subject: str, lots: Mapping[str, str]) -> Plain:
    """One person's facts in a cycle as they are digested and stored: the digest of each indicator's lot."""
    return {"subject": subject, "lots": dict(lots)}
