"""What a service adds to the command line beside commands: functions on its own database, found as entry points under its name."""

from collections.abc import Awaitable, Callable
from importlib.metadata import entry_points
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

UNFINISHED = "aftersales.unfinished"
"""Functions that count, by kind, what somebody has asked the service for and does not have yet: `{"cycles": 2}`."""
FIGURES = "aftersales.figures"
"""Functions that add up the facts of a period by one dimension: (connection, cycle, dimension, time zone)."""
GRADES = "aftersales.grades"
"""Functions that return the current version of every grade, as it was published."""

CYCLES = "aftersales.cycles"
"""Functions that return the appraisal cycles that somebody has asked to close, and what each knows of its close."""


def functions(group: str) -> dict[str, Callable[..., Awaitable[Any]]]:
    """The functions of a group, by the service that brings each; only of what is installed here."""
    return {point.name: point.load() for point in entry_points(group=group)}


async def unfinished(service: str, connection: AsyncConnection) -> dict[str, int]:
    """How much of each kind the service still owes somebody; nothing where it brings no such function."""
    count = functions(UNFINISHED).get(service)
    return {} if count is None else await count(connection)
