"""Which use case an event or a wake-up is, and what it needs loaded: each a line of its service's table of handlers."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, overload

from common.contracts.event import Event
from common.kernel.wake_ups import Woken
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
    if (problem := _misfit(use_case, event, handler.loads)) is not None:
        raise TypeError(f"{use_case.__name__} cannot take {event.__name__}: {problem}")
    return handler


@dataclass(frozen=True, slots=True)
class WakeHandler:
    """One line of the table: `use_case` is called when an aggregate is woken for `reason`."""

    aggregates: Aggregates[Any]
    reason: str
    use_case: Callable[..., None]


def on_wake(aggregates: Aggregates[A], reason: str, use_case: Callable[[Woken, A, Any], None]) -> WakeHandler:
    """`use_case` is what follows when an aggregate is woken for `reason`: `on_wake(UnitOfWork.cycles, "close", close_planned_cycle)`.

    A use case takes what woke it (`Woken`), the aggregate and the unit of work, in which it sets and cancels wake-ups with `wake` and
    `cancel_wake`; TypeError says where it does not.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", reason):
        raise TypeError(f"{reason!r} is no reason to be woken for: expected a word of a to z, 0 to 9 and _")
    problem = _misfit(use_case, Woken, (aggregates.by("id"),))
    if problem is not None:
        raise TypeError(f"{use_case.__name__} cannot be woken for {reason}: {problem}")
    return WakeHandler(aggregates, reason, use_case)


class HandlerTable(dict[type[Event], Handler]):
    """The handlers of a service by the event that they handle; beside them, `wakes`: those of wake-ups, by table and reason."""

    def __init__(self, handlers: Mapping[type[Event], Handler], wakes: Mapping[tuple[str, str], WakeHandler] | None = None) -> None:
        super().__init__(handlers)
        self.wakes = wakes or {}


def handler_table(*lines: Handler | WakeHandler) -> HandlerTable:
    """The table of a service; two lines for one event, or for one wake-up, are a TypeError."""
    events: dict[type[Event], Handler] = {}
    wakes: dict[tuple[str, str], WakeHandler] = {}
    for line in lines:
        other: Handler | WakeHandler
        if isinstance(line, Handler):
            other, what = events.setdefault(line.event, line), line.event.TYPE
        else:
            other, what = wakes.setdefault((line.aggregates.name, line.reason), line), f"{line.aggregates.name} woken for {line.reason}"
        if other is not line:
            raise TypeError(f"two handlers for {what}: {other.use_case.__name__} and {line.use_case.__name__}")
    return HandlerTable(events, wakes)


class UnknownWakeUp(LookupError):
    """An aggregate is to be woken for a reason for which the service has no use case: a defect of ours, which parks it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no use case is woken for {reason}")


def reason_to_park(error: Exception) -> str:
    """What is said of an aggregate that is parked since `error` was raised; no value of an event is in it."""
    return str(error) if isinstance(error, UnknownWakeUp) else type(error).__name__


def _misfit(use_case: Callable[..., None], event: type, loads: Sequence[Load[Any]]) -> str | None:
    """What of the use case does not fit; None when all does. mypy says the same of what it can see."""
    kinds = [parameter.annotation for parameter in inspect.signature(use_case, eval_str=True).parameters.values()]
    expected = 2 + len(loads)
    if len(kinds) != expected:
        wanted = f"the event, an aggregate for each of {len(loads)} loads, the unit of work"
        return f"it has {len(kinds)} parameters; expected {expected}: {wanted}"
    first, *loaded, last = kinds
    if first is not event:
        return f"its first parameter is {_named(first)}, not {'the event' if issubclass(event, Event) else event.__name__}"
    for number, (kind, load) in enumerate(zip(loaded, loads, strict=True), 2):
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
