"""What one event, timer or job changes, with the wake-ups that were due before it: all of it is merged, or nothing of it is left."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.contracts.cause import Cause
from common.contracts.decision import Decision, decisions
from common.kernel.parties import Change, Organisation
from common.kernel.reference import Document, Documents
from common.kernel.wake_ups import WakeUp, WakeUps, Woken
from common.runtime.handling import UnknownWakeUp, WakeHandler
from common.runtime.unit_of_work import Loaded, UnitOfWork
from common.sla.clock_book import ClockBook
from common.sla.reconcile import Fact
from common.store.aggregates import NOTHING_RECORDED, Aggregates

Key = tuple[str, str]
"""An aggregate: its table and its id."""
WakeHandlers = Mapping[tuple[str, str], WakeHandler]
UnitsOfWork = Callable[[Loaded, Cause], UnitOfWork]


@dataclass(slots=True)
class Held:
    """One aggregate in memory, with what the transaction has to write of it."""

    aggregates: Aggregates[Any]
    value: Any
    sequence: int = 0
    recorded_at: datetime = NOTHING_RECORDED
    """When the newest of the events was recorded that it has heard of."""
    new: bool = False
    changed: bool = False


@dataclass(slots=True)
class Scratch:
    """One step after the other is taken here: each sees what those before it have changed."""

    service: str
    loaded: Loaded
    uow_type: UnitsOfWork
    wake_handlers: WakeHandlers
    clocks: ClockBook
    wake_ups: WakeUps
    changes: dict[Key, Held] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    document_records: list[Document] = field(default_factory=list)
    organisation_changes: list[Change] = field(default_factory=list)

    @property
    def heard(self) -> set[Key]:
        """The aggregates that the steps so far have changed, or about which they have decided."""
        return {*self.changes, *((one.topic.aggregate, one.key) for one in self.decisions)}

    @property
    def documents(self) -> Documents:
        """What the transaction knows."""
        return self.loaded.documents

    @property
    def parties(self) -> Organisation:
        """Who is what, after the steps so far."""
        return self.loaded.parties.with_some(self.organisation_changes)

    def held(self, key: Key) -> Any:
        """One aggregate as it stands after the steps so far; `LookupError` when no handler declared that it reads it."""
        return self.changes.get(key) or self.loaded.held(key)

    def begin(self, cause: Cause) -> UnitOfWork:
        """The unit of work of the next step."""
        return self.uow_type(self, cause)

    def wake_before(self, refs: Collection[str], instant: datetime, recorded_at: datetime) -> None:
        """Fires the wake-ups of aggregates that are due before an instant, in the order in which they are due."""
        while (due := self.wake_ups.next_before(refs, instant)) is not None:
            self.wake(due, recorded_at)

    def wake(self, wake_up: WakeUp, recorded_at: datetime) -> None:
        """Fires one wake-up: an event that came from time. Time passes on the aggregate's clocks first, up to its instant."""
        table, _, id = wake_up.aggregate.partition(":")
        handler = self.wake_handlers.get((table, wake_up.reason))
        if handler is None:
            raise UnknownWakeUp(wake_up.reason)
        cause = Cause(f"{wake_up.id}@{wake_up.due_at.isoformat()}", wake_up.due_at, recorded_at, replay_of=wake_up.replay_of)
        self.wake_ups.fire(wake_up)
        self.take(self.begin(cause), self.clocks.advance(wake_up.aggregate, wake_up.due_at), wake_up.aggregate)
        uow = self.begin(cause)
        handler.use_case(Woken(wake_up.reason, wake_up.due_at), uow.staged(handler.aggregates, id), uow)
        if uow.early is not None:
            raise LookupError(f"a wake-up waits for nothing, and {wake_up.reason} asked for {uow.early.missing}")
        self.take(uow, aggregate=wake_up.aggregate)

    def take(self, uow: UnitOfWork, facts: Iterable[Fact] = (), aggregate: str = "") -> None:
        """Ends a step: what it said about clocks is recorded, its wake-ups are set; `EventTooLarge` where an event could not be sent."""
        found = [*facts, *uow.facts]
        for number, (ref, stage, event) in enumerate(uow.clock_events):
            found += self.clocks.record(ref, stage, event, uow.cause, number)
        for ref, reason, at in uow.wake_ups:
            if at is None:
                self.wake_ups.cancel(ref, reason)
            else:
                self.wake_ups.arm(ref, reason, at, uow.cause.replay_of)
        for key, (aggregates, value, new) in uow.changes.items():
            self.changes[key] = Held(aggregates, value, new=new or (key in self.changes and self.changes[key].new))
        self.document_records += uow.document_records
        self.organisation_changes += uow.organisation_changes
        decided = list(decisions(uow.outgoing, uow.cause, self.service, aggregate))
        decided += [Decision.of(fact.event, fact.at, fact.id, uow.cause.replayed(fact.replay_of), aggregate) for fact in found]
        self.decisions += decided
