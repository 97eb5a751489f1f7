"""What questions to both calculators are drawn with: chance by a number, and what may be wrong with any JSON."""

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

UNREADABLE = [
    b"", b"[]", b"null", b'"text"', b"7", b"{", b'{"id": 1, "id": 2}', b'{"id": NaN}', b'{"id": 1e999}', b"{'id': 1}",
    b'{"id": "\\ud800"}', b'{"id": 1} {"id": 2}', b'{"id": ' + b"[" * 200 + b"]" * 200 + b"}",
]  # fmt: skip
"""Lines that are no JSON object in the strict sense."""
_ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", " ", "x", "true", "1/3", "1/0", "-1/7", "1e5", "１", "2026-02-30", "24:00", "cn", "101",
    "2026-08-03T09:05:00", "2026-08-03 09:05:00Z", "1800-01-01T00:00:00Z", "2026-W01-1", "良", [], {}, [[]], [None], {"": 1},
    "0." + "1" * 500,
]  # fmt: skip


def drawn(name: str, number: int) -> Random:
    """The chance that decides about one question and about no other."""
    return Random(f"{name} {number}")


def one_fault(document: dict[str, Any], chance: Random) -> dict[str, Any]:
    """The same with one value anywhere in it left out, replaced by something odd, or under a misspelt name."""
    document = copy.deepcopy(document)
    holder, key = chance.choice(list(_places(document)))
    fault = chance.choice(["gone", "odd", "odd", "odd", "misspelt", "more"])
    if fault == "gone":
        del holder[key]
    elif fault == "odd" or not isinstance(holder, dict):
        holder[key] = copy.deepcopy(chance.choice(_ODD))
    elif fault == "misspelt":
        holder[f"{key[:-1]}"] = holder.pop(key)
    else:
        holder[f"{key}s"] = copy.deepcopy(holder[key])
    return document


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a document, with what holds it."""
    keys = list(document) if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        yield document, key
        yield from _places(document[key])
