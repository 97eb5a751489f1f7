"""Time zones out of the packaged IANA data, never the machine's: an answer must not hang on who last updated the machine."""

from functools import cache
from importlib import import_module, resources
from zoneinfo import ZoneInfo  # noqa: TID251 - the one place that makes zones

__all__ = ["ZoneInfo", "data_version", "zone_named"]


@cache
def zone_named(name: str) -> ZoneInfo:
    """The zone of that name, one object a process; `KeyError` for a name that the packaged data do not have.

    `ZoneInfo(name)` would ask the machine first (PEP 615), and which rules that has is anybody's guess.
    """
    if name not in _names():
        raise KeyError(name)
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def data_version() -> str:
    """The version of the data that `zone_named` reads, as digests name it: `2026.6`."""
    return str(import_module("tzdata").__version__)


@cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())
