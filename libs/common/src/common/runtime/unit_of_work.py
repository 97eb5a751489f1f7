"""What the use case of one event stages, and the batch in which the staged changes of many events become one transaction."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import Received
from common.contracts.event import Claim, Envelope, Event
from common.contracts.topics import topic_of
from common.kernel.clocks import ClockEntry, Clocks
from common.kernel.errors import Refused, TooEarly
from common.kernel.ids import derived_id
from common.runtime import ledger, ledger_store, outbox, rule_store
from common.runtime.aggregates import Aggregates
from common.runtime.cause import Cause
from common.runtime.handling import Handler
from common.runtime.outbox import Outgoing
from common.runtime.policies import TRAITS
from common.runtime.rule_store import Published, RuleBook
from common.runtime.rules import Rules
from common.runtime.telling import Fact

_Key = tuple[str, str]


@dataclass(slots=True)
class _Held:
    """One aggregate in memory, with what the transaction has to write of it."""

    aggregates: Aggregates[Any]
    value: Any
    sequence: int = 0
    new: bool = False
    changed: bool = False


class UnitOfWork:
    """Loaded aggregates in, staged changes out; no I/O. One of these serves one event and is thrown away when the event fails."""

    traits: ClassVar[tuple[str, ...]] = TRAITS
    """What the service's cases have for its SLA policies to ask for; a service with clocks names its own."""

    def __init__(self, batch: "Batch", cause: Cause) -> None:
        self._batch = batch
        self.cause = cause
        self.early: TooEarly | None = None
        self.changes: dict[_Key, tuple[Aggregates[Any], Any, bool]] = {}
        self.outgoing: list[tuple[Event, datetime]] = []
        self.entries: list[tuple[str, ClockEntry]] = []
        self.published_rules: list[Published] = []

    @property
    def service(self) -> str:
        """Whose unit of work it is."""
        return self._batch.service

    @property
    def rules(self) -> Rules | None:
        """The policies and calendars that are in force; None in a service without clocks."""
        return self._batch.clocks.rules

    def staged(self, aggregates: Aggregates[Any], id: str) -> Any:
        """The newest state of one aggregate."""
        key = (aggregates.name, id)
        if key in self.changes:
            return self.changes[key][1]
        return self._batch.held(key).value

    def stage(self, aggregates: Aggregates[Any], aggregate: Any, *, new: bool) -> None:
        """Stages one aggregate; what it said about its clocks is taken off it."""
        key = (aggregates.name, aggregate.id)
        exists = self.staged(aggregates, aggregate.id) is not None
        if exists is new:
            raise LookupError(f"{aggregates.name}: {'added twice' if new else 'saved before it was added'}")
        clocks = getattr(aggregate, "clocks", None)
        if isinstance(clocks, Clocks) and clocks.entries:
            self.entries += [(aggregates.ref(aggregate.id), entry) for entry in clocks.entries]
            aggregate = replace(aggregate, clocks=Clocks())
        self.changes[key] = (aggregates, aggregate, new or (key in self.changes and self.changes[key][2]))

    def publish(self, event: Event, *, at: datetime | None = None) -> None:
        """Stages an event of ours; `at` is when it happened, by default the time of the event that caused it."""
        self.outgoing.append((event, at or self.cause.time))

    def reject(self, claim: Claim, refused: Refused) -> None:
        """Answers a claim that a rule refuses; the claim counts as applied."""
        answer = topic_of(type(claim)).rejected
        if answer is None:
            raise LookupError(f"no answer is declared for a refused {claim.TYPE}")
        own = set(answer.model_fields) - {"claim_id", "claim_type", "rule", "field", "was"}
        self.publish(
            answer(
                claim_id=claim.envelope.id,
                claim_type=claim.TYPE,
                rule=refused.rule,
                field=refused.field,
                was=refused.was,
                **{name: getattr(claim, name) for name in own},
            )
        )

    def wait(self, early: TooEarly) -> None:
        """Lets the event wait for an earlier one; what was staged is thrown away."""
        self.early = early


