"""Time zones out of the packaged IANA data, never the machine's: an answer must not hang on who last updated the machine."""

import struct
from functools import cache
from importlib import import_module, resources
from io import BytesIO
from zoneinfo import ZoneInfo  # noqa: TID251 - the one place that makes zones

__all__ = ["ZoneInfo", "changes", "data_version", "zone_named"]


@cache
def zone_named(name: str) -> ZoneInfo:
    """The zone of that name, one object a process; `KeyError` for a name that the packaged data do not have.

    `ZoneInfo(name)` would ask the machine first (PEP 615), and which rules that has is anybody's guess.
    """
    if name not in _names():
        raise KeyError(name)
    return ZoneInfo.from_file(BytesIO(_rules(name)), key=name)


@cache
def changes(name: str) -> tuple[int, ...]:
    """When the zone's clocks change, in seconds since 1970, as far as its data list it; later years follow a yearly rule.

    `zoneinfo` keeps the list to itself. The layout is RFC 8536: a block for readers of 32 bits, then the same in 64.
    """
    rules = _rules(name)
    is_utc, is_standard, leaps, times, types, letters = struct.unpack(">6l", rules[20:44])
    second = 44 + times * 5 + types * 6 + letters + leaps * 8 + is_standard + is_utc
    (times,) = struct.unpack(">l", rules[second + 32 : second + 36])
    return struct.unpack(f">{times}q", rules[second + 44 : second + 44 + times * 8])


def data_version() -> str:
    """The version of the data that `zone_named` reads, as digests name it: `2026.6`."""
    return str(import_module("tzdata").__version__)


def _rules(name: str) -> bytes:
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


@cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())
