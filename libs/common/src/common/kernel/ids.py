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
    milliseconds = (at - _EPOCH) // _MILLISECOND
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    raw = bytearray((milliseconds & (2**48 - 1)).to_bytes(6) + digest[:10])
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