class Batch:
    """The aggregates that a micro-batch names, locked and in memory, and everything that its events staged.

    Use: `load`, then `handle` or `fire` for one event or timer after the other, then `save`.
    """

    def __init__(self, service: str, uow_type: Callable[["Batch", Cause], UnitOfWork], rules: RuleBook | None) -> None:
        self.service = service
        self.clocks = ledger.ClockBook(service, None)
        self._rule_book = rules
        self._published_rules: list[Published] = []
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
                value, sequence = found.get(id, (None, 0))
                self._held[name, id] = _Held(aggregates, value, sequence)
            refs += [aggregates.ref(id) for id in found]
        if self._rule_book is not None:
            self.clocks.rules = await self._rule_book.rules_now(connection)
        await ledger_store.load(connection, self.clocks, refs)

    def held(self, key: _Key) -> _Held:
        """One loaded aggregate; `LookupError` when no handler declared that it reads it."""
        if key not in self._held:
            raise LookupError(f"{key[0]}: read without being declared in loads=")
        return self._held[key]

    def handle(self, received: Received, handler: Handler) -> TooEarly | None:
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
                return TooEarly("unknown_aggregate")
            arguments.append(None if held is None else held.value)
        clocks = self.clocks.scratch()
        for aggregates, id in handler.names(received.event):
            facts += clocks.advance(aggregates.ref(id), cause.time)
        handler.function(received.event, *arguments, uow)
        if uow.early is not None:
            return uow.early
        for number, (ref, entry) in enumerate(uow.entries):
            facts += clocks.record(ref, entry, cause, number)
        self._merge(uow, facts, clocks)
        return None

    def fire(self, clock_id: str, aggregate: str, due_at: datetime, recorded_at: datetime) -> None:
        """Lets time pass on the clocks of one aggregate, up to just after `due_at`."""
        clocks = self.clocks.scratch()
        facts = clocks.advance(aggregate, due_at, including=True)
        cause = Cause(f"timer:{clock_id}", due_at, recorded_at)
        self._merge(self._uow_type(self, cause), facts, clocks)

    def rederive(self, aggregate: str, to: datetime | None, recorded_at: datetime) -> None:
        """Takes the newest rules into the clocks of one aggregate."""
        clocks = self.clocks.scratch()
        facts = clocks.rederive(aggregate, to)
        cause = Cause("rules", recorded_at, recorded_at)
        self._merge(self._uow_type(self, cause), facts, clocks)

    def run(self, cause: Cause, use_case: Callable[[Any], None]) -> None:
        """Runs a use case that no event asked for (a job)."""
        uow = self._uow_type(self, cause)
        use_case(uow)
        self._merge(uow, [], self.clocks.scratch())

    def _merge(self, uow: UnitOfWork, facts: list[Fact], clocks: ledger.ClockBook) -> None:
        self.clocks.take(clocks)
        for rule in uow.published_rules:
            self._published_rules.append(rule)
            assert self.clocks.rules is not None
            self.clocks.rules = self.clocks.rules.with_one(rule_store.as_rule(rule))
        for key, (aggregates, value, new) in uow.changes.items():
            held = self._held.setdefault(key, _Held(aggregates, None))
            held.new = held.new or new
            held.value, held.changed = value, True
        ordinals: Counter[str] = Counter()
        for event, at in uow.outgoing:
            ordinals[event.TYPE] += 1
            id = derived_id(at, self.service, uow.cause.id, event.TYPE, ordinals[event.TYPE])
            self._emit(event, at, id, uow.cause)
        for fact in facts:
            cause = replace(uow.cause, replay_of=fact.replay_of)
            self._emit(fact.event, fact.at, fact.id, cause)

    def _emit(self, event: Event, at: datetime, id: str, cause: Cause) -> None:
        topic = topic_of(type(event))
        key = topic.key_of(event)
        sequence = None
        held = self._held.get((topic.name.replace("-", "_"), key))
        if held is not None and held.value is not None:
            held.sequence += 1
            held.changed = True
            sequence = held.sequence
        envelope = Envelope(
            id=id,
            source=f"/aftersales/{self.service}",
            type=event.TYPE,
            subject=key,
            time=at,
            recorded_at=cause.recorded_at,
            correlation_id=cause.correlation_id,
            causation_id=cause.event_id or cause.id,
            sequence=sequence,
            replay_of=cause.replay_of,
        )
        self._outgoing.append(Outgoing.of(event, envelope, topic=topic.name, key=key))

    def emit_raw(self, outgoing: Outgoing) -> None:
        """Stages a record for a topic outside the table (dead letters)."""
        self._outgoing.append(outgoing)

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
        await rule_store.save(connection, self._published_rules)
        await ledger_store.save(connection, self.clocks, own_rules=len(self._published_rules))
        await outbox.insert(connection, self._outgoing)
