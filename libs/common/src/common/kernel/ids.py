"""Ids that can be derived again: the same cause always gives the same id."""

import hashlib
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def derived_id(at: datetime, *parts: object) -> str:
    """The id of something that follows from `parts`: a UUIDv8 of 48 bits of `at` in milliseconds and SHA-256 of the parts.

    `at` is the event's own time, so ids sort by when things happened. Equal arguments give the equal id, which makes
    a replay, also after a rebuild, change nothing. RFC 9562 section 5.8 leaves the layout of version 8 to us.
    """
    milliseconds = (at - _EPOCH) // _MILLISECOND & (1 << 48) - 1
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
    time = f"{milliseconds:012x}"
    variant = "89ab"[int(digest[4], 16) & 3]
    return f"{time[:8]}-{time[8:]}-8{digest[1:4]}-{variant}{digest[5:8]}-{digest[8:20]}"
