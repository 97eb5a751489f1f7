"""The rows of a CSV file, plain or gzipped, one at a time."""

import csv
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, cast

from ops.replay.declarations import MappingError
from ops.replay.rows import ReplayStopped, Unusable

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class TableFile:
    """A CSV file in UTF-8, with or without a byte order mark."""

    path: Path
    sha256: str
    size: int

    def rows(self, columns: Sequence[str], delimiter: str, at: Callable[[int], None]) -> Iterator[tuple[str, ...] | Unusable]:
        """For each row under the header the values of `columns`, or why it has none; `at` hears how many bytes were read.

        Raises `MappingError` when the header lacks a column or has it twice, `ReplayStopped` when the file breaks off.
        """
        with self.path.open("rb") as raw, TextIOWrapper(_unpacked(raw), "utf-8-sig", errors="surrogateescape", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            try:
                header = next(reader, [])
                places = [_place(header, column) for column in columns]
                while True:
                    try:
                        for row in reader:
                            yield _picked(row, places, len(header))
                            if reader.line_num % 1024 == 0:
                                at(raw.tell())
                    except csv.Error:
                        yield Unusable("bad_csv")
                    else:
                        return
            except (OSError, EOFError, zlib.error) as problem:
                raise ReplayStopped(f"{self.path}: line {reader.line_num + 1}: {problem}") from None


def open_table(path: Path) -> TableFile:
    """The file with the digest of its bytes, which names it in the ids of what is replayed from it."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return TableFile(path, digest.hexdigest(), size)


def _unpacked(raw: BufferedReader) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if raw.peek(2).startswith(_GZIP) else raw


def _place(header: Sequence[str], column: str) -> int:
    if header.count(column) != 1:
        raise MappingError("columns", f"the file has {header.count(column)} columns {column!r}; it has {', '.join(map(repr, header))}")
    return header.index(column)


def _picked(row: list[str], places: Sequence[int], width: int) -> tuple[str, ...] | Unusable:
    if len(row) != width:
        return Unusable("wrong_number_of_columns" if row else "blank_line")
    picked = tuple([row[place] for place in places])
    for value in picked:
        if not value.isascii() and any("\udc80" <= character <= "\udcff" for character in value):
            return Unusable("bad_encoding")
    return picked
