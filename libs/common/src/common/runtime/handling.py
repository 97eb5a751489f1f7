"""Which use case an event is, and what it needs loaded: each a line of its service's table of handlers."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, overload

from common.contracts.event import Event
from common.runtime.unit_of_work import UnitOfWork
from common.store.aggregates import Aggregates, Load

A = TypeVar("A")
B = TypeVar("B")
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Handler:
    """One line of the table: `use_case` is called with the event, one aggregate for each load, and the unit of work."""

    event: type[Event]
    loads: tuple[Load[Any], ...]
    use_case: Callable[..., None]

    def names(self, event: Event) -> list[tuple[Aggregates[Any], str]]:
        """The aggregates that `event` names, in the order of the use case's parameters."""
        return [(load.aggregates, id) for load in self.loads if (id := load.id_of(event)) is not None]


@overload
def on(event: type[E], use_case: Callable[[E, Any], None]) -> Handler: ...
@overload
def on(event: type[E], use_case: Callable[[E, A, Any], None], *, loads: Load[A]) -> Handler: ...
@overload
def on(event: type[E], use_case: Callable[[E, A, B, Any], None], *, loads: tuple[Load[A], Load[B]]) -> Handler: ...
def on(event: type[Event], use_case: Callable[..., None], *, loads: Load[Any] | tuple[Load[Any], ...] = ()) -> Handler:
    """`event` is `use_case`, for which `loads` are loaded and locked: `on(ComplainantTold, acknowledge_complaint, loads=_BY_ID)`.

    A use case takes the event, one aggregate for each load, and the unit of work; TypeError says where it does not.
    """
    handler = Handler(event, (loads,) if isinstance(loads, Load) else loads, use_case)
    if (problem := _misfit(handler)) is not None:
        raise TypeError(f"{use_case.__name__} cannot take {event.__name__}: {problem}")
    return handler


def handler_table(*handlers: Handler) -> Mapping[type[Event], Handler]:
    """The handlers of a service by the event that they handle; two for one event are a TypeError."""
    found: dict[type[Event], Handler] = {}
    for handler in handlers:
        if (other := found.setdefault(handler.event, handler)) is not handler:
            names = f"{other.use_case.__name__} and {handler.use_case.__name__}"
            raise TypeError(f"two handlers for {handler.event.TYPE}: {names}")
    return found


def _misfit(handler: Handler) -> str | None:
    """What of the use case does not fit; None when all does. mypy says the same of what it can see."""
    kinds = [parameter.annotation for parameter in inspect.signature(handler.use_case, eval_str=True).parameters.values()]
    expected = 2 + len(handler.loads)
    if len(kinds) != expected:
        wanted = f"the event, an aggregate for each of {len(handler.loads)} loads, the unit of work"
        return f"it has {len(kinds)} parameters; expected {expected}: {wanted}"
    first, *loaded, last = kinds
    if first is not handler.event:
        return f"its first parameter is {_named(first)}, not the event"
    for number, (kind, load) in enumerate(zip(loaded, handler.loads, strict=True), 2):
        alternatives = get_args(kind) or (kind,)
        if load.aggregates.kind not in alternatives:
            return f"its parameter {number} is {_named(kind)}, and a {load.aggregates.kind.__name__} is loaded for it"
        if not load.required and type(None) not in alternatives:
            return f"its parameter {number} is {_named(kind)}, and None comes where there is no such aggregate: expected … | None"
    if not (isinstance(last, type) and issubclass(last, UnitOfWork)):
        return f"its last parameter is {_named(last)}, not the unit of work"
    return None


def _named(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
