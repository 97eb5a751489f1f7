"""Zones as stamps write them: `Z`, `UTC`, `+01`, `UTC+2`, and abbreviations such as `CEST`."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from common.kernel.zones import ZoneInfo
from ops.replay.rows import Unusable

WORD = r"(?:UTC|GMT)[+-]\d{1,2}(?::?\d\d)?|[+-]\d\d(?::?\d\d(?::?\d\d)?)?|[Zz]|[A-Za-z]{2,6}"
"""What a stamp may write for a zone."""
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?(?::?(\d\d))?", re.ASCII)
_ZERO = frozenset(("Z", "UTC", "GMT", "UT"))
_HOURS = {
    "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "AWST": 8, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
    "EDT": -4, "MDT": -6, "PDT": -7, "PST": -8, "AKDT": -8, "AKST": -9, "HST": -10,
}  # fmt: skip
"""Abbreviations that mean one offset wherever they are used; others, as CST and IST, mean what they mean in the declared zone."""

UNSURE = frozenset(
    ("EST", "CST", "CDT", "MST", "IST", "BST", "AST", "ADT", "NST", "NDT", "SST", "ECT", "PKT", "GST", "WIB", "SAST", "BRT", "ART")
)
"""Abbreviations of zones that name no one offset by themselves."""


def is_fixed(word: str) -> bool:
    """Whether the word means the same offset without a declared zone."""
    return word in _ZERO or word in _HOURS or _OFFSET.fullmatch(word) is not None


@lru_cache(maxsize=4096)
def offset_of(word: str, zone: ZoneInfo | None, year: int) -> timezone:
    """The offset that the word means, in the declared zone if that has the abbreviation in the year; raises `Unusable`."""
    name = word.upper()
    if name in _ZERO:
        return UTC
    if match := _OFFSET.fullmatch(name):
        hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
        if hours > 23 or minutes > 59 or seconds > 59:
            raise Unusable("unknown_zone")
        span = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return timezone(-span if match[1] == "-" else span)
    offset = _abbreviations(zone, year).get(name) if zone is not None else None
    if offset is None and name in _HOURS:
        offset = timedelta(hours=_HOURS[name])
    if offset is None:
        raise Unusable("unknown_zone")
    return timezone(offset)


@lru_cache(maxsize=512)
def _abbreviations(zone: ZoneInfo, year: int) -> dict[str, timedelta]:
    """What the zone calls its offsets in the year, by looking at the middle of every month."""
    found = {}
    for month in range(1, 13):
        moment = datetime(year, month, 15, tzinfo=zone)
        name, offset = moment.tzname(), moment.utcoffset()
        if name is not None and offset is not None:
            found[name.upper()] = offset
    return found
