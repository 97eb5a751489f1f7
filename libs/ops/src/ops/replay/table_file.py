"""The rows of a CSV file, plain or gzipped, one at a time."""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast

from common.kernel.faults import Fault
from ops.replay.declarations import RULE
from ops.replay.rows import ReplayStopped, Unusable
from ops.replay.table_kind import GZIP, not_a_table

LONGEST = 1 << 20
"""The most characters that a row may have."""
_CHUNK = 1 << 20
_HEAD = 4096

Values = tuple[str, ...] | Unusable


@dataclass(frozen=True, slots=True)
class TableFile:
    """A CSV file, with or without a byte order mark."""

    name: str
    sha256: str
    size: int
    opened: Callable[[], IO[bytes]]

    def rows(self, columns: Sequence[str], delimiter: str, encoding: str, at: Callable[[int], None]) -> Iterator[Values]:
        """For each row under the header the values of `columns`, or why it has none; `at` hears how many bytes were read.

        Raises a `Fault` when the header lacks a column or has it twice, and `ReplayStopped` for what is no table of
        rows, for a row without an end and for a file that breaks off.
        """
        with self.opened() as raw:
            lines: _Lines | None = None
            try:
                content = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if raw.read(len(GZIP)) == GZIP else raw
                raw.seek(0)
                head = content.read(_HEAD)
                if kind := not_a_table(head, encoding):
                    raise ReplayStopped(f"{self.name}: {kind}")
                content.seek(0)
                lines = _Lines(self.name, TextIOWrapper(content, encoding, errors="surrogateescape", newline=""))
                for number, row in enumerate(_records(lines, columns, delimiter)):
                    yield row
                    if number % 1024 == 0:
                        at(raw.tell())
            except (OSError, EOFError, zlib.error, UnicodeError) as problem:
                raise ReplayStopped(f"{self.name}: line {1 if lines is None else lines.number + 1}: {problem}") from None


def open_table(path: Path) -> TableFile:
    """The file with the digest of its bytes, which names it in the ids of what is replayed from it."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return TableFile(path.name, digest.hexdigest(), size, lambda: path.open("rb"))


def table_of(content: bytes, name: str = "table") -> TableFile:
    """The same of bytes that are no file."""
    return TableFile(name, hashlib.sha256(content).hexdigest(), len(content), lambda: io.BytesIO(content))


class _Lines:
    """The lines of a text, no more of them for one row than a row may have."""

    def __init__(self, name: str, text: TextIOWrapper) -> None:
        self.name = name
        self.number = 0
        self.row_begins = 1
        self._text = text
        self._row = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST + 1):
            self._row += len(line)
            if self._row > LONGEST:
                spans = "; a quotation mark that is never closed makes one row of many" if self.number >= self.row_begins else ""
                raise ReplayStopped(f"{self.name}: line {self.row_begins}: the row is longer than {LONGEST:,} characters{spans}")
            self.number += 1
            yield line

    def next_row(self) -> None:
        """The next line begins a row."""
        self.row_begins, self._row = self.number + 1, 0


def _records(lines: _Lines, columns: Sequence[str], delimiter: str) -> Iterator[Values]:
    csv.field_size_limit(LONGEST)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    places: list[int] = []
    width = 0
    while True:
        lines.next_row()
        try:
            row = next(reader, None)
        except csv.Error as problem:
            if "unexpected end of data" in str(problem):
                raise ReplayStopped(f"{lines.name}: line {lines.row_begins}: a quotation mark opens and is never closed") from None
            if not width or lines.number < lines.row_begins:
                raise ReplayStopped(f"{lines.name}: line {lines.row_begins}: no CSV ({problem})") from None
            yield Unusable("bad_csv")
            continue
        if row is None:
            if not width:
                raise ReplayStopped(f"{lines.name}: the file is empty")
            return
        if width:
            yield _picked(row, places, width)
        else:
            if not row:
                raise ReplayStopped(f"{lines.name}: the first line is blank; the names of the columns are expected there")
            places, width = [_place(row, column) for column in columns], len(row)


def _place(header: Sequence[str], column: str) -> int:
    if (count := header.count(column)) != 1:
        raise Fault(("columns",), RULE, f"the file has {count} columns {column!r} among {len(header)}{_near(header, column)}")
    return header.index(column)


def _near(header: Sequence[str], column: str) -> str:
    """What may be wrong; other names of the header are not told, since a file without one has values there."""
    if column in header:
        return ""
    if near := get_close_matches(column, header, n=1, cutoff=0.6):
        return f"; the nearest is {near[0]!r}"
    if len(header) == 1 and (others := [mark for mark in ";\t|," if mark in header[0]]):
        return f"; is the delimiter {others[0]!r}?"
    if any("\udc80" <= character <= "\udcff" for name in header for character in name):
        return "; its first line is not in the declared encoding: declare another, such as encoding: gb18030"
    return "; the names of the columns are expected in the first line"


def _picked(row: list[str], places: Sequence[int], width: int) -> Values:
    if len(row) != width:
        return Unusable("wrong_number_of_columns" if row else "blank_line")
    picked = tuple([row[place] for place in places])
    for value in picked:
        if "\0" in value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
            return Unusable("bad_encoding")
    return picked
