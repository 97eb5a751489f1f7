"""JSON read once and strictly, without the liberties of Python's reader: the questions of the calculators and the data of events."""

import json
import math
import re
from typing import Any, NoReturn

from common.kernel.faults import Fault
from common.kernel.nesting import DEEPEST, is_too_deep

_INT64 = 2**63
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON spells it, and not a backslash that stands before `u0000`."""


def strict_json(raw: bytes, *, stored: bool = False) -> Any:
    """The value that `raw` spells, in UTF-8.

    Raises a `Fault` for what parsers disagree about: `bad_encoding`, `bad_json`, `duplicate_key` (where: the name),
    `not_a_number` (NaN and infinities), `number_out_of_range` (a float that overflows), `too_deep`, `unstorable_text` (half of a
    surrogate pair). What is to be `stored` may begin with a byte order mark (RFC 8259), and is refused too for what a database
    cannot hold: integers beyond 64 bits and NUL.
    """
    try:
        text = raw.decode("utf-8-sig" if stored else "utf-8")
        value = json.loads(
            text, object_pairs_hook=_once, parse_int=_integer if stored else None, parse_float=_float, parse_constant=_constant
        )
        if "\\u" in text:  # only an escape can spell what UTF-8 itself cannot carry
            _refuse_unstorable(json.dumps(value, ensure_ascii=False), stored=stored)
    except Fault:
        raise
    except UnicodeDecodeError:
        raise Fault((), "bad_encoding", "expected UTF-8") from None
    except RecursionError:
        raise Fault((), "too_deep", "nested without end") from None
    except ValueError as problem:  # no JSON, or an integer of more digits than Python reads
        raise Fault((), "bad_json", str(problem)) from None
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and is_too_deep(value):
        raise Fault((), "too_deep", f"nested deeper than {DEEPEST} levels")
    if stored and "\x00" in text:
        raise _nul()
    return value


def _refuse_unstorable(text: str, *, stored: bool) -> None:
    if stored and _NUL.search(text):
        raise _nul()
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Fault((), "unstorable_text", "half of a surrogate pair has no place in text") from None


def _nul() -> Fault:
    return Fault((), "unstorable_text", "NUL has no place in text")


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise Fault((twice,), "duplicate_key", "the same name stands twice in one object")
    return found


def _integer(text: str) -> int:
    if len(text) > 20 or not -_INT64 <= (value := int(text)) < _INT64:
        raise Fault((), "number_out_of_range", "an integer has at most 64 bits")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Fault((), "number_out_of_range", "the number is too large")
    return value


def _constant(name: str) -> NoReturn:
    raise Fault((), "not_a_number", f"{name} is no JSON")
