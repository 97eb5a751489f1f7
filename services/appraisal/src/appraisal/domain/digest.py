"""A name for all that a grade was computed from: equal inputs give the equal digest, on any machine and in any order of arrival.

Canonical JSON is RFC 8785 for the three kinds of value that we use: text, lists and objects. Numbers, booleans and null are
refused, so that nothing depends on how a language writes a number: whoever calls writes them as text.
"""

import hashlib
import json
from collections.abc import Mapping

from common.kernel.documents import Plain


def canonical_json(value: Plain) -> bytes:
    """The one RFC 8785 writing of `value` in UTF-8: no spaces, keys in the order of their UTF-16 code units.

    Raises TypeError for any other kind of value and ValueError for a lone surrogate, which has no UTF-8.
    """
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def digest(parts: Plain) -> str:
    """`sha256:` and 64 lowercase hexadecimal digits over the canonical JSON of `parts`."""
    return f"sha256:{hashlib.sha256(canonical_json(parts)).hexdigest()}"


def grade_digest(*, facts: Mapping[str, str], rated: Plain, scheme: str, registry: str, calendar: str, org: Plain) -> str:
    """The digest of one grade, made of the digests of its parts: `facts` has one for each person whose cases count.

    Recorded times, offsets and the grade's own version number are no part of it, so a replay gives the same digest.
    """
    parts = {"facts": digest(facts), "rated": digest(rated), "scheme": scheme, "registry": registry, "calendar": calendar}
    return digest({**parts, "org": digest(org)})


def _ordered(value: object) -> object:
    # json.dumps sorts by code point, RFC 8785 by UTF-16 code unit: they differ from U+10000 on, which sorts before U+E000.
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("the keys of canonical JSON are text")
        return {key: _ordered(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    raise TypeError(f"canonical JSON here holds text, lists and objects, not {type(value).__name__}")
