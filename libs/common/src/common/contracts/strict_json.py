"""JSON decoded once, without the liberties that Python's and pydantic's parsers take and PostgreSQL does not."""

import json
import math
import re
from typing import Any, NoReturn

from common.kernel.errors import Malformed
from common.kernel.nesting import DEEPEST, is_too_deep

_FIELD_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")
_INT64 = 2**63
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON spells it, and not a backslash that stands before `u0000`."""


def strict_json(raw: bytes, *, field: str = "data") -> Any:
    """The value that `raw` spells, in UTF-8.

    Refuses with `Malformed` what parsers disagree about or a database cannot hold: other encodings, duplicate keys,
    NaN and infinities, integers beyond 64 bits, floats that overflow, NUL, lone surrogates, nesting without end.
    """

    def refuse(rule: str, reason: str) -> NoReturn:
        raise Malformed(rule, field=field, reason=reason)

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(members)
        if len(found) != len(members):
            names = [name for name, _ in members]
            twice = next(name for name in names if names.count(name) > 1)
            at = f"{field}.{twice}" if _FIELD_NAME.match(twice) else field
            raise Malformed("duplicate_key", field=at, reason="the same name stands twice in one object")
        return found

    def integer(text: str) -> int:
        if len(text) > 20 or not -_INT64 <= (value := int(text)) < _INT64:
            refuse("number_out_of_range", "an integer has at most 64 bits")
        return value

    def floating(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            refuse("number_out_of_range", "the number is too large")
        return value

    def constant(_: str) -> NoReturn:
        refuse("not_a_number", "NaN and Infinity are not JSON")

    try:
        text = raw.decode("utf-8-sig")  # RFC 8259 lets a reader pass over a byte order mark
    except UnicodeDecodeError:
        refuse("bad_encoding", "expected UTF-8")
    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_int=integer, parse_float=floating, parse_constant=constant)
        if "\\u" in text:  # only an escape can spell what UTF-8 itself cannot carry
            _refuse_unstorable(json.dumps(value, ensure_ascii=False), refuse)
    except json.JSONDecodeError as error:
        refuse("bad_json", f"not JSON at line {error.lineno} column {error.colno}")
    except RecursionError:
        refuse("too_deep", "nested without end")
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and is_too_deep(value):
        refuse("too_deep", f"nested deeper than {DEEPEST} levels")
    if "\x00" in text:
        refuse("unstorable_text", "NUL has no place in text")
    return value


def _refuse_unstorable(text: str, refuse: Any) -> None:
    if _NUL.search(text):
        refuse("unstorable_text", "NUL has no place in text")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        refuse("unstorable_text", "half of a surrogate pair has no place in text")


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Any) -> bytes:
    """One spelling for one JSON value: sorted keys, no spaces. For hashes that must not depend on how a sender writes JSON."""
    return _canonical(value).encode("utf-8")
