"""The transaction in which the staged changes of many events are written at once."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.cause import Cause
from common.contracts.envelope import MAX_BYTES, Received, value_of
from common.contracts.event import Envelope, Event
from common.contracts.topics import source_of, topic_of
from common.kernel.errors import EventTooLarge
from common.kernel.ids import derived_id
from common.runtime.handling import Handler
from common.runtime.unit_of_work import UnitOfWork
from common.sla.clock_book import ClockBook
from common.sla.reconcile import Fact
from common.store import clocks as clock_rows
from common.store import outbox, rulebook, waiting
from common.store.aggregates import Aggregates, UnreadableRow
from common.store.outbox import Outgoing
from common.store.rulebook import RulebookCache, RuleVersion

_Key = tuple[str, str]


@dataclass(slots=True)
class _Held:
    """One aggregate in memory, with what the transaction has to write of it."""

    aggregates: Aggregates[Any]
    value: Any
    sequence: int = 0
    new: bool = False
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """An event came before something that it builds on: it waits for `aggregate`, until what is `missing` has come."""

    aggregate: str
    missing: str


class _StagedEvent(NamedTuple):
    """One event of ours on its way to the outbox."""

    event: Event
    at: datetime
    id: str
    cause: Cause
    value: bytes
    aggregate: str


def _value(event: Event) -> bytes:
    value = value_of(event)
    if len(value) > MAX_BYTES:
        raise EventTooLarge(f"{event.TYPE} has {len(value)} bytes, more than the {MAX_BYTES} that an event may have")
    return value


class Transaction:
    """The aggregates that a micro-batch names, locked and in memory, and everything that its events staged.

    Use: `load`, then `handle` or `fire` for one event or timer after the other, then `save`.
    """

    def __init__(self, service: str, uow_type: Callable[["Transaction", Cause], UnitOfWork], rulebook: RulebookCache) -> None:
        self.service = service
        self.unreadable: dict[str, str] = {}
        """The loaded aggregates with a row that this version cannot read, and why: whoever loads them parks them."""
        self.clocks: ClockBook
        """Those of the loaded aggregates."""
        self._rulebook = rulebook
        self._rule_versions: list[RuleVersion] = []
        self._uow_type = uow_type
        self._held: dict[_Key, _Held] = {}
        self._outgoing: list[Outgoing] = []

    async def load(self, connection: AsyncConnection, names: Iterable[tuple[Aggregates[Any], str]]) -> None:
        """Locks the named aggregates, table by table, id by id, and reads them and their clocks."""
        wanted: dict[str, tuple[Aggregates[Any], set[str]]] = {}
        for aggregates, id in names:
            wanted.setdefault(aggregates.name, (aggregates, set()))[1].add(id)
        refs: list[str] = []
        for name in sorted(wanted):
            aggregates, ids = wanted[name]
            found = await aggregates.lock(connection, sorted(ids))
            for id in ids:
                match found.get(id, (None, 0)):
                    case UnreadableRow(reason):
                        self.unreadable[aggregates.ref(id)] = reason
                    case (value, sequence):
                        self._held[name, id] = _Held(aggregates, value, sequence)
            refs += [aggregates.ref(id) for id in found]
        self.clocks = ClockBook(self.service, await self._rulebook.now(connection))
        self.unreadable |= await clock_rows.load(connection, self.clocks, refs)

    def held(self, key: _Key) -> _Held:
        """One loaded aggregate; `LookupError` when no handler declared that it reads it."""
        if key not in self._held:
            raise LookupError(f"{key[0]}: read without being declared in loads=")
        return self._held[key]

    def handle(self, received: Received, handler: Handler) -> Deferred | None:
        """Runs one event through its handler; whatever the handler raises, nothing of the event is left."""
        assert received.event is not None
        cause = Cause.of(received)
        uow = self._uow_type(self, cause)
        facts: list[Fact] = []
        arguments: list[Any] = []
        for load in handler.loads:
            id = load.id_of(received.event)
            held = None if id is None else self.held((load.aggregates.name, id))
            if held is not None and held.value is None and load.required:
                return Deferred(load.aggregates.ref(cast("str", id)), waiting.UNKNOWN_AGGREGATE)
            arguments.append(None if held is None else held.value)
        clocks = self.clocks.scratch()
        refs = [aggregates.ref(id) for aggregates, id in handler.names(received.event)]
        for ref in refs:
            facts += clocks.advance(ref, cause.time)
        handler.use_case(received.event, *arguments, uow)
        if uow.early is not None:
            return Deferred(refs[0], uow.early.missing)
        for number, (ref, stage, event) in enumerate(uow.clock_events):
            facts += clocks.record(ref, stage, event, cause, number)
        self._merge(uow, facts, clocks, refs[0] if refs else "")
        return None

    def fire(self, clock_id: str, aggregate: str, due_at: datetime, recorded_at: datetime) -> None:
        """Lets time pass on the clocks of one aggregate, up to just after `due_at`."""
        clocks = self.clocks.scratch()
        facts = clocks.advance(aggregate, due_at, including=True)
        cause = Cause(f"timer:{clock_id}", due_at, recorded_at)
        self._merge(self._uow_type(self, cause), facts, clocks, aggregate)

    def rederive(self, aggregate: str, to: datetime | None, recorded_at: datetime) -> None:
        """Applies the newest rulebook to the clocks of one aggregate."""
        clocks = self.clocks.scratch()
        facts = clocks.rederive(aggregate, to)
        cause = Cause("rules", recorded_at, recorded_at)
        self._merge(self._uow_type(self, cause), facts, clocks, aggregate)

    def run(self, cause: Cause, use_case: Callable[[Any], None]) -> None:
        """Runs a use case that no event asked for (a job)."""
        uow = self._uow_type(self, cause)
        use_case(uow)
        self._merge(uow, [], self.clocks.scratch())

    def _merge(self, uow: UnitOfWork, facts: list[Fact], clocks: ClockBook, aggregate: str = "") -> None:
        staged = self._staged(uow, facts, aggregate)
        self.clocks.merge(clocks)
        for version in uow.rule_versions:
            self._rule_versions.append(version)
            self.clocks.rulebook = self.clocks.rulebook.with_one(rulebook.parsed(version))
        for key, (aggregates, value, new) in uow.changes.items():
            held = self._held.setdefault(key, _Held(aggregates, None))
            held.new = held.new or new
            held.value, held.changed = value, True
        for one in staged:
            self._emit(one)

    def _staged(self, uow: UnitOfWork, facts: Iterable[Fact], aggregate: str) -> list[_StagedEvent]:
        """What an event, a timer or a job has decided, ready to be sent; `EventTooLarge` before anything of it is taken over."""
        found: list[_StagedEvent] = []
        ordinals: Counter[str] = Counter()
        for event, at in uow.outgoing:
            ordinals[event.TYPE] += 1
            id = derived_id(at, self.service, uow.cause.id, event.TYPE, ordinals[event.TYPE])
            found.append(_StagedEvent(event, at, id, uow.cause, _value(event), aggregate))
        for fact in facts:
            cause = uow.cause if fact.replay_of == uow.cause.replay_of else replace(uow.cause, replay_of=fact.replay_of)
            found.append(_StagedEvent(fact.event, fact.at, fact.id, cause, _value(fact.event), aggregate))
        return found

    def _emit(self, staged: _StagedEvent) -> None:
        event, cause = staged.event, staged.cause
        topic = topic_of(type(event))
        key = topic.key_of(event)
        sequence = None
        held = self._held.get((topic.aggregate, key))
        if held is not None and held.value is not None:
            held.sequence += 1
            held.changed = True
            sequence = held.sequence
        envelope = Envelope(
            id=staged.id,
            source=source_of(self.service),
            type=event.TYPE,
            subject=key,
            time=staged.at,
            recorded_at=cause.recorded_at,
            correlation_id=cause.correlation_id,
            causation_id=cause.event_id or cause.id,
            sequence=sequence,
            replay_of=cause.replay_of,
        )
        self._outgoing.append(Outgoing.of(staged.value, envelope, topic=topic.name, key=key, aggregate=staged.aggregate))

    @property
    def outgoing(self) -> int:
        """How many events are staged."""
        return len(self._outgoing)

    async def save(self, connection: AsyncConnection) -> None:
        """Writes what changed: one statement a table, then clocks, timers and the outbox in the order of publishing."""
        by_table: dict[str, list[_Held]] = {}
        for held in self._held.values():
            if held.changed and held.value is not None:
                by_table.setdefault(held.aggregates.name, []).append(held)
        for name in sorted(by_table):
            rows = by_table[name]
            new = [(held.value, held.sequence) for held in rows if held.new]
            changed = [(held.value, held.sequence) for held in rows if not held.new]
            await rows[0].aggregates.write(connection, new, changed)
        await rulebook.save(connection, self._rule_versions)
        await clock_rows.save(connection, self.clocks, unnumbered_rules=len(self._rule_versions))
        await outbox.insert(connection, self._outgoing)
