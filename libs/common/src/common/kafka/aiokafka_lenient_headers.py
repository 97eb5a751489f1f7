"""Records whose header names are not UTF-8 can be read: the broker takes such names from any client that is not Java's.

aiokafka decodes names while it reads a batch and raises, the same again at each attempt, and FastStream starts its loop anew
each time: one such record would stop all partitions of a service for ever, and no handler would see it. Here the batch is
read once more, by aiokafka's own reader in Python, with a replacement character for what cannot be decoded.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = slice(8, 12)
_BEFORE = 12
"""A batch begins with its first offset and the length of what follows."""


def read_any() -> None:
    """Makes the consumers of this process read batches in this way; harmless twice."""
    fetcher.MemoryRecords = _Records


class _Records:
    """What was fetched of one partition, as aiokafka's fetcher takes it apart."""

    def __init__(self, raw: bytes) -> None:
        self._raw = memoryview(raw)
        self._records = MemoryRecords(raw)
        self.has_next = self._records.has_next
        self.size_in_bytes = self._records.size_in_bytes

    def next_batch(self) -> "_Batch":
        size = _BEFORE + int.from_bytes(self._raw[_LENGTH], "big")
        raw, self._raw = self._raw[:size], self._raw[size:]
        return _Batch(self._records.next_batch(), raw)


class _Batch:
    """One batch: read fast, and from the record on that cannot be read so, with patience."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                read += 1
                yield record
        except UnicodeDecodeError:
            yield from islice(_PatientBatch(bytearray(self._raw)), read, None)


class _PatientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka ships no types
    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Patient(self._buffer)


class _Patient(bytearray):
    """Bytes whose parts decode whatever they hold."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Patient(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, errors)
