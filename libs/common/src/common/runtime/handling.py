"""How a handler says what it handles and what it needs loaded: `@on(ComplainantTold, loads=UnitOfWork.complaints.by("complaint_id"))`."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from common.contracts.event import Event
from common.store.aggregates import Aggregates, Load

F = TypeVar("F", bound=Callable[..., None])
_MARK = "__aftersales_on__"


@dataclass(frozen=True, slots=True)
class Handler:
    """One marked function with what it handles."""

    event: type[Event]
    loads: tuple[Load, ...]
    function: Callable[..., None]

    def names(self, event: Event) -> list[tuple[Aggregates[Any], str]]:
        """The aggregates that `event` names, in the order of the handler's parameters."""
        return [(load.aggregates, id) for load in self.loads if (id := load.id_of(event)) is not None]


def on(event: type[Event], *, loads: Load | Iterable[Load] = ()) -> Callable[[F], F]:
    """Marks a function as the handler of `event`: it is called with the event, one argument a load, and the unit of work.

    The mark does nothing by itself; `service()` collects the marked functions of the module it is given.
    """
    declared = (loads,) if isinstance(loads, Load) else tuple(loads)

    def mark(function: F) -> F:
        setattr(function, _MARK, Handler(event, declared, function))
        return function

    return mark


def handlers_in(module: ModuleType) -> dict[type[Event], Handler]:
    """The handlers that `module` defines, by the event that they handle; two for one event are an error."""
    found: dict[type[Event], Handler] = {}
    for _, function in inspect.getmembers(module, inspect.isfunction):
        handler = getattr(function, _MARK, None)
        if handler is None or function.__module__ != module.__name__:
            continue
        if handler.event in found:
            raise TypeError(f"{module.__name__}: two handlers for {handler.event.TYPE}")
        found[handler.event] = handler
    return found
