"""The data of an event: JSON decoded once, without the liberties that Python's and pydantic's parsers take and PostgreSQL does not."""

import json
import re
from typing import Any

from common.kernel.errors import Malformed
from common.kernel.faults import Fault
from common.kernel.strict_json import strict_json as read_strictly

_FIELD_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")
_POSITION = re.compile(r"line [0-9]+ column [0-9]+")
_REASONS = {"not_a_number": "NaN and Infinity are not JSON"}


def strict_json(raw: bytes, *, field: str = "data") -> Any:
    """The value that `raw` spells, read as the kernel reads what is stored; raises `Malformed` for what is refused.

    A name that stands twice is told only where it cannot be anybody's.
    """
    try:
        return read_strictly(raw, stored=True)
    except Fault as fault:
        at = ".".join((field, *(str(step) for step in fault.where if _FIELD_NAME.match(str(step)))))
        raise Malformed(fault.rule, field=at, reason=_REASONS.get(fault.rule, _reason(fault))) from None


def _reason(fault: Fault) -> str:
    if fault.rule == "bad_json" and (at := _POSITION.search(fault.what)):
        return f"not JSON at {at[0]}"
    return fault.what


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Any) -> bytes:
    """One spelling for one JSON value: sorted keys, no spaces. For hashes that must not depend on how a sender writes JSON."""
    return _canonical(value).encode("utf-8")
