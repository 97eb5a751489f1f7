"""One row of the table of faults: what it is called, how often it is tried, and what happens in it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.faults.table.quarter import Quarter

from devstack import Stack


@dataclass(frozen=True, slots=True)
class Row:
    """A fault and its story: the story plays one quarter and inflicts the fault so often in it."""

    name: str
    fault: str
    story: Callable[[Quarter, int], Awaitable[None]]
    runs: int
    at_once: int
    """How many of the runs share a quarter."""
    servers: Callable[[], AbstractContextManager[Stack]] | None = None
    """Servers of its own, where the common ones will not do; RuntimeError says what this machine lacks."""
