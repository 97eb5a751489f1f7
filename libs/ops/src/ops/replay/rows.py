"""A row of a foreign log as the replay carries it, and the account of what became of every row."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FIRST = 10
"""How many row numbers a summary names."""


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
    until: int | None = None
    """When a complaint was closed; None while it is open, and for rows of a log of cases."""
    other: int | None = None
    """The other instant that the local time may mean (`times.Instant`)."""
    dated: bool = False
    """Whether the source knows dates only."""
    local: str = ""
    """`twice` or `never` for a time that the clocks show so often."""
    guessed: bool = False
    """Whether the order of the file leaves open which instant such a time means."""

    def read_as(self, at: int, guessed: bool) -> "Row":
        """The row at the instant that its local time was found to mean; itself when that was never in doubt."""
        if self.other is None:
            return self
        if self.dated:
            return self._replace(at=at, other=None)
        return self._replace(at=at, other=None, local="twice" if self.other > self.at else "never", guessed=guessed)


class Step(NamedTuple):
    """One moment of a case, and when it happened."""

    moment: str
    at: int


class Unusable(Exception):
    """A row cannot be mapped; `reason` is a short word for the account, never a value of the row."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ReplayStopped(Exception):
    """The replay cannot go on; the text says why. Playing the file again sends the same events."""


class Rows:
    """Numbers of rows, eight bytes each."""

    def __init__(self) -> None:
        self._numbers = array("q")

    def add(self, number: int) -> None:
        """Takes one more row."""
        self._numbers.append(number)

    def __len__(self) -> int:
        return len(self._numbers)

    def document(self) -> dict[str, Any]:
        """How many rows, the first ten and all of them, by number."""
        numbers = sorted(self._numbers)
        return {"rows": len(numbers), "first": numbers[:FIRST], "all": numbers}


@dataclass(slots=True)
class Account:
    """What became of the rows: every row that was read is mapped, skipped by a rule of the mapping, or rejected.

    A row is rejected when it cannot be read, and when our contracts refuse one of its claims: then it makes none, but what
    it tells is in the figures all the same.
    """

    read: int = 0
    made: int = 0
    """Claims that are published, if any are."""
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, Rows] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    """Claims that our contracts refuse, by reason."""
    unread: int = 0
    """The rejected rows that could not be read: they are not in the figures."""
    local_times: dict[str, Rows] = field(default_factory=lambda: {kind: Rows() for kind in ("twice", "never", "guessed")})
    """Rows whose local time the clocks show twice or never, and those of them that the order of the file leaves open."""

    def unreadable(self, number: int, reason: str) -> None:
        """The row tells nothing that can be used."""
        self.unread += 1
        self.rejected.setdefault(reason, Rows()).add(number)

    def notice(self, row: Row) -> None:
        """The row is about to be counted."""
        if row.local:
            self.local_times[row.local].add(row.number)
            if row.guessed:
                self.local_times["guessed"].add(row.number)

    def refuse(self, number: int, reasons: Sequence[str]) -> None:
        """The row's claims are refused for these reasons; it is rejected for the first."""
        self.rejected.setdefault(reasons[0], Rows()).add(number)
        self.refused.update(reasons)

    @property
    def mapped(self) -> int:
        """The rows of which everything was mapped."""
        return self.read - self.skipped.total() - sum(map(len, self.rejected.values()))

    def document(self) -> dict[str, Any]:
        """The account as the report states it (interfaces 5)."""
        return {
            "rows": {
                "read": self.read,
                "mapped": self.mapped,
                "events": self.made,
                "skipped": dict(sorted(self.skipped.items())),
                "rejected": {reason: len(rows) for reason, rows in sorted(self.rejected.items())},
            },
            "rejected": {reason: rows.document() for reason, rows in sorted(self.rejected.items())},
            "claims": {"made": self.made, "refused": dict(sorted(self.refused.items()))},
            "local_times": {kind: rows.document() for kind, rows in self.local_times.items()},
        }


def numbers_text(numbers: Iterable[int], rows: int) -> str:
    """The first row numbers as people read them: "rows 1, 2 and 10 more"."""
    named = list(numbers)[:FIRST]
    rest = rows - len(named)
    return f"row{'' if rows == 1 else 's'} {', '.join(map(str, named))}" + (f" and {rest:,} more" if rest else "")
