"""One pass over a file: its rows become cases, the cases figures and claims, and every row is accounted for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from common.kernel.faults import Fault
from ops.replay.case_figures import CaseFigures
from ops.replay.case_moments import case_moments, case_row
from ops.replay.case_order import by_case
from ops.replay.claims import Origin, Planned, Teller, claims_of
from ops.replay.complaint_table import ComplaintFigures, complaint_moments, complaint_row
from ops.replay.mapping import LogMapping
from ops.replay.missing import Suspects
from ops.replay.rows import Account, ReplayStopped, Row, Unusable
from ops.replay.table_file import TableFile, Values, table_of


class Progress(Protocol):
    """Who wants to know how far a replay is."""

    def reading(self, done: int, total: int) -> None:
        """So many bytes of the file have been read."""

    def mapping(self, done: int, total: int) -> None:
        """So many rows have become events."""


class Figures(Protocol):
    """What gathers the figures of a kind of file."""

    def add(self, case: Sequence[Row]) -> None:
        """Takes a whole case."""

    def document(self) -> dict[str, Any]:
        """The figures."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of file is gone over: values to a row, rows to cases, a case to its steps and figures."""

    row: Callable[[tuple[str, ...], int, int, LogMapping], Row]
    cases: Callable[[Iterable[Row]], Iterator[list[Row]]]
    moments: Teller
    figures: Callable[[LogMapping], Figures]


KINDS = {
    "cases": Kind(case_row, by_case, case_moments, CaseFigures),
    "complaints": Kind(complaint_row, lambda rows: ([row] for row in rows), complaint_moments, ComplaintFigures),
}


class Pass:
    """The claims of a file, case by case, and afterwards the report; nothing of a case is kept once its claims were taken."""

    def __init__(self, table: TableFile, mapping: LogMapping, progress: Progress | None = None) -> None:
        self.origin = Origin(mapping.name, table.sha256)
        self._table = table
        self._mapping = mapping
        self._progress = progress
        self._account = Account()
        self._kind = KINDS[mapping.kind]
        self._figures = self._kind.figures(mapping)
        self._suspects = Suspects(mapping.columns, mapping.explained)
        self._begun = False

    def cases(self) -> Iterator[list[Planned]]:
        """The claims of each case, in the order of its steps; to be taken once, and to the end before the report is asked for."""
        self._begun = True
        done = 0
        for case in self._kind.cases(self._rows()):
            done += len(case)
            for row in case:
                self._account.notice(row)
            try:
                self._figures.add(case)
            except Fault as fault:
                raise ReplayStopped(f"row {case[0].number}: {fault}") from None
            claims = claims_of(case, self._kind.moments, self._mapping)
            for number, reasons in claims.refused:
                self._account.refuse(number, reasons)
            self._account.made += len(claims.made)
            yield claims.made
            if self._progress is not None:
                self._progress.mapping(done, self._account.read)
        if not self._account.read:
            raise ReplayStopped(f"{self._table.name}: the file has a header and no rows")

    def check(self) -> None:
        """Reads the file to its end, so that one that breaks off is known before anything is published from it."""
        for _ in self._values():
            pass

    def report(self) -> dict[str, Any]:
        """The account of the rows and the figures (interfaces 5); goes over the file when nobody has asked for its claims."""
        if not self._begun:
            for _ in self.cases():
                pass
        return {
            "mapping": self._mapping.name,
            "file": {"name": self._table.name, "sha256": self._table.sha256},
            **self._account.document(),
            "hints": self._suspects.document(),
            "figures": self._figures.document(),
        }

    def _rows(self) -> Iterator[Row]:
        account = self._account
        for values in self._values():
            account.read += 1
            try:
                if (row := self._row(values)) is not None:
                    yield row
            except Unusable as problem:
                account.unreadable(account.read, problem.reason)

    def _values(self) -> Iterator[Values]:
        mapping = self._mapping
        return self._table.rows(mapping.columns, mapping.delimiter, mapping.encoding, self._read_so_far)

    def _read_so_far(self, done: int) -> None:
        if self._progress is not None:
            self._progress.reading(done, self._table.size)

    def _row(self, values: tuple[str, ...] | Unusable) -> Row | None:
        if isinstance(values, Unusable):
            raise values
        mapping = self._mapping
        self._suspects.look_at(values)
        index = mapping.rule_of(values)
        if index is None:
            raise Unusable("no_rule")
        if skip := mapping.rules[index].skip:
            self._account.skipped[skip] += 1
            return None
        return self._kind.row(values, self._account.read, index, mapping)


def report_of(content: bytes, mapping: LogMapping) -> dict[str, Any]:
    """The report on a table that is given as bytes; raises a `Fault` where it does not fit, `ReplayStopped` for no table."""
    return Pass(table_of(content), mapping).report()
