"""Work that time starts: `@every(1.0)` marks a function, `service()` runs it on one replica at a time."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

J = TypeVar("J", bound=Callable[[Any], Awaitable[None]])
_MARK = "__aftersales_every__"


@dataclass(frozen=True, slots=True)
class Job:
    """One marked function and how many seconds lie between two runs."""

    name: str
    seconds: float
    function: Callable[[Any], Awaitable[None]]


def every(seconds: float) -> Callable[[J], J]:
    """Marks a function of the running service as a job; it runs on the replica that holds the service's lease."""

    def mark(function: J) -> J:
        setattr(function, _MARK, Job(function.__name__, seconds, function))
        return function

    return mark


def jobs_in(module: ModuleType | None) -> list[Job]:
    """The jobs that `module` defines."""
    if module is None:
        return []
    marked = (getattr(function, _MARK, None) for _, function in inspect.getmembers(module, inspect.isfunction))
    return [job for job in marked if job is not None and job.function.__module__ == module.__name__]
