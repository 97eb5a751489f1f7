"""Inputs that are nearly right: valid documents in which something was dropped, doubled, retyped, nested, repeated or misspelt."""

import copy
import json
import random
import re
from collections.abc import Callable
from typing import Any

LARGEST = 256 * 1024

_RAW = ["1e999999", "-1e400", "1E5", "9" * 30, "9" * 5000, "1.5", "-0", "NaN", "Infinity", '"\\ud800"', '"\\u0000"', "tru", "01", '"\\x"']
"""What JSON would never write: put into the text after it was written."""
_MARK = "@@{}@@"
_ODD: list[Any] = [
    None, True, False, 0, -1, 1, 7, 60, 1.5, 10**18, 10**40, "", " ", "x", "true", "null", "1/3", "1/0", "-1/7", "0." + "1" * 380,
    "9" * 401, "1e5", "１", "é", "\u202e", "张三", "a" * 300, "2026-02-30", "2026-12-31", "1900-01-01", "2299-12-31", "2026-W01-1",
    "1900-01-01T00:00:00Z", "2299-12-31T23:59:59Z", "2026-03-29T02:30:00+01:00", "2026-08-03 09:05:00Z", "1990-12-31T23:59:60Z",
    "2026-08-03T09:05:00", "24:00", "00:00", "9:00", "cn", "24x7", "mon-fri", "UTC", "America/New_York", "Asia/Kolkata", "../x",
    [], {}, [[]], [None], {"": 1}, {"working_seconds": 1}, {"working_days": 26_000}, {"working_days": 1, "pauses_count": True},
    {"working_seconds": 3_000_000_000}, [["00:00", "24:00"]], [["22:00", "06:00"], ["05:00", "05:00"]], {"mon": [["09:00", "18:00"]]},
]  # fmt: skip
_SPLICES = [b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe5\xbc\xa0", b"\n", b"\t"]
_SPLICES += [token.encode() for token in ("{", "}", "[", "]", '"', ",", ":", "&a ", "*a", "!!x ", "? ", "- ", "<<: ", "%", "# ")]

Place = tuple[Any, Any]


def mutated(seeds: list[Any], case: tuple[int, int], write: Callable[[Any], bytes]) -> bytes:
    """One input: a seed after some mutations, written, and now and then spoilt as text too; at most 256 KiB."""
    number, times = case
    chance = random.Random(number)
    document = copy.deepcopy(chance.choice(seeds))
    for _ in range(times):
        document = _one_mutation(document, seeds, chance)
    if chance.random() < 1 / 300:
        document = _swollen(document, chance)
    raw = _with_raw(write(document))
    if chance.random() < 0.15:
        raw = _spoilt(raw, chance)
    return raw[:LARGEST]


def _one_mutation(document: Any, seeds: list[Any], chance: random.Random) -> Any:
    places = list(_places(document))
    if not places:
        return copy.deepcopy(chance.choice(_ODD))
    holder, key = chance.choice(places)
    value = holder[key]
    match chance.randrange(10):
        case 0:
            del holder[key]
        case 1 | 2 | 3:
            holder[key] = copy.deepcopy(chance.choice(_ODD))
        case 4:
            holder[key] = _MARK.format(chance.randrange(len(_RAW)))
        case 5:
            for _ in range(chance.choice([1, 2, 5, 30, 70])):
                holder[key] = [holder[key]] if chance.random() < 0.7 else {"a": holder[key]}
        case 6 if isinstance(holder, dict):
            holder[_misspelt(str(key), chance)] = holder.pop(key) if chance.random() < 0.7 else copy.deepcopy(value)
        case 7 if isinstance(value, list) and value:
            holder[key] = value * chance.choice([2, 3, 13])
        case 8:
            other = list(_places(copy.deepcopy(chance.choice(seeds))))
            if other:
                there, at = chance.choice(other)
                holder[key] = there[at]
        case _:
            if isinstance(value, str):
                cut = chance.randrange(len(value) + 1)
                holder[key] = value[:cut] + str(chance.choice(_ODD))[:40] + value[cut:]
            elif isinstance(value, int) and not isinstance(value, bool):
                holder[key] = value * chance.choice([-1, 2, 1000, 10**9])
    return document


def _swollen(document: Any, chance: random.Random) -> Any:
    """The same with one list or object as long as fits into a line."""
    places = [(holder, key) for holder, key in _places(document) if isinstance(holder[key], list | dict) and holder[key]]
    if not places:
        return document
    holder, key = chance.choice(places)
    value = holder[key]
    size = len(json.dumps(value, ensure_ascii=False)) + 1
    times = max(1, (LARGEST - 20_000) // size)
    if isinstance(value, list):
        holder[key] = value * times
    else:
        name, one = chance.choice(list(value.items()))
        each = len(json.dumps(one, ensure_ascii=False)) + len(str(name)) + 12
        value |= {f"{name}{number}": one for number in range(max(1, (LARGEST - 20_000) // each))}
    return document


def _places(document: Any) -> Any:
    """Every value of a document, with what holds it."""
    inside = [document]
    for _ in range(200):
        if not inside:
            return
        around, inside = inside, []
        for holder in around:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
            for key in list(keys)[:200]:
                yield holder, key
                inside.append(holder[key])


def _misspelt(name: str, chance: random.Random) -> str:
    cut = chance.randrange(len(name) + 1)
    return chance.choice([name[:cut] + name[cut + 1 :], name.upper(), name + "s", name[:cut] + "x" + name[cut:], "zhang_san"])


def _with_raw(raw: bytes) -> bytes:
    return re.sub(rb'"@@([0-9]+)@@"', lambda match: _RAW[int(match[1]) % len(_RAW)].encode(), raw)


def _spoilt(raw: bytes, chance: random.Random) -> bytes:
    cut = chance.randrange(len(raw) + 1)
    match chance.randrange(4):
        case 0:
            return raw[:cut]
        case 1:
            return raw[:cut] + chance.choice(_SPLICES) * chance.choice([1, 2, 3000]) + raw[cut:]
        case 2:
            return raw[:cut] + raw[cut + chance.randrange(9) :]
        case _:
            other = chance.randrange(len(raw) + 1)
            return raw[: max(cut, other)] + raw[min(cut, other) :]
