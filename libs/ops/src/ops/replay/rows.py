"""A row of a foreign log as the replay carries it, and the account of what became of every row."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One row that a mapping understood; compared, rows sort by case, then by time, then as they stood in the file."""

    case: str
    at: int
    """Microseconds since 1970."""
    number: int
    """1 for the first row under the header."""
    rule: int
    """The index of the mapping's rule that the row fits."""
    values: tuple[str, ...]
    """The columns that the mapping names, in its order."""


class Step(NamedTuple):
    """One moment of a case, and the row in which it happened."""

    moment: str
    row: Row


class Unusable(Exception):
    """A row cannot be mapped; `reason` is a short word for the account, never a value of the row."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ReplayStopped(Exception):
    """The replay cannot go on; the text says why. Playing the file again sends the same events."""


@dataclass(slots=True)
class Account:
    """What became of the rows: every row that was read is mapped, skipped by a rule of the mapping, or rejected."""

    read: int = 0
    events: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def mapped(self) -> int:
        """The rows that are in the figures and whose events, if any, are published."""
        return self.read - self.skipped.total() - self.rejected.total()

    def document(self) -> dict[str, Any]:
        """The account as the report states it (interfaces 5)."""
        return {
            "read": self.read,
            "mapped": self.mapped,
            "events": self.events,
            "skipped": dict(sorted(self.skipped.items())),
            "rejected": dict(sorted(self.rejected.items())),
        }
